"""Many agents trained as one: their weights share a leading seed axis.

Small networks leave a processor idle between operations. Ten of them, stacked,
need as many operations as one, each with ten times the work. Nothing is shared
but the arithmetic: every agent keeps its own environment, generators, replay
buffer and weights, and learns by the same loss.

Shapes: N agents in the stack, B minibatch size, S observation size, A actions.
"""

import math
import time
from collections.abc import Callable, Sequence
from itertools import groupby

import gymnasium as gym
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rl_lab.agents.dqn import DQNAgent
from rl_lab.gradients import activations, gradient_by_hand, is_known, known_settings, room, views
from rl_lab.networks import QNetwork
from rl_lab.optim import Adam
from rl_lab.replay import RecentTransitions, ReplayBuffer, as_batch
from rl_lab.training import EVALUATION_SEED, Evaluation, GreedyEpisode, History, require_counts

CACHE_LINE = 16  # float32 numbers


class StackedQNetwork:
    """N `QNetwork`s of one shape, a row of weights each: ``[N, B, S]`` to ``[N, B, A]``.

    Attributes:
        weights: all weights, ``[N, P]``, and zeros that fill each row to whole cache lines:
            products of weights that lie across them take half as long again.
        shapes: of the parameters of one network.
    """

    def __init__(self, networks: Sequence[QNetwork]) -> None:
        self.shapes = [p.shape for p in networks[0].parameters()]
        rows = [nn.utils.parameters_to_vector(n.parameters()).detach() for n in networks]
        self._hold(F.pad(torch.stack(rows), (0, -len(rows[0]) % CACHE_LINE)))

    def _hold(self, weights: Tensor) -> None:
        self.weights = weights
        self.layers = views(weights, self.shapes)

    def __call__(self, states: Tensor) -> Tensor:
        """Return action values ``[N, B, A]`` of observations ``[N, B, S]``; no gradient."""
        return activations(self.layers, states)[-1]

    def q_values(self, states: np.ndarray) -> np.ndarray:
        """Return action values as an array."""
        with torch.inference_mode():
            return self(torch.from_numpy(np.asarray(states, np.float32))).numpy()

    def write_to(self, index: int, network: QNetwork) -> None:
        """Copy the weights of network `index` of the stack into `network`."""
        for parameter, layer in zip(network.parameters(), self.layers, strict=True):
            parameter.data.copy_(layer[index])

    def drop(self, index: int) -> None:
        """Take network `index` out of the stack."""
        self._hold(_without(self.weights, index))


def _without(rows: Tensor, index: int) -> Tensor:
    """Return a copy of `rows` that lacks one."""
    return torch.cat([rows[:index], rows[index + 1 :]])


class AgentStack:
    """Lets agents act and learn together.

    The agents keep their generators, replay buffers, counters and epsilon; the stack
    holds the weights and the optimiser while it trains. They may differ in gamma, lr,
    lr_decay_updates, target_update_freq, tau and in everything that concerns epsilon,
    so that the arms of an ablation make one stack.

    Args:
        agents: untrained agents on the CPU, with `QNetwork`s of one size and the same
            `q_learning_loss`.

    Raises:
        ValueError: if an agent has learned already, has another network or loss, or
            differs in a setting that a stack has to share.
    """

    _SHARED = ("obs_dim", "n_actions", "batch_size", "learning_starts", "update_every")

    def __init__(self, agents: Sequence[DQNAgent]) -> None:
        self.agents = list(agents)
        if not self.agents:
            raise ValueError("a stack needs at least one agent")
        first = self.agents[0]
        for agent in self.agents:
            self._require_alike(agent, first)
        self._numbers = list(range(len(self.agents)))  # as they were before any was released
        self.online = StackedQNetwork([a.online for a in self.agents])
        self.target = StackedQNetwork([a.target for a in self.agents])
        # Neighbours with one step size are one parameter of one optimiser.
        sizes = [len(list(rows)) for _, rows in groupby(self.agents, _step_size_settings)]
        self._blocks = [nn.Parameter(rows) for rows in self.online.weights.split(sizes)]
        self._optimizers = [Adam([block], first.lr) for block in self._blocks]
        self._spread()

    def _require_alike(self, agent: DQNAgent, first: DQNAgent) -> None:
        """Raise a ValueError unless `agent` can be stacked with `first`."""
        if agent.n_env_steps or agent.n_updates:
            raise ValueError(
                f"agents must be untrained; one has made {agent.n_env_steps} environment steps "
                f"and {agent.n_updates} updates"
            )
        if not is_known(agent.online, agent.loss):
            raise ValueError(
                "a stack trains QNetworks with q_learning_loss; train others with train_dqn"
            )
        if type(agent.replay) not in (ReplayBuffer, RecentTransitions):
            raise ValueError(
                f"a stack draws from ReplayBuffer or RecentTransitions, not from "
                f"{type(agent.replay).__name__}; train that agent with train_dqn"
            )
        if agent.device.type != "cpu":
            raise ValueError(f"a stack works on the CPU; an agent is on {agent.device}")
        shared = [(name, getattr(agent, name), getattr(first, name)) for name in self._SHARED]
        shared += [
            ("hidden_dim", agent.online.second.in_features, first.online.second.in_features),
            ("the loss", known_settings(agent.loss), known_settings(first.loss)),
        ]
        for name, own, other in shared:
            if own != other:
                raise ValueError(
                    f"agents of a stack share their settings; {name} is {other} and {own}"
                )

    def _spread(self) -> None:
        """Lay out what has a row for each agent of the stack."""
        n, first = len(self.agents), self.agents[0]
        gradient = torch.zeros_like(self.online.weights)
        sizes = [len(block) for block in self._blocks]
        for block, weights, slopes in zip(
            self._blocks, self.online.weights.split(sizes), gradient.split(sizes), strict=True
        ):
            block.data, block.grad = weights, slopes
        self._slopes = views(gradient, self.online.shapes)
        self._gamma = torch.tensor([[agent.gamma] for agent in self.agents])
        self._drawn = np.empty((n, first.batch_size, 2 * first.obs_dim + 4), np.float32)
        self._ones = torch.ones(n, first.batch_size)
        *self._rooms, self._frozen_room = (
            room(self.online.layers, first.batch_size) for _ in range(3)
        )

    def select_actions(self, states: Sequence[np.ndarray]) -> list[int]:
        """Return an epsilon-greedy action for each agent, by its own generator and epsilon."""
        best = self.online.q_values(np.stack(states)[:, None, :])[:, 0].argmax(-1).tolist()
        return [
            int(agent._rng.integers(agent.n_actions))
            if agent._rng.random() < agent.epsilon
            else greedy
            for agent, greedy in zip(self.agents, best, strict=True)
        ]

    def learn(self) -> list[float]:
        """Take one gradient step for every agent; returns their losses.

        Each agent's mean loss has its gradient in that agent's own row of weights, and
        Adam works element by element: the agents learn as they would alone.

        Raises:
            FloatingPointError: if a loss is not finite; it names the agent.
        """
        first = self.agents[0]
        for agent, rows in zip(self.agents, self._drawn, strict=True):
            agent.replay.rows(agent.replay.choose(agent.batch_size), out=rows)
        batch = as_batch(torch.from_numpy(self._drawn), (first.obs_dim,))
        means, _ = gradient_by_hand(
            self.online.layers,
            self._slopes,
            first.loss,
            lambda states: activations(self.target.layers, states, self._frozen_room)[-1],
            batch,
            self._ones,
            self._gamma,
            self._rooms,
        )
        values = means.tolist()
        for index, value in enumerate(values):
            if not math.isfinite(value):
                raise FloatingPointError(
                    f"the loss of agent {self._numbers[index]} of the stack became {value} at "
                    f"update {first.n_updates + 1}; try a smaller lr "
                    f"(now {self.agents[index].lr})"
                )
        start = 0
        for block, optimizer in zip(self._blocks, self._optimizers, strict=True):
            optimizer.param_groups[0]["lr"] = self.agents[start].current_lr
            optimizer.step()
            start += len(block)
        for agent in self.agents:
            agent.n_updates += 1
        self._refresh_targets()
        return values

    def _refresh_targets(self) -> None:
        due = [i for i, a in enumerate(self.agents) if a.n_updates % a.target_update_freq == 0]
        if len(due) == len(self.agents) and len({agent.tau for agent in self.agents}) == 1:
            self.target.weights.lerp_(self.online.weights, self.agents[0].tau)
            return
        for i in due:
            self.target.weights[i].lerp_(self.online.weights[i], self.agents[i].tau)

    def release(self, index: int) -> None:
        """Hand agent `index` its weights and take it out of the stack."""
        self.online.write_to(index, self.agents[index].online)
        self.target.write_to(index, self.agents[index].target)
        self._forget(index)
        del self._numbers[index]
        del self.agents[index]
        self.online.drop(index)
        self.target.drop(index)
        if self.agents:
            self._spread()

    def _forget(self, index: int) -> None:
        """Take the row of an agent out of its block and out of Adam's moments."""
        number = 0
        while index >= len(self._blocks[number]):
            index -= len(self._blocks[number])
            number += 1
        block, optimizer = self._blocks[number], self._optimizers[number]
        if len(block) == 1:
            del self._blocks[number], self._optimizers[number]
            return
        block.data = _without(block.data, index)
        for moments in (optimizer.first_moments, optimizer.second_moments):
            moments[0] = _without(moments[0], index)


def _step_size_settings(agent: DQNAgent) -> tuple[float, int | None]:
    return agent.lr, agent.lr_decay_updates


def train_together(  # noqa: C901 - one loop, as `train_dqn` is
    agents: Sequence[DQNAgent],
    make: Callable[[], gym.Env],
    seeds: Sequence[int],
    n_episodes: int = 500,
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
        n_episodes: episodes of each agent at most; one that is done leaves the stack.
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
        FloatingPointError: if a loss is not finite; it names the agent. The histories so
            far are the exception's attribute ``histories``.
    """
    if len(seeds) != len(agents):
        raise ValueError(f"{len(agents)} agents need as many seeds, got {len(seeds)}")
    require_counts(
        n_episodes=n_episodes,
        max_steps=max_steps,
        n_env_steps=n_env_steps,
        eval_every=eval_every,
        eval_episodes=eval_episodes,
    )
    stack = AgentStack(agents)
    runs = [_Run(agent, make(), seed) for agent, seed in zip(agents, seeds, strict=True)]
    stage = [[make() for _ in range(eval_episodes)] for _ in agents] if eval_every else []
    live, env_steps, updates = list(runs), 0, 0
    start = time.perf_counter()
    try:
        while live:
            actions = stack.select_actions([run.state for run in live])
            env_steps += 1
            due = [run.step(action, max_steps) for run, action in zip(live, actions, strict=True)]
            if all(due):
                updates += 1
                for run, loss in zip(live, stack.learn(), strict=True):
                    run.losses.append(loss)
            if eval_every and env_steps % eval_every == 0:
                gammas = [run.agent.gamma for run in live]
                played = greedy_together(stack.online, stage[: len(live)], gammas)
                for run, episodes in zip(live, played, strict=True):
                    run.history.evaluations.append(Evaluation(env_steps, updates, episodes))
            for index in reversed(range(len(live))):
                live[index].close_episode(env_steps, updates)
                if len(live[index].history.returns) == n_episodes or env_steps == n_env_steps:
                    live[index].history.seconds = time.perf_counter() - start
                    stack.release(index)
                    del live[index]
    except KeyboardInterrupt:
        for run in live:
            run.history.interrupted = True
            run.history.drop_unfinished()
    except FloatingPointError as error:
        error.histories = [run.history for run in runs]
        raise
    finally:  # whoever is still in the stack gets its weights
        for run in live:
            run.history.seconds = time.perf_counter() - start
        for index in reversed(range(len(stack.agents))):
            stack.release(index)
    return [run.history for run in runs]


class _Run:
    """One agent in its environment: the part of `train_dqn` that is not learning."""

    def __init__(self, agent: DQNAgent, env: gym.Env, seed: int) -> None:
        self.agent, self.env, self.history = agent, env, History()
        self._begin(seed)

    def _begin(self, seed: int | None) -> None:
        self.state, _ = self.env.reset(seed=seed)
        self.epsilon, self.losses = self.agent.epsilon, []
        self.episode_return, self.length, self.over = 0.0, 0, False

    def step(self, action: int, max_steps: int) -> bool:
        """Take one step, let the agent observe it, and say whether an update is due."""
        next_state, reward, terminated, truncated, _ = self.env.step(action)
        due = self.agent.observe(self.state, action, reward, next_state, terminated)
        self.state, self.length = next_state, self.length + 1
        self.episode_return += float(reward)
        self.over = terminated or truncated or self.length >= max_steps
        return due

    def close_episode(self, env_steps: int, updates: int) -> None:
        """Record the episode if it is over, and begin the next."""
        if not self.over:
            return
        self.agent.decay_epsilon()
        self.history.returns.append(self.episode_return)
        self.history.lengths.append(self.length)
        self.history.losses.append(float(np.mean(self.losses)) if self.losses else math.nan)
        self.history.epsilons.append(self.epsilon)
        self.history.env_steps.append(env_steps)
        self.history.updates.append(updates)
        self._begin(None)


def greedy_together(
    networks: StackedQNetwork,
    envs: Sequence[Sequence[gym.Env]],
    gamma: float | Sequence[float],
    *,
    seed: int = EVALUATION_SEED,
    max_steps: int = 10_000,
) -> list[list[GreedyEpisode]]:
    """Play one greedy episode in each environment ``envs[agent][episode]``, side by side.

    Episode i starts from ``reset(seed=seed + i)``, as in `greedy_episodes`. `gamma` is
    one discount for all, or one for each network.
    """
    states = np.stack(
        [np.stack([e.reset(seed=seed + i)[0] for i, e in enumerate(row)]) for row in envs]
    )
    predicted = networks.q_values(states).max(-1)
    gammas = np.broadcast_to(gamma, len(envs)).tolist()
    rewards = [[[] for _ in row] for row in envs]
    playing = {(n, i) for n, row in enumerate(envs) for i in range(len(row))}
    while playing:
        actions = networks.q_values(states).argmax(-1)
        for n, i in list(playing):
            states[n, i], reward, terminated, truncated, _ = envs[n][i].step(int(actions[n, i]))
            rewards[n][i].append(float(reward))
            if terminated or truncated or len(rewards[n][i]) >= max_steps:
                playing.remove((n, i))
    return [
        [
            GreedyEpisode(float(np.sum(r)), float(g ** np.arange(len(r)) @ r), float(p), len(r))
            for r, p in zip(row, predictions, strict=True)
        ]
        for row, predictions, g in zip(rewards, predicted, gammas, strict=True)
    ]
