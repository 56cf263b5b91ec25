"""Deep Q-learning: a network, a frozen copy of it, and a replay buffer.

Shapes: S the shape of one observation, A actions, B minibatch size.
"""

import copy
import math
from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from rl_lab.losses import Objective, QLearning
from rl_lab.n_step import NStep
from rl_lab.networks import NoisyLinear, QNetwork, resample_noise, seeded, use_noise
from rl_lab.replay import Batch, Replay, ReplayBuffer, as_number, as_observation, stored_dtype
from rl_lab.utils.common import get_device, use_threads

__all__ = ["DQNAgent", "ReplayBuffer"]

OPTIONAL = ("epsilon_decay_steps", "lr_decay_updates", "max_grad_norm")  # settings that may be None


class DQNAgent:
    """A DQN agent; what makes it another member of the family is handed to it.

    `select_action` is epsilon-greedy. `update` stores one transition and, where that is due, takes
    one gradient step: `learn`. Three clocks run inside, and every setting says which one it
    means: *environment steps* (calls of `update`), *updates* (gradient steps) and *episodes* (calls
    of `decay_epsilon`).

    Rainbow without its distributional part, for example::

        DQNAgent(8, 4, network=partial(DuelingQNetwork, linear=NoisyLinear), epsilon=0.0,
                 objective=QLearning(double=True), replay=PrioritizedReplay, n_step=3)

    Args:
        obs_dim: what an observation is: how many numbers, a shape, or a Box of Gymnasium, which
            also says whether it is kept as uint8.
        n_actions: A.
        hidden_dim: units of a hidden layer, handed to `network`.
        lr: learning rate of Adam.
        gamma: discount per environment step, in [0, 1].
        epsilon: probability of a random action at the start, in [0, 1].
        epsilon_min: where epsilon stops falling.
        epsilon_decay: factor applied to epsilon by each `decay_epsilon`, once an episode.
        buffer_size: transitions kept, handed to `replay`.
        batch_size: B, transitions in one gradient step.
        target_update_freq: updates between two refreshes of the target network.
        device: where the networks live; None takes `get_device()`.
        seed: seeds initial weights, exploration, sampling and noise, each from a stream of its
            own; None draws fresh ones.
        tau: share of the online weights taken at a refresh, target <- (1 - tau) target + tau
            online. 1 is a hard update; a soft (Polyak) update is ``tau=0.005,
            target_update_freq=1``.
        epsilon_decay_steps: if given, epsilon falls linearly to `epsilon_min` over this many
            environment steps, and `decay_epsilon` does nothing.
        lr_decay_updates: if given, the learning rate falls linearly to 0 over this many updates.
        learning_starts: environment steps before the first update (at least B).
        update_every: environment steps per update.
        network: makes the online network, as ``network(obs_dim, n_actions, hidden_dim)`` under
            `seed`; or a network. It maps observations ``[B, *S]`` to what `objective` reads.
        objective: what is minimised; `QLearning` takes ``double=True``.
        replay: makes the buffer, as ``replay(buffer_size, seed=...)``; or a buffer.
        n_step: rewards summed in one transition.
        optimizer: makes the optimiser of a list of parameters; None takes Adam with `lr`.
        max_grad_norm: longest gradient; a longer one is scaled down. None for no limit.
        threads: torch threads per operation, for the whole process. One is fastest for small
            networks (see `use_threads`); None leaves torch's own setting.

    Attributes:
        target: the frozen copy of the online network.
        optimizer: a `torch.optim.Optimizer`; another one may be put in its place, and schedulers
            or hooks work on it as anywhere.

    Raises:
        ValueError: if a setting is out of its range or has no effect; the message names it.
        TypeError: if a setting is of another kind.

    Source: Mnih et al. (2015), Algorithm 1, with Adam in place of RMSProp.
    """

    def __init__(
        self,
        obs_dim: int | tuple[int, ...] | spaces.Box,
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
        network: Callable[..., nn.Module] | nn.Module = QNetwork,
        objective: Objective = QLearning(),  # noqa: B008 - it is frozen
        replay: Callable[..., Replay] | Replay = ReplayBuffer,
        n_step: int = 1,
        optimizer: Callable[[Iterable[Tensor]], torch.optim.Optimizer] | None = None,
        max_grad_norm: float | None = None,
        threads: int | None = 1,
    ) -> None:
        _require_numbers(0, None, lr=lr, max_grad_norm=max_grad_norm)
        _require_numbers(0, 1, gamma=gamma, epsilon=epsilon, epsilon_min=epsilon_min, tau=tau)
        _require_numbers(0, 1, epsilon_decay=epsilon_decay)
        _require_counts(
            1,
            n_actions=n_actions,
            hidden_dim=hidden_dim,
            buffer_size=buffer_size,
            batch_size=batch_size,
            target_update_freq=target_update_freq,
            update_every=update_every,
            n_step=n_step,
            epsilon_decay_steps=epsilon_decay_steps,
            lr_decay_updates=lr_decay_updates,
        )
        _require_counts(0, learning_starts=learning_starts)
        if max_grad_norm == 0:
            raise ValueError("max_grad_norm=0 would let nothing be learned; None is no limit")
        made_elsewhere = {
            "hidden_dim": (hidden_dim, 128, isinstance(network, nn.Module), "network"),
            "buffer_size": (buffer_size, 50_000, not callable(replay), "replay"),
            "lr": (lr, 1e-3, optimizer is not None, "optimizer"),
        }
        for name, (value, default, is_given, owner) in made_elsewhere.items():
            if is_given and value != default:
                raise ValueError(
                    f"{name}={value} has no effect beside {owner}=...: set it there, and leave "
                    f"{name} out"
                )
        use_threads(threads)
        self.obs_shape, self.obs_dtype = _shape_of(obs_dim)
        self.n_actions, self.batch_size = int(n_actions), int(batch_size)
        self.lr, self.gamma = lr, gamma
        self.epsilon = self.epsilon_start = epsilon
        self.epsilon_min, self.epsilon_decay = epsilon_min, epsilon_decay
        self.epsilon_decay_steps, self.lr_decay_updates = epsilon_decay_steps, lr_decay_updates
        self.target_update_freq, self.tau = target_update_freq, tau
        self.learning_starts, self.update_every = learning_starts, update_every
        self.n_step = n_step
        self.max_grad_norm = math.inf if max_grad_norm is None else max_grad_norm
        self.device = get_device(device)
        self.n_env_steps = 0
        self.n_updates = 0

        weights, exploration, sampling, noise = np.random.SeedSequence(seed).spawn(4)
        first_draw, second_draw = map(int, weights.generate_state(2))
        self._rng = np.random.default_rng(exploration)
        self._noise = torch.Generator().manual_seed(int(noise.generate_state(1)[0]))
        self.objective = objective
        if not isinstance(network, nn.Module):
            shape = self.obs_shape[0] if len(self.obs_shape) == 1 else self.obs_shape
            make = partial(network, shape, self.n_actions, int(hidden_dim))
            network = seeded(make, first_draw)
        self._online = network.to(self.device)
        seeded(self._require_values_of_every_action, second_draw)  # lazy layers draw their weights
        self.is_noisy = any(isinstance(module, NoisyLinear) for module in network.modules())
        self.target = copy.deepcopy(self.online).requires_grad_(False).eval()
        use_noise(self.target)
        self.replay = replay(int(buffer_size), seed=sampling) if callable(replay) else replay
        if callable(replay) and isinstance(self.replay, ReplayBuffer):
            self.replay.allocate(self.obs_shape, self.obs_dtype)
        capacity = getattr(self.replay, "capacity", math.inf)
        if batch_size > capacity:
            raise ValueError(
                f"the buffer holds {capacity} transitions and batch_size={batch_size}: the agent "
                f"would never learn. Give it a larger buffer_size"
            )
        self._n_step = NStep(n_step, gamma)
        if isinstance(optimizer, torch.optim.Optimizer):
            raise TypeError(
                "optimizer must make an optimiser of the network's parameters, for example "
                "partial(torch.optim.RMSprop, lr=1e-3), not be one"
            )
        make_optimizer = optimizer or partial(torch.optim.Adam, lr=lr, fused=True)
        self.optimizer = make_optimizer(self.online.parameters())

    @property
    def online(self) -> nn.Module:
        """The network that acts and learns. Load weights into it; it cannot be exchanged."""
        return self._online

    def _require_values_of_every_action(self) -> None:
        """Raise a ValueError unless the network gives one value per action."""
        observation = torch.zeros(1, *self.obs_shape, dtype=self._torch_dtype, device=self.device)
        self.online.eval()
        with torch.no_grad():
            try:
                output = self.online(observation)
                values = self.objective.q_values(output)
            except (RuntimeError, ValueError, IndexError, AttributeError) as error:
                raise ValueError(
                    f"the network cannot read an observation of shape {self.obs_shape}, or "
                    f"{type(self.objective).__name__} cannot read its output: {error}"
                ) from error
        if values.shape != (1, self.n_actions):
            raise ValueError(
                f"for one observation and n_actions={self.n_actions} the values must have shape "
                f"(1, {self.n_actions}); the network put out {tuple(output.shape)}, of which "
                f"{type(self.objective).__name__} makes {tuple(values.shape)}"
            )

    @property
    def _torch_dtype(self) -> torch.dtype:
        return torch.from_numpy(np.empty(0, self.obs_dtype)).dtype

    def q_values(self, state: ArrayLike) -> np.ndarray:
        """Return the online network's action values ``[A]`` at `state` (``[*S]``), without noise.

        Raises:
            ValueError: if `state` has another shape or holds a NaN or an infinity.
        """
        self.online.eval()
        return self._values(self._observation(state, "state"))

    @torch.inference_mode()
    def _values(self, state: np.ndarray) -> np.ndarray:
        output = self.online(torch.from_numpy(state).to(self.device).unsqueeze(0))
        return self.objective.q_values(output)[0].cpu().numpy()

    def select_action(self, state: ArrayLike, training: bool = True) -> int:
        """Return an action for `state` (``[*S]``).

        With ``training=True`` it is random with probability epsilon, and a noisy network draws new
        noise; otherwise it is the one of the highest value.

        Raises:
            ValueError: as `q_values`.
        """
        state = self._observation(state, "state")
        if training and self._rng.random() < self.epsilon:
            return int(self._rng.integers(self.n_actions))
        self.online.eval()
        if training and self.is_noisy:
            use_noise(self.online)
            resample_noise(self.online, self._noise)
        return int(self._values(state).argmax())

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
            state: observation before the action, ``[*S]``.
            action: integer in 0 .. A - 1.
            reward: reward of this step.
            next_state: observation after the action, ``[*S]``.
            done: next_state is *terminal*: no reward can follow it. Pass the
                environment's ``terminated``. (A loop that passes ``terminated or
                truncated`` runs, and learns that time limits are deaths.)
            truncated: the episode was cut here by a time limit. The value of next_state still
                counts; n-step returns end here.

        Returns:
            What `learn` reports, or ``{}`` where nothing was learned.

        Raises:
            ValueError: if an argument has a wrong shape, range or is not finite;
                nothing was stored then.
            FloatingPointError: as `learn`.
        """
        if self.observe(state, action, reward, next_state, done, truncated):
            return self.learn()
        return {}

    def observe(
        self,
        state: ArrayLike,
        action: int,
        reward: float,
        next_state: ArrayLike,
        terminated: bool,
        truncated: bool = False,
    ) -> bool:
        """Store one transition, count it, and say whether an update is due.

        Args and Raises: as `update`, which learns, too.
        """
        if state is next_state and isinstance(state, np.ndarray):
            raise ValueError(
                "state and next_state are one array: the environment changes it in place and "
                "returns it again. Keep a copy of each observation: state = next_state.copy()"
            )
        if not (_is_whole(action) and 0 <= action < self.n_actions):
            raise ValueError(f"action must be an integer in 0..{self.n_actions - 1}, got {action}")
        for name, flag in (("done", terminated), ("truncated", truncated)):
            if flag not in (0, 1):
                raise ValueError(f"{name} must be True or False (1 or 0), got {flag!r}")
        transitions = self._n_step.step(
            self._observation(state, "state"),
            int(action),
            as_number(reward, "reward"),
            self._observation(next_state, "next_state"),
            bool(terminated),
            bool(truncated),
        )
        for transition in transitions:
            self.replay.add(transition)
        self.n_env_steps += 1
        if self.epsilon_decay_steps is not None:
            share = min(1.0, self.n_env_steps / self.epsilon_decay_steps)
            lowest = min(self.epsilon_start, self.epsilon_min)
            self.epsilon = self.epsilon_start + share * (lowest - self.epsilon_start)
        ready = len(self.replay) >= self.batch_size and self.n_env_steps >= self.first_update
        return ready and self.n_env_steps % self.update_every == 0

    @property
    def first_update(self) -> int:
        """The environment step of the first update, when a minibatch is surely stored."""
        return max(self.learning_starts, self.batch_size + self.n_step - 1)

    def learn(self) -> dict[str, float]:
        """Take one gradient step on a minibatch, and refresh the target network when it is due.

        Returns:
            ``loss``, the weighted mean; ``q_mean``, the mean of Q(s, a); ``td_error``, the mean
            size of the TD errors; ``grad_norm``, the length of the gradient before any clipping.

        Raises:
            FloatingPointError: if loss or gradient is not finite; the weights are unchanged.
        """
        self._begin_update()
        sample = self.replay.sample(self.batch_size)
        batch, weights = sample.batch.to(self.device), sample.weights.to(self.device)
        losses, td_errors, q = self.objective.loss(self.online, self.target, batch)
        loss = (weights * losses).mean()

        self._set_learning_rate()
        self.optimizer.zero_grad()
        loss.backward()
        norm = self._clip_gradient()
        self._require_finite(loss.item(), norm.item(), batch)
        self.optimizer.step()

        td_errors = td_errors.abs()
        self.replay.update_priorities(sample.indices, td_errors.cpu().numpy())
        self.n_updates += 1
        if self.n_updates % self.target_update_freq == 0:
            self._refresh_target()
        numbers = torch.stack([loss.detach(), q.mean(), td_errors.mean(), norm]).tolist()
        return dict(zip(("loss", "q_mean", "td_error", "grad_norm"), numbers, strict=True))

    def _begin_update(self) -> None:
        """Go into training mode, and draw new noise."""
        self.online.train()
        if self.is_noisy:
            resample_noise(self.online, self._noise)
            resample_noise(self.target, self._noise)

    def _set_learning_rate(self, optimizer: torch.optim.Optimizer | None = None) -> None:
        """Let the learning rate fall as `lr_decay_updates` says; leave it alone without that.

        Args:
            optimizer: of the agent's weights, where it is not the agent's own.

        Raises:
            ValueError: if somebody else, a scheduler perhaps, has changed the learning rate.
        """
        if self.lr_decay_updates is None:
            return
        share = max(0.0, 1 - self.n_updates / self.lr_decay_updates)
        for group in (optimizer or self.optimizer).param_groups:
            if group["lr"] != group.get("decayed_lr", group["lr"]):
                raise ValueError(
                    f"lr_decay_updates={self.lr_decay_updates} and something else, a scheduler "
                    f"perhaps, both set the learning rate; build the agent without lr_decay_updates"
                )
            group["lr"] = group.setdefault("initial_lr", group["lr"]) * share
            group["decayed_lr"] = group["lr"]

    def _clip_gradient(self) -> Tensor:
        """Scale a gradient longer than `max_grad_norm` down to that; returns its length before."""
        if self.max_grad_norm < math.inf:
            return clip_grad_norm_(self.online.parameters(), self.max_grad_norm)
        gradients = [p.grad for p in self.online.parameters() if p.grad is not None]
        return torch.stack([gradient.norm() for gradient in gradients]).norm()

    def _require_finite(self, loss: float, norm: float, batch: Batch, who: str = "") -> None:
        """Raise a FloatingPointError that names the update unless loss and gradient are finite."""
        if math.isfinite(loss) and math.isfinite(norm):
            return
        if batch.discounts.isnan().any():
            raise ValueError(
                "a transition was pushed into the buffer without its discount: push it with "
                "discount=gamma, or let agent.update store it"
            )
        raise FloatingPointError(
            f"the loss{who} became {loss} and the gradient's length {norm} at update "
            f"{self.n_updates + 1}; try a smaller lr (now {self.lr}), huber=True in the objective, "
            f"max_grad_norm=10, or smaller rewards"
        )

    @torch.no_grad()
    def _refresh_target(self) -> None:
        """Move the target's weights towards the online ones by tau, and copy the buffers."""
        for frozen, learned in zip(self.target.parameters(), self.online.parameters(), strict=True):
            frozen.lerp_(learned, self.tau)
        for kept, current in zip(self.target.buffers(), self.online.buffers(), strict=True):
            kept.copy_(current)

    def decay_epsilon(self) -> None:
        """Multiply epsilon by `epsilon_decay`, not below `epsilon_min`; call once an episode."""
        if self.epsilon_decay_steps is None:
            lower = max(self.epsilon_min, self.epsilon * self.epsilon_decay)
            self.epsilon = min(self.epsilon, lower)  # an epsilon below the minimum stays there

    def state_dict(self, *, replay: bool = False) -> dict:
        """Return all that training has changed, for ``torch.save``.

        As with torch's own, the weights in it are the agent's, not copies of them.

        Args:
            replay: with the replay buffer, which is the largest part by far. An agent that is to
                continue as if it had never stopped needs it.

        Raises:
            TypeError: if the buffer is asked for and has no `state_dict`.
        """
        state = {
            "online": self.online.state_dict(),
            "target": self.target.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "n_env_steps": self.n_env_steps,
            "n_updates": self.n_updates,
            "epsilon": self.epsilon,
            "rng": self._rng.bit_generator.state,
            "noise": self._noise.get_state(),
            "n_step": self._n_step.state_dict(),
        }
        if replay:
            if not hasattr(self.replay, "state_dict"):
                raise TypeError(f"{type(self.replay).__name__} has no state_dict to save")
            state["replay"] = self.replay.state_dict()
        return state

    def load_state_dict(self, state: dict) -> None:
        """Continue where the agent of a `state_dict` was; both were built with the same settings.

        The learning rate is that of the stored optimiser.

        Without a buffer in it, learning waits until enough transitions were stored anew.

        Raises:
            ValueError: if something is missing from `state`, or unknown. Whatever is raised, the
                agent is as it was.
        """
        expected = self.state_dict().keys()
        if not expected <= state.keys() <= expected | {"replay"}:
            raise ValueError(
                f"an agent's state holds {', '.join(expected)} and perhaps replay; this one holds "
                f"{', '.join(map(str, state))}"
            )
        before = copy.deepcopy(self.state_dict(replay="replay" in state))
        try:
            self._load(state)
        except Exception:
            self._load(before)
            raise

    def _load(self, state: dict) -> None:
        self.online.load_state_dict(state["online"])
        self.target.load_state_dict(state["target"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.n_env_steps, self.n_updates = state["n_env_steps"], state["n_updates"]
        self.epsilon = state["epsilon"]
        self._rng.bit_generator.state = state["rng"]
        self._noise.set_state(state["noise"])
        self._n_step.load_state_dict(state["n_step"])
        if "replay" in state:
            self.replay.load_state_dict(state["replay"])  # type: ignore[attr-defined]

    def _observation(self, state: ArrayLike, name: str) -> np.ndarray:
        return as_observation(state, self.obs_shape, self.obs_dtype, name)


def _shape_of(obs_dim: int | tuple[int, ...] | spaces.Box) -> tuple[tuple[int, ...], np.dtype]:
    """Return the shape and the stored type of an observation."""
    if isinstance(obs_dim, spaces.Box):
        return obs_dim.shape, stored_dtype(obs_dim.dtype)
    if isinstance(obs_dim, spaces.MultiBinary):
        return obs_dim.shape, np.dtype(np.float32)
    if isinstance(obs_dim, spaces.Space):
        raise TypeError(
            f"observations must be arrays of one shape, not {obs_dim}: give the numbers of a "
            f"Discrete space to rl_lab.envs.Features, and a Dict or a Tuple to "
            f"gymnasium.wrappers.FlattenObservation"
        )
    shape = tuple(np.atleast_1d(obs_dim))
    for size in shape:
        _require_counts(1, obs_dim=size)
    return tuple(int(size) for size in shape), np.dtype(np.float32)


def _is_whole(value) -> bool:
    """Whether `value` is one whole number, of whatever type."""
    return isinstance(value, int | float | np.number) and float(value).is_integer()


def _require_numbers(low: float, high: float | None, **settings: float | None) -> None:
    """Raise an error that names the setting unless low <= value <= high (None passes)."""
    for name, value in settings.items():
        if value is None:
            if name in OPTIONAL:
                continue
            raise TypeError(f"{name} must be a number, got None")
        if np.ndim(value) or not isinstance(value, int | float | np.number):
            raise TypeError(f"{name} must be one number, got {value!r}")
        if not (low <= value and (high is None or value <= high)):
            bounds = f"at least {low}" if high is None else f"between {low} and {high}"
            raise ValueError(f"{name} must be {bounds}, got {value}")


def _require_counts(low: int, **settings: int | None) -> None:
    """Raise an error that names the setting unless it is a whole number, at least `low`."""
    for name, value in settings.items():
        _require_numbers(low, None, **{name: value})
        if value is not None and not _is_whole(value):
            raise TypeError(f"{name} must be a whole number, got {value!r}")
