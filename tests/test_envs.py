"""The small environments, step by step, and Gymnasium's by name."""

import re

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env

from rl_lab.envs import Bins, Chain, Features, Traps, make_env


def play(env, actions):
    """The ``(state, reward, terminated, truncated)`` after each action."""
    return [env.step(action)[:4] for action in actions]


def test_chain_by_hand():
    env = Chain(3)
    assert env.reset() == (0, {})
    assert play(env, [0, 1, 0, 1, 1, 1]) == [
        (0, 0.0, False, False),  # the left wall
        (1, 0.0, False, False),
        (0, 0.0, False, False),
        (1, 0.0, False, False),
        (2, 0.0, False, False),
        (2, 1.0, True, False),  # the prize
    ]


def test_chain_pays_at_the_left_wall_if_asked():
    env = Chain(3, left_reward=0.25, start=1)
    assert env.reset()[0] == 1
    assert [step[1] for step in play(env, [0, 0, 0, 1, 0])] == [0, 0.25, 0.25, 0, 0]


def test_chain_truncates():
    env = Chain(3, max_steps=2)
    for _ in range(2):  # the count starts again at each reset
        env.reset()
        assert [step[2:] for step in play(env, [0, 0])] == [(False, False), (False, True)]


def test_chain_slips_as_often_as_it_says():
    env = Chain(5, slip=0.2, start=2)
    env.reset(seed=0)
    moved = []
    for _ in range(3_000):
        env.reset()
        moved.append(env.step(1)[0] - 2)
    assert set(moved) == {-1, 1}
    assert np.mean(np.array(moved) == -1) == pytest.approx(0.2, abs=0.03)


@pytest.mark.parametrize("slip", [0.0, 0.3, 1.0])
def test_chain_does_what_its_transitions_say(slip):
    env = Chain(4, slip=slip, left_reward=0.1, start=None)
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    for _ in range(500):
        state, action = env.reset()[0], int(rng.integers(2))
        after = env.step(action)[:3]
        assert after in [p[1:] for p in env.P[state][action] if p[0] > 0]
    for actions in env.P.values():
        for outcomes in actions.values():
            assert sum(outcome[0] for outcome in outcomes) == pytest.approx(1)


def test_chain_starts_anywhere_if_asked_and_its_seed_decides():
    def starts(seed):
        env = Chain(6, start=None)
        return [env.reset(seed=seed)[0], *(env.reset()[0] for _ in range(40))]

    assert set(starts(0)) == set(range(6))
    assert starts(0) == starts(0) != starts(1)


def test_gymnasium_accepts_the_chain():
    check_env(Chain(4, slip=0.1), skip_render_check=True)


@pytest.mark.parametrize("bad", [{"n_states": 1}, {"slip": 1.5}, {"slip": -0.1}], ids=str)
def test_chain_refuses(bad):
    with pytest.raises(ValueError, match=f"got {next(iter(bad.values()))}"):
        Chain(**bad)


def test_features_show_a_row_for_a_state():
    matrix = np.array([[1, 0.5], [2, -1], [3, 4]])
    env = Features(Chain(3), matrix)
    observation, _ = env.reset()
    assert observation.dtype == np.float32
    assert observation.tolist() == [1, 0.5]
    assert env.step(1)[0].tolist() == [2, -1]
    assert env.observation_space.shape == (2,)
    with pytest.raises(ValueError, match="3 states need as many rows, got 4"):
        Features(Chain(3), np.eye(4))
    with pytest.raises(TypeError, match=r"need Discrete observations, not Box"):
        Features(make_env("CartPole-v1"), np.eye(4))


class Plane(gym.Env):
    """Stands at one point of the plane."""

    observation_space = spaces.Box(-9, 9, (2,))
    action_space = spaces.Discrete(2)


@pytest.mark.parametrize(
    ("point", "cell"),
    [
        # x in 0..4 and y in -1..1, three bins each: cell = x bin + 3 * y bin
        ((0.0, -1.0), 0),
        ((1.5, -1.0), 1),
        ((3.9, -0.5), 2),
        ((0.1, 0.0), 3),
        ((2.0, 0.9), 7),
        ((4.0, 1.0), 8),  # the upper edges belong to the last bins
        ((-7.0, 7.0), 6),  # so does all that lies outside
        ((7.0, -7.0), 2),
    ],
)
def test_bins_by_hand(point, cell):
    env = Bins(Plane(), 3, [0, -1], [4, 1])
    assert env.observation_space.n == 9
    found = env.observation(np.array(point, np.float32))
    assert type(found) is int and found == cell


def test_bins_number_every_cell_once():
    env = Bins(Plane(), 5, [0, 0], [5, 5])
    centres = np.stack(np.meshgrid(np.arange(5), np.arange(5)), -1).reshape(-1, 2) + 0.5
    assert sorted(map(env.observation, centres)) == list(range(25))


@pytest.mark.parametrize(
    ("args", "says"), [((0, [0, 0], [1, 1]), "got 0"), ((3, [0, 2], [1, 1]), r"\[0, 2\]")]
)
def test_bins_refuse(args, says):
    with pytest.raises(ValueError, match=says):
        Bins(Plane(), *args)


def test_make_env_passes_settings_on():
    env = make_env("FrozenLake-v1", is_slippery=False)
    assert env.unwrapped.P[0][2] == [(1.0, 1, 0, False)]
    assert make_env("CartPole-v1").spec.max_episode_steps == 500
    assert make_env("LunarLander-v3").spec.max_episode_steps == 1000


def test_make_env_scales_what_the_agent_sees_and_nothing_else():
    plain, scaled = make_env("CartPole-v1"), make_env("CartPole-v1", scale=[1, 2, 5, 0.5])
    factors = np.array([1, 2, 5, 0.5], np.float32)
    for env in (plain, scaled):
        env.reset(seed=3)
    rng, fallen = np.random.default_rng(0), False
    while not fallen:
        action = int(rng.integers(2))
        (state, *rest), (shown, *same) = plain.step(action), scaled.step(action)
        np.testing.assert_array_equal(shown, state * factors)
        assert shown.dtype == np.float32 and rest == same
        assert scaled.observation_space.contains(shown)
        fallen = rest[1]  # at 12 degrees, whatever is shown
    np.testing.assert_allclose(scaled.reset(seed=4)[0], plain.reset(seed=4)[0] * factors)


@pytest.mark.parametrize(
    "scale", [[1, 5], [1, 1, 0, 1], [1, 1, -1, 1], [1, 1, np.nan, 1], [1, 1, np.inf, 1], 5]
)
def test_make_env_refuses_a_scale_that_does_not_fit(scale):
    with pytest.raises(
        ValueError,
        match=re.escape("number of an observation, Box(") + f".*got {re.escape(str(scale))}",
    ):
        make_env("CartPole-v1", scale=scale)


def test_a_scaled_environment_shows_what_its_space_says():
    env = make_env("MountainCar-v0", scale=[1, 0.1])
    env.unwrapped.reset = lambda **kwargs: (np.array([-0.5, 0.01]), {})  # float64
    shown, _ = env.reset()
    np.testing.assert_allclose(shown, [-0.5, 0.001], rtol=1e-6)
    assert env.observation_space.contains(shown)


@pytest.mark.parametrize("scale", [[2.0], 2.0])
def test_make_env_scales_vectors_only(scale):
    with pytest.raises(ValueError, match=r"one finite factor above 0.*Discrete\(16\)"):
        make_env("FrozenLake-v1", scale=scale)


@pytest.mark.parametrize(
    "name",
    [
        "CartPole-v99",
        "NoSuchGame-v0",
        "LunarLander-v2",
        "not a name",
    ],
)
@pytest.mark.filterwarnings("ignore:.*out of date")
def test_make_env_names_what_it_cannot_find(name):
    with pytest.raises(ValueError, match=name):
        make_env(name)


def test_make_env_wants_discrete_actions():
    with pytest.raises(TypeError, match=r"Pendulum-v1 .*Box"):
        make_env("Pendulum-v1")


def test_a_row_of_traps_is_passed_by_alternating_doors_alone():
    env = Traps(4, coin=0.5, prize=3.0)
    assert env.reset(seed=0)[0] == 0
    assert [env.step(door)[:3] for door in (0, 1, 0)] == [
        (1, 0, False),
        (2, 0, False),
        (3, 0, False),
    ]
    assert env.step(1)[1:4] == (3.0, True, False)
    env.reset()
    assert env.step(0)[:3] == (1, 0.0, False)
    assert env.step(0)[:3] == (1, 0.5, True)  # the trap of room 1
    check_env(env, skip_render_check=True)
    with pytest.raises(ValueError, match="at least 2 rooms, got 1"):
        Traps(1)


def test_traps_refuse_what_is_no_door_and_a_step_outside_of_an_episode():
    env = Traps(3)
    with pytest.raises(gym.error.ResetNeeded, match="begins with reset"):
        env.step(0)
    env.reset()
    for action in (2, 0.7, -1):
        with pytest.raises(ValueError, match=f"must be 0 or 1, got {action}"):
            env.step(action)
    assert env.step(1)[2]  # a trap
    with pytest.raises(gym.error.ResetNeeded):
        env.step(1)
