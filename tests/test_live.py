"""Controls for a running kernel, and what stands in their place on the page."""

import pytest

from rl_lab.widgets.live import Live

VIEW = "application/vnd.jupyter.widget-view+json"


def test_nothing_runs_before_the_button_and_then_the_values_arrive():
    calls = []
    live = Live(lambda k, arm: calls.append((k, arm)), "draw k seeds", k=(1, 9), arm=["a", "b"])
    assert calls == []
    live.box.children[0].value = 7
    live.box.manual_button.click()
    assert calls == [(7, "a")]


def test_the_page_says_that_a_kernel_is_needed():
    live = Live(lambda k: None, "draw <k> seeds", k=(1, 9))
    shown, again = live._repr_mimebundle_(), live._repr_mimebundle_()
    assert VIEW in shown
    assert "With a running kernel you can draw &lt;k&gt; seeds." in shown["text/html"]
    assert "rocket" in shown["text/html"]
    assert {k: v for k, v in shown.items() if k != VIEW} == {
        k: v for k, v in again.items() if k != VIEW
    }


@pytest.mark.parametrize("controls", [dict(seeds=(1, 9)), dict(k=object())])
def test_each_argument_needs_a_control(controls):
    with pytest.raises(ValueError, match=r"argument: 'k'|to a widget"):
        Live(lambda k: None, "draw k seeds", **controls)
