"""The training loop, greedy evaluation, and the record of a run.

Agents are known by what they do (`Agent`), never by what they are: the same loop trains a table, a
network, and a stack of networks that learn as one (`Learner`).
"""

import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import gymnasium as gym
import numpy as np
from tqdm.auto import tqdm

from rl_lab.checks import (
    ACTS,
    LEARNS,
    check_env,
    check_eval_env,
    require_counts,
    require_separate,
    require_verbs,
    reset,
    step,
    undisturbed,
    warn_of_no_statistics,
)

EVALUATION_SEED = 1_000_000  # evaluation resets use this seed and those after it
MAX_STEPS = 10_000  # of a greedy episode that the environment itself does not end


class Agent(Protocol):
    """What the loop asks of an agent.

    Greedy evaluation asks two things more: ``q_values(state)`` and ``gamma``.
    """

    epsilon: float

    def select_action(self, state, training: bool = True) -> int: ...  # noqa: D102

    def update(self, state, action, reward, next_state, done, *, truncated=False) -> dict: ...  # noqa: D102

    def decay_epsilon(self) -> None: ...  # noqa: D102


class Step(NamedTuple):
    """What one step in an environment gave; a learner hears one from each of its agents."""

    state: np.ndarray | int
    action: int
    reward: float
    next_state: np.ndarray | int
    terminated: bool  # nothing can follow next_state
    truncated: bool  # the episode was cut here, by a time limit or the end of the run


class Learner(Protocol):
    """One agent or many that act and learn in step, each in an environment of its own."""

    agents: list  # those that still train

    def select_actions(self, states: list) -> list[int]:
        """Return an action for each agent."""
        ...

    def update(self, steps: list[Step]) -> list[dict[str, float]]:
        """Store what each agent lived through and learn; one dictionary of metrics for each."""
        ...

    def pop(self, index: int) -> object:
        """Take an agent, which is finished, out of `agents`."""
        ...


class Alone:
    """The `Learner` of one agent."""

    def __init__(self, agent: Agent) -> None:
        self.agents = [agent]

    def select_actions(self, states: list) -> list[int]:
        """Let the agent act."""
        return [self.agents[0].select_action(states[0])]

    def update(self, steps: list[Step]) -> list[dict[str, float]]:
        """Let the agent learn; only `terminated` is its `done`, which stops bootstrapping."""
        ((state, action, reward, next_state, terminated, truncated),) = steps
        metrics = self.agents[0].update(
            state, action, reward, next_state, terminated, truncated=truncated
        )
        if not isinstance(metrics, Mapping):
            raise TypeError(
                f"agent.update must return a dictionary, such as {{'loss': 0.5}}, or {{}} where "
                f"nothing was learned, got {metrics!r}"
            )
        return [metrics]

    def pop(self, index: int) -> None:
        """Let the agent go."""
        del self.agents[index]


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
        q_means: mean over the episode's updates of ``q_mean``, the values of what was sampled;
            NaN, as below, where the agent reported none.
        td_errors: mean of ``td_error``.
        grad_norms: mean of ``grad_norm``.
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
    q_means: list[float] = field(default_factory=list)
    td_errors: list[float] = field(default_factory=list)
    grad_norms: list[float] = field(default_factory=list)

    def add_episode(self, **entries: float) -> None:
        """Append one entry to each of the named lists."""
        for name, entry in entries.items():
            getattr(self, name).append(entry)

    def drop_unfinished(self) -> None:
        """Cut an episode that was being recorded when the run was stopped."""
        of_episodes = [
            v for k, v in vars(self).items() if isinstance(v, list) and k != "evaluations"
        ]
        whole = min(map(len, of_episodes))
        for entries in of_episodes:
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


def train_dqn(
    agent: Agent,
    env: gym.Env,
    n_episodes: int | None = None,
    max_steps: int = 500,
    *,
    n_env_steps: int | None = None,
    seed: int | None = None,
    print_every: int | None = 50,
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
        n_episodes: episodes to run at most. None is 500, or no limit where `n_env_steps` is given.
        max_steps: environment steps after which an episode is cut.
        n_env_steps: stop after this many environment steps in all, in mid-episode
            if need be (that episode is not recorded); None for no such limit.
        seed: seeds the environment *once*, before the first episode, so that every
            episode starts somewhere else. None continues the environment's own
            stream of starts.
        print_every: episodes between two printed lines, each with the mean return of
            the episodes since the last; 0 or None for silence.
        progress: show a tqdm bar on standard error.
        eval_env: another instance of the environment, to play greedily in.
        eval_every: environment steps between two greedy evaluations, kept in
            ``history.evaluations``; None for none.
        eval_episodes: episodes of each; their starts are those of `evaluate`.

    Returns:
        The `History`. Ctrl-C, or the kernel's stop button, ends the run and returns
        the history so far with ``interrupted=True``.

    Raises:
        ValueError: if a count is below 1 (`print_every`: below 0), `eval_every` comes
            without an `eval_env` of its own, or agent and environment have other numbers
            of actions or states.
        TypeError: if the action space is not discrete, or the agent cannot read the
            environment's observations.
        FloatingPointError: if the loss stops being finite.

    Whatever is raised after the first step, by the environment too, carries the history so
    far as its attribute ``history``; the agent is left able to go on.
    """
    n_episodes = most_episodes(n_episodes, n_env_steps)
    print_every = print_every or None
    require_counts(
        "n_episodes",
        "print_every",
        "eval_every",
        n_episodes=n_episodes,
        eval_every=eval_every,
        eval_episodes=eval_episodes,
        print_every=print_every,
    )
    if eval_every is not None:
        if eval_env is None:
            raise ValueError(f"eval_every={eval_every} needs eval_env, an environment of its own")
        check_eval_env(agent, env, eval_env)
        require_verbs(agent, ACTS)
    hidden = {} if progress else {"disable": True}  # unsaid, it is for TQDM_DISABLE to decide
    with tqdm(total=n_episodes, unit="episode", **hidden) as bar:

        def report(history: History) -> None:
            bar.update()
            _print_mean(history.returns, print_every)

        (history,) = run_training(
            Alone(agent),
            [env],
            [seed],
            n_episodes=n_episodes,
            max_steps=max_steps,
            n_env_steps=n_env_steps,
            eval_every=eval_every,
            play_greedily=lambda _: [greedy_episodes(agent, eval_env, eval_episodes)],  # type: ignore[arg-type]
            on_episode=report,
        )
    return history


def most_episodes(n_episodes: int | None, n_env_steps: int | None) -> int | None:
    """Return how many episodes a run may have: what was said, or 500 if no limit was given."""
    return 500 if n_episodes is None and n_env_steps is None else n_episodes


def run_training(  # noqa: C901 - the loop is what the book teaches: it reads best in one piece
    learner: Learner,
    envs: Sequence[gym.Env],
    seeds: Sequence[int | None],
    *,
    n_episodes: int | None,
    max_steps: int,
    n_env_steps: int | None = None,
    eval_every: int | None = None,
    play_greedily: Callable[[list[int]], list[list[GreedyEpisode]]] | None = None,
    on_episode: Callable[[History], None] | None = None,
) -> list[History]:
    """Train all agents of `learner` in step, each in its own environment, until all are finished.

    Args:
        learner: acts and learns; at the end it has no agents any more.
        envs: an environment for each agent.
        seeds: of the environments, as in `train_dqn`, which describes the other settings, too.
        n_episodes: episodes of each agent at most; None for no such limit.
        max_steps: environment steps after which an episode is cut.
        n_env_steps: environment steps of each agent at most; None for no such limit.
        eval_every: environment steps between two evaluations.
        play_greedily: gets the numbers of the agents that still train, as they were at the start,
            and returns greedy episodes of each.
        on_episode: called with the history of an agent that has finished an episode.

    Returns:
        A history for each agent. Ctrl-C ends the run, and those of agents that had not finished
        have ``interrupted=True``.

    Raises:
        Exception: whatever an agent or an environment raises, with the histories so far in its
            attribute ``histories``; that of a single agent is ``history``, too.
    """
    require_counts(
        "n_env_steps",
        "eval_every",
        *(["n_episodes"] if n_env_steps is not None else []),
        n_episodes=n_episodes,
        max_steps=max_steps,
        n_env_steps=n_env_steps,
        eval_every=eval_every,
    )
    for agent, env in zip(learner.agents, envs, strict=True):
        check_env(agent, env)
        require_verbs(agent, LEARNS)
    require_separate(envs)
    runs = [_Run(i, *each) for i, each in enumerate(zip(learner.agents, envs, strict=True))]
    live, env_steps, start = list(runs), 0, time.perf_counter()
    try:
        for run, seed in zip(runs, seeds, strict=True):
            run.begin_episode(seed)
        while live:
            env_steps += 1
            is_last = n_env_steps is not None and env_steps >= n_env_steps
            actions = learner.select_actions([run.state for run in live])
            steps = [
                run.take(action, max_steps, is_last)
                for run, action in zip(live, actions, strict=True)
            ]
            for run, metrics in zip(live, learner.update(steps), strict=True):
                run.note(metrics)
            if eval_every and play_greedily and env_steps % eval_every == 0:
                played = play_greedily([run.number for run in live])
                for run, episodes in zip(live, played, strict=True):
                    run.history.evaluations.append(Evaluation(env_steps, run.updates, episodes))
            for index in reversed(range(len(live))):  # from the end, since some leave
                run = live[index]
                if run.over:
                    run.close_episode(env_steps)
                    if on_episode is not None:
                        on_episode(run.history)
                if is_last or len(run.history.returns) == n_episodes:
                    run.history.seconds = time.perf_counter() - start
                    learner.pop(index)
                    del live[index]
                elif run.over:
                    run.begin_episode()
    except BaseException as error:
        while True:
            try:
                _wind_up(error, learner, runs, live, start)
                break
            except KeyboardInterrupt:  # pressed again: nothing is lost by beginning anew
                continue
        if not isinstance(error, KeyboardInterrupt):
            raise
    return [run.history for run in runs]


def _wind_up(
    error: BaseException, learner: Learner, runs: list["_Run"], live: list["_Run"], start: float
) -> None:
    """End the histories of a training that was stopped, and hand all agents back.

    It may be stopped itself, and begun anew.
    """
    for run in live:
        run.history.seconds = time.perf_counter() - start
        run.history.drop_unfinished()
        run.history.interrupted = isinstance(error, KeyboardInterrupt)
    _attach(error, [run.history for run in runs])
    while learner.agents:
        try:
            learner.pop(len(learner.agents) - 1)
        except Exception as lost:
            _note(error, f"Some agents could not be handed what they have learned: {lost!r}")
            break


def _attach(error: BaseException, histories: list[History]) -> None:
    """Let an exception carry what had happened before it, and say so."""
    error.histories = histories  # type: ignore[attr-defined]
    if len(histories) == 1:
        (error.history,) = histories  # type: ignore[attr-defined]
    name = "history" if len(histories) == 1 else "histories"
    _note(
        error,
        f"The training up to here is this exception's `{name}` ("
        f"{sum(len(h.returns) for h in histories)} finished episodes). The agent keeps what it has "
        f"learned and can go on.",
    )


def _note(error: BaseException, note: str) -> None:
    """Add a note to an exception, once."""
    if note not in getattr(error, "__notes__", []):
        error.add_note(note)


class _Run:
    """One agent's way through its environment, and the record of it."""

    def __init__(self, number: int, agent: Agent, env: gym.Env) -> None:
        self.number, self.agent, self.env = number, agent, env
        self.history = History()
        self.updates = 0

    def begin_episode(self, seed: int | None = None) -> None:
        self.state = reset(self.env, seed)
        self.epsilon = self.agent.epsilon
        self.metrics: list[Mapping[str, float]] = []
        self.episode_return, self.length, self.over = 0.0, 0, False

    def take(self, action: int, max_steps: int, is_last: bool) -> Step:
        """Take one step; the episode is over at its end, at `max_steps` or by a time limit."""
        state = self.state
        self.state, reward, terminated, truncated = step(self.env, action)
        self.episode_return += reward
        self.length += 1
        truncated = truncated or self.length >= max_steps
        self.over = terminated or truncated
        return Step(state, action, reward, self.state, terminated, truncated or is_last)

    def note(self, metrics: Mapping[str, float]) -> None:
        """Keep what an update reports; without a loss, nothing was learned."""
        if "loss" in metrics:
            self.metrics.append(metrics)
            self.updates += 1

    def close_episode(self, env_steps: int) -> None:
        """Record the episode that has just ended."""
        self.agent.decay_epsilon()
        self.history.add_episode(
            returns=self.episode_return,
            lengths=self.length,
            losses=self._mean("loss"),
            epsilons=self.epsilon,
            env_steps=env_steps,
            updates=self.updates,
            q_means=self._mean("q_mean"),
            td_errors=self._mean("td_error"),
            grad_norms=self._mean("grad_norm"),
        )

    def _mean(self, name: str) -> float:
        """Mean of a metric over the episode's updates; NaN where there was none."""
        values = [metrics[name] for metrics in self.metrics if name in metrics]
        return float(np.mean(values)) if values else math.nan


def _print_mean(returns: list[float], every: int | None) -> None:
    """After each `every` episodes, print the mean return of those episodes."""
    n = len(returns)
    if every and n % every == 0:
        span = f"{n - every + 1}-{n}"
        print(f"episodes {span:>9} : mean return {np.mean(returns[-every:]):7.1f}", flush=True)


def greedy_episodes(
    agent,
    env: gym.Env,
    n_episodes: int = 100,
    *,
    seed: int = EVALUATION_SEED,
    max_steps: int = MAX_STEPS,
) -> list[GreedyEpisode]:
    """Play `n_episodes` greedy episodes; episode i starts from ``env.reset(seed=seed + i)``.

    Args:
        agent: an agent with `select_action`, `q_values` and `gamma`.
        env: a Gymnasium environment. Its random numbers go on afterwards as if nothing had been
            played, and statistics that a wrapper gathers stay as they are.
        n_episodes: episodes to play.
        seed: seed of the first start.
        max_steps: environment steps after which an episode is cut. It is left to the environment to
            end its episodes: where it does not, a warning says so.

    Raises:
        ValueError: if a count is below 1, or the agent does not fit the environment.
        TypeError: if the action space is not discrete, or the agent cannot read the observations.
    """
    require_counts(n_episodes=n_episodes, max_steps=max_steps)
    check_env(agent, env)
    require_verbs(agent, ACTS)
    warn_of_no_statistics(env)
    with undisturbed(env):
        return [_play(agent, env, seed + i, max_steps) for i in range(int(n_episodes))]


def _play(agent, env: gym.Env, seed: int, max_steps: int) -> GreedyEpisode:
    """Play one greedy episode and report it."""
    state = reset(env, seed)
    predicted = float(np.max(agent.q_values(state)))
    rewards: list[float] = []
    over = False
    while not over and len(rewards) < max_steps:
        action = agent.select_action(state, training=False)
        state, reward, terminated, truncated = step(env, action)
        over = terminated or truncated
        rewards.append(reward)
    if not over:
        warn_of_no_end(max_steps)
    discounts = agent.gamma ** np.arange(len(rewards))
    return GreedyEpisode(
        float(np.sum(rewards)), float(discounts @ rewards), predicted, len(rewards)
    )


def warn_of_no_end(max_steps: int) -> None:
    """Warn that a greedy episode was cut by a bound that nobody chose."""
    if max_steps == MAX_STEPS:
        warnings.warn(
            f"a greedy episode did not end within {MAX_STEPS:,} steps and was cut. Give the "
            f"environment a time limit, gymnasium.wrappers.TimeLimit(env, 500), or evaluation "
            f"max_steps=500",
            stacklevel=2,
        )


def evaluate(
    agent,
    env: gym.Env,
    n_episodes: int = 100,
    *,
    seed: int = EVALUATION_SEED,
    max_steps: int = MAX_STEPS,
) -> np.ndarray:
    """Return the undiscounted returns ``[n_episodes]`` of greedy play, without learning.

    `agent` needs `select_action`, `q_values` and `gamma`.

    Episode i starts from ``env.reset(seed=seed + i)``: starts that differ from each other and that
    no training run of the book has seeded. Training in `env` goes on afterwards as if nothing had
    been played; an episode in the middle of which it is called is lost.

    Raises:
        ValueError: as `greedy_episodes`.
        TypeError: as `greedy_episodes`.
    """
    played = greedy_episodes(agent, env, n_episodes, seed=seed, max_steps=max_steps)
    return np.array([episode.episode_return for episode in played])
