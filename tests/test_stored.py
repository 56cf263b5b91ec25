"""Every stored result belongs to a study as it is defined today, and can be had again."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from rl_lab import studies
from rl_lab.studies import Study, load_study, run_dqn

BOOK = Path(__file__).parents[1] / "book"
DATA = BOOK / "data"

STUDIES = {
    value.name: value
    for script in sorted((BOOK / "studies").glob("*.py"))
    for value in runpy.run_path(str(script)).values()
    if isinstance(value, Study)
}


@pytest.mark.parametrize("name", STUDIES)
def test_a_stored_study_is_the_one_defined(name):
    study, result = STUDIES[name], load_study(DATA / name)
    again = f"book/studies changed since {name} was run; run it again with `make studies`"
    assert result.manifest["definition"] == study.definition, again
    assert result.manifest["hash"] == study.hash, again
    assert result.manifest["question"] == study.question
    assert result.tables
    for label, table in result.tables.items():
        left_out = {a for a in study.arms if study.settings(a).get(f"keep_{label}") is False}
        present = set(zip(table.arm, table.seed, strict=True))
        kept = study.arms.keys() - left_out
        assert present == {(arm, seed) for arm in kept for seed in study.seeds}
    assert f"({len(study.arms)} arms x {len(study.seeds)} seeds)" in result.credits


def test_studies_have_names_of_their_own_and_data_have_a_study():
    stored = {path.stem for path in DATA.glob("*.json")}
    assert stored <= STUDIES.keys()
    tables = {path.name.split(".")[0] for path in DATA.glob("*.csv")}
    assert tables == stored


def test_data_are_small():
    assert not [path.name for path in DATA.glob("*.*") if path.stat().st_size > 1_000_000]


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
    here = json.loads(json.dumps(studies.machine()))
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
