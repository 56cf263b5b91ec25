"""Studies: nothing is run twice, nothing is lost, and what is stored says what it is."""

import json
import re
from pathlib import Path

import gymnasium as gym
import numpy as np
import pandas as pd
import pytest

from rl_lab import studies
from rl_lab.envs import make_env
from rl_lab.studies import Study, curves, load_study, run_dqn, run_study

CALLS = []
BROKEN = set()


@pytest.fixture(autouse=True)
def calm():
    """No calls yet, and nothing broken."""
    CALLS.clear()
    BROKEN.clear()


def toy(seed, *, scale):
    """Tables that tell which run made them; breaks where it is told to."""
    CALLS.append((scale, seed))
    if (scale, seed) in BROKEN:
        raise RuntimeError("stopped by the test")
    points = pd.DataFrame({"env_steps": [5, 10], "return": [scale * seed, scale * seed + 0.5]})
    return {"points": points, "final": pd.DataFrame({"loss": [np.nan, seed / 3]})}


def toy_study(scales=(1, 10), seeds=(0, 1, 2), **changes):
    arms = {f"times {scale}": {"scale": scale} for scale in scales}
    return Study(**(dict(name="toy", question="?", run=toy, arms=arms, seeds=seeds) | changes))


def run(study, folder, **options):
    return run_study(study, folder, jobs=1, **options)


def stored(folder):
    """The stored files by name, without what the clock decides."""
    texts = {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}
    return {k: re.sub(r'"(seconds|date)": .*', "", text) for k, text in texts.items()}


def test_a_study_is_stored_as_tables_and_a_manifest(tmp_path):
    study = toy_study()
    result = run(study, tmp_path)
    assert sorted(stored(tmp_path)) == ["toy.final.csv", "toy.json", "toy.points.csv"]
    points = result.tables["points"]
    assert [*points.columns] == ["arm", "seed", "env_steps", "return"]
    assert points.arm.tolist() == ["times 1"] * 6 + ["times 10"] * 6
    assert points.seed.tolist() == [0, 0, 1, 1, 2, 2] * 2
    assert points["return"].tolist()[6:] == [0, 0.5, 10, 10.5, 20, 20.5]
    np.testing.assert_allclose(
        result.tables["final"].loss, [np.nan, 0, np.nan, 1 / 3, np.nan, 2 / 3] * 2, rtol=1e-6
    )
    manifest = json.loads((tmp_path / "toy.json").read_text())
    assert manifest == result.manifest == load_study(tmp_path / "toy").manifest
    assert manifest["hash"] == study.hash
    assert manifest["definition"]["arms"] == {"times 1": {"scale": 1}, "times 10": {"scale": 10}}
    assert manifest["definition"]["seeds"] == [0, 1, 2]
    assert manifest["versions"].keys() >= {"python", "torch", "gymnasium", "numpy"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", manifest["date"])
    assert result.credits.startswith("6 runs (2 arms x 3 seeds), 0 seconds of ")


def test_a_killed_study_repeats_nothing_and_loses_nothing(tmp_path):
    BROKEN.add((10, 1))
    with pytest.raises(RuntimeError, match="stopped by the test"):
        run(toy_study(), tmp_path / "killed")
    # Seed by seed: what was finished before, and nothing stored as if it were whole
    assert CALLS == [(1, 0), (10, 0), (1, 1), (10, 1)]
    assert stored(tmp_path / "killed") == {}
    calm_again = len(CALLS)
    BROKEN.clear()
    run(toy_study(), tmp_path / "killed")
    assert CALLS[calm_again:] == [(10, 1), (1, 2), (10, 2)]
    run(toy_study(), tmp_path / "whole")
    assert stored(tmp_path / "killed") == stored(tmp_path / "whole")


def test_a_finished_study_runs_nothing_unless_asked(tmp_path):
    run(toy_study(), tmp_path)
    before = stored(tmp_path)
    assert len(CALLS) == 6
    run(toy_study(), tmp_path)
    assert len(CALLS) == 6 and stored(tmp_path) == before
    run(toy_study(), tmp_path, fresh=True)
    assert len(CALLS) == 12 and stored(tmp_path) == before


def test_only_what_is_new_in_a_study_is_run(tmp_path):
    run(toy_study(), tmp_path)
    CALLS.clear()
    run(toy_study(seeds=(0, 1, 2, 3)), tmp_path)
    assert CALLS == [(1, 3), (10, 3)]
    CALLS.clear()
    changed = {"times 1": {"scale": 1}, "times 10": {"scale": 11}}
    result = run(toy_study(arms=changed), tmp_path)
    assert CALLS == [(11, 0), (11, 1), (11, 2)]
    assert result.tables["points"]["return"].tolist()[-1] == 22.5
    assert set(result.tables["points"].seed) == {0, 1, 2}


def test_parts_of_other_versions_are_not_mixed_in(tmp_path, monkeypatch):
    run(toy_study(), tmp_path)
    CALLS.clear()
    machine = studies.machine()
    machine["versions"] |= {"torch": "9.9.9"}
    monkeypatch.setattr(studies, "machine", lambda: machine)
    assert run(toy_study(), tmp_path).manifest["versions"]["torch"] == "9.9.9"
    assert len(CALLS) == 6


def with_default(seed, *, scale, shift=0.5):
    """A run with a setting that arms may leave out."""
    return toy(seed, scale=scale + shift)


def test_a_definition_holds_the_defaults_too():
    arms = {"plain": {"scale": 1}, "shifted": {"scale": 1, "shift": 2}}
    study = toy_study(run=with_default, arms=arms)
    assert study.definition["arms"]["plain"] == {"scale": 1, "shift": 0.5}
    assert study.definition["arms"]["shifted"] == {"scale": 1, "shift": 2}


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt("stopped")])
def test_a_part_is_written_whole_or_not_at_all(tmp_path, monkeypatch, error):
    def torn(path, text, **_):
        with path.open("w") as file:
            file.write(text[: len(text) // 2])
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", torn)
        with pytest.raises(type(error), match=str(error)):
            run(toy_study(), tmp_path)
    assert not list((tmp_path / ".parts").rglob("*.json"))
    CALLS.clear()
    assert len(run(toy_study(), tmp_path).tables["points"]) == 12
    assert len(CALLS) == 6


def test_arms_of_like_names_are_kept_apart(tmp_path):
    study = toy_study(arms={"a b": {"scale": 1}, "a_b": {"scale": 2}})
    assert set(run(study, tmp_path).tables["points"].groupby("arm").size()) == {6}
    assert len(CALLS) == 6


def test_groups_of_seeds_are_run_together(tmp_path):
    def grouped(seeds, *, scale):
        CALLS.append(seeds)
        rows = [{"seed": seed, "return": seed * scale} for seed in np.atleast_1d(seeds).tolist()]
        return {"final": pd.DataFrame(rows)}

    study = toy_study(scales=(2,), seeds=(0, 1, 2, 3, 4), run=grouped, group=2)
    assert study.groups == [(0, 1), (2, 3), (4,)]
    final = run(study, tmp_path).tables["final"]
    assert CALLS == [(0, 1), (2, 3), 4]
    assert [*final.columns] == ["arm", "seed", "return"]
    assert final.seed.tolist() == [0, 1, 2, 3, 4]
    assert final["return"].tolist() == [0, 2, 4, 6, 8]


def test_the_hash_follows_the_definition():
    study = toy_study()
    assert study.hash == toy_study().hash == toy_study(question="another wording").hash
    others = [toy_study(seeds=(0, 1)), toy_study(scales=(1, 9)), toy_study(name="other")]
    assert len({study.hash, *(other.hash for other in others)}) == 4


@pytest.mark.parametrize(
    "seconds, took", [(0, "0 seconds"), (99, "99 seconds"), (100, "2 minutes")]
)
def test_the_credits_say_what_a_study_took(tmp_path, seconds, took):
    found = run(toy_study(), tmp_path)
    assert (
        f", {took} of running, "
        in found._replace(manifest=found.manifest | {"seconds": seconds}).credits
    )


def test_a_study_that_was_never_run_says_how(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing; `make studies` runs what is missing"):
        load_study(tmp_path / "nothing")


def test_curves_have_a_column_a_seed(tmp_path):
    tables = run(toy_study(), tmp_path).tables
    by_arm = curves(tables["points"], "return")
    assert [*by_arm] == ["times 1", "times 10"]
    assert by_arm["times 10"].index.tolist() == [5, 10]
    assert by_arm["times 10"].columns.tolist() == [0, 1, 2]
    assert by_arm["times 10"].to_numpy().tolist() == [[0, 10, 20], [0.5, 10.5, 20.5]]


def test_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["toy.py", "--jobs", "1"])
    studies.main(toy_study(), tmp_path)
    assert "6 runs (2 arms x 3 seeds)" in capsys.readouterr().out
    studies.main(toy_study(), tmp_path)
    assert len(CALLS) == 6
    monkeypatch.setattr("sys.argv", ["toy.py", "--jobs", "1", "--fresh"])
    studies.main(toy_study(), tmp_path)
    assert len(CALLS) == 12


SHORT = dict(
    env="CartPole-v1",
    agent=dict(hidden_dim=8, batch_size=4, buffer_size=100),
    train=dict(n_episodes=99, max_steps=30, n_env_steps=120),
    eval_every=50,
    eval_episodes=2,
    final_episodes=3,
)


@pytest.mark.parametrize("seeds", [3, (3, 4)], ids=["one", "two"])
def test_run_dqn_tells_what_happened(seeds):
    tables = run_dqn(seeds, **SHORT)
    names = np.atleast_1d(seeds).tolist()
    final, evals = tables["final"], tables["evals"]
    assert final.seed.tolist() == names
    assert set(final.env_steps) == {120} and set(final.updates) == {117}
    assert evals.env_steps.tolist() == [50, 100] * len(names)
    assert evals.updates.tolist() == [47, 97] * len(names)
    for seed, episodes in tables["episodes"].groupby("seed"):
        assert seed in names
        assert episodes["return"].tolist() == np.diff([0, *episodes.env_steps]).tolist()
        np.testing.assert_allclose(episodes.epsilon, np.round(0.995 ** np.arange(len(episodes)), 4))


@pytest.mark.parametrize("group", [1, 2], ids=["one", "stack"])
def test_a_training_that_was_stopped_is_no_result(tmp_path, monkeypatch, group):
    steps = iter(range(1_000))

    class Stopped(gym.Wrapper):
        def step(self, action):
            if next(steps) == 75:
                raise KeyboardInterrupt
            return super().step(action)

    monkeypatch.setattr(studies, "make_env", lambda name: Stopped(make_env(name)))
    study = Study("short", "?", run_dqn, {"arm": SHORT}, seeds=(0, 1), group=group)
    with pytest.raises(KeyboardInterrupt):
        run(study, tmp_path)
    assert stored(tmp_path) == {} and not list(tmp_path.rglob("*-*.json"))


def test_run_dqn_uses_the_store_and_the_loss_it_is_told_to():
    tables = [
        run_dqn(0, **(SHORT | change))["final"].predicted[0]
        for change in ({}, {}, {"replay": "recent"}, {"loss": {"double": True}})
    ]
    assert tables[0] == tables[1]
    assert len(set(tables)) == 3
    with pytest.raises(KeyError, match="elsewhere"):
        run_dqn(0, **SHORT, replay="elsewhere")


@pytest.mark.parametrize("seeds", [0, (0, 1)], ids=["one", "stack"])
def test_run_dqn_makes_the_environment_it_is_told_to(seeds):
    plain, ones, five = (
        run_dqn(seeds, **(SHORT | {"env": env}))
        for env in (
            "CartPole-v1",
            {"name": "CartPole-v1", "scale": [1, 1, 1, 1]},
            {"name": "CartPole-v1", "scale": [1, 1, 5, 1]},
        )
    )
    for table in ("evals", "final"):
        pd.testing.assert_frame_equal(plain[table], ones[table])
        assert (plain[table].predicted != five[table].predicted).all()
