"""Studies: nothing is run twice, nothing is lost, and what is stored says what it is."""

import json
import os
import re
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import numpy as np
import pandas as pd
import psutil
import pytest

from rl_lab.course import studies
from rl_lab.course.results import curves, load_study
from rl_lab.course.studies import Study, run_dqn, run_family, run_study, train_and_play
from rl_lab.distributional import Categorical, QuantileRegression
from rl_lab.envs import make_env
from rl_lab.losses import QLearning
from rl_lab.networks import DuelingQNetwork, QNetwork
from rl_lab.training import greedy_episodes

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
    return {k: re.sub(r'"(seconds|date|checksum)": .*', "", text) for k, text in texts.items()}


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


def test_a_part_of_another_default_is_not_reused(tmp_path):
    study = toy_study(run=with_default, arms={"plain": {"scale": 1}})
    run(study, tmp_path)

    def changed(seed, *, scale, shift=0.25):
        return with_default(seed, scale=scale, shift=shift)

    CALLS.clear()
    other = toy_study(run=changed, arms={"plain": {"scale": 1}})
    assert run(other, tmp_path).tables["points"]["return"].tolist()[-1] == 1.25 * 2 + 0.5
    assert len(CALLS) == 3 and other.hash != study.hash


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt("stopped")])
def test_a_part_is_written_whole_or_not_at_all(tmp_path, monkeypatch, error):
    write = Path.write_bytes

    def torn(path, content):
        is_part = path.parent.name == "toy"
        write(path, content[: len(content) // 2] if is_part else content)
        if is_part:
            raise error

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", torn)
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


def test_seeds_that_are_named_twice_are_refused():
    with pytest.raises(ValueError, match=r"toy: seeds \[1, 4\] are named twice"):
        toy_study(seeds=(0, 1, 1, 2, 4, 3, 4))
    with pytest.raises(ValueError, match=r"seeds \[0\]"):
        replace(toy_study(), seeds=(0, 0))


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


def means_of(episodes):
    """What a row of a table says of greedy episodes."""
    returns, discounted, predicted, lengths = zip(*episodes, strict=True)
    return {
        "return": statistics.fmean(returns),
        "return_std": statistics.pstdev(returns),
        "return_min": min(returns),
        "length": statistics.fmean(lengths),
        "discounted": statistics.fmean(discounted),
        "predicted": statistics.fmean(predicted),
    }


@pytest.mark.parametrize("gamma", [0.9, 0.99])
@pytest.mark.parametrize("seeds", [3, (3, 4)], ids=["one", "stack"])
def test_the_rows_are_those_of_the_agents_greedy_episodes(monkeypatch, seeds, gamma):
    seen = []

    def watched(agents, *args, **kwargs):
        histories, played = train_and_play(agents, *args, **kwargs)
        seen.extend(zip(agents, histories, strict=True))
        return histories, played

    monkeypatch.setattr(studies, "train_and_play", watched)
    agent = SHORT["agent"] | {"gamma": gamma}
    tables = run_dqn(seeds, **SHORT | {"agent": agent, "eval_episodes": 9, "final_episodes": 100})
    rows = []
    for (_, row), (agent, history) in zip(tables["final"].iterrows(), seen, strict=True):
        episodes = greedy_episodes(agent, make_env("CartPole-v1"), 100)
        assert agent.gamma == gamma and len({e.episode_return for e in episodes}) > 2
        for name, value in means_of(episodes).items():
            assert row[name] == pytest.approx(value, rel=1e-5), name
        rows += [means_of(evaluation.episodes) for evaluation in history.evaluations]
        assert {len(evaluation.episodes) for evaluation in history.evaluations} == {9}
    pd.testing.assert_frame_equal(tables["evals"][[*rows[0]]], pd.DataFrame(rows))


SCRIPT = """
import os, time
from pathlib import Path
from rl_lab.course.studies import Study, main

HERE = Path(__file__).parent

def run(seed, *, scale):
    (HERE / f"worker {os.getpid()}").touch()
    while True:  # busy, as a training is
        pass

if __name__ == "__main__":
    main(Study("toy", "?", run, {"one": {"scale": 1}}, (0, 1)), HERE / "data")
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="orphans get no new parent there")
def test_a_second_run_is_told_of_the_first_and_a_killed_one_leaves_no_workers(tmp_path):
    (tmp_path / "toy.py").write_text(SCRIPT)
    first = subprocess.Popen([sys.executable, tmp_path / "toy.py", "--jobs", "2"])
    try:
        until(lambda: len(list(tmp_path.glob("worker *"))) == 2)
        with pytest.raises(RuntimeError, match=f"toy is already being run, by process {first.pid}"):
            run(toy_study(), tmp_path / "data")
        workers = [int(path.name.split()[1]) for path in tmp_path.glob("worker *")]
        assert all(map(is_alive, workers)) and CALLS == []
    finally:
        first.kill()
        first.wait()
    until(lambda: not any(map(is_alive, workers)), seconds=10)
    assert len(run(toy_study(), tmp_path / "data").tables["points"]) == 12


def is_alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def until(condition, seconds=180):
    """Wait for something to come true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_run_dqn_reads_a_picture_after_training_as_it_did_before():
    settings = dict(
        env="rl_lab/Bricks-v0",
        agent=dict(hidden_dim=8, batch_size=8),
        train=dict(n_episodes=100, n_env_steps=40),
        eval_every=40,
        eval_episodes=3,
        final_episodes=3,
    )
    tables = run_dqn((0, 1), **settings)
    pd.testing.assert_frame_equal(
        tables["evals"], tables["final"].drop(columns="epsilon"), check_exact=False, rtol=1e-5
    )


def test_run_dqn_uses_the_store_and_the_loss_it_is_told_to():
    tables = [
        run_dqn(0, **(SHORT | change))["final"].predicted[0]
        for change in (
            {},
            {},
            {"replay": "recent"},
            {"replay": "prioritized"},
            {"loss": {"double": True}},
        )
    ]
    assert tables[0] == tables[1]
    assert len(set(tables)) == 4
    with pytest.raises(ValueError, match="elsewhere"):
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


@pytest.mark.parametrize("seeds", [3, (3, 4)], ids=["one", "two"])
def test_run_family_with_nothing_told_is_run_dqn(seeds):
    plain, family = (run(seeds, **SHORT | {"keep_episodes": True}) for run in (run_dqn, run_family))
    assert plain.keys() == family.keys() == {"episodes", "evals", "final"}
    for name, table in plain.items():
        pd.testing.assert_frame_equal(table, family[name])


@pytest.mark.parametrize(
    "settings, network, objective",
    [
        ({}, QNetwork, QLearning()),
        ({"objective": {"learns": "mean", "double": True}}, QNetwork, QLearning(double=True)),
        (
            {"objective": {"learns": "atoms", "v_min": 0, "v_max": 9, "n_atoms": 5}},
            QNetwork,
            Categorical(0, 9, 5),
        ),
        (
            {"objective": {"learns": "quantiles", "n_quantiles": 7}, "dueling": True},
            DuelingQNetwork,
            QuantileRegression(7),
        ),
        ({"noisy": True, "dueling": True}, DuelingQNetwork, QLearning()),
        ({"noisy": True}, QNetwork, QLearning()),
    ],
)
def test_run_family_builds_the_member_that_is_named(monkeypatch, settings, network, objective):
    seen = []

    def watched(agents, *args, **kwargs):
        seen.extend(agents)
        return train_and_play(agents, *args, **kwargs)

    monkeypatch.setattr(studies, "train_and_play", watched)
    tables = run_family((3, 4), **SHORT, **settings)
    assert tables.keys() == {"evals", "final"}
    assert len(seen) == 2
    for agent in seen:
        assert type(agent.online) is network and agent.objective == objective
        assert agent.is_noisy == settings.get("noisy", False)


def test_run_family_names_a_setting_that_it_does_not_know():
    with pytest.raises(ValueError, match="learns is one of mean, atoms, quantiles, got 'c51'"):
        run_family(0, **SHORT, objective={"learns": "c51"})
    with pytest.raises(ValueError, match="got None"):
        run_family(0, **SHORT, objective={"double": True})
    with pytest.raises(ValueError, match="replay is one of uniform, recent, prioritized"):
        run_family(0, **SHORT | {"replay": "prioritised"})


def test_run_family_parts_the_streams_of_a_picture_too(monkeypatch):
    seen = []

    def untrained(agents, *args, **kwargs):
        seen.extend(agents)
        raise KeyboardInterrupt

    monkeypatch.setattr(studies, "train_and_play", untrained)
    for dueling in (False, True):
        with pytest.raises(KeyboardInterrupt):
            run_family(0, **SHORT | {"env": "rl_lab/Bricks-v0"}, dueling=dueling)
        assert seen.pop().online.dueling == dueling
