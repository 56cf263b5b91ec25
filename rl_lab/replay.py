"""Experience replay: a ring of transitions, and what a draw from it looks like.

Shapes: B minibatch size, S the shape of one observation. Everything is stored
on the CPU; the agent moves what it draws to its own device.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor


class Batch(NamedTuple):
    """B transitions, field by field."""

    states: Tensor  # [B, *S] float32
    actions: Tensor  # [B] int64
    rewards: Tensor  # [B] float32
    next_states: Tensor  # [B, *S] float32
    dones: Tensor  # [B] float32, 1 only where next_state is terminal
    horizons: Tensor  # [B] float32, rewards summed in each transition (1 in one-step learning)

    def to(self, device: torch.device) -> "Batch":
        """Return the same transitions on `device`."""
        if device == self.states.device:
            return self
        return Batch(*(field.to(device) for field in self))


def as_batch(rows: Tensor, shape: tuple[int, ...]) -> Batch:
    """Split rows ``[..., 2S + 4]`` of a replay buffer into fields; observations get `shape`."""
    n = (rows.shape[-1] - 4) // 2
    states, next_states = rows[..., :n], rows[..., n : 2 * n]
    if len(shape) != 1:
        states, next_states = (s.reshape(*s.shape[:-1], *shape) for s in (states, next_states))
    actions, rewards, dones, horizons = rows[..., 2 * n :].unbind(-1)
    return Batch(states, actions.long(), rewards, next_states, dones, horizons)


class Draw(NamedTuple):
    """What a replay store hands to a learner."""

    batch: Batch
    weights: Tensor  # [B] float32, multiplies each transition's loss
    slots: np.ndarray  # [B] int64, where in the store each transition lies


class ReplayBuffer:
    """The most recent `capacity` transitions, sampled uniformly with replacement.

    One row per transition in one preallocated float32 matrix, written as a
    ring: `push` is O(1), and a sample is a single gather of whole rows. With
    replacement, so that the B rows are independent draws from the stored
    transitions.

    Args:
        capacity: transitions kept; the oldest is overwritten first.
        seed: seeds the sampling generator that this buffer owns.

    Raises:
        ValueError: if `capacity` is less than 1.

    Source: Lin (1992); Mnih et al. (2015), Algorithm 1.
    """

    def __init__(self, capacity: int, *, seed: int | np.random.SeedSequence | None = None) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {capacity}")
        self.capacity = int(capacity)
        self._rng = np.random.default_rng(seed)
        self._shape: tuple[int, ...] | None = None  # of one observation; set by the first push
        self._rows: np.ndarray | None = None
        self._n_pushed = 0

    def __len__(self) -> int:
        return min(self._n_pushed, self.capacity)

    def push(
        self,
        state: ArrayLike,
        action: int,
        reward: float,
        next_state: ArrayLike,
        done: bool,
        horizon: int = 1,
    ) -> int:
        """Store one transition and return the slot it was written to.

        `done` means *terminal*: pass ``terminated``, not ``terminated or
        truncated``, or time limits will be learned as if they were deaths.

        Raises:
            ValueError: if a state has another shape than the first one stored,
                or if the transition holds a NaN or an infinity.
        """
        state, next_state = np.asarray(state, np.float32), np.asarray(next_state, np.float32)
        shape = state.shape if self._rows is None else self._shape
        if state.shape != shape or next_state.shape != shape:
            raise ValueError(
                f"states must have shape {shape}, got {state.shape} and {next_state.shape}"
            )
        n = state.size
        incoming = np.empty(2 * n + 4, np.float32)
        incoming[:n] = state.ravel()
        incoming[n : 2 * n] = next_state.ravel()
        incoming[2 * n :] = (action, reward, done, horizon)
        if not np.isfinite(incoming).all():
            raise ValueError(
                f"a transition must be finite, got state={state}, reward={reward}, "
                f"next_state={next_state}; nothing was stored"
            )
        if self._rows is None:
            self._shape = shape
            self._rows = np.zeros((self.capacity, len(incoming)), np.float32)
        slot = self._n_pushed % self.capacity
        self._rows[slot] = incoming
        self._n_pushed += 1
        return slot

    def choose(self, batch_size: int) -> np.ndarray:
        """Choose `batch_size` slots, ``[B]`` int64.

        Raises:
            ValueError: if `batch_size` is less than 1 or more than is stored.
        """
        if not 1 <= batch_size <= len(self):
            raise ValueError(
                f"batch_size must be between 1 and the {len(self)} transitions stored, "
                f"got {batch_size}; push more first"
            )
        return self._rng.integers(len(self), size=batch_size)

    def rows(self, slots: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Return copies of the rows ``[B, 2S + 4]`` at `slots`, written to `out` if given.

        With `out` the slots must come from `choose`: others are not noticed.
        """
        # With `out`, numpy checks bounds by way of a second copy; `choose` keeps within them.
        return self._rows.take(slots, axis=0, out=out, mode="raise" if out is None else "clip")

    def gather(self, slots: np.ndarray) -> Batch:
        """Return copies of the transitions stored at `slots` ([B] int64)."""
        return as_batch(torch.from_numpy(self.rows(slots)), self._shape)

    def draw(self, batch_size: int) -> Draw:
        """Draw `batch_size` transitions with the weights and slots a learner needs.

        Raises:
            ValueError: as `choose`.
        """
        slots = self.choose(batch_size)
        return Draw(self.gather(slots), torch.ones(batch_size), slots)

    def feedback(self, slots: np.ndarray, td_errors: Tensor) -> None:
        """Hear the TD errors of a draw. Uniform replay has no use for them."""

    def sample(self, batch_size: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return ``(states, actions, rewards, next_states, dones)`` of a fresh draw.

        Raises:
            ValueError: as `draw`.
        """
        return self.draw(batch_size).batch[:5]


class RecentTransitions:
    """No replay: every minibatch is the last transitions, in the order they came.

    It answers the verbs that learners use of `ReplayBuffer`, so that an agent with and one without
    replay differ in nothing else: same batch size, same number of updates.

    Args:
        batch_size: transitions kept, and drawn.
    """

    def __init__(self, batch_size: int) -> None:
        self._ring = ReplayBuffer(batch_size)

    def __len__(self) -> int:
        return len(self._ring)

    def push(self, state, action, reward, next_state, done, horizon=1) -> int:
        """Store one transition in place of the oldest; see `ReplayBuffer.push`."""
        self._newest = self._ring.push(state, action, reward, next_state, done, horizon)
        return self._newest

    def choose(self, batch_size: int) -> np.ndarray:
        """Return the slots of the last `batch_size` transitions, oldest first.

        Raises:
            ValueError: if fewer are stored, or `batch_size` is below 1.
        """
        if not 1 <= batch_size <= len(self):
            raise ValueError(
                f"batch_size must be between 1 and the {len(self)} transitions kept, "
                f"got {batch_size}"
            )
        return (self._newest + 1 - batch_size + np.arange(batch_size)) % self._ring.capacity

    def rows(self, slots: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Return copies of the rows at `slots`; see `ReplayBuffer.rows`."""
        return self._ring.rows(slots, out)

    def draw(self, batch_size: int) -> Draw:
        """Return the last `batch_size` transitions, oldest first.

        Raises:
            ValueError: as `choose`.
        """
        slots = self.choose(batch_size)
        return Draw(self._ring.gather(slots), torch.ones(batch_size), slots)

    def feedback(self, slots: np.ndarray, td_errors: Tensor) -> None:
        """Hear the TD errors of a draw, and do nothing with them."""
