"""A report on an environment of your own: what looks wrong, what is easy, what is learned."""

import copy
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

import gymnasium as gym
import numpy as np
import pandas as pd
from gymnasium.utils import env_checker

from rl_lab.agents.dqn import DQNAgent
from rl_lab.checks import check_env, require_counts, require_separate, reset, step
from rl_lab.stack import train_together
from rl_lab.stats import bootstrap_ci, iqm
from rl_lab.training import EVALUATION_SEED

Policy = Callable[[np.ndarray], int]
SETTINGS = dict(hidden_dim=64, lr=1e-3, epsilon_min=0.05, batch_size=64, target_update_freq=100)
WIDE = 10  # times the smallest scale: a network then hardly sees the numbers of small scale
HEADINGS = {"return": "return", "length": "steps", "terminated": "ends", "truncated": "cut"}
OURS = {*HEADINGS, *HEADINGS.values()}


class Episode(NamedTuple):
    """What one episode gave."""

    observations: np.ndarray  # [steps + 1, ...]
    rewards: np.ndarray  # [steps]
    ended: str  # "terminated", "truncated", or "" where it was still going on
    info: dict[str, float]  # means of the numbers that `step` returned beside


@dataclass(frozen=True, repr=False)
class Report:
    """What was found; shows as tables in a notebook and prints as plain text.

    Attributes:
        spaces: the environment's two spaces.
        policies: a row for each way to play: mean return, mean length, share of episodes that
            terminated and that were truncated, and means of the numbers in ``info``.
        observations: a row for each number of an observation, over all that was played.
        notes: sentences on rewards, discount and training.
        warnings: sentences on what looks wrong; an empty list proves nothing.
    """

    spaces: str
    policies: pd.DataFrame
    observations: pd.DataFrame
    notes: Sequence[str]
    warnings: Sequence[str]

    def __repr__(self) -> str:
        tables = (_rounded(self.policies).to_string(), _rounded(self.observations).to_string())
        return "\n\n".join([self.spaces, *tables, "\n".join(self.notes), self._warned("\n")])

    def _repr_html_(self) -> str:
        tables = (_rounded(table).to_html(border=0) for table in (self.policies, self.observations))
        texts = [self.spaces, "\n".join(self.notes), self._warned("\n")]
        texts = [escape(text).replace("\n", "<br>") for text in texts]
        first, *others = (f"<p>{text}</p>" for text in texts)
        return "\n".join([first, *tables, *others])

    def _warned(self, new_line: str) -> str:
        if not self.warnings:
            return "No warning."
        return new_line.join(f"Warning: {sentence}" for sentence in self.warnings)


def _rounded(table: pd.DataFrame) -> pd.DataFrame:
    """The table as it is shown: three digits that matter, and no more."""
    return table.map(lambda number: f"{float(f'{number:.3g}'):,g}")


def report(
    make_env: Callable[[], gym.Env],
    *,
    rules: Mapping[str, Policy] | None = None,
    gamma: float = 0.99,
    n_env_steps: int = 5_000,
    n_seeds: int = 5,
    n_episodes: int = 20,
    max_steps: int = 1_000,
    settings: Mapping | None = None,
) -> Report:
    """Play and train in an environment, and report what a person would want to know of it first.

    Args:
        make_env: makes one environment, new each time; actions are Discrete, observations a Box.
        rules: ways to play that you can think of, by name; each takes an observation and returns
            an action.
        gamma: discount per environment step.
        n_env_steps: environment steps of training, for each seed.
        n_seeds: agents that are trained, at least 3.
        n_episodes: episodes of each way to play.
        max_steps: environment steps after which an episode is given up here.
        settings: of `DQNAgent`, in place of those that the report would choose; `gamma` and the
            seeds are set above.

    Raises:
        TypeError: if this is no environment that a DQN agent can act in, or no function that makes
            one; if a count is no whole number, or a rule no function.
        ValueError: if a count is below 1, there are fewer than three seeds, agent and environment
            do not fit, a rule has the name of another way to play or chooses no action, or
            `settings` holds what is an argument here.
    """
    counts = dict(n_env_steps=n_env_steps, n_episodes=n_episodes, max_steps=max_steps)
    require_counts(**counts, n_seeds=n_seeds)
    n_env_steps, n_episodes, max_steps = map(int, counts.values())
    if (n_seeds := int(n_seeds)) < 3:
        raise ValueError(f"n_seeds={n_seeds}: an interval needs at least 3 seeds")
    if isinstance(make_env, gym.Env) or not callable(make_env):
        raise TypeError(f"make_env is a function, lambda: gym.make('Mine-v0'), got {make_env!r}")
    for name, given in (("rules", rules), ("settings", settings)):
        if not isinstance(given, Mapping | None):
            raise TypeError(f"{name} must be a dictionary, got {given!r}")
    env = make_env()
    agents = _agents(env, gamma, n_env_steps, n_seeds, settings or {})
    another = make_env()
    require_separate([env, another])
    trained_name = f"trained, {n_seeds} seeds"
    ways = _ways(int(env.action_space.n), rules or {}, {"trained", trained_name})  # type: ignore[attr-defined]
    complaints = _gymnasium_says(another)
    played = {name: _play(env, act, n_episodes, max_steps) for name, act in ways.items()}
    policies = pd.DataFrame({name: _summary(episodes) for name, episodes in played.items()}).T

    train_together(
        agents,
        make_env,
        range(n_seeds),
        n_episodes=n_env_steps,
        max_steps=max_steps,
        n_env_steps=n_env_steps,
    )
    trained = [_play(env, _greedy(agent), n_episodes, max_steps) for agent in agents]
    returns = np.array([_summary(episodes)["return"] for episodes in trained])
    played["trained"] = [episode for episodes in trained for episode in episodes]
    best = policies["return"].idxmax()
    learned = pd.Series(_summary(played["trained"]) | {"return": iqm(returns)}, name=trained_name)
    policies = pd.concat([policies, learned.to_frame().T])
    low, high = bootstrap_ci(returns)
    predicted = np.mean(
        [agent.q_values(e.observations[0]).max() for agent in agents for e in trained[0]]
    )
    notes = [
        _on_rewards(played),
        _on_discount(gamma, played),
        f"Training: {n_seeds} seeds of {n_env_steps:,} environment steps; interquartile mean of "
        f"the greedy return {learned['return']:.4g}, 95 % interval {low:.4g} to "
        f"{high:.4g}; the best untrained way is {best!r} with {policies.loc[best, 'return']:.4g}. "
        f"Value predicted at the start: {predicted:.4g}.",
    ]
    found = [*complaints, *_on_observations(env, played), *_on_ends(played, max_steps)]
    found += _on_values(played, gamma, predicted)
    if low < policies.loc[best, "return"]:
        found.append(
            f"training is not shown to beat {best!r}: its interval reaches down to {low:.4g}. If "
            f"nothing above explains it, train longer."
        )
    spaces = f"Observations: {env.observation_space}. Actions: {env.action_space}."
    shown = policies.rename(columns=HEADINGS).rename_axis("way to play")
    return Report(spaces, shown, _ranges(played), notes, found)


def _agents(env: gym.Env, gamma: float, n_env_steps: int, n: int, own: Mapping) -> list[DQNAgent]:
    """Untrained agents for `env`."""
    if not isinstance(env, gym.Env):
        raise TypeError(f"make_env must make a Gymnasium environment, and it made {env!r}")
    if taken := {"gamma", "seed"} & set(own):
        raise ValueError(f"settings hold {min(taken)}: report(gamma=...) and n_seeds decide that")
    shape = getattr(env.observation_space, "shape", None) or (1,)
    if isinstance(env.observation_space, gym.spaces.Box) and env.observation_space.shape == ():
        raise ValueError("an observation is a number and no array: return np.array([number])")
    if len(shape) > 1 and "network" not in own:
        raise ValueError(
            f"observations have shape {shape}: say which network reads them, as "
            f"settings=dict(network=ConvQNetwork) of rl_lab.networks, or wrap the environment: "
            f"gymnasium.wrappers.FlattenObservation(env)"
        )
    chosen = SETTINGS | dict(
        gamma=gamma,
        epsilon_decay_steps=max(1, n_env_steps // 3),
        learning_starts=min(500, n_env_steps // 2),
        buffer_size=max(n_env_steps, 64),
        device="cpu",
    )
    n_actions = getattr(env.action_space, "n", 2)
    agents = [
        DQNAgent(shape, int(n_actions), seed=seed, **(chosen | dict(own))) for seed in range(n)
    ]
    check_env(agents[0], env)
    return agents


def _greedy(agent: DQNAgent) -> Policy:
    return lambda observation: agent.select_action(observation, training=False)


def _ways(n_actions: int, rules: Mapping[str, Policy], taken: set[str]) -> dict[str, Policy]:
    """All ways to play without training, by name."""
    rng = np.random.default_rng(0)
    ways: dict[str, Policy] = {"random": lambda _: int(rng.integers(n_actions))}
    ways |= {f"always {action}": lambda _, a=action: a for action in range(n_actions)}  # type: ignore[misc]
    for name, rule in rules.items():
        if name in ways or name in taken:
            raise ValueError(f"a rule cannot be called {name!r}: the report plays that way itself")
        if not callable(rule):
            raise TypeError(f"the rule {name!r} must be a function of an observation, got {rule!r}")
    return ways | {name: _checked(name, rule, n_actions) for name, rule in rules.items()}


def _checked(name: str, rule: Policy, n_actions: int) -> Policy:
    """The rule, whose answers are actions; it cannot change what it is shown."""

    def act(observation: np.ndarray) -> int:
        action = rule(copy.copy(observation))
        chosen = np.asarray(action)
        if chosen.size != 1 or chosen.item() not in range(n_actions):
            raise ValueError(
                f"the rule {name!r} chose {action!r}, and actions are 0 to {n_actions - 1}"
            )
        return int(chosen.item())

    return act


def _gymnasium_says(env: gym.Env) -> list[str]:
    """What Gymnasium's own checker has to say."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            env_checker.check_env(env.unwrapped, skip_render_check=True)
        except Exception as error:
            return [f"Gymnasium's checker: {' '.join(str(error).split()) or repr(error)}"]
    texts = [
        str(one.message).replace("\x1b[33mWARN: ", "").replace("\x1b[0m", "") for one in caught
    ]
    return [f"Gymnasium's checker: {text}" for text in dict.fromkeys(texts)]


def _play(env: gym.Env, act: Policy, n_episodes: int, max_steps: int) -> list[Episode]:
    """Play episodes from the starts on which the book evaluates."""
    return [_episode(env, act, EVALUATION_SEED + i, max_steps) for i in range(int(n_episodes))]


def _episode(env: gym.Env, act: Policy, seed: int, max_steps: int) -> Episode:
    heard: dict[str, list[float]] = {}

    class Overheard(gym.Wrapper):
        def step(self, action):
            answer = self.env.step(action)
            if isinstance(answer, tuple | list) and answer and isinstance(answer[-1], dict):
                for name, value in answer[-1].items():
                    if isinstance(value, bool | int | float | np.number | np.bool_):
                        name = f"info: {name}" if name in OURS else str(name)
                        heard.setdefault(name, []).append(float(value))
            return answer

    env = Overheard(env)
    observations, rewards, ended = [reset(env, seed)], [], ""
    while not ended and len(rewards) < max_steps:
        observation, reward, terminated, truncated = step(env, int(act(observations[-1])))
        observations.append(observation)
        rewards.append(reward)
        ended = "terminated" if terminated else "truncated" if truncated else ""
    info = {name: float(np.mean(values)) for name, values in heard.items()}
    return Episode(np.array(observations), np.array(rewards), ended, info)


def _summary(episodes: Sequence[Episode]) -> dict[str, float]:
    """Means over episodes."""
    return {
        "return": float(np.mean([e.rewards.sum() for e in episodes])),
        "length": float(np.mean([len(e.rewards) for e in episodes])),
        "terminated": float(np.mean([e.ended == "terminated" for e in episodes])),
        "truncated": float(np.mean([e.ended == "truncated" for e in episodes])),
    } | pd.DataFrame([e.info for e in episodes]).mean().to_dict()


def _seen(played: Mapping[str, Sequence[Episode]]) -> np.ndarray:
    """All observations, ``[n, numbers in one]``."""
    seen = np.concatenate([e.observations for episodes in played.values() for e in episodes])
    return seen.reshape(len(seen), -1).astype(float)


def _ranges(played: Mapping[str, Sequence[Episode]]) -> pd.DataFrame:
    seen = _seen(played)
    columns = {"min": seen.min(0), "mean": seen.mean(0), "max": seen.max(0), "std": seen.std(0)}
    return pd.DataFrame(columns).rename_axis("number")


def _on_rewards(played: Mapping[str, Sequence[Episode]]) -> str:
    rewards = np.concatenate([e.rewards for e in played["random"]])
    return (
        f"Rewards of random play: {rewards.min():.3g} to {rewards.max():.3g}, mean "
        f"{rewards.mean():.3g}; {np.mean(rewards != 0):.0%} of them are not 0."
    )


def _on_discount(gamma: float, played: Mapping[str, Sequence[Episode]]) -> str:
    lengths = [len(e.rewards) for episodes in played.values() for e in episodes]
    horizon = f"{1 / (1 - gamma):.3g}" if gamma < 1 else "no end of"
    return (
        f"Discount {gamma:g} looks {horizon} environment steps ahead; episodes took "
        f"{min(lengths)} to {max(lengths)}, half of them at most {np.median(lengths):.0f}."
    )


def _on_observations(env: gym.Env, played: Mapping[str, Sequence[Episode]]) -> list[str]:
    """Warnings on what the agent is shown."""
    ranges, found, space = _ranges(played), [], env.observation_space
    strangers = sum(
        not _is_inside(space, o)
        for episodes in played.values()
        for e in episodes
        for o in e.observations
    )
    if strangers:
        found.append(f"{strangers} observations lie outside of the observation space.")
    still = ranges.index[ranges["std"] == 0].tolist()
    if still:
        found.append(f"number {still} of the observation never changes: is it wired up?")
    scales = ranges["std"][ranges["std"] > 0]
    largest = float(ranges[["min", "max"]].abs().max().max())
    if len(scales) and (scales.max() > WIDE * scales.min() or largest > WIDE):
        found.append(
            f"observations reach {largest:.3g}, and their standard deviations go from "
            f"{scales.min():.2g} to {scales.max():.2g}: scale them to about -1 to 1, as by "
            f"gymnasium.wrappers.RescaleObservation(env, -1, 1)."
        )
    return found


def _is_inside(space: gym.Space, observation: np.ndarray) -> bool:
    """Whether a space holds an observation, to the digits of its type, whose whole numbers are
    not made by cutting off others."""
    with np.errstate(all="ignore"):
        kept = np.asarray(observation).astype(space.dtype)
    cut = kept.dtype.kind in "biu" and not np.array_equal(kept, observation)
    return not cut and space.contains(kept)


def _on_ends(played: Mapping[str, Sequence[Episode]], max_steps: int) -> list[str]:
    """Warnings on how episodes end, and on returns that nothing changes."""
    found, episodes = [], [e for each in played.values() for e in each]
    unending = sum(not e.ended for e in episodes)
    if unending:
        found.append(
            f"{unending} of {len(episodes)} episodes did not end within {max_steps:,} environment "
            f"steps: give it a time limit, gymnasium.wrappers.TimeLimit(env, 200)."
        )
    longest = max(len(e.rewards) for e in episodes)
    hits = {
        name: sum(len(e.rewards) == longest and e.ended == "terminated" for e in each)
        for name, each in played.items()
    }
    if longest > 1 and not unending and sum(n >= 2 for n in hits.values()) >= 2:
        found.append(
            f"{sum(hits.values())} episodes terminated after exactly {longest} environment steps, "
            f"and none took longer. If that is a time limit, return it as truncated."
        )
    returns = [e.rewards.sum() for e in played["random"]]
    if np.ptp(returns) == 0:
        found.append(
            f"every episode of random play returned {returns[0]:.3g}: there is nothing to learn "
            f"from before an agent meets another reward."
        )
    return found


def _on_values(
    played: Mapping[str, Sequence[Episode]], gamma: float, predicted: float
) -> list[str]:
    """Warnings on the size of rewards, and on values that no rewards can add up to."""
    rewards = np.concatenate([e.rewards for each in played.values() for e in each])
    size = float(np.abs(rewards).max())
    found = []
    if size > WIDE:
        found.append(
            f"rewards reach {size:.3g} in size: divide them, so that most lie between -1 and 1."
        )
    if gamma < 1 and size and abs(predicted) > 1.05 * size / (1 - gamma):
        found.append(
            f"the predicted value {predicted:.4g} is beyond what rewards of {size:.3g} add up to, "
            f"{size / (1 - gamma):.4g}: the values have diverged, or are on their way."
        )
    return found
