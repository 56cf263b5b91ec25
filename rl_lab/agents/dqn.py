"""Deep Q-learning: a network, a frozen copy of it, and a replay buffer.

Shapes: S observation size, A actions, B minibatch size.
"""

import copy
import math

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn

from rl_lab.gradients import gradient_rule
from rl_lab.losses import q_learning_loss
from rl_lab.networks import QNetwork, seeded
from rl_lab.optim import Adam
from rl_lab.replay import ReplayBuffer
from rl_lab.utils.common import get_device, use_threads

__all__ = ["DQNAgent", "ReplayBuffer"]


class DQNAgent:
    """A DQN agent; its network, loss and replay store can be replaced by others.

    `select_action` is epsilon-greedy. `update` stores one transition and takes
    one gradient step on a minibatch drawn from everything stored. Three clocks
    run inside, and every setting says which one it means: *environment steps*
    (calls of `update`), *updates* (gradient steps) and *episodes* (calls of
    `decay_epsilon`).

    Args:
        obs_dim: S, numbers in one observation.
        n_actions: A.
        hidden_dim: units in each of the two hidden layers of the default network.
        lr: step size of Adam.
        gamma: discount per environment step, in [0, 1].
        epsilon: probability of a random action at the start, in [0, 1].
        epsilon_min: where epsilon stops falling.
        epsilon_decay: factor applied to epsilon by each `decay_epsilon`, once an episode.
        buffer_size: transitions kept by the default replay buffer.
        batch_size: B, transitions in one gradient step.
        target_update_freq: updates between two refreshes of the target network.
        device: where the networks live; None takes `get_device()`.
        seed: seeds the initial weights, exploration and sampling, each from a
            stream of its own; None draws fresh ones.
        tau: share of the online weights taken at a refresh,
            target <- (1 - tau) target + tau online. 1 is a hard copy; a soft
            update is ``tau=0.005, target_update_freq=1``.
        epsilon_decay_steps: if given, epsilon falls linearly to `epsilon_min` over
            this many environment steps, and `decay_epsilon` does nothing.
        lr_decay_updates: if given, the step size falls linearly to 0 over this
            many updates.
        learning_starts: environment steps before the first update (at least B).
        update_every: environment steps per update.
        network: online network to use in place of the default; its `forward` maps
            ``[..., S]`` to action values ``[..., A]``.
        loss: pure function ``(online, target, batch, gamma) -> (losses, td_errors)``.
        replay: store to use in place of the default; it has `push`, `draw`,
            `feedback` and a length.
        threads: torch threads per operation, for the whole process. One is fastest
            here (see `use_threads`); None leaves torch's own setting.

    Raises:
        ValueError: if a setting is out of its range; the message names it.
        TypeError: if a count is not a whole number.

    Source: Mnih et al. (2015), Algorithm 1, with Adam in place of RMSProp.
    """

    def __init__(
        self,
        obs_dim: int,
        n_actions: int,
        hidden_dim: int = 128,
        lr: float = 1e-3,
        gamma: float = 0.99,
        epsilon: float = 1.0,
        epsilon_min: float = 0.01,
        epsilon_decay: float = 0.995,
        buffer_size: int = 50_000,
        batch_size: int = 64,
        target_update_freq: int = 100,
        device: torch.device | str | None = None,
        seed: int | None = None,
        *,
        tau: float = 1.0,
        epsilon_decay_steps: int | None = None,
        lr_decay_updates: int | None = None,
        learning_starts: int = 0,
        update_every: int = 1,
        network: nn.Module | None = None,
        loss=q_learning_loss,
        replay=None,
        threads: int | None = 1,
    ) -> None:
        for name, value, low, high in [
            ("lr", lr, 0, None),
            ("gamma", gamma, 0, 1),
            ("epsilon", epsilon, 0, 1),
            ("epsilon_min", epsilon_min, 0, 1),
            ("epsilon_decay", epsilon_decay, 0, 1),
            ("tau", tau, 0, 1),
            ("epsilon_decay_steps", epsilon_decay_steps, 1, None),
            ("lr_decay_updates", lr_decay_updates, 1, None),
        ]:
            _require_between(name, value, low, high)
        for name, count, low in [
            ("obs_dim", obs_dim, 1),
            ("n_actions", n_actions, 1),
            ("hidden_dim", hidden_dim, 1),
            ("buffer_size", buffer_size, 1),
            ("batch_size", batch_size, 1),
            ("target_update_freq", target_update_freq, 1),
            ("learning_starts", learning_starts, 0),
            ("update_every", update_every, 1),
        ]:
            _require_between(name, count, low, None)
            if count != int(count):
                raise TypeError(f"{name} must be a whole number, got {count!r}")
        if replay is None and max(batch_size, learning_starts) > buffer_size:
            raise ValueError(
                f"buffer_size={buffer_size} can never hold the batch_size={batch_size} or the "
                f"learning_starts={learning_starts} transitions that learning waits for"
            )
        use_threads(threads)
        self.obs_dim, self.n_actions = int(obs_dim), int(n_actions)
        self.lr, self.gamma, self.batch_size = lr, gamma, int(batch_size)
        self.epsilon = self.epsilon_start = epsilon
        self.epsilon_min, self.epsilon_decay = epsilon_min, epsilon_decay
        self.epsilon_decay_steps, self.lr_decay_updates = epsilon_decay_steps, lr_decay_updates
        self.target_update_freq, self.tau = target_update_freq, tau
        self.learning_starts, self.update_every = learning_starts, update_every
        self.device = get_device(device)
        self.n_env_steps = 0
        self.n_updates = 0

        weights, exploration, sampling = np.random.SeedSequence(seed).spawn(3)
        if network is None:
            network = seeded(
                lambda: QNetwork(self.obs_dim, self.n_actions, int(hidden_dim)),
                int(weights.generate_state(1)[0]),
            )
        self._rng = np.random.default_rng(exploration)
        self.replay = ReplayBuffer(buffer_size, seed=sampling) if replay is None else replay
        self._rule = gradient_rule(network.to(self.device), loss)
        self.target = copy.deepcopy(self.online).requires_grad_(False)
        self.optimizer = Adam(self._rule.parameters, lr)

    @property
    def online(self) -> nn.Module:
        """The network that acts and learns. Load weights into it; it cannot be exchanged."""
        return self._rule.network

    @property
    def loss(self):
        """The loss the agent was built with."""
        return self._rule.loss

    def q_values(self, state: ArrayLike) -> np.ndarray:
        """Return the online network's action values ``[A]`` at `state` ([S]).

        Raises:
            ValueError: if `state` has another shape or holds a NaN or an infinity.
        """
        return self._rule.q_values(self._checked(state, "state"))

    def select_action(self, state: ArrayLike, training: bool = True) -> int:
        """Return an action for `state` ([S]).

        With ``training=True`` it is random with probability epsilon; otherwise,
        and always with ``training=False``, it is the one of the highest value.

        Raises:
            ValueError: as `q_values`.
        """
        if training and self._rng.random() < self.epsilon:
            self._checked(state, "state")
            return int(self._rng.integers(self.n_actions))
        return int(self.q_values(state).argmax())

    def update(
        self,
        state: ArrayLike,
        action: int,
        reward: float,
        next_state: ArrayLike,
        done: bool,
        *,
        truncated: bool = False,
    ) -> dict[str, float]:
        """Store one transition and learn from a minibatch of stored ones.

        Args:
            state: observation before the action, [S].
            action: integer in 0 .. A - 1.
            reward: reward of this step.
            next_state: observation after the action, [S].
            done: next_state is *terminal*: no reward can follow it. Pass the
                environment's ``terminated``. (A loop that passes ``terminated or
                truncated`` runs, and learns that time limits are deaths.)
            truncated: the episode was cut here by a time limit. The value of
                next_state still counts, so a one-step target needs nothing more.

        Returns:
            ``{"loss": ...}`` of the minibatch, or ``{}`` where nothing was learned.

        Raises:
            ValueError: if an argument has a wrong shape, range or is not finite;
                nothing was stored then.
            FloatingPointError: if the loss is not finite; the weights are those
                before the bad step.
        """
        if self.observe(state, action, reward, next_state, done):
            return self._learn()
        return {}

    def observe(
        self, state: ArrayLike, action: int, reward: float, next_state: ArrayLike, done: bool
    ) -> bool:
        """Store one transition, count it, and say whether an update is due.

        Args and Raises: as `update`, which learns, too.
        """
        if not (0 <= action < self.n_actions and action == int(action)):
            raise ValueError(f"action must be an integer in 0..{self.n_actions - 1}, got {action}")
        state = self._checked(state, "state")
        next_state = self._checked(next_state, "next_state")
        self.replay.push(state, action, reward, next_state, done)
        self.n_env_steps += 1
        if self.epsilon_decay_steps is not None:
            share = min(1.0, self.n_env_steps / self.epsilon_decay_steps)
            lowest = min(self.epsilon_start, self.epsilon_min)
            self.epsilon = self.epsilon_start + share * (lowest - self.epsilon_start)
        ready = len(self.replay) >= self.batch_size and self.n_env_steps >= self.learning_starts
        return ready and self.n_env_steps % self.update_every == 0

    @property
    def current_lr(self) -> float:
        """The step size of the next update."""
        if self.lr_decay_updates is None:
            return self.lr
        return self.lr * max(0.0, 1 - self.n_updates / self.lr_decay_updates)

    def _learn(self) -> dict[str, float]:
        """Draw, judge, descend, report back, refresh the target."""
        batch, weights, slots = self.replay.draw(self.batch_size)
        loss, td_errors = self._rule.gradient(
            self.target, batch.to(self.device), weights.to(self.device), self.gamma
        )
        value = loss.item()
        if not math.isfinite(value):
            raise FloatingPointError(
                f"the loss became {value} at update {self.n_updates + 1}; try a smaller lr "
                f"(now {self.lr}), huber=True in the loss, or smaller rewards"
            )
        self.optimizer.param_groups[0]["lr"] = self.current_lr
        self.optimizer.step()
        self.replay.feedback(slots, td_errors)

        self.n_updates += 1
        if self.n_updates % self.target_update_freq == 0:
            self._refresh_target()
        return {"loss": value}

    @torch.no_grad()
    def _refresh_target(self) -> None:
        for frozen, learned in zip(self.target.parameters(), self.online.parameters(), strict=True):
            frozen.lerp_(learned, self.tau)

    def decay_epsilon(self) -> None:
        """Multiply epsilon by `epsilon_decay`, not below `epsilon_min`; call once an episode."""
        if self.epsilon_decay_steps is None:
            lower = max(self.epsilon_min, self.epsilon * self.epsilon_decay)
            self.epsilon = min(self.epsilon, lower)  # an epsilon below the minimum stays there

    def _checked(self, state: ArrayLike, name: str) -> np.ndarray:
        state = np.asarray(state, np.float32)
        if state.shape != (self.obs_dim,):
            raise ValueError(f"{name} must have shape ({self.obs_dim},), got {state.shape}")
        if not np.isfinite(state).all():
            raise ValueError(f"{name} must be finite, got {state}")
        return state


def _require_between(name: str, value: float | None, low: float, high: float | None) -> None:
    """Raise a ValueError that names the setting unless low <= value <= high (None passes)."""
    if value is None:
        return
    if not (low <= value and (high is None or value <= high)):
        bounds = f"at least {low}" if high is None else f"between {low} and {high}"
        raise ValueError(f"{name} must be {bounds}, got {value}")
