"""Experience replay: transitions, minibatches of them, and the buffer between the two.

Shapes: B minibatch size, S the shape of one observation. Everything is stored on the CPU; the agent
moves what it samples to its own device.
"""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

LARGEST = float(np.finfo(np.float32).max)


class Transition(NamedTuple):
    """What one action led to; with n-step returns, what n of them led to."""

    observation: ArrayLike  # [*S]
    action: int
    reward: float  # the sum of gamma**i r_i over the k rewards of the transition
    next_observation: ArrayLike  # [*S]
    done: bool  # next_observation is terminal
    discount: float  # gamma**k, what the value of next_observation is multiplied by


class Batch(NamedTuple):
    """B transitions, field by field; a stack of N agents puts N in front of every shape."""

    observations: Tensor  # [B, *S], float32, or uint8 or bool where the environment's are
    actions: Tensor  # [B] int64
    rewards: Tensor  # [B] float32
    next_observations: Tensor  # [B, *S]
    dones: Tensor  # [B] float32, 1 only where next_observation is terminal
    discounts: Tensor  # [B] float32

    def to(self, device: torch.device) -> "Batch":
        """Return the same transitions on `device`."""
        if device == self.observations.device:
            return self
        return Batch(*(field.to(device) for field in self))


@dataclass(slots=True)
class Sample:
    """A minibatch, where it lies in the buffer, and the weight of each transition's loss."""

    batch: Batch
    indices: np.ndarray  # [B] int64
    weights: Tensor  # [B] float32

    def __iter__(self) -> Iterator[Tensor]:
        """Yield observations, actions, rewards, next observations and dones, for unpacking."""
        return iter(self.batch[:5])


class Replay(Protocol):
    """What an agent asks of the place where its transitions are kept."""

    def __len__(self) -> int: ...

    def add(self, transition: Transition) -> int:
        """Store one transition and return its index."""
        ...

    def sample(self, batch_size: int) -> Sample:
        """Return a minibatch."""
        ...

    def update_priorities(self, indices: np.ndarray, priorities: np.ndarray) -> None:
        """Record how large the errors of a sample were, ``[B]``, none below 0."""
        ...


class ReplayBuffer:
    """The most recent `capacity` transitions, sampled uniformly with replacement.

    One array per field, written as a ring. With replacement, so that the B rows of a minibatch are
    independent draws from what is stored. Observations are kept as float32, or as uint8 or bool
    where that is what they are.

    Args:
        capacity: transitions kept; the oldest is overwritten first.
        seed: seeds the sampling generator that this buffer owns.

    Raises:
        TypeError: if `capacity` is not a whole number.
        ValueError: if `capacity` is less than 1.

    Source: Lin (1992); Mnih et al. (2015), Algorithm 1.
    """

    def __init__(self, capacity: int, *, seed: int | np.random.SeedSequence | None = None) -> None:
        if not isinstance(capacity, int | np.integer):
            raise TypeError(f"capacity must be a whole number, got {capacity!r}")
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {capacity}")
        self.capacity = int(capacity)
        self._rng = np.random.default_rng(seed)
        self._fields: tuple[np.ndarray, ...] = ()  # in the order of a Transition; none at first
        self._n_added = 0

    def __len__(self) -> int:
        return min(self._n_added, self.capacity)

    def allocate(self, shape: tuple[int, ...], dtype: np.dtype | type) -> None:
        """Lay out the arrays for observations of this shape; the first `add` does so otherwise.

        Raises:
            MemoryError: if they would need more memory than the machine has.
        """
        kind = stored_dtype(dtype)
        needed = self.capacity * (2 * math.prod(shape) * kind.itemsize + 20)
        if needed > (available := memory()):
            raise MemoryError(
                f"{self.capacity:,} transitions with two observations of shape {shape} and type "
                f"{kind} each need {needed / 2**30:.1f} GiB, and there are "
                f"{available / 2**30:.1f}; keep fewer transitions, or smaller observations (uint8 "
                f"is a quarter of float32)"
            )
        number, observation = ((), np.dtype(np.float32)), (shape, kind)
        columns = observation, ((), np.dtype(np.int64)), number, observation, number, number
        self._fields = tuple(np.zeros((self.capacity, *s), dtype) for s, dtype in columns)

    def push(
        self,
        state: ArrayLike,
        action: int,
        reward: float,
        next_state: ArrayLike,
        done: bool,
        discount: float = math.nan,
    ) -> int:
        """Store one transition and return its index.

        Args:
            state: observation before the action, ``[*S]``.
            action: integer.
            reward: reward of the action.
            next_state: observation after it, ``[*S]``.
            done: next_state is *terminal*: pass ``terminated``, not ``terminated or truncated``,
                or time limits will be learned as if they were deaths.
            discount: what the value of next_state is multiplied by. Without it a loss of this
                library, which reads it from the batch, becomes NaN.

        Raises:
            ValueError: if an observation has another shape than the first one stored or other
                numbers than its type can hold, if done is not 0 or 1, or if something is not
                finite; nothing was stored then.
        """
        return self.add(Transition(state, action, reward, next_state, done, discount))

    def add(self, transition: Transition) -> int:
        """Store one transition and return its index; Raises: as `push`."""
        observation, action, reward, next_observation, done, discount = transition
        if not self._fields:
            first = np.asarray(observation)
            kind = stored_dtype(first.dtype)
            as_observation(observation, first.shape, kind, "state")
            self.allocate(first.shape, kind)
        like = self._fields[0]
        state = as_observation(observation, like.shape[1:], like.dtype, "state")
        next_state = as_observation(next_observation, like.shape[1:], like.dtype, "next_state")
        reward = as_number(reward, "reward")
        if done not in (0, 1):
            raise ValueError(f"done must be True or False (1 or 0), got {done!r}")
        if np.ndim(action) or action != int(action):
            raise ValueError(f"action must be one whole number, got {action!r}")
        if discount in (math.inf, -math.inf):
            raise ValueError(f"discount must be finite, got {discount}")
        index = self._n_added % self.capacity
        row = (state, action, reward, next_state, done, discount)
        for field, value in zip(self._fields, row, strict=True):
            field[index] = value
        self._n_added += 1
        return index

    def _sample_indices(self, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
        """Choose `batch_size` stored transitions; returns their indices and their weights."""
        require_stored(batch_size, len(self))
        return self._rng.integers(len(self), size=batch_size), np.ones(batch_size, np.float32)

    def gather(self, indices: np.ndarray) -> Batch:
        """Return copies of the transitions at `indices` ([B] int64)."""
        return Batch(*(torch.from_numpy(field.take(indices, axis=0)) for field in self._fields))

    def sample(self, batch_size: int) -> Sample:
        """Return a minibatch; it unpacks to states, actions, rewards, next states and dones.

        Raises:
            ValueError: if `batch_size` is less than 1 or more than is stored.
        """
        indices, weights = self._sample_indices(batch_size)
        return Sample(self.gather(indices), indices, torch.from_numpy(weights))

    def update_priorities(self, indices: np.ndarray, priorities: np.ndarray) -> None:
        """Do nothing: uniform sampling has no use for priorities."""

    def state_dict(self) -> dict:
        """Return all that is stored, and the state of the generator."""
        n = len(self)
        fields = [torch.from_numpy(field[:n].copy()) for field in self._fields]
        rng = self._rng.bit_generator.state
        return {"fields": fields, "n_added": self._n_added, "capacity": self.capacity, "rng": rng}

    def load_state_dict(self, state: dict) -> None:
        """Restore what `state_dict` returned.

        Raises:
            ValueError: if it had another capacity.
        """
        if state["capacity"] != self.capacity:
            raise ValueError(
                f"the stored buffer has capacity {state['capacity']}, this one {self.capacity}"
            )
        if state["fields"] and self._fields:
            stored, own = state["fields"][0].numpy(), self._fields[0]
            if (stored.shape[1:], stored.dtype) != (own.shape[1:], own.dtype):
                raise ValueError(
                    f"the stored observations are {stored.dtype} of shape {stored.shape[1:]}, "
                    f"those of this buffer {own.dtype} of shape {own.shape[1:]}"
                )
        self._n_added, self._rng.bit_generator.state = state["n_added"], state["rng"]
        if state["fields"]:
            observations = state["fields"][0].numpy()
            self.allocate(observations.shape[1:], observations.dtype)
            for field, stored in zip(self._fields, state["fields"], strict=True):
                field[: len(stored)] = stored.numpy()


class RecentTransitions(ReplayBuffer):
    """No replay: every minibatch is the last transitions, in the order in which they came.

    An agent with it and one with a `ReplayBuffer` differ in nothing else: same batch size, same
    number of updates.

    Args:
        capacity: transitions kept, at least as many as a minibatch has.
        seed: accepted as by `ReplayBuffer`; nothing here is random.
    """

    def _sample_indices(self, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
        require_stored(batch_size, len(self))
        newest_last = self._n_added - batch_size + np.arange(batch_size)
        return newest_last % self.capacity, np.ones(batch_size, np.float32)


def require_stored(batch_size: int, n_stored: int) -> None:
    """Raise a ValueError unless a minibatch of this size can be sampled from what is stored."""
    if not 1 <= batch_size <= n_stored:
        raise ValueError(
            f"batch_size must be between 1 and the {n_stored} transitions stored, "
            f"got {batch_size}; push more first"
        )


def stored_dtype(dtype: np.dtype | type) -> np.dtype:
    """Return the type in which observations of a type are kept: bytes as they are, or float32."""
    kind = np.dtype(dtype)
    return kind if kind in (np.uint8, np.bool_) else np.dtype(np.float32)


def as_observation(value: ArrayLike, shape: tuple, dtype: np.dtype, name: str) -> np.ndarray:
    """Return an observation as an array of the shape and type that are stored.

    Raises:
        ValueError: if it has another shape, is not finite, or would change by the conversion.
    """
    try:
        array = np.asarray(value, dtype if dtype == np.float32 else None, order="C")
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} must be an array of shape {shape}, got {value!r}; an environment with "
            f"observations of several parts needs gymnasium.wrappers.FlattenObservation"
        ) from error
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {array.shape}")
    if dtype == np.float32:
        if not np.isfinite(array).all():
            raise ValueError(f"{name} must be finite, got {array}; nothing was stored")
    elif array.dtype != dtype:
        array, given = array.astype(dtype), array
        if not np.array_equal(array, given):
            raise ValueError(f"{name} holds numbers that {dtype} cannot: {given}")
    return array


def as_number(value: float, name: str) -> float:
    """Return a reward as a float.

    Raises:
        ValueError: if it is not one finite number.
    """
    if np.ndim(value):
        raise ValueError(f"{name} must be one number, got an array of shape {np.shape(value)}")
    if not abs(value) <= LARGEST:
        raise ValueError(f"{name} must be finite, as a float32, got {value}; nothing was stored")
    return float(value)


def memory() -> float:
    """Bytes of memory that this process may use, as far as the system tells."""
    limits = [math.inf]
    if hasattr(os, "sysconf"):  # not on Windows
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    container = Path("/sys/fs/cgroup/memory.max")
    if container.is_file() and (text := container.read_text().strip()).isdigit():
        limits.append(int(text))
    return min(limits)
