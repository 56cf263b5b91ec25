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

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor, nn

from rl_lab.agents.dqn import DQNAgent
from rl_lab.networks import QNetwork
from rl_lab.replay import Batch
from rl_lab.training import EVALUATION_SEED, Evaluation, GreedyEpisode, History


class StackedQNetwork(nn.Module):
    """N `QNetwork`s of one shape, evaluated together: ``[N, B, S]`` to ``[N, B, A]``."""

    def __init__(self, networks: Sequence[QNetwork]) -> None:
        super().__init__()
        layers = [(n.first, n.second, n.values) for n in networks]
        self.weights = nn.ParameterList(
            torch.stack([layer.weight.detach().T for layer in column])
            for column in zip(*layers, strict=True)
        )
        self.biases = nn.ParameterList(
            torch.stack([layer.bias.detach() for layer in column]).unsqueeze(1)
            for column in zip(*layers, strict=True)
        )

    def forward(self, states: Tensor) -> Tensor:
        """Return action values ``[N, B, A]`` of observations ``[N, B, S]``."""
        first, second, values = zip(self.biases, self.weights, strict=True)
        hidden = torch.baddbmm(first[0], states, first[1]).relu()
        hidden = torch.baddbmm(second[0], hidden, second[1]).relu()
        return torch.baddbmm(values[0], hidden, values[1])

    def q_values(self, states: np.ndarray) -> np.ndarray:
        """Return action values as arrays, without a gradient."""
        with torch.inference_mode():
            return self(torch.from_numpy(np.asarray(states, np.float32))).numpy()

    @torch.no_grad()
    def write_to(self, index: int, network: QNetwork) -> None:
        """Copy the weights of network `index` of the stack into `network`."""
        layers = (network.first, network.second, network.values)
        for layer, weight, bias in zip(layers, self.weights, self.biases, strict=True):
            layer.weight.copy_(weight[index].T)
            layer.bias.copy_(bias[index, 0])


class AgentStack:
    """Lets agents that differ only in their seeds act and learn together.

    The agents keep their generators, replay buffers, counters and epsilon; the
    stack holds the weights and the optimiser while it trains.

    Args:
        agents: untrained agents of equal settings, on the CPU.

    Raises:
        ValueError: if an agent has learned already or differs in a setting.
    """

    _SHARED = (
        "obs_dim",
        "n_actions",
        "lr",
        "gamma",
        "batch_size",
        "target_update_freq",
        "tau",
        "lr_decay_updates",
        "learning_starts",
        "update_every",
    )

    def __init__(self, agents: Sequence[DQNAgent]) -> None:
        self.agents = list(agents)
        first = self.agents[0]
        for agent in self.agents:
            if agent.n_updates:
                raise ValueError(
                    f"agents must be untrained; one has made {agent.n_updates} updates"
                )
            for name in self._SHARED:
                if getattr(agent, name) != getattr(first, name):
                    raise ValueError(
                        f"agents of a stack share their settings; {name} is "
                        f"{getattr(first, name)} and {getattr(agent, name)}"
                    )
        self.online = StackedQNetwork([a.online for a in self.agents])
        self.target = StackedQNetwork([a.target for a in self.agents]).requires_grad_(False)
        self.optimizer = torch.optim.Adam(self.online.parameters(), lr=first.lr, fused=True)

    def select_actions(self, states: Sequence[np.ndarray]) -> list[int]:
        """Return an epsilon-greedy action for each agent, by its own generator and epsilon."""
        best = self.online.q_values(np.stack(states)[:, None, :])[:, 0].argmax(-1)
        return [
            int(agent._rng.integers(agent.n_actions))
            if agent._rng.random() < agent.epsilon
            else int(greedy)
            for agent, greedy in zip(self.agents, best, strict=True)
        ]

    def learn(self) -> list[float]:
        """Take one gradient step for every agent; returns their losses.

        The sum of the agents' mean losses has the gradient of each agent's own mean
        loss in that agent's weights, and Adam works element by element: the agents
        learn as they would alone.

        Raises:
            FloatingPointError: if a loss is not finite; it names the agent.
        """
        first = self.agents[0]
        draws = [agent.replay.draw(agent.batch_size) for agent in self.agents]
        batch = Batch(
            *(torch.stack(column) for column in zip(*(d.batch for d in draws), strict=True))
        )
        losses, td_errors = first.loss(self.online, self.target, batch, first.gamma)
        means = (torch.stack([d.weights for d in draws]) * losses).mean(-1)
        values = means.tolist()
        for index, value in enumerate(values):
            if not math.isfinite(value):
                raise FloatingPointError(
                    f"the loss of agent {index} of the stack became {value} at update "
                    f"{first.n_updates + 1}; try a smaller lr (now {first.lr})"
                )
        self.optimizer.param_groups[0]["lr"] = first.current_lr
        self.optimizer.zero_grad()
        means.sum().backward()
        self.optimizer.step()
        for agent, drawn, errors in zip(self.agents, draws, td_errors, strict=True):
            agent.replay.feedback(drawn.slots, errors)
            agent.n_updates += 1
        if first.n_updates % first.target_update_freq == 0:
            with torch.no_grad():
                for frozen, learned in zip(
                    self.target.parameters(), self.online.parameters(), strict=True
                ):
                    frozen.lerp_(learned, first.tau)
        return values

    def release(self, index: int) -> None:
        """Hand agent `index` its weights and take it out of the stack."""
        self.online.write_to(index, self.agents[index].online)
        self.target.write_to(index, self.agents[index].target)
        keep = [i for i in range(len(self.agents)) if i != index]
        del self.agents[index]
        for network in (self.online, self.target):
            for parameter in network.parameters():
                for moment in ("exp_avg", "exp_avg_sq"):
                    state = self.optimizer.state.get(parameter, {})
                    if moment in state:
                        state[moment] = state[moment][keep]
                parameter.grad = None
                parameter.data = parameter.data[keep]


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
        agents: untrained agents of equal settings.
        make: makes one environment.
        seeds: seed of each agent's environment.
        n_episodes: episodes of each agent at most; one that is done leaves the stack.
        max_steps: environment steps after which an episode is cut.
        n_env_steps: stop each agent after this many environment steps.
        eval_every: environment steps between two greedy evaluations; None for none.
        eval_episodes: episodes of each evaluation, on the starts of `evaluate`.

    Returns:
        One `History` per agent; the agents hold their trained weights.

    Raises:
        ValueError: if there is not one seed per agent, or settings differ.
    """
    if len(seeds) != len(agents):
        raise ValueError(f"{len(agents)} agents need as many seeds, got {len(seeds)}")
    stack = AgentStack(agents)
    runs = [_Run(agent, make(), seed) for agent, seed in zip(agents, seeds, strict=True)]
    stage = [[make() for _ in range(eval_episodes)] for _ in agents] if eval_every else []
    live, env_steps, updates = list(runs), 0, 0
    start = time.perf_counter()
    while live:
        actions = stack.select_actions([run.state for run in live])
        env_steps += 1
        due = [run.step(action, max_steps) for run, action in zip(live, actions, strict=True)]
        if all(due):
            updates += 1
            for run, loss in zip(live, stack.learn(), strict=True):
                run.losses.append(loss)
        if eval_every and env_steps % eval_every == 0:
            played = greedy_together(stack.online, stage[: len(live)], agents[0].gamma)
            for run, episodes in zip(live, played, strict=True):
                run.history.evaluations.append(Evaluation(env_steps, updates, episodes))
        for index in reversed(range(len(live))):
            live[index].close_episode(env_steps, updates)
            if len(live[index].history.returns) == n_episodes or env_steps == n_env_steps:
                live[index].history.seconds = time.perf_counter() - start
                stack.release(index)
                del live[index]
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
    gamma: float,
    *,
    seed: int = EVALUATION_SEED,
    max_steps: int = 10_000,
) -> list[list[GreedyEpisode]]:
    """Play one greedy episode in each environment ``envs[agent][episode]``, side by side.

    Episode i starts from ``reset(seed=seed + i)``, as in `greedy_episodes`.
    """
    states = np.stack(
        [np.stack([e.reset(seed=seed + i)[0] for i, e in enumerate(row)]) for row in envs]
    )
    predicted = networks.q_values(states).max(-1)
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
            GreedyEpisode(float(np.sum(r)), float(gamma ** np.arange(len(r)) @ r), float(p), len(r))
            for r, p in zip(row, predictions, strict=True)
        ]
        for row, predictions in zip(rewards, predicted, strict=True)
    ]
