"""Many agents trained as one: their weights share a leading axis.

Small networks leave a processor idle between operations. Ten of them, stacked, need as many
operations as one, each with ten times the work. Nothing is shared but the arithmetic: every agent
keeps its own environment, generators, replay buffer and weights, and learns by the same objective.
Agents of any one kind can be stacked: `torch.func.vmap` puts the axis in front of any network
and objective. The plain network with `QLearning`, which the book trains for hours, has its
gradient written by hand (`rl_lab.fast_path`).

Shapes: N agents in the stack, P weights of one network, B minibatch size, S the shape of an
observation, A actions.
"""

import copy
import ctypes
import math
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import groupby
from typing import cast

import gymnasium as gym
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap
from torch.nn.modules.batchnorm import _NormBase

from rl_lab.agents.dqn import DQNAgent
from rl_lab.checks import (
    check_eval_env,
    fixed_statistics,
    require_counts,
    require_separate,
    reset,
    step,
)
from rl_lab.fast_path import activations, gradient_by_hand, is_plain, views, workspace
from rl_lab.losses import Errors, Objective, QLearning
from rl_lab.networks import NoisyLinear, factor_of, use_noise
from rl_lab.replay import Batch, Sample
from rl_lab.training import (
    EVALUATION_SEED,
    MAX_STEPS,
    GreedyEpisode,
    History,
    most_episodes,
    run_training,
    warn_of_no_end,
)

CACHE_LINE = 16  # float32 numbers


class StackedNetworks:
    """N networks of one architecture, a row of weights each: ``[N, B, *S]`` to ``[N, B, ...]``.

    Attributes:
        weights: all weights, ``[N, P]``, and zeros that fill each row to whole cache lines:
            products of weights that lie across them take half as long again.
        shapes: of the parameters of one network, by name.
        buffers: what else belongs to a network, such as its noise, ``[N, ...]`` by name.
    """

    def __init__(
        self,
        networks: Sequence[nn.Module],
        objective: Objective = QLearning(),  # noqa: B008 - it is frozen
        dtype: np.dtype | type = np.float32,
    ) -> None:
        self.objective, self.dtype = objective, np.dtype(dtype)
        self.is_plain = is_plain(networks[0], objective)
        self._noise = [  # the buffers that hold it, in the order in which a network draws it
            f"{name}.noise".lstrip(".")
            for name, module in networks[0].named_modules()
            if isinstance(module, NoisyLinear)
        ]
        self.is_noisy = bool(self._noise)
        self._one = copy.deepcopy(networks[0]).requires_grad_(False)  # lends its `forward`
        self.shapes = {name: p.shape for name, p in networks[0].named_parameters()}
        self.buffers = {
            name: torch.stack([network.get_buffer(name) for network in networks])
            for name, _ in networks[0].named_buffers()
        }
        rows = [nn.utils.parameters_to_vector(n.parameters()).detach() for n in networks]
        self._hold(F.pad(torch.stack(rows), (0, -len(rows[0]) % CACHE_LINE)))
        if not self.is_plain:
            _keep_memory()

    def _hold(self, weights: Tensor) -> None:
        self.weights = weights
        self.layers = views(weights, self.shapes.values())

    @property
    def parameters(self) -> dict[str, Tensor]:
        """The weights of all networks, ``[N, ...]`` by name."""
        return dict(zip(self.shapes, self.layers, strict=True))

    def one(self, parameters: dict[str, Tensor], buffers: dict[str, Tensor]) -> Callable:
        """Return the network that has these weights and buffers as a function."""
        return lambda observations: functional_call(
            self._one, (parameters, buffers), (observations,)
        )

    def __call__(self, observations: Tensor, training: bool = False) -> Tensor:
        """Return the networks' outputs of observations ``[N, B, *S]``; no gradient."""
        if self.is_plain:
            return activations(self.layers, observations.float())[-1]
        self._one.eval()
        if training:
            use_noise(self._one)
        return vmap(lambda p, b, x: self.one(p, b)(x), randomness="different")(
            self.parameters, self.buffers, observations
        )

    def q_values(self, observations: np.ndarray, training: bool = False) -> np.ndarray:
        """Return action values ``[N, B, A]`` as an array, with noise if ``training=True``."""
        with torch.inference_mode():
            output = self(torch.from_numpy(np.asarray(observations, self.dtype)), training)
            return self.objective.q_values(output).numpy()

    def resample_noise(self, rows: Sequence[int], generators: Sequence[torch.Generator]) -> None:
        """Draw new noise for the networks `rows`, each from its own generator, as it does alone."""
        for name in self._noise:
            values = self.buffers[name]
            for row, generator in zip(rows, generators, strict=True):
                values[row].normal_(generator=generator)
            values[rows] = factor_of(values[rows])

    def write_to(self, index: int, network: nn.Module) -> None:
        """Copy weights and buffers of network `index` of the stack into `network`."""
        for parameter, layer in zip(network.parameters(), self.layers, strict=True):
            parameter.data.copy_(layer[index])
        for name, values in self.buffers.items():
            network.get_buffer(name).copy_(values[index])

    def without(self, index: int) -> "StackedNetworks":
        """Return a stack of the other networks; this one stays as it is."""
        rest = copy.copy(self)
        rest._hold(_without(self.weights, index))
        rest.buffers = {name: _without(values, index) for name, values in self.buffers.items()}
        return rest


def _without(rows: Tensor, index: int | None) -> Tensor:
    """Return a copy of `rows` that lacks one; with None, `rows`."""
    return rows if index is None else torch.cat([rows[:index], rows[index + 1 :]])


def _keep_memory() -> None:
    """Let the C library keep large blocks for the next update when they are freed.

    `vmap` makes and drops them at every update. Fetching them from the system anew each time, page
    by page, takes longer than the arithmetic on them.
    """
    if sys.platform == "linux":
        trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of malloc.h
        try:
            library = ctypes.CDLL(None)
            library.mallopt(mmap_threshold, 2**25)  # the most it takes
            library.mallopt(trim_threshold, 2**28)
        except AttributeError:  # a C library without it
            return


def gradient_by_vmap(
    online: StackedNetworks, target: StackedNetworks, batch: Batch, weights: Tensor, grads: list
) -> Errors:
    """Write the gradient of each agent's weighted mean loss into `grads`, by autograd.

    Args:
        online: the networks that are differentiated, N of them.
        target: the frozen ones.
        batch: transitions ``[N, B]``.
        weights: of the transitions, ``[N, B]``.
        grads: tensors of the shapes of ``online.layers``; overwritten.

    Returns:
        What the objective found in the batch, each ``[N, B]``.
    """

    def loss(parameters, buffers, frozen, frozen_buffers, batch, weights):
        errors = online.objective.loss(
            online.one(parameters, buffers), target.one(frozen, frozen_buffers), batch
        )
        return (weights * errors.losses).mean(), errors

    found, (_, errors) = vmap(grad_and_value(loss, has_aux=True), randomness="different")(
        online.parameters, online.buffers, target.parameters, target.buffers, batch, weights
    )
    for grad, values in zip(grads, found.values(), strict=True):
        grad.copy_(values)
    return errors


class AgentStack:
    """Lets agents act and learn together.

    The agents keep their generators, replay buffers, counters and epsilon; the stack holds the
    weights and the optimisers while it trains. They may differ in gamma, learning rate,
    lr_decay_updates, target_update_freq, tau, max_grad_norm, n_step (with `learning_starts` large
    enough for all), in their buffers and in everything that concerns epsilon, so that the arms of
    an ablation make one stack.

    Args:
        agents: untrained agents on the CPU, with networks and objectives of one kind, and
            optimisers that work element by element, as Adam, RMSprop and SGD do.

    Raises:
        ValueError: if an agent has learned already, cannot be stacked, or differs in something that
            a stack has to share; the message says in what.
    """

    _SHARED = ("obs_shape", "obs_dtype", "n_actions", "batch_size", "first_update", "update_every")

    def __init__(self, agents: Sequence[DQNAgent]) -> None:
        self.agents = list(agents)
        if not self.agents:
            raise ValueError("a stack needs at least one agent")
        first = self.agents[0]
        for agent in self.agents:
            _require_stackable(agent)
            _require_alike(agent, first, self._SHARED)
        self._numbers = list(range(len(self.agents)))  # as they were before any was popped
        for name in ("online", "replay"):
            if len({id(getattr(agent, name)) for agent in self.agents}) < len(self.agents):
                raise ValueError(f"agents of a stack must not share one {name}; give each its own")
        self.online, self.target = (
            StackedNetworks(
                [getattr(a, name) for a in self.agents], first.objective, first.obs_dtype
            )
            for name in ("online", "target")
        )
        # Neighbours that are optimised alike are one parameter of one optimiser.
        sizes = [len(list(rows)) for _, rows in groupby(self.agents, _optimizer_settings)]
        self._blocks = [nn.Parameter(rows) for rows in self.online.weights.split(sizes)]
        starts = np.cumsum([0, *sizes[:-1]])
        self._optimizers = [
            _optimizer_like(self.agents[start].optimizer, block)
            for start, block in zip(starts, self._blocks, strict=True)
        ]
        self._allocate()

    def _allocate(self) -> None:
        """Lay out what has a row for each agent of the stack."""
        self._gradient = torch.zeros_like(self.online.weights)
        sizes = [len(block) for block in self._blocks]
        for block, weights, grads in zip(
            self._blocks, self.online.weights.split(sizes), self._gradient.split(sizes), strict=True
        ):
            block.data, block.grad = weights, grads
        self._grads = views(self._gradient, self.online.shapes.values())
        limits = [agent.max_grad_norm for agent in self.agents]
        self._max_norms = None if min(limits) == math.inf else torch.tensor(limits)
        if self.online.is_plain:
            size = self.agents[0].batch_size
            self._workspaces = [workspace(self.online.layers, size) for _ in range(3)]

    def select_actions(self, observations: Sequence[np.ndarray]) -> list[int]:
        """Return an epsilon-greedy action for each agent, by its own generator and epsilon."""
        random = [
            int(agent._rng.integers(agent.n_actions))
            if agent._rng.random() < agent.epsilon
            else None
            for agent in self.agents
        ]
        is_noisy = self.online.is_noisy
        if is_noisy:
            rows = [index for index, action in enumerate(random) if action is None]
            self.online.resample_noise(rows, [self.agents[index]._noise for index in rows])
        states = [
            agent._observation(observation, "state")
            for agent, observation in zip(self.agents, observations, strict=True)
        ]
        values = self.online.q_values(np.stack(states)[:, None], training=is_noisy)
        best = values[:, 0].argmax(-1).tolist()
        return [b if action is None else action for action, b in zip(random, best, strict=True)]

    def update(self, transitions: Sequence[tuple]) -> list[dict[str, float]]:
        """Let each agent observe its transition, and all learn where that is due."""
        due = [agent.observe(*step) for agent, step in zip(self.agents, transitions, strict=True)]
        return self.learn() if all(due) else [{} for _ in self.agents]

    def learn(self) -> list[dict[str, float]]:
        """Take one gradient step for every agent; returns what `DQNAgent.learn` does, of each.

        Each agent's mean loss has its gradient in that agent's own row of weights, and the
        optimisers work element by element: the agents learn as they would alone.

        Raises:
            FloatingPointError: if a loss is not finite; it names the agent. No weight was changed.
        """
        self._begin_update()
        samples = [agent.replay.sample(agent.batch_size) for agent in self.agents]
        batch, weights = _together(samples)
        errors = self._write_gradient(batch, weights)
        losses, norms = (weights * errors.losses).mean(-1), self._gradient.norm(dim=-1)
        sizes = errors.td_errors.abs()
        numbers = torch.stack([losses, errors.q.mean(-1), sizes.mean(-1), norms], -1).tolist()
        for number, agent, (loss, *_, norm) in zip(
            self._numbers, self.agents, numbers, strict=True
        ):
            agent._require_finite(loss, norm, batch, who=f" of agent {number} of the stack")
        if self._max_norms is not None:
            self._gradient.mul_((self._max_norms / (norms + 1e-6)).clamp(max=1).unsqueeze(-1))
        self._step()
        for agent, sample, size in zip(self.agents, samples, sizes.numpy(), strict=True):
            agent.replay.update_priorities(sample.indices, size)
            agent.n_updates += 1
        self._refresh_targets()
        names = ("loss", "q_mean", "td_error", "grad_norm")
        return [dict(zip(names, row, strict=True)) for row in numbers]

    def _begin_update(self) -> None:
        """Go into training mode, and draw new noise, as each agent would alone."""
        if self.online.is_plain:  # which has neither modes nor noise
            return
        self.online._one.train()
        self.target._one.eval()
        use_noise(self.target._one)
        if self.online.is_noisy:
            rows = list(range(len(self.agents)))
            generators = [agent._noise for agent in self.agents]
            self.online.resample_noise(rows, generators)
            self.target.resample_noise(rows, generators)

    def _write_gradient(self, batch: Batch, weights: Tensor) -> Errors:
        if not self.online.is_plain:
            return gradient_by_vmap(self.online, self.target, batch, weights, self._grads)
        batch = batch._replace(
            observations=batch.observations.float(),
            next_observations=batch.next_observations.float(),
        )
        *own, frozen = self._workspaces
        layers = self.target.layers
        return gradient_by_hand(
            self.online.layers,
            self._grads,
            cast(QLearning, self.online.objective),
            lambda observations: activations(layers, observations, frozen)[-1],
            batch,
            weights,
            own,
        )

    def _step(self) -> None:
        start = 0
        for block, optimizer in zip(self._blocks, self._optimizers, strict=True):
            self.agents[start]._set_learning_rate(optimizer)
            optimizer.step()
            start += len(block)

    def _refresh_targets(self) -> None:
        due = [i for i, a in enumerate(self.agents) if a.n_updates % a.target_update_freq == 0]
        for name, values in self.online.buffers.items():
            self.target.buffers[name][due] = values[due]
        if len(due) == len(self.agents) and len({agent.tau for agent in self.agents}) == 1:
            self.target.weights.lerp_(self.online.weights, self.agents[0].tau)
            return
        for i in due:
            self.target.weights[i].lerp_(self.online.weights[i], self.agents[i].tau)

    def pop(self, index: int) -> DQNAgent:
        """Take agent `index` out of the stack, with its weights and its optimiser's state.

        The rest is laid out anew and put in place in one step: whoever is interrupted here has the
        stack as it was or as it shall be, and can go on taking agents out.
        """
        agent = self.agents[index]
        self.online.write_to(index, agent.online)
        self.target.write_to(index, agent.target)
        number, row = 0, index
        while row >= len(self._blocks[number]):
            row -= len(self._blocks[number])
            number += 1
        self._write_state(self._optimizers[number], self._blocks[number], row, agent)
        rest = copy.copy(self)
        rest.online, rest.target = self.online.without(index), self.target.without(index)
        rest.agents = [*self.agents[:index], *self.agents[index + 1 :]]
        rest._numbers = [*self._numbers[:index], *self._numbers[index + 1 :]]
        rest._blocks, rest._optimizers = [], []
        for i, (block, optimizer) in enumerate(zip(self._blocks, self._optimizers, strict=True)):
            if len(block) > 1 or i != number:
                gone = row if i == number else None
                # Of the right length; its numbers are those that `_allocate` gives it.
                rest._blocks.append(nn.Parameter(block.data[: len(block) - (i == number)]))
                rest._optimizers.append(_optimizer_like(optimizer, rest._blocks[-1], block, gone))
        if rest.agents:
            rest._allocate()
        self.__dict__ = rest.__dict__
        return agent

    def _write_state(self, optimizer, block: nn.Parameter, row: int, agent: DQNAgent) -> None:
        """Hand an agent's own optimiser what the stack's has learned of its weights."""
        shapes = self.online.shapes.values()
        for name, value in optimizer.state[block].items():
            parts = (
                [part.clone() for part in views(value[row], shapes)]
                if torch.is_tensor(value) and value.shape == block.shape
                else [copy.deepcopy(value) for _ in shapes]
            )
            for parameter, part in zip(agent.online.parameters(), parts, strict=True):
                agent.optimizer.state[parameter][name] = part


def _together(samples: Sequence[Sample]) -> tuple[Batch, Tensor]:
    """Return the minibatches of all agents as one, ``[N, B]``, and the weights."""
    batch = Batch(*map(torch.stack, zip(*(sample.batch for sample in samples), strict=True)))
    return batch, torch.stack([sample.weights for sample in samples])


def _optimizer_settings(agent: DQNAgent) -> tuple:
    """What has to be equal for two agents to share an optimiser."""
    group = {k: v for k, v in agent.optimizer.param_groups[0].items() if k != "params"}
    return type(agent.optimizer), group, agent.lr_decay_updates


def _optimizer_like(
    optimizer: torch.optim.Optimizer,
    block: nn.Parameter,
    before: nn.Parameter | None = None,
    gone: int | None = None,
):
    """Return an optimiser with the settings of another, of the weights `block`.

    Args:
        optimizer: the other one.
        block: weights, a row for each agent.
        before: the weights of the other one, whose state is taken over; None for an unused one.
        gone: the row of `before` that `block` lacks.
    """
    new = copy.copy(optimizer)
    new.param_groups = [{**optimizer.param_groups[0], "params": [block]}]
    new.state = type(optimizer.state)(dict)
    if before is not None:
        for name, value in optimizer.state[before].items():
            has_rows = torch.is_tensor(value) and value.shape == before.shape
            new.state[block][name] = _without(value, gone) if has_rows else value
    return new


def _require_stackable(agent: DQNAgent) -> None:
    """Raise a ValueError if a stack would train `agent` otherwise than `train_dqn` does."""
    optimizer, modules = agent.optimizer, list(agent.online.modules())
    own = list(agent.online.parameters())
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    optimised = {id(p) for group in optimizer.param_groups for p in group["params"]}
    problems = {
        f"it has made {agent.n_env_steps} environment steps and {agent.n_updates} updates": (
            agent.n_env_steps or agent.n_updates
        ),
        f"it is on {agent.device}, and a stack works on the CPU": agent.device.type != "cpu",
        "some of its weights are frozen": not all(p.requires_grad for p in own),
        "its network has hooks": any(getattr(m, name) for m in modules for name in hooks)
        or any(p._backward_hooks for p in own),
        "its optimiser has hooks, or needs a closure": (
            optimizer._optimizer_step_pre_hooks
            or optimizer._optimizer_step_post_hooks
            or isinstance(optimizer, torch.optim.LBFGS)
        ),
        "its optimiser has other weights than its network": optimised != {id(p) for p in own},
        "its network has running statistics": any(
            isinstance(m, _NormBase) and m.track_running_stats for m in modules
        ),
        "its optimiser has several groups, a scheduler, or was used": (
            len(optimizer.param_groups) > 1 or "step" in vars(optimizer) or optimizer.state
        ),
    }
    for problem, present in problems.items():
        if present:
            raise ValueError(
                f"this agent cannot be stacked: {problem}. A stack takes untrained agents without "
                f"these; train others with train_dqn"
            )


def _require_alike(agent: DQNAgent, first: DQNAgent, names: Sequence[str]) -> None:
    """Raise a ValueError unless two agents agree in what a stack has to share."""
    shared = [(name, getattr(agent, name), getattr(first, name)) for name in names]
    shared += [("the objective", agent.objective, first.objective)]
    shared += [("the network", _layout(agent.online), _layout(first.online))]
    for name, own, other in shared:
        if own != other:
            raise ValueError(f"agents of a stack share their settings; {name} is {other} and {own}")


def _layout(network: nn.Module) -> str:
    """What a network is made of, in one line."""
    return " ".join(str(network).split())


def train_together(
    agents: Sequence[DQNAgent],
    make: Callable[[], gym.Env],
    seeds: Sequence[int],
    n_episodes: int | None = None,
    max_steps: int = 500,
    *,
    n_env_steps: int | None = None,
    eval_every: int | None = None,
    eval_episodes: int = 20,
) -> list[History]:
    """Train each agent in an environment of its own, as `train_dqn` would, all at once.

    Args:
        agents: untrained agents that `AgentStack` accepts.
        make: makes one environment.
        seeds: seed of each agent's environment.
        n_episodes: episodes of each agent at most; one that is done leaves the stack. None is 500,
            or no limit where `n_env_steps` is given.
        max_steps: environment steps after which an episode is cut.
        n_env_steps: stop each agent after this many environment steps.
        eval_every: environment steps between two greedy evaluations; None for none.
        eval_episodes: episodes of each evaluation, on the starts of `evaluate`.

    Returns:
        One `History` per agent; the agents hold their trained weights. Ctrl-C, or the
        kernel's stop button, ends the run and returns what there is, with
        ``interrupted=True`` for every agent that had not finished.

    Raises:
        ValueError: if there is not one seed per agent, if a count is below 1, or if the
            agents cannot be stacked.
        FloatingPointError: if a loss is not finite; it names the agent. This and any other
            exception carries the histories so far as its attribute ``histories``.
    """
    if len(seeds) != len(agents):
        raise ValueError(f"{len(agents)} agents need as many seeds, got {len(seeds)}")
    require_counts("eval_every", eval_every=eval_every, eval_episodes=eval_episodes)
    stack, envs = AgentStack(agents), [make() for _ in agents]
    stage = [[make() for _ in range(int(eval_episodes))] for _ in agents] if eval_every else []
    require_separate([*envs, *(env for row in stage for env in row)])
    for agent, env, row in zip(agents, envs, stage, strict=False):
        check_eval_env(agent, env, row[0])
    return run_training(
        stack,
        envs,
        seeds,
        n_episodes=most_episodes(n_episodes, n_env_steps),
        max_steps=max_steps,
        n_env_steps=n_env_steps,
        eval_every=eval_every,
        play_greedily=lambda live: greedy_together(
            stack.online,
            [stage[number] for number in live],
            [agents[number].gamma for number in live],
        ),
    )


def greedy_together(
    networks: StackedNetworks,
    envs: Sequence[Sequence[gym.Env]],
    gamma: float | Sequence[float],
    *,
    seed: int = EVALUATION_SEED,
    max_steps: int = MAX_STEPS,
) -> list[list[GreedyEpisode]]:
    """Play one greedy episode in each environment ``envs[agent][episode]``, side by side.

    Episode i starts from ``reset(seed=seed + i)``, as in `greedy_episodes`. `gamma` is
    one discount for all, or one for each network. The environments serve nothing else: unlike
    there, their random numbers do not go on afterwards as if nothing had been played.
    """
    with ExitStack() as quiet:
        for env in {id(env): env for row in envs for env in row}.values():
            quiet.enter_context(fixed_statistics(env))
        states = np.stack(
            [np.stack([reset(e, seed + i) for i, e in enumerate(row)]) for row in envs]
        ).astype(networks.dtype)
        predicted = networks.q_values(states).max(-1)
        gammas = np.broadcast_to(gamma, len(envs)).tolist()
        rewards: list[list[list[float]]] = [[[] for _ in row] for row in envs]
        playing = {(n, i) for n, row in enumerate(envs) for i in range(len(row))}
        while playing:
            actions = networks.q_values(states).argmax(-1)
            for n, i in list(playing):
                state, reward, terminated, truncated = step(envs[n][i], int(actions[n, i]))
                states[n, i] = state
                rewards[n][i].append(reward)
                is_cut = len(rewards[n][i]) >= max_steps
                if is_cut and not (terminated or truncated):
                    warn_of_no_end(max_steps)
                if terminated or truncated or is_cut:
                    playing.remove((n, i))
    return [
        [
            GreedyEpisode(float(np.sum(r)), float(g ** np.arange(len(r)) @ r), float(p), len(r))
            for r, p in zip(row, predictions, strict=True)
        ]
        for row, predictions, g in zip(rewards, predicted, gammas, strict=True)
    ]
