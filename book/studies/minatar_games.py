"""Two games of MinAtar, Breakout and Space Invaders, by the agent that plays our game of bricks.

MinAtar (Young and Tian 2019; version 1.0.15) is no part of the book: `make minatar` puts it into a
folder of its own and runs this study. Arms share the network, environment steps, updates and
exploration: plain DQN, and Double DQN with 3-step returns. Actions stick with probability 0.1, as
MinAtar has it. Measures, each with an interval over seeds: the greedy return of 100 episodes after
training, and the mean greedy return over the run.
"""

from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import gymnasium as gym
import numpy as np
import pandas as pd
from gymnasium import spaces

from rl_lab.course.settings import PIXELS
from rl_lab.course.studies import Study, Tables, main, run_dqn

DATA = Path(__file__).parents[1] / "data"
STEPS = 200_000
LIMIT = 2_500  # environment steps of an episode; MinAtar's games have no limit of their own


class MinAtar(gym.Env):
    """A game of MinAtar: its planes as bytes of 0 and 255 [planes, 10, 10], its useful actions."""

    def __init__(self, game: str) -> None:
        from minatar import Environment  # not installed with the book

        self.game = Environment(game)
        self.actions = self.game.minimal_action_set()
        height, width, planes = self.game.state_shape()
        self.observation_space = spaces.Box(0, 255, (planes, height, width), np.uint8)
        self.action_space = spaces.Discrete(len(self.actions))

    def reset(self, *, seed=None, options=None):
        """Start an episode."""
        super().reset(seed=seed)
        self.game.seed(int(self.np_random.integers(2**31)))
        self.game.reset()
        return self._planes(), {}

    def step(self, action):
        """Act for one frame."""
        reward, over = self.game.act(self.actions[action])
        return self._planes(), float(reward), bool(over), False, {}

    def _planes(self) -> np.ndarray:
        return 255 * np.moveaxis(self.game.state(), -1, 0).astype(np.uint8)


def make(game: str) -> gym.Env:
    """A game with a time limit."""
    return gym.wrappers.TimeLimit(MinAtar(game), LIMIT)


def run(
    seeds: Sequence[int],
    *,
    game: str,
    n_step: int = 1,
    double: bool = False,
    n_env_steps: int = STEPS,
) -> Tables:
    """Train a stack of agents; return their evaluations, and their greedy episodes at the end."""
    return run_dqn(
        seeds,
        env=partial(make, game),
        agent=PIXELS
        | dict(n_step=n_step, buffer_size=100_000, epsilon_decay_steps=n_env_steps // 4),
        train=dict(n_episodes=n_env_steps, max_steps=LIMIT, n_env_steps=n_env_steps),
        eval_every=20_000,
        loss=dict(double=double),
        keep_episodes=False,
    )


def play_at_random(seed: int, *, game: str, n_episodes: int = 100) -> Tables:
    """Mean return of random play."""
    env, rng, returns = make(game), np.random.default_rng(seed), []
    for episode in range(n_episodes):
        env.reset(seed=1_000_000 + 1_000 * seed + episode)
        total, over = 0.0, False
        while not over:
            _, reward, terminated, truncated, _ = env.step(rng.integers(env.action_space.n))
            total, over = total + reward, terminated or truncated
        returns.append(total)
    return {"final": pd.DataFrame([{"return": np.mean(returns)}])}


GAMES = {"Breakout": "breakout", "Space Invaders": "space_invaders"}
STUDY = Study(
    name="minatar",
    question="How far does the agent of the game of bricks get in two games of MinAtar?",
    run=run,
    arms={
        f"{name}, {variant}": dict(game=game) | settings
        for variant, settings in {
            "plain": {},
            "Double, 3 steps": dict(n_step=3, double=True),
        }.items()
        for name, game in GAMES.items()
    },
    seeds=tuple(range(5_200, 5_210)),
    group=10,
    prediction="After 200,000 environment steps plain DQN earns 5 to 10 in Breakout and 20 to 30 "
    "in Space Invaders; Double DQN with 3-step returns is ahead in both.",
)
RANDOM = Study(
    name="minatar_random",
    question="What does random play earn in two games of MinAtar?",
    run=play_at_random,
    arms={name: dict(game=game) for name, game in GAMES.items()},
    seeds=tuple(range(10)),
)

if __name__ == "__main__" and find_spec("minatar") is None:
    print("MinAtar is not installed here: `make minatar` runs this study")
elif __name__ == "__main__":
    main(STUDY, DATA)
    main(RANDOM, DATA)
