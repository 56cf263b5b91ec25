"""Q-learning with a table: one number for every state and action."""

import numpy as np


class QLearningAgent:
    r"""Tabular Q-learning, with the same verbs as `DQNAgent`.

    .. math::

        \delta = r + \gamma (1 - d) \max_{a'} Q(s', a') - Q(s, a), \qquad
        Q(s, a) \leftarrow Q(s, a) + \alpha \delta

    Args:
        n_states: rows of the table.
        n_actions: columns of the table.
        lr: alpha, the step size, in (0, 1].
        gamma: discount per environment step, in [0, 1].
        epsilon: probability of a random action at the start, in [0, 1].
        epsilon_min: where epsilon stops falling.
        epsilon_decay: factor applied to epsilon by each `decay_epsilon`, once an episode.
        seed: seeds exploration and the breaking of ties.

    Attributes:
        q: the table, ``[n_states, n_actions]`` float64, zero at the start.

    Raises:
        ValueError: if a setting is out of its range; the message names it.

    Source: Watkins and Dayan (1992).
    """

    def __init__(
        self,
        n_states: int,
        n_actions: int,
        lr: float = 0.1,
        gamma: float = 0.99,
        epsilon: float = 1.0,
        epsilon_min: float = 0.01,
        epsilon_decay: float = 0.995,
        seed: int | None = None,
    ) -> None:
        for name, number in [("n_states", n_states), ("n_actions", n_actions)]:
            if number < 1:
                raise ValueError(f"{name} must be at least 1, got {number}")
        for name, value in [
            ("lr", lr),
            ("gamma", gamma),
            ("epsilon", epsilon),
            ("epsilon_min", epsilon_min),
            ("epsilon_decay", epsilon_decay),
        ]:
            if not 0 <= value <= 1:
                raise ValueError(f"{name} must be between 0 and 1, got {value}")
        self.n_actions = n_actions
        self.lr, self.gamma = lr, gamma
        self.epsilon, self.epsilon_min, self.epsilon_decay = epsilon, epsilon_min, epsilon_decay
        self.q = np.zeros((n_states, n_actions))
        self._rng = np.random.default_rng(seed)

    def q_values(self, state: int) -> np.ndarray:
        """Return the row of the table for `state`."""
        return self.q[state]

    def select_action(self, state: int, training: bool = True) -> int:
        """Return an action: epsilon-greedy in training, greedy otherwise.

        In training, ties between greedy actions are broken at random, or an empty
        table would walk in one direction for ever; greedy play takes the first.
        """
        if training and self._rng.random() < self.epsilon:
            return int(self._rng.integers(self.n_actions))
        row = self.q[state]
        if training:
            best = np.flatnonzero(row == row.max())
            return int(best[0] if len(best) == 1 else self._rng.choice(best))
        return int(row.argmax())

    def update(
        self,
        state: int,
        action: int,
        reward: float,
        next_state: int,
        done: bool,
        *,
        truncated: bool = False,
    ) -> dict[str, float]:
        """Move Q(s, a) towards its target; `done` means terminal, as in `DQNAgent.update`.

        Returns:
            ``{"loss": squared TD error, "td_error": TD error before the step}``.

        Raises:
            ValueError: if a state or the action is out of range, or the reward is not finite.
        """
        if not 0 <= action < self.n_actions:
            raise ValueError(f"action must be in 0..{self.n_actions - 1}, got {action}")
        for name, index in (("state", state), ("next_state", next_state)):
            if not 0 <= index < len(self.q):  # a negative one would count from the end
                raise ValueError(f"{name} must be in 0..{len(self.q) - 1}, got {index}")
        if not np.isfinite(reward):
            raise ValueError(f"reward must be finite, got {reward}")
        y = reward + self.gamma * (1 - bool(done)) * self.q[next_state].max()
        td_error = float(y - self.q[state, action])
        self.q[state, action] += self.lr * td_error
        return {"loss": td_error**2, "td_error": td_error}

    def decay_epsilon(self) -> None:
        """Multiply epsilon by `epsilon_decay`, not below `epsilon_min`; call once an episode."""
        lower = max(self.epsilon_min, self.epsilon * self.epsilon_decay)
        self.epsilon = min(self.epsilon, lower)  # an epsilon below the minimum stays there
