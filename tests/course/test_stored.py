"""Every stored result belongs to a study as it is defined today, and can be had again."""

import contextlib
import inspect
import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from rl_lab.course.machine import machine
from rl_lab.course.results import load_study
from rl_lab.course.studies import Study, run_dqn

BOOK = Path(__file__).parents[2] / "book"
DATA = BOOK / "data"

# Defined, and not run to the end yet: their results are still to be stored.
WAITING = set()


def defined(script):
    """The studies of a script: its constants, and what its functions make of stored results."""
    for value in runpy.run_path(str(script)).values():
        if isinstance(value, Study):
            yield value
        elif inspect.isfunction(value) and inspect.signature(value).return_annotation is Study:
            with contextlib.suppress(FileNotFoundError):
                yield value()


STUDIES = {
    study.name: study
    for script in sorted((BOOK / "studies").glob("*.py"))
    for study in defined(script)
}
STORED = {path.stem for path in DATA.glob("*.json")}


def test_what_is_not_stored_is_said_to_be_waiting():
    assert WAITING == STUDIES.keys() - STORED


@pytest.mark.parametrize("name", sorted(STUDIES.keys() - WAITING))
def test_a_stored_study_is_the_one_defined(name):
    study, result = STUDIES[name], load_study(DATA / name)
    again = f"book/studies changed since {name} was run; run it again with `make studies`"
    assert result.manifest["definition"] == study.definition, again
    assert result.manifest["hash"] == study.hash, again
    assert result.manifest["question"] == study.question
    assert "checksum" in result.manifest, "run `python -m rl_lab.course.results book/data`"
    assert result.tables
    for label, table in result.tables.items():
        left_out = {a for a in study.arms if study.settings(a).get(f"keep_{label}") is False}
        present = set(zip(table.arm, table.seed, strict=True))
        kept = study.arms.keys() - left_out
        assert present == {(arm, seed) for arm in kept for seed in study.seeds}
    assert f"({len(study.arms)} arms x {len(study.seeds)} seeds)" in result.credits


def test_studies_have_names_of_their_own_and_data_have_a_study():
    assert STORED <= STUDIES.keys()
    assert {path.name.split(".")[0] for path in DATA.glob("*.csv*")} == STORED


def test_data_are_small():
    assert not [path.name for path in DATA.glob("*.*") if path.stat().st_size > 1_000_000]


@pytest.mark.slow
def test_a_short_prefix_repeats_the_stored_run():
    steps = 1_250  # the first 1,000 only collect; 250 updates follow
    study, result = STUDIES["cartpole"], load_study(DATA / "cartpole")
    arm = study.arms["recipe"]
    seeds = study.groups[0]
    short = arm | {"train": arm["train"] | {"n_env_steps": steps}, "final_episodes": 1}
    again = run_dqn(seeds, **short)["episodes"]
    stored = result.tables["episodes"].query(
        "arm == 'recipe' and seed in @seeds and env_steps <= @steps"
    )
    here = json.loads(json.dumps(machine()))
    if here == {key: result.manifest[key] for key in here}:
        for column in ("seed", "env_steps", "return"):
            assert again[column].tolist() == stored[column].tolist()
        for column in ("loss", "epsilon"):  # both rounded to four digits
            np.testing.assert_allclose(again[column], stored[column], rtol=1e-6)
    else:
        # Another processor rounds otherwise, and after some updates acts otherwise: its seeds
        # are like new ones. Each stays near the stored ones, and so does their mean.
        new, old = (t.groupby("seed")["return"].mean() for t in (again, stored))
        assert new.between(old.min() - np.ptp(old), old.max() + np.ptp(old)).all()
        assert abs(new.mean() - old.mean()) < 3 * np.sqrt((new.var() + old.var()) / len(old))
