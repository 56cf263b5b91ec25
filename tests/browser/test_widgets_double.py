"""One chooses, one values, in a real browser: it computes what the library and theory do."""

import numpy as np
import pytest
import torch
from experiments import (
    MODEL,
    assert_accessible,
    button,
    pictures,
    render_and_remove,
    status,
    wait_for_status,
)

from rl_lab.course.experiments.double import TwoEstimates
from rl_lab.losses import td_targets
from rl_lab.replay import Batch

pytestmark = pytest.mark.slow

SETTINGS = [
    dict(actions=10, lead=0.0, noise=1.0, shared=0.0),
    dict(actions=2, lead=0.5, noise=1.0, shared=0.0),
    dict(actions=20, lead=1.5, noise=0.5, shared=0.3),
    dict(actions=4, lead=0.3, noise=2.0, shared=1.0),
]


@pytest.fixture
def code(functions):
    """A page that holds the functions of the experiment."""
    return functions("two_estimates")


def simulated(rng, n, actions, lead, noise, shared):
    """Two estimates of each action [n, actions], as the chapter and the page draw them."""
    truth = lead * (np.arange(actions) == 0)
    error, own = rng.uniform(-noise, noise, size=(2, n, actions))
    return truth + error, truth + shared * error + (1 - shared) * own


@pytest.mark.parametrize("settings", SETTINGS)
def test_what_is_expected_is_what_many_draws_average(code, settings):
    choose, value = simulated(np.random.default_rng(0), 200_000, **settings)
    best = choose.argmax(1)
    expected = code.evaluate("s => expectedEstimates(s)", settings)
    assert expected["largest"] == pytest.approx(choose.max(1).mean(), abs=0.01)
    assert expected["second"] == pytest.approx(value[np.arange(len(best)), best].mean(), abs=0.01)
    assert expected["right"] == pytest.approx((best == 0).mean(), abs=0.005)


def test_equal_actions_have_the_bias_that_the_course_derives(code):
    for m in (2, 4, 18):
        equal = dict(actions=m, lead=0, noise=1, shared=0.5)
        found = code.evaluate("s => expectedEstimates(s)", equal)
        assert found["largest"] == pytest.approx((m - 1) / (m + 1), abs=1e-6)
        assert found["second"] == pytest.approx(0.5 * (m - 1) / (m + 1), abs=1e-6)
        assert found["right"] == pytest.approx(1 / m, abs=1e-6)


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_draw_is_judged_as_the_library_computes_its_targets(code, settings):
    draws = code.evaluate(
        """(s) => {
          const random = makeRandom(3);
          return Array.from({ length: 2000 }, () => drawEstimates(s, random)).map((draw) =>
            ({ ...draw, ...judgeEstimates(draw) }));
        }""",
        settings,
    )
    choose, value = (torch.tensor([d[k] for d in draws]) for k in ("choose", "value"))
    nothing = torch.zeros(len(draws))
    ones = torch.ones(len(draws))
    batch = Batch(choose, nothing.long(), nothing, value, dones=nothing, discounts=ones)
    largest = td_targets(lambda _: value, lambda _: choose, batch)
    second = td_targets(lambda _: choose, lambda _: value, batch, double=True)
    np.testing.assert_allclose([d["largest"] for d in draws], largest, rtol=1e-6)
    np.testing.assert_allclose([d["second"] for d in draws], second, rtol=1e-6)
    expected = code.evaluate("s => expectedEstimates(s)", settings)
    assert largest.mean().item() == pytest.approx(expected["largest"], abs=0.1)
    assert second.mean().item() == pytest.approx(expected["second"], abs=0.1)


def test_draws_are_made_by_keyboard_and_by_mouse(show):
    page = show(TwoEstimates())
    opened = pictures(page)
    assert status(page).startswith("1 draw:") and "(expected 0.82)" in status(page)
    button(page, "Draw once").press("Enter")
    assert status(page).startswith("2 draws:") and pictures(page) != opened
    button(page, "Draw many").click()
    wait_for_status(page, r"^(\d\d\d|\d,\d{3}) draws:")
    button(page, "Pause").click()
    state = page.evaluate(f"{MODEL}.get('state')")
    assert state["draws"] >= 100 and state["largest"] > 0.6 > 0.4 > abs(state["second"])
    page.get_by_label("Actions").fill("2")
    assert status(page).startswith("1 draw:") and "(expected 0.33)" in status(page)
    page.get_by_label("Lead of the first action").fill("0.5")
    assert "worth 0.50" in status(page)
    page.evaluate(f"{MODEL}.set('shared', 1)")  # as a kernel does
    largest, second = (
        page.evaluate(f"expectedOf => {MODEL}.get('state')[expectedOf]", name)
        for name in ("largest", "second")
    )
    assert largest == second
    button(page, "Reset").click()
    assert status(page).startswith("1 draw:") and pictures(page) == opened


def test_the_module_renders_in_a_kernels_page_and_can_be_removed(show):
    render_and_remove(show(TwoEstimates()), TwoEstimates, canvases=1)


@pytest.mark.parametrize("width", [1280, 375])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_and_fits(show, width, scheme):
    page = show(TwoEstimates(), width=width, color_scheme=scheme)
    assert_accessible(page, width, scheme)
