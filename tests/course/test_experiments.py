"""Experiments in the page, without a browser: their HTML, their scripts and their data."""

import base64
import importlib
import json
import re
from pathlib import Path

import pytest
import traitlets
from bs4 import BeautifulSoup

from rl_lab.course.experiments import static
from rl_lab.course.experiments.base import Experiment

VIEW = "application/vnd.jupyter.widget-view+json"
WIDGETS = Path(static.__file__).parent

for module in WIDGETS.glob("*.py"):
    importlib.import_module(f"rl_lab.course.experiments.{module.stem}")
EXPERIMENTS = sorted(
    (c for c in Experiment.__subclasses__() if c.__module__.startswith("rl_lab.")),
    key=lambda c: c.NAME,
)
every = pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda c: c.NAME)


def test_every_module_has_a_class_and_every_class_a_module():
    assert [c.NAME for c in EXPERIMENTS] == static.experiments()


@every
def test_html_is_the_same_each_time_and_says_what_is_shown(experiment):
    html = experiment().html()
    assert html == experiment().html()
    page = BeautifulSoup(html, "html.parser")
    (place,) = page.find_all(class_="rl-experiment")
    assert place["data-experiment"] == experiment.NAME
    assert json.loads(place["data-inputs"]) == experiment().inputs()
    summary = page.find(class_="rl-summary").text
    assert summary == experiment.SUMMARY
    assert summary.endswith(".")
    assert experiment.TITLE in page.text
    assert not page.find_all(id=True), "an id would differ from run to run or clash"


@every
def test_a_cell_shows_the_live_widget_and_its_html(experiment):
    widget = experiment()
    data, _ = widget._repr_mimebundle_()
    assert data["text/html"] == widget.html()
    assert data[VIEW]["model_id"] == widget.model_id
    assert data["text/plain"].startswith(f"{experiment.__name__}(")
    assert widget.model_id not in data["text/html"] + data["text/plain"]


@every
def test_inputs_differ_in_the_html(experiment):
    widget = experiment()
    assert widget.inputs(), "an experiment without inputs cannot be opened on another picture"
    name, value = next((n, v) for n, v in widget.inputs().items() if type(v) is int)
    again = experiment(**{name: value + 1})
    assert again.html() != widget.html()


@every
def test_an_unknown_input_is_named(experiment):
    with pytest.raises(TypeError, match=r"has no input 'sed'; its inputs are: .*\w"):
        experiment(sed=1)


@every
def test_a_value_of_the_wrong_kind_is_named(experiment):
    for name in experiment.input_names():
        with pytest.raises(traitlets.TraitError, match=name):
            experiment(**{name: object()})


@every
def test_assets_are_found_and_reach_the_kernel_whole(experiment):
    held = experiment().assets
    assert list(held) == list(experiment.ASSETS)
    for name, content in held.items():
        assert content == static.asset_path(name).read_bytes()
        coded = re.search(r'"([A-Za-z0-9+/=]{100,})"', static.asset_script(name))[1]
        assert base64.b64decode(coded) == content


@every
def test_scripts_import_nothing_and_fetch_nothing(experiment):
    module, script = static.module_source(experiment.NAME), static.classic_script(experiment.NAME)
    assert not re.search(r"^\s*(import|export)\b", script, re.MULTILINE)
    assert f'window.rlExperiments ??= {{}})["{experiment.NAME}"] = {{ render }};' in script
    for text in (module, static.loader_script(), static.stylesheet()):
        assert not re.search(r"https?://|\bfetch\(|XMLHttpRequest|importScripts|@import", text)
        assert "Math.random" not in text, "draws come from makeRandom"


@every
def test_docstrings_say_what_to_see_and_to_try(experiment):
    assert "try" in experiment.__doc__.lower()


def test_missing_names_say_what_there_is():
    with pytest.raises(ValueError, match=r"no experiment 'nothing'; there are: \w+"):
        static.module_source("nothing")
    with pytest.raises(ValueError, match=r"loader\.js must end with one line"):
        static.classic_script("loader")
    with pytest.raises(FileNotFoundError, match=r"no nothing\{\.safetensors.*beside the notebook"):
        static.asset_path("nothing")
