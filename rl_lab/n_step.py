"""Multi-step returns: what stands between an environment and the replay buffer."""

from collections import deque

import numpy as np
import torch
from numpy.typing import ArrayLike

from rl_lab.replay import Transition, as_number


class NStep:
    """Joins up to n steps of an episode to one transition.

    .. math::

        R = \\sum_{i=0}^{k-1} \\gamma^i r_{t+i}, \\qquad y = R + \\gamma^k (1 - d) \\max_{a'}
        Q(s_{t+k}, a')

    k is n, and less for the last steps of an episode: a transition never reaches into the next one.
    After a *terminal* state nothing is to come, and d = 1; after a *time limit* the last state has
    a value like any other, and d = 0.

    Args:
        n: steps in a transition.
        gamma: discount per environment step, in [0, 1].

    Raises:
        ValueError: if `n` or `gamma` is out of range.

    Source: Sutton (1988); for DQN Hessel et al. (2018), "Multi-step learning".
    """

    def __init__(self, n: int, gamma: float) -> None:
        if not (isinstance(n, int | np.integer) and n >= 1):
            raise ValueError(f"n must be a whole number of at least 1, got {n!r}")
        if not 0 <= gamma <= 1:
            raise ValueError(f"gamma must lie in [0, 1], got {gamma}")
        self.n, self.gamma = int(n), float(gamma)
        self._window: deque[tuple[np.ndarray, int, float]] = deque()  # steps not yet passed on
        self._latest = np.empty(0)  # the observation after the last of them

    def step(
        self,
        observation: ArrayLike,
        action: int,
        reward: float,
        next_observation: ArrayLike,
        terminated: bool,
        truncated: bool,
    ) -> list[Transition]:
        """Take one step of the environment; return the transitions that it completes.

        Observations that are held back are copied, since an environment may write its next one into
        the same array. A step that does not begin where the last one ended shows that an
        episode was broken off: what was held back ends there, as at a time limit.

        Raises:
            ValueError: if the reward is not one finite number.
        """
        reward, complete = as_number(reward, "reward"), []
        if self._window and not np.array_equal(observation, self._latest):
            while self._window:
                complete.append(self._oldest(self._latest, done=False))
        self._window.append((np.array(observation), int(action), reward))
        while len(self._window) == self.n or (self._window and (terminated or truncated)):
            complete.append(self._oldest(next_observation, bool(terminated)))
        self._latest = np.array(next_observation)
        return complete

    def _oldest(self, next_observation: ArrayLike, done: bool) -> Transition:
        """Take the oldest step out of the window, joined with all that came after it."""
        k = len(self._window)
        total = sum(self.gamma**i * reward for i, (_, _, reward) in enumerate(self._window))
        observation, action, _ = self._window.popleft()
        return Transition(observation, action, total, next_observation, done, self.gamma**k)

    def state_dict(self) -> dict:
        """Return the steps that are held back."""
        steps = [(torch.from_numpy(o.copy()), action, r) for o, action, r in self._window]
        latest = torch.from_numpy(self._latest.copy())
        return {"n": self.n, "gamma": self.gamma, "steps": steps, "latest": latest}

    def load_state_dict(self, state: dict) -> None:
        """Restore what `state_dict` returned.

        Raises:
            ValueError: if it had another n or gamma.
        """
        if (state["n"], state["gamma"]) != (self.n, self.gamma):
            raise ValueError(
                f"the stored steps have n={state['n']} and gamma={state['gamma']}, "
                f"this one {self.n} and {self.gamma}"
            )
        self._latest = state["latest"].numpy().copy()
        self._window = deque((o.numpy().copy(), action, r) for o, action, r in state["steps"])
