"""Controls for a running kernel, and what stands in their place on the page."""

import re
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from safetensors.torch import load_file

from rl_lab.agents.dqn import DQNAgent
from rl_lab.course import videos
from rl_lab.course.experiments.interactive import Interactive
from rl_lab.course.settings import CARTPOLE_RECIPE, LANDER_RECIPE
from rl_lab.course.stored import verify_checksum
from rl_lab.envs import make_env
from rl_lab.training import EVALUATION_SEED

BOOK = Path(__file__).parents[2] / "book"
CHAPTERS = {path.stem: nbformat.read(path, as_version=4) for path in BOOK.glob("*.ipynb")}
LIVE = ("tabular_limits", "naive_network", "target_network")
LIVE += ("cartpole", "write_dqn", "debugging", "luck", "lunar_lander")
LIVE += ("ablation", "takeaways")
VIEW = "application/vnd.jupyter.widget-view+json"


def test_nothing_runs_before_the_button_and_then_the_values_arrive():
    calls = []
    live = Interactive(
        lambda k, arm: calls.append((k, arm)), "draw k seeds", k=(1, 9), arm=["a", "b"]
    )
    assert calls == []
    live.box.children[0].value = 7
    live.box.manual_button.click()
    assert calls == [(7, "a")]


def test_the_page_says_that_a_kernel_is_needed():
    live = Interactive(lambda k: None, "draw <k> seeds", k=(1, 9))
    shown, again = live._repr_mimebundle_(), live._repr_mimebundle_()
    assert VIEW in shown
    assert "With a running kernel you can draw &lt;k&gt; seeds." in shown["text/html"]
    place = BeautifulSoup(shown["text/html"], "html.parser").find(class_="rl-launch")
    assert "rocket button" in place.text
    assert {k: v for k, v in shown.items() if k != VIEW} == {
        k: v for k, v in again.items() if k != VIEW
    }


@pytest.mark.parametrize("controls", [dict(seeds=(1, 9)), dict(k=object())])
def test_each_argument_needs_a_control(controls):
    with pytest.raises(ValueError, match=r"argument: 'k'|to a widget"):
        Interactive(lambda k: None, "draw k seeds", **controls)


@pytest.mark.parametrize("chapter", LIVE)
def test_each_chapter_runs_something_live_and_says_what_it_needs(chapter):
    shown = [
        output.data["text/html"]
        for cell in CHAPTERS[chapter].cells
        if cell.cell_type == "code" and re.search(r"^Interactive\(", cell.source, re.MULTILINE)
        for output in cell.outputs
        if "data" in output
    ]
    assert shown and all("This page has no kernel" in html for html in shown)


@pytest.mark.parametrize(
    ("chapter", "moment", "start", "told"),
    [
        ("cartpole", "before", 0, r" 10$"),
        (
            "lunar_lander",
            "crash",
            1,
            r"return while recorded -\d+$",
        ),
    ],
)
def test_a_video_from_another_start_is_made_without_a_display(
    chapter, moment, start, told, monkeypatch, capsys
):
    """The function behind the controls, as the cell defines it; these are the stored videos."""
    (source,) = (c.source for c in CHAPTERS[chapter].cells if c.id == "video-live")
    monkeypatch.chdir(BOOK)
    names = dict(
        DQNAgent=DQNAgent,
        EVALUATION_SEED=EVALUATION_SEED,
        LANDER_RECIPE=LANDER_RECIPE,
        learner=DQNAgent(4, 2, **CARTPOLE_RECIPE, device="cpu", seed=1),
        verify_checksum=verify_checksum,
        load_file=load_file,
        make_env=make_env,
        show=videos.show,
    )
    exec(source, names)
    shown = []
    names["display"] = shown.append
    names["record_again"](moment, start)
    assert "data:video/mp4" in shown[0].data
    assert re.search(told, capsys.readouterr().out.strip())
