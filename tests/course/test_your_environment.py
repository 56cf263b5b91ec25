"""The report on an environment: what it says of sound ones, and of one flaw at a time."""

import itertools
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from rl_lab.course.your_environment import Episode, _is_inside, _on_ends, report
from rl_lab.envs import Chain
from rl_lab.probes import PROBES, ProbeEnv


class Walk(gym.Env):
    """Ten steps; action 1 pays. What is wrong with it is set from outside."""

    action_space = spaces.Discrete(2)

    def __init__(self, limit="truncated", size=1.0, pay=1.0, still=False):
        self.observation_space = spaces.Box(-size, size, (2,), np.float32)
        self.limit, self.size, self.pay, self.still = limit, size, pay, still

    def seen(self):
        other = 0.0 if self.still else self.np_random.uniform(-1, 1)
        return np.float32([other, self.size * (self.t / 5 - 1)])

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        return self.seen(), {}

    def step(self, action):
        self.t += 1
        over = self.t == 10
        ends = over and self.limit == "terminated", over and self.limit == "truncated"
        return self.seen(), self.pay * int(action), *ends, {"half": action == 1, "name": "x"}


class Shaped(Walk):
    """Observations of another shape."""

    def __init__(self, shape):
        super().__init__()
        self.observation_space = spaces.Box(-1, 1, shape, np.float32)


ONE = Walk()


def short(make, **settings):
    return report(make, **dict(n_env_steps=1_000, n_episodes=5, n_seeds=3, gamma=0.9) | settings)


def test_a_sound_environment_is_measured_and_nothing_is_warned_of():
    found = short(Walk, rules={"mine": lambda observation: 1})
    assert found.warnings == []
    rows = found.policies
    assert list(rows.index) == ["random", "always 0", "always 1", "mine", "trained, 3 seeds"]
    assert rows["return"].iloc[1:].tolist() == [0, 10, 10, 10]
    assert 0 < rows["return"].iloc[0] < 10 and (rows["steps"] == 10).all()
    assert (rows["ends"] == 0).all() and (rows["cut"] == 1).all()
    assert rows["half"].iloc[1:].tolist() == [0, 1, 1, 1] and "name" not in rows
    assert found.observations.loc[1, ["min", "max"]].tolist() == [-1, 1]
    assert "looks 10 environment steps ahead; episodes took 10 to 10" in found.notes[1]


@pytest.mark.parametrize(
    ("flaw", "words"),
    [
        (dict(limit="terminated"), "episodes terminated after exactly 10 environment steps"),
        (dict(limit=""), "did not end within 50 environment steps"),
        (dict(size=100.0), "observations reach 100"),
        (dict(still=True), "number [0] of the observation never changes"),
        (dict(pay=100.0), "rewards reach 100 in size"),
        (dict(pay=0.0), "every episode of random play returned 0"),
    ],
)
def test_a_flaw_is_named(flaw, words):
    found = short(lambda: Walk(**flaw), max_steps=50)
    named = [sentence for sentence in found.warnings if words in sentence]
    assert len(named) == 1, found
    assert f"Warning: {named[0]}" in str(found)


def test_observations_outside_of_their_space_are_counted():
    class Liar(Walk):
        def seen(self):
            return super().seen() * np.float32([1, 1 + (self.t == 10)])

    (sentence,) = short(Liar).warnings
    assert "observations lie outside" in sentence


def test_what_gymnasium_says_is_passed_on():
    other = itertools.count()

    class Unseeded(Walk):
        def reset(self, *, seed=None, options=None):
            super().reset(seed=None if seed is None else seed + next(other))
            return self.seen(), {}

    assert "Gymnasium's checker: " in short(Unseeded).warnings[0]


@pytest.mark.parametrize(
    ("kind", "low", "high", "seen", "outside"),
    [
        (np.uint8, 0, 255, [300, 3], True),  # 44, cast
        (np.uint8, 0, 255, [0.5, 3], True),
        (np.uint8, 0, 255, [255.0, 3], False),
        (np.float32, -0.7, 0.7, [0.7, -0.7], False),  # to the digits of float32
        (np.float32, -0.7, 0.7, [0.71, 0], True),
        (np.float32, -1, 1, [np.nan, 0], True),
    ],
)
def test_observations_are_compared_before_they_are_cast(kind, low, high, seen, outside):
    space = spaces.Box(low, high, (2,), kind)
    assert _is_inside(space, np.array(seen)) != outside


def test_numbers_of_info_keep_their_columns_and_the_reports_own_stay():
    class Telling(Walk):
        def step(self, action):
            *answer, _ = super().step(action)
            return *answer, {"return": 7, "steps": 8, "half": 0.5, 3: 4}

    rows = short(Telling).policies
    names = ["return", "steps", "ends", "cut", "info: return", "info: steps", "half", "3"]
    assert rows.columns.tolist() == names
    assert rows.loc["always 1"].tolist() == [10, 10, 0, 1, 7, 8, 0.5, 4]


def test_a_number_that_only_the_trained_agent_meets_is_shown():
    class Late(Walk):
        calls = itertools.count()

        def step(self, action):
            *answer, _ = super().step(action)
            return *answer, {"late": 1.0} if next(self.calls) > 1_000 else {}

    rows = short(Late, n_env_steps=1_000).policies
    assert np.isnan(rows["late"].iloc[0]) and rows["late"].iloc[-1] == 1


def test_a_rule_may_spoil_what_it_is_shown_and_answer_in_any_kind_of_number():
    def spoil(observation):
        observation[:] = 99
        return np.array([1])

    found = short(Walk, rules={"spoil": spoil})
    assert found.policies.loc["spoil", "return"] == 10 and found.observations["max"].max() <= 1


def test_counts_may_be_whole_numbers_of_any_kind():
    short(Walk, n_seeds=3.0, n_env_steps=1e3, n_episodes=np.int64(2), max_steps=1e2)


def test_what_html_would_take_for_marks_is_written_out():
    class Odd(Walk):
        def __repr__(self):
            return "<odd>"

    found = replace(short(Odd), warnings=["<class 'Odd'>"])
    assert "&lt;class" in found._repr_html_() and "<class" not in found._repr_html_()


def test_ends_that_belong_to_the_task_are_no_clock():
    """In the probe an episode has one step or two; the last of two is longest in none by chance."""
    found = short(lambda: ProbeEnv(PROBES[0]), n_env_steps=400)
    assert not [sentence for sentence in found.warnings if "exactly" in sentence]


def test_one_way_to_play_that_always_ends_alike_is_no_clock():
    def ended(n_steps):
        return Episode(np.zeros((n_steps + 1, 1)), np.ones(n_steps), "terminated", {})

    played = {"random": [ended(3), ended(4)], "always 0": [ended(9), ended(9)]}
    assert _on_ends(played, 100) == []
    played["random"] += [ended(9), ended(9)]
    assert "4 episodes terminated after exactly 9" in _on_ends(played, 100)[0]


def test_it_is_shown_as_text_and_as_tables():
    found = short(Walk)
    text, html = str(found), found._repr_html_()
    assert text.endswith("No warning.") and html.count("<table") == 2
    for word in ("always 1", "trained, 3 seeds", "Discount 0.9"):
        assert word in text and word in html


@pytest.mark.parametrize(
    ("make", "settings", "error", "words"),
    [
        (lambda: "tank", {}, TypeError, "make_env must make a Gymnasium environment"),
        (Chain, {}, TypeError, "one-hot rows"),
        (lambda: gym.make("Pendulum-v1"), {}, TypeError, "action space"),
        (Walk, dict(n_seeds=2), ValueError, "n_seeds=2"),
        (Walk, dict(n_episodes=0), ValueError, "n_episodes must be at least 1"),
        (Walk, dict(n_seeds=3.5), TypeError, "n_seeds must be a whole number, got 3.5"),
        (Walk, dict(n_seeds="5"), TypeError, "n_seeds must be a whole number, got '5'"),
        ("Walk-v0", {}, TypeError, "make_env is a function, .* got 'Walk-v0'"),
        (Walk(), {}, TypeError, "make_env is a function"),
        (lambda: ONE, {}, ValueError, "a new environment each time"),
        (Walk, dict(settings=dict(gamma=0.5)), ValueError, r"settings hold gamma: report\(gamma"),
        (Walk, dict(settings=dict(seed=1)), ValueError, "settings hold seed"),
        (Walk, dict(settings=[1]), TypeError, r"settings must be a dictionary, got \[1\]"),
        (Walk, dict(rules=[max]), TypeError, "rules must be a dictionary"),
        (Walk, dict(rules={"random": max}), ValueError, "cannot be called 'random'"),
        (Walk, dict(rules={"trained, 3 seeds": max}), ValueError, "cannot be called 'trained, 3"),
        (Walk, dict(rules={"mine": 1}), TypeError, "rule 'mine' must be a function .*, got 1"),
        (Walk, dict(rules={"mine": lambda _: 2}), ValueError, "'mine' chose 2, and .* 0 to 1"),
        (Walk, dict(rules={"mine": lambda _: None}), ValueError, "'mine' chose None"),
        (Walk, dict(rules={"mine": lambda seen: seen}), ValueError, "'mine' chose array"),
        (lambda: Shaped((3, 4, 4)), {}, ValueError, r"shape \(3, 4, 4\): say which network"),
        (lambda: Shaped(()), {}, ValueError, "a number and no array"),
    ],
)
def test_what_cannot_be_reported_on_is_refused(make, settings, error, words):
    with pytest.raises(error, match=words):
        short(make, **settings)
