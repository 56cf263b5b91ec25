"""Environments: Gymnasium's by name, and small ones whose Q* is known exactly.

A small Markov decision process is written the way Gymnasium's own FrozenLake
writes it: ``P[state][action]`` is a list of ``(probability, next_state, reward,
terminated)``.
"""

from collections.abc import Sequence

import gymnasium as gym
import numpy as np
from gymnasium import spaces

Transitions = dict[int, dict[int, list[tuple[float, int, float, bool]]]]
gym.register("rl_lab/Bricks-v0", entry_point="rl_lab.bricks:Bricks")


def make_env(name: str, *, scale: Sequence[float] | None = None, **kwargs) -> gym.Env:
    """Return ``gymnasium.make(name)`` without the per-step checker, which costs time.

    Args:
        name: Gymnasium's name of the environment.
        scale: a factor for each number of an observation: the agent is shown the products,
            so that its network reads numbers of like size. None leaves them as they are.
        kwargs: settings of the environment.

    Raises:
        ValueError: if Gymnasium knows no such environment, or no longer makes it; if
            observations are not vectors with one number for each factor of `scale`, or a
            factor is not finite and above 0.
        TypeError: if its action space is not discrete.
    """
    try:
        env = gym.make(name, disable_env_checker=True, **kwargs)
    except gym.error.Error as error:
        raise ValueError(f"Gymnasium cannot make {name!r}: {error}") from error
    if not isinstance(env.action_space, spaces.Discrete):
        raise TypeError(f"{name} has action space {env.action_space}; this book needs Discrete")
    return env if scale is None else _scaled(env, scale)


def _scaled(env: gym.Env, scale: Sequence[float]) -> gym.Env:
    """Return `env` with each number of its observations multiplied by its factor."""
    seen, factors = env.observation_space, np.asarray(scale, float)
    if not (
        isinstance(seen, spaces.Box)
        and factors.shape == seen.shape
        and (np.isfinite(factors) & (factors > 0)).all()
    ):
        raise ValueError(
            f"scale must hold one finite factor above 0 for each number of an observation, "
            f"{seen}, got {scale!r}"
        )
    low, high = ((edge * factors).astype(np.float32) for edge in (seen.low, seen.high))
    factors = factors.astype(np.float32)
    return gym.wrappers.TransformObservation(
        env, lambda state: (state * factors).astype(np.float32), spaces.Box(low, high)
    )


def optimal_q(transitions: Transitions, gamma: float, tol: float = 1e-12) -> np.ndarray:
    r"""Return Q* ``[states, actions]`` of a known MDP, by value iteration.

    .. math::

        Q(s, a) \leftarrow \sum_{s'} p(s' \mid s, a)
        \left( r + \gamma \, [s' \text{ not terminal}] \max_{a'} Q(s', a') \right)

    Args:
        transitions: ``P[state][action]``, as FrozenLake's ``env.unwrapped.P``.
        gamma: discount per environment step, in [0, 1).
        tol: stop when no value moves by more than this.

    Raises:
        ValueError: if gamma is outside [0, 1), where values may have no bound.

    Source: Sutton and Barto (2018), section 4.4.
    """
    if not 0 <= gamma < 1:
        raise ValueError(f"gamma must be in [0, 1) for value iteration to converge, got {gamma}")
    n_states, n_actions = len(transitions), len(transitions[0])
    p = np.zeros((n_states, n_actions, n_states))  # probability that the episode goes on in s'
    r = np.zeros((n_states, n_actions))
    for s in range(n_states):
        for a in range(n_actions):
            for probability, s2, reward, terminated in transitions[s][a]:
                r[s, a] += probability * reward
                p[s, a, s2] += probability * (not terminated)
    q = np.zeros((n_states, n_actions))
    while True:
        new = r + gamma * p @ q.max(1)
        if np.abs(new - q).max() <= tol:
            return new
        q = new


class Chain(gym.Env):
    """A corridor of states 0 .. n-1 with a terminal prize at its right end.

    Action 1 steps right and action 0 steps left; with probability `slip` the step
    goes the other way. Stepping right from the last state ends the episode with
    reward 1. Stepping left from state 0 stays there and pays `left_reward`: with a
    small positive one, the corridor becomes a test of exploration, since the near
    reward is found at once and the far one only by n right steps.

    Args:
        n_states: length of the corridor.
        slip: probability that a step goes the wrong way.
        left_reward: reward of stepping left in state 0.
        start: state of every episode's start; None draws one uniformly.
        max_steps: environment steps after which an episode is truncated.

    Raises:
        ValueError: if there are fewer than two states or `slip` is outside [0, 1].
    """

    def __init__(
        self,
        n_states: int = 10,
        slip: float = 0.0,
        left_reward: float = 0.0,
        start: int | None = 0,
        max_steps: int = 100,
    ) -> None:
        if n_states < 2:
            raise ValueError(f"a chain needs at least 2 states, got {n_states}")
        if not 0 <= slip <= 1:
            raise ValueError(f"slip is a probability, got {slip}")
        self.observation_space = spaces.Discrete(n_states)
        self.action_space = spaces.Discrete(2)
        self.start, self.max_steps = start, max_steps
        last = n_states - 1

        def step(s: int, direction: int) -> tuple[int, float, bool]:
            if direction == 0:
                return max(s - 1, 0), left_reward if s == 0 else 0.0, False
            return min(s + 1, last), float(s == last), s == last

        self.P: Transitions = {
            s: {a: [(1 - slip, *step(s, a)), (slip, *step(s, 1 - a))] for a in (0, 1)}
            for s in range(n_states)
        }

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        """Start an episode; returns ``(state, {})``."""
        super().reset(seed=seed)
        n_states = len(self.P)
        self._state = int(self.np_random.integers(n_states)) if self.start is None else self.start
        self._steps = 0
        return self._state, {}

    def step(self, action: int):
        """Return ``(state, reward, terminated, truncated, {})``."""
        planned, slipped = self.P[self._state][int(action)]
        _, self._state, reward, terminated = (
            slipped if self.np_random.random() < slipped[0] else planned
        )
        self._steps += 1
        return self._state, reward, terminated, self._steps >= self.max_steps, {}


class Traps(gym.Env):
    """A row of rooms with two doors each: one leads on, one is a trap with a coin in it.

    The door that leads on is 0 in rooms 0, 2, 4, ... and 1 in the others, so that no habit
    passes them all. Whoever opens the other one gets the coin, and the episode ends. Behind the
    last room is the prize. Of uniformly random episodes one in 2**n_rooms reaches it.

    Args:
        n_rooms: rooms.
        coin: reward of a trap.
        prize: reward behind the last room.

    Raises:
        ValueError: if there are fewer than two rooms.
    """

    def __init__(self, n_rooms: int, coin: float = 0.1, prize: float = 1.0) -> None:
        if n_rooms < 2:
            raise ValueError(f"a row needs at least 2 rooms, got {n_rooms}")
        self.observation_space = spaces.Discrete(n_rooms)
        self.action_space = spaces.Discrete(2)
        last = n_rooms - 1

        def enter(room: int, door: int) -> tuple[float, int, float, bool]:
            if door != room % 2:
                return 1.0, room, coin, True
            return 1.0, min(room + 1, last), prize * (room == last), room == last

        self.P: Transitions = {s: {a: [enter(s, a)] for a in (0, 1)} for s in range(n_rooms)}
        self._over = True

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        """Start an episode in room 0; returns ``(room, {})``."""
        super().reset(seed=seed)
        self._room, self._over = 0, False
        return self._room, {}

    def step(self, action: int):
        """Return ``(room, reward, terminated, False, {})``."""
        if action not in (0, 1):
            raise ValueError(f"the action must be 0 or 1, got {action!r}")
        if self._over:
            raise gym.error.ResetNeeded("an episode of Traps begins with reset()")
        ((_, self._room, reward, self._over),) = self.P[self._room][int(action)]
        return self._room, reward, self._over, False, {}


class Features(gym.ObservationWrapper):
    """Shows a row of a matrix in place of a state's number, for a network to read.

    ``Features(env, np.eye(n))`` gives one-hot observations.

    Args:
        env: an environment with discrete observations.
        matrix: ``[n_states, n_features]``; row s is what the agent sees in state s.

    Raises:
        TypeError: if the environment's observations are not discrete.
        ValueError: if the matrix has another number of rows than there are states.
    """

    def __init__(self, env: gym.Env, matrix: np.ndarray) -> None:
        super().__init__(env)
        self.matrix = np.asarray(matrix, np.float32)
        states = env.observation_space
        if not isinstance(states, spaces.Discrete):
            raise TypeError(f"the rows of a matrix need Discrete observations, not {states}")
        if len(self.matrix) != states.n:
            raise ValueError(f"{states.n} states need as many rows, got {len(self.matrix)}")
        self.observation_space = spaces.Box(-np.inf, np.inf, self.matrix.shape[1:], np.float32)

    def observation(self, observation: int) -> np.ndarray:
        """Return the row of state `observation`."""
        return self.matrix[observation]


class Bins(gym.ObservationWrapper):
    """Cuts each number of an observation into `k` equal bins and returns one integer.

    With d numbers there are k**d states. Values outside ``low .. high`` fall into
    the outermost bins.

    Args:
        env: an environment with a vector observation.
        k: bins per number.
        low: lower edge of the binned range, per number.
        high: upper edge of the binned range, per number.

    Raises:
        ValueError: if `k` is below 1 or a lower edge is not below its upper one.
    """

    def __init__(self, env: gym.Env, k: int, low: np.ndarray, high: np.ndarray) -> None:
        super().__init__(env)
        self.low, self.high = np.asarray(low, float), np.asarray(high, float)
        if k < 1:
            raise ValueError(f"k must be at least 1 bin per number, got {k}")
        if not (self.low < self.high).all():
            raise ValueError(f"low must be below high, got {low} and {high}")
        self.k = k
        self._weights = k ** np.arange(len(self.low))
        self.observation_space = spaces.Discrete(int(k ** len(self.low)))

    def observation(self, observation: np.ndarray) -> int:
        """Return the index of the cell that holds `observation`."""
        cells = ((observation - self.low) / (self.high - self.low) * self.k).astype(int)
        return int(np.clip(cells, 0, self.k - 1) @ self._weights)
