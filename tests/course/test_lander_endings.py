"""How the lander studies name the end of an episode."""

import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "book" / "studies" / "lander_questions.py"
STUDY = runpy.run_path(str(SCRIPT))


@pytest.mark.parametrize(
    ("name", "x", "legs", "reward", "terminated"),
    [
        ("landed", 0.0, (1, 1), 100.0, True),
        ("crashed", 0.3, (1, 0), -100.0, True),
        ("left", -1.01, (0, 0), -100.0, True),
        ("hovered", 0.0, (0, 0), 0.2, False),
        ("sat", 0.0, (0, 1), 0.0, False),
    ],
)
def test_an_episode_has_one_ending(name, x, legs, reward, terminated):
    state = [x, 0.5, 0.0, 0.0, 0.0, 0.0, *legs]
    assert STUDY["ending"](state, reward, terminated) == name


def test_the_endings_stored_are_those_of_the_episodes_after_training():
    short = dict(n_env_steps=300, eval_every=200, final_episodes=3)
    arm = STUDY["GAMMA"].arms["gamma 0.99"] | short
    final = STUDY["run"]((1, 2), **arm | dict(agent=arm["agent"] | dict(learning_starts=250)))
    ends = final["final"][list(STUDY["ENDINGS"])]
    assert ends.sum(axis=1).tolist() == [3, 3]
    assert ends["landed"].sum() == 0  # 50 updates teach nobody to land
