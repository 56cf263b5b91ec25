"""Stand-ins that write down what the real parts do to them."""

from typing import NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from rl_lab.replay import ReplayBuffer, Sample


class Heard(NamedTuple):
    """One call of an agent's `update`."""

    state: float
    action: int
    reward: float
    next_state: float
    done: bool
    truncated: bool


class ClockEnv(gym.Env):
    """Observes the number of its steps so far; every step's reward is that number.

    `endings` lists one ``(length, how)`` per episode, where `how` is "terminated",
    "truncated" or "never"; the last one is used again when they run out. At the step
    `raise_at`, counted over all episodes, `error` is raised.
    """

    observation_space = spaces.Box(-np.inf, np.inf, (1,), np.float32)
    action_space = spaces.Discrete(2)

    def __init__(self, *endings, raise_at=None, error=KeyboardInterrupt):
        self.endings = endings or ((3, "terminated"),)
        self.raise_at, self.error = raise_at, error
        self.reset_seeds, self.actions = [], []
        self.clock = 0

    def _observation(self):
        return np.array([self.clock], np.float32)

    def reset(self, *, seed=None, options=None):
        self.reset_seeds.append(seed)
        episode = min(len(self.reset_seeds), len(self.endings)) - 1
        self.length, self.how = self.endings[episode]
        self.steps = 0
        return self._observation(), {}

    def step(self, action):
        self.actions.append(action)
        self.clock, self.steps = self.clock + 1, self.steps + 1
        if self.clock == self.raise_at:
            raise self.error("stopped by the test")
        over = self.steps == self.length
        ends = [over and self.how == how for how in ("terminated", "truncated")]
        return self._observation(), float(self.clock), *ends, {}


class RecordingAgent:
    """Always takes action 1, and learns nothing; `losses` are what its updates report."""

    gamma = 0.5

    def __init__(self, losses=()):
        self.epsilon = 1.0
        self.losses = list(losses)
        self.heard, self.seen, self.greedy = [], [], []
        self.decays = 0

    def q_values(self, state):
        return np.array([0.0, 7.0])

    def select_action(self, state, training=True):
        (self.seen if training else self.greedy).append(float(state[0]))
        return 1

    def update(self, state, action, reward, next_state, done, *, truncated=False):
        heard = Heard(float(state[0]), action, reward, float(next_state[0]), done, truncated)
        self.heard.append(heard)
        loss = self.losses.pop(0) if self.losses else None
        if isinstance(loss, Exception):
            raise loss
        return {} if loss is None else {"loss": loss}

    def decay_epsilon(self):
        self.decays += 1
        self.epsilon /= 2


class FakeReplay:
    """A `ReplayBuffer` whose samples all carry one weight; it keeps them and their priorities."""

    def __init__(self, weight=1.0):
        self.ring = ReplayBuffer(100, seed=0)
        self.weight = weight
        self.samples, self.updates = [], []

    def __len__(self):
        return len(self.ring)

    def add(self, transition):
        return self.ring.add(transition)

    def sample(self, batch_size):
        own = self.ring.sample(batch_size)
        self.samples.append(Sample(own.batch, own.indices, self.weight * own.weights))
        return self.samples[-1]

    def update_priorities(self, indices, priorities):
        self.updates.append((indices, priorities))
