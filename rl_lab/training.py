"""The training loop, greedy evaluation, and the record of a run.

Agents are known by what they do (`Agent`), never by what they are: the same loop
trains a table and a network.
"""

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import gymnasium as gym
import numpy as np
from tqdm.auto import tqdm

EVALUATION_SEED = 1_000_000  # evaluation resets use this seed and those after it


class Agent(Protocol):
    """What the loop asks of an agent.

    Greedy evaluation asks two things more: ``q_values(state)`` and ``gamma``.
    """

    epsilon: float

    def select_action(self, state, training: bool = True) -> int: ...  # noqa: D102

    def update(self, state, action, reward, next_state, done, *, truncated=False) -> dict: ...  # noqa: D102

    def decay_epsilon(self) -> None: ...  # noqa: D102


class GreedyEpisode(NamedTuple):
    """One episode played greedily, without learning."""

    episode_return: float  # undiscounted
    discounted_return: float  # from the first state, with the agent's gamma
    predicted: float  # the agent's max_a Q(s, a) at the first state
    length: int  # environment steps


class Evaluation(NamedTuple):
    """Greedy episodes played at one moment of a training run."""

    env_steps: int  # environment steps trained so far
    updates: int  # updates so far
    episodes: list[GreedyEpisode]


@dataclass
class History(Mapping):
    """What happened in a training run: one entry per finished episode, and totals.

    It also reads as a mapping: ``history["rewards"]`` is ``history.returns``, and
    every attribute can be had by its name.

    Attributes:
        returns: undiscounted sum of rewards, with exploration on.
        lengths: environment steps in the episode.
        losses: mean loss over the episode's updates; NaN where there was none.
        epsilons: epsilon at the start of the episode.
        env_steps: environment steps of the run so far, at the episode's end.
        updates: updates of the run so far, at the episode's end.
        seconds: seconds of the run.
        interrupted: the run was stopped by Ctrl-C or the kernel's stop button.
        evaluations: greedy episodes on unseen starts, where they were asked for.
    """

    returns: list[float] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    epsilons: list[float] = field(default_factory=list)
    env_steps: list[int] = field(default_factory=list)
    updates: list[int] = field(default_factory=list)
    seconds: float = 0.0
    interrupted: bool = False
    evaluations: list[Evaluation] = field(default_factory=list)

    def drop_unfinished(self) -> None:
        """Cut an episode that was being recorded when the run was stopped."""
        whole = len(self.updates)  # the last list to be written
        for entries in (self.returns, self.lengths, self.losses, self.epsilons, self.env_steps):
            del entries[whole:]

    def __getitem__(self, name: str):
        if name == "rewards":
            return self.returns
        if name not in self.__dataclass_fields__:
            raise KeyError(f"{name!r}; a History has {', '.join(self)}")
        return getattr(self, name)

    def __iter__(self) -> Iterator[str]:
        return iter(("rewards", *self.__dataclass_fields__))

    def __len__(self) -> int:
        return 1 + len(self.__dataclass_fields__)


def train_dqn(  # noqa: C901 - the loop is what the book teaches: it reads best in one piece
    agent: Agent,
    env: gym.Env,
    n_episodes: int = 500,
    max_steps: int = 500,
    *,
    n_env_steps: int | None = None,
    seed: int | None = None,
    print_every: int = 50,
    progress: bool = False,
    eval_env: gym.Env | None = None,
    eval_every: int | None = None,
    eval_episodes: int = 20,
) -> History:
    """Train `agent` in `env` and return what happened.

    Each step the agent acts, hears what followed and learns; each episode its
    epsilon decays. Only ``terminated`` is reported to it as terminal: an episode
    cut by the environment's time limit or by `max_steps` is passed as
    ``truncated``, and keeps the value of its last state.

    Args:
        agent: anything with `select_action`, `update` and `decay_epsilon`.
        env: a Gymnasium environment with discrete actions.
        n_episodes: episodes to run at most.
        max_steps: environment steps after which an episode is cut.
        n_env_steps: stop after this many environment steps in all, in mid-episode
            if need be (that episode is not recorded); None for no such limit.
        seed: seeds the environment *once*, before the first episode, so that every
            episode starts somewhere else. None continues the environment's own
            stream of starts.
        print_every: episodes between two printed lines, each with the mean return of
            the episodes since the last; 0 for silence.
        progress: show a tqdm bar on standard error.
        eval_env: another instance of the environment, to play greedily in.
        eval_every: environment steps between two greedy evaluations, kept in
            ``history.evaluations``; None for none.
        eval_episodes: episodes of each; their starts are those of `evaluate`.

    Returns:
        The `History`. Ctrl-C, or the kernel's stop button, ends the run and returns
        the history so far with ``interrupted=True``.

    Raises:
        ValueError: if a count is below 1 (`print_every`: below 0), or `eval_every`
            comes without `eval_env`.
        TypeError: if the action space is not discrete.
        FloatingPointError: if the loss stops being finite; the history so far is
            the exception's attribute ``history``.
    """
    _require_discrete(env)
    require_counts(
        n_episodes=n_episodes,
        max_steps=max_steps,
        n_env_steps=n_env_steps,
        eval_every=eval_every,
        eval_episodes=eval_episodes,
    )
    if print_every < 0:
        raise ValueError(f"print_every must be 0 (silence) or more, got {print_every}")
    if eval_every is not None and (eval_env is None or eval_env is env):
        raise ValueError(f"eval_every={eval_every} needs eval_env, an environment of its own")
    history = History()
    start = time.perf_counter()
    bar = tqdm(total=n_episodes, disable=not progress, unit="episode")
    limit = math.inf if n_env_steps is None else n_env_steps
    env_steps = updates = 0
    try:
        while len(history.returns) < n_episodes and env_steps < limit:
            state, _ = env.reset(seed=seed if not env_steps else None)
            epsilon, losses, episode_return, length = agent.epsilon, [], 0.0, 0
            terminated = truncated = False
            while not (terminated or truncated) and env_steps < limit:
                action = agent.select_action(state)
                next_state, reward, terminated, truncated, _ = env.step(action)
                env_steps, length = env_steps + 1, length + 1
                truncated = truncated or length >= max_steps
                # Only `terminated` stops bootstrapping; `truncated` just ends the episode.
                metrics = agent.update(
                    state, action, reward, next_state, terminated, truncated=truncated
                )
                if "loss" in metrics:
                    losses.append(metrics["loss"])
                    updates += 1
                episode_return += float(reward)
                state = next_state
                if eval_every is not None and env_steps % eval_every == 0:
                    played = greedy_episodes(agent, eval_env, eval_episodes)
                    history.evaluations.append(Evaluation(env_steps, updates, played))
            if not (terminated or truncated):
                break
            agent.decay_epsilon()
            history.returns.append(episode_return)
            history.lengths.append(length)
            history.losses.append(float(np.mean(losses)) if losses else math.nan)
            history.epsilons.append(epsilon)
            history.env_steps.append(env_steps)
            history.updates.append(updates)
            bar.update()
            _print_mean(history.returns, print_every)
    except KeyboardInterrupt:
        history.interrupted = True
        history.drop_unfinished()
    except FloatingPointError as error:
        error.history = history
        raise
    finally:
        history.seconds = time.perf_counter() - start
        bar.close()
    return history


def _print_mean(returns: list[float], every: int) -> None:
    """After each `every` episodes, print the mean return of those episodes."""
    n = len(returns)
    if every and n % every == 0:
        span = f"{n - every + 1}-{n}"
        print(f"episodes {span:>9} : mean return {np.mean(returns[-every:]):7.1f}", flush=True)


def greedy_episode(agent, env: gym.Env, seed: int, max_steps: int = 10_000) -> GreedyEpisode:
    """Play one greedy episode from ``env.reset(seed=seed)`` and report it.

    Args:
        agent: an agent with `select_action`, `q_values` and `gamma`.
        env: a Gymnasium environment.
        seed: seed of this episode's start.
        max_steps: environment steps after which the episode is cut.
    """
    state, _ = env.reset(seed=seed)
    predicted = float(np.max(agent.q_values(state)))
    rewards = []
    terminated = truncated = False
    while not (terminated or truncated or len(rewards) >= max_steps):
        action = agent.select_action(state, training=False)
        state, reward, terminated, truncated, _ = env.step(action)
        rewards.append(float(reward))
    discounts = agent.gamma ** np.arange(len(rewards))
    return GreedyEpisode(
        float(np.sum(rewards)), float(discounts @ rewards), predicted, len(rewards)
    )


def greedy_episodes(
    agent,
    env: gym.Env,
    n_episodes: int = 100,
    *,
    seed: int = EVALUATION_SEED,
    max_steps: int = 10_000,
) -> list[GreedyEpisode]:
    """Play `n_episodes` greedy episodes; episode i starts from ``env.reset(seed=seed + i)``.

    Raises:
        ValueError: if `n_episodes` is below 1.
        TypeError: if the action space is not discrete.
    """
    _require_discrete(env)
    require_counts(n_episodes=n_episodes, max_steps=max_steps)
    return [greedy_episode(agent, env, seed + i, max_steps) for i in range(n_episodes)]


def evaluate(
    agent,
    env: gym.Env,
    n_episodes: int = 100,
    *,
    seed: int = EVALUATION_SEED,
    max_steps: int = 10_000,
) -> np.ndarray:
    """Return the undiscounted returns ``[n_episodes]`` of greedy play, without learning.

    `agent` needs `select_action`, `q_values` and `gamma`.

    Episode i starts from ``env.reset(seed=seed + i)``: starts that differ from each
    other and that no training run of the book has seeded. Give an environment of its
    own: one in the middle of a training episode would be reset.

    Raises:
        ValueError: if `n_episodes` is below 1.
        TypeError: if the action space is not discrete.
    """
    played = greedy_episodes(agent, env, n_episodes, seed=seed, max_steps=max_steps)
    return np.array([episode.episode_return for episode in played])


def _require_discrete(env: gym.Env) -> None:
    if not isinstance(env.action_space, gym.spaces.Discrete):
        raise TypeError(
            f"Q-learning takes a maximum over a list of actions; this environment's action "
            f"space is {env.action_space}. Choose one with a Discrete action space"
        )


def require_counts(**counts: int | None) -> None:
    """Raise a ValueError that names the first count below 1 (None passes)."""
    for name, value in counts.items():
        if value is not None and value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
