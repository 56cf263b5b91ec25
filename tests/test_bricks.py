"""The game of bricks, by hand: every bounce, both endings, and what each view shows."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from rl_lab import checks
from rl_lab.agents.dqn import DQNAgent
from rl_lab.bricks import PLANES, Bricks
from rl_lab.envs import make_env
from rl_lab.networks import ConvQNetwork

STAY, LEFT, RIGHT = 0, 1, 2
AWAY = (1, 1)  # a brick that is in nobody's way


def placed(y, x, dy, dx, *, paddle=4, bricks=(), **settings):
    """A game whose ball, paddle and bricks are put where a test wants them."""
    env = Bricks(**settings)
    env.reset(seed=0)
    env.y, env.x, env.dy, env.dx, env.paddle = y, x, dy, dx, paddle
    env.bricks[:] = 0
    for cell in bricks:
        env.bricks[cell] = 255
    env.n_left = len(bricks)
    return env


def ball(env):
    """Where the ball is and where it goes."""
    return env.y, env.x, env.dy, env.dx


# The ball before a step, the other things, the action; the ball after it, reward, terminated.
BOUNCES = {
    "none": ((5, 5, 1, 1), {}, STAY, (6, 6, 1, 1), 0, False),
    "right wall": ((5, 9, 1, 1), {}, STAY, (6, 9, 1, -1), 0, False),
    "left wall": ((5, 0, -1, -1), {}, STAY, (4, 0, -1, 1), 0, False),
    "top": ((0, 5, -1, 1), {}, STAY, (0, 6, 1, 1), 0, False),
    "corner": ((0, 0, -1, -1), {}, STAY, (0, 0, 1, 1), 0, False),
    "brick from below": ((4, 5, -1, -1), {"bricks": [(3, 4), AWAY]}, STAY, (3, 4, 1, -1), 1, False),
    "brick from above": ((0, 5, 1, 1), {"bricks": [(1, 6), AWAY]}, STAY, (1, 6, -1, 1), 1, False),
    "brick at the wall": ((4, 9, -1, 1), {"bricks": [(3, 9), AWAY]}, STAY, (3, 9, 1, -1), 1, False),
    "last brick": ((4, 5, -1, -1), {"bricks": [(3, 4)]}, STAY, (3, 4, 1, -1), 1, True),
    "left cell of the paddle": ((8, 3, 1, 1), {}, STAY, (9, 4, -1, -1), 0, False),
    "right cell of the paddle": ((8, 6, 1, -1), {}, STAY, (9, 5, -1, 1), 0, False),
    "the paddle moves first": ((8, 7, 1, -1), {}, RIGHT, (9, 6, -1, 1), 0, False),
    "missed on the left": ((8, 4, 1, -1), {}, STAY, (9, 3, 1, -1), 0, True),
    "missed on the right": ((8, 5, 1, 1), {}, STAY, (9, 6, 1, 1), 0, True),
    "away from under the ball": ((8, 6, 1, -1), {}, LEFT, (9, 5, 1, -1), 0, True),
}  # fmt: skip


@pytest.mark.parametrize("name", BOUNCES)
def test_a_step_by_hand(name):
    before, things, action, after, reward, over = BOUNCES[name]
    env = placed(*before, **({"bricks": [AWAY]} | things))
    n_bricks = env.n_left
    _, paid, terminated, truncated, _ = env.step(action)
    assert (ball(env), paid, terminated, truncated) == (after, reward, over, False)
    assert env.n_left == (env.bricks > 0).sum() == n_bricks - reward


def test_the_paddle_stays_on_the_board():
    env = placed(4, 5, -1, 1, bricks=[AWAY])
    found = []
    for action in [LEFT] * 5 + [RIGHT] * 9 + [STAY]:
        env.y, env.dy = 4, -1  # keep the ball in the air
        env.step(action)
        found.append(env.paddle)
    assert found == [3, 2, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 8, 8]


def test_a_time_limit_truncates_and_does_not_terminate():
    env = placed(4, 5, -1, 1, bricks=[AWAY], max_steps=2)
    endings = [env.step(STAY)[2:4] for _ in range(2)]
    assert endings == [(False, False), (False, True)]
    env.reset()
    assert env.n_steps == 0


def test_a_lost_ball_at_the_limit_is_both():
    assert placed(8, 4, 1, -1, bricks=[AWAY], max_steps=1).step(STAY)[2:4] == (True, True)


def test_views_show_what_they_say():
    frames = {}
    for view in PLANES:
        env = placed(5, 5, 1, 1, bricks=[AWAY], view=view)
        frames[view], *_ = env.step(RIGHT)
        assert frames[view].shape == (PLANES[view], 10, 10)
        assert frames[view].dtype == np.uint8
    now = [(0, 9, 5), (0, 9, 6), (1, 6, 6), (2, 1, 1)]  # plane, row, column
    before = [(3, 9, 4), (3, 9, 5), (4, 5, 5), (5, 1, 1)]
    cells = {"one": now, "two": now + before, "trail": [*now, (3, 5, 5)]}
    for view, frame in frames.items():
        assert [tuple(cell) for cell in np.argwhere(frame == 255)] == cells[view]
        assert (frame > 0).sum() == len(cells[view])


@pytest.mark.parametrize("view", PLANES)
def test_an_observation_is_not_changed_by_later_steps(view):
    env = Bricks(view)
    kept = [env.reset(seed=3)[0]]
    copies = [kept[0].copy()]
    over = False
    while not over:
        state, _, over, _, _ = env.step(RIGHT)
        kept.append(state)
        copies.append(state.copy())
    assert len(kept) > 4
    np.testing.assert_array_equal(kept, copies)


def test_starts_are_everywhere_and_the_seed_decides():
    env = Bricks()

    def starts(seed):
        env.reset(seed=seed)
        return [env.reset() and ball(env) for _ in range(300)]

    assert set(starts(0)) == {(4, x, 1, dx) for x in range(10) for dx in (-1, 1)}
    assert starts(0) == starts(0) != starts(1)
    assert (env.n_left, env.bricks[1:4].min(), env.bricks[4:].max()) == (30, 255, 0)


def test_sticky_actions_repeat_the_last_one_as_often_as_they_say():
    env = placed(4, 5, -1, 1, bricks=[AWAY], sticky=0.25, max_steps=10**6)
    repeated = []
    for _ in range(4_000):
        env.y, env.dy, before = 4, -1, env.action
        env.step((before + 1) % 3)
        repeated.append(env.action == before)
    assert np.mean(repeated) == pytest.approx(0.25, abs=0.03)
    env.action = RIGHT
    env.reset()
    assert env.action == STAY, "an episode does not begin with the action of the last one"


@pytest.mark.parametrize("view", PLANES)
def test_gymnasium_and_the_library_accept_it(view):
    env = make_env("rl_lab/Bricks-v0", view=view, sticky=0.1)
    check_env(env.unwrapped, skip_render_check=True)
    agent = DQNAgent(env.observation_space, 3, 16, network=ConvQNetwork, seed=0)
    checks.check_env(agent, env)
    assert agent.replay._fields[0].dtype == np.uint8


def test_settings_out_of_range_are_named():
    with pytest.raises(ValueError, match=r"view must be one of one, two, trail, got 'three'"):
        Bricks("three")
    with pytest.raises(ValueError, match=r"below 1, got 1"):
        gym.make("rl_lab/Bricks-v0", sticky=1)
    with pytest.raises(ValueError, match=r"max_steps must be at least 1, got 0"):
        Bricks(max_steps=0)


@pytest.mark.parametrize("action", [-1, 3, 0.5, None])
def test_an_action_that_is_none_is_named_and_changes_nothing(action):
    env = placed(5, 5, 1, 1, bricks=[AWAY])
    with pytest.raises(ValueError, match=rf"action must be 0, 1 or 2, got {action}"):
        env.step(action)
    assert (ball(env), env.paddle, env.n_steps) == ((5, 5, 1, 1), 4, 0)


def test_a_step_outside_of_an_episode_is_refused():
    with pytest.raises(gym.error.ResetNeeded, match="begins with reset"):
        Bricks().step(STAY)
    for env in (
        placed(8, 4, 1, -1, bricks=[AWAY]),  # lost
        placed(4, 5, -1, -1, bricks=[(3, 4)]),  # cleared
        placed(4, 5, -1, 1, bricks=[AWAY], max_steps=1),
    ):
        env.step(STAY)
        with pytest.raises(gym.error.ResetNeeded):
            env.step(STAY)
        env.reset()
        env.step(STAY)


def test_a_player_who_sees_the_direction_clears_the_wall_and_one_who_does_not_fails():
    def follow(env):
        return (env.x < env.paddle) + 2 * (env.x > env.paddle + 1)

    def foresee(env):
        column = env.x + env.dx if 0 <= env.x + env.dx < 10 else env.x
        return (column < env.paddle) + 2 * (column > env.paddle + 1)

    def mean_return(rule, n_episodes=100):
        env, total = Bricks(), 0.0
        for seed in range(n_episodes):
            env.reset(seed=seed)
            over = False
            while not over:
                _, reward, terminated, truncated, _ = env.step(int(rule(env)))
                total, over = total + reward, terminated or truncated
        return total / n_episodes

    assert mean_return(foresee) == 30
    assert mean_return(follow) < 1
