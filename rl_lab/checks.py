"""Whether an agent and an environment fit together, and what an environment answers.

What spaces and attributes tell is checked before the first step, by `check_env`. What only shows in
play is checked by `reset` and `step`, which stand between a loop and its environment.
"""

import copy
import inspect
import random
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from numbers import Integral, Real

import gymnasium as gym
import numpy as np
from gymnasium import spaces

GENERATORS = (np.random.Generator, np.random.RandomState, random.Random)
ACTS = ("select_action", "q_values", "gamma")  # what greedy play asks of an agent
LEARNS = ("select_action", "update", "decay_epsilon", "epsilon")  # what training asks


def require_counts(*optional: str, **counts: int | None) -> None:
    """Raise an error that names the first count that is not a whole number above 0.

    Args:
        optional: names of counts that may be None.
        counts: by their names.

    Raises:
        TypeError: if a count is not a whole number.
        ValueError: if one is below 1.
    """
    for name, value in counts.items():
        if value is None and name in optional:
            continue
        if not isinstance(value, Real) or value % 1 != 0:
            raise TypeError(f"{name} must be a whole number, got {value!r}")
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")


def require_verbs(agent, names: Sequence[str]) -> None:
    """Raise a TypeError unless `agent` has all of these methods and attributes."""
    missing = [name for name in names if not hasattr(agent, name)]
    if missing:
        raise TypeError(
            f"an agent needs {', '.join(names)}; {agent!r} has no {missing[0]}. The agent is the "
            f"first argument, the environment the second"
        )


def check_env(agent, env: gym.Env) -> None:
    """Raise one clear error if `agent` cannot act in `env`; neither is changed by asking.

    Args:
        agent: asked for `n_actions` and, if it reads arrays, `obs_shape`, or, if it keeps a table,
            `n_states` or the table ``q``. An agent without them is taken at its word.
        env: asked for its spaces.

    Raises:
        TypeError: if `env` is no Gymnasium environment, its actions are not Discrete, or its
            observations are of a kind that the agent cannot read.
        ValueError: if the agent was built for other numbers than those of the environment.
    """
    _require_environment(env)
    _require_actions(agent, env)
    shape, n_states = getattr(agent, "obs_shape", None), _rows(agent)
    if isinstance(shape, tuple):
        _require_arrays(shape, env.observation_space)
    elif n_states is not None:
        _require_integers(n_states, env.observation_space)


def _require_environment(env: gym.Env) -> None:
    if isinstance(env, gym.vector.VectorEnv):
        raise TypeError(
            f"an agent is trained in one environment, not in a vector of them; give it one that "
            f"gymnasium.make makes, not {env}"
        )
    needed = ("reset", "step", "observation_space", "action_space")
    missing = [name for name in needed if getattr(env, name, None) is None]
    if missing or isinstance(env, type):
        raise TypeError(
            f"env must be a Gymnasium environment such as make_env('CartPole-v1') returns; "
            f"{env!r} has no {missing[0] if missing else 'instance yet: call it'}"
        )
    base = getattr(env, "unwrapped", env)
    parameters = inspect.signature(base.reset).parameters
    if "seed" not in parameters and not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        raise TypeError(
            f"{type(base).__name__}.reset takes no seed, as in old Gym; Gymnasium's is "
            f"reset(self, *, seed=None, options=None) and returns (observation, info)"
        )


def _require_actions(agent, env: gym.Env) -> None:
    space, n_actions = env.action_space, getattr(agent, "n_actions", None)
    if not isinstance(space, spaces.Discrete):
        raise TypeError(
            f"Q-learning takes a maximum over a list of actions; this environment's action "
            f"space is {space}. Choose one with a Discrete action space"
        )
    if space.start != 0:
        raise ValueError(
            f"actions are counted from 0, and those of this environment, {space}, from "
            f"{space.start}; wrap it: gymnasium.wrappers.TransformAction(env, lambda action: "
            f"action + {space.start}, gymnasium.spaces.Discrete({space.n}))"
        )
    if isinstance(n_actions, Integral) and n_actions != space.n:
        raise ValueError(
            f"the agent has {n_actions} actions and the environment {space.n}; build the agent "
            f"with n_actions={space.n}"
        )


def _rows(agent) -> int | None:
    """The rows of an agent's table, if it has one."""
    table = getattr(agent, "q", None)
    if isinstance(table, np.ndarray) and table.ndim == 2:
        return len(table)
    n_states = getattr(agent, "n_states", None)
    return int(n_states) if isinstance(n_states, Integral) else None


def _require_arrays(shape: tuple[int, ...], space: spaces.Space) -> None:
    """Raise an error unless observations are arrays of this shape."""
    if isinstance(space, spaces.Discrete):
        raise TypeError(
            f"observations are integers, {space}, and the agent reads arrays of shape {shape}; "
            f"show it one-hot rows, Features(env, np.eye({space.n})) of rl_lab.envs, or use a "
            f"table, QLearningAgent({space.n}, ...)"
        )
    if isinstance(space, spaces.Dict | spaces.Tuple):
        raise TypeError(
            f"observations have several parts, {space}, and the agent reads one array; wrap the "
            f"environment: gymnasium.wrappers.FlattenObservation(env)"
        )
    if space.shape is None:
        raise TypeError(
            f"observations are no arrays of one shape, {space}, as the agent needs them; wrap the "
            f"environment in a gymnasium.ObservationWrapper that makes such arrays"
        )
    if space.shape != shape:
        size = space.shape[0] if len(space.shape) == 1 else space.shape
        raise ValueError(
            f"the agent was built for observations of shape {shape}, and those of the environment "
            f"have shape {space.shape}; build the agent with obs_dim={size}"
        )


def _require_integers(n_states: int, space: spaces.Space) -> None:
    """Raise an error unless observations are the integers 0 .. n_states - 1."""
    if not isinstance(space, spaces.Discrete):
        raise TypeError(
            f"the agent has a table with a row for each of {n_states} states, and observations "
            f"are no integers but {space}; cut their numbers into bins (Bins of rl_lab.envs), or "
            f"use a network, DQNAgent"
        )
    if space.start != 0 or space.n != n_states:
        raise ValueError(
            f"the agent has a table with a row for each of the states 0 .. {n_states - 1}, and the "
            f"environment's are {space.start} .. {space.start + space.n - 1}; build the agent with "
            f"n_states={space.n}"
            + (" and subtract the first from each observation" if space.start else "")
        )


def require_separate(envs: Sequence[gym.Env]) -> None:
    """Raise a ValueError if two of `envs` are, or wrap, the same environment."""
    if len({id(getattr(env, "unwrapped", env)) for env in envs}) < len(envs):
        raise ValueError(
            "make must return a new environment each time it is called; it returned one twice, and "
            "agents would move each other's. Make it inside: lambda: make_env('CartPole-v1')"
        )


def check_eval_env(agent, env: gym.Env, eval_env: gym.Env) -> None:
    """Raise an error if playing greedily in `eval_env` would disturb or misjudge training in `env`.

    Raises:
        ValueError: if the two are, or wrap, the same environment, or normalise observations or
            rewards by different statistics.
        TypeError: as `check_env`.
    """
    check_env(agent, eval_env)
    if getattr(eval_env, "unwrapped", eval_env) is getattr(env, "unwrapped", env):
        raise ValueError(
            "eval_env must be an environment of its own; it is, or wraps, the one that is trained "
            "in, whose episodes it would cut short"
        )
    seen, shown = _statistics(env, "obs_rms"), _statistics(eval_env, "obs_rms")
    if seen is not shown:
        raise ValueError(
            "env and eval_env normalise observations by different statistics, so that the agent "
            "would be judged on numbers it has never seen; wrap both in NormalizeObservation and "
            'share one: eval_env.set_wrapper_attr("obs_rms", env.get_wrapper_attr("obs_rms"))'
        )
    if _statistics(eval_env, "return_rms") not in (None, _statistics(env, "return_rms")):
        raise ValueError(
            "eval_env normalises rewards by statistics of its own; leave NormalizeReward out of "
            "it, and evaluation reports the rewards of the environment itself"
        )


def _layers(env: gym.Env) -> Iterator[gym.Env]:
    """`env`, what it wraps, and so on down to the environment itself."""
    yield env
    while isinstance(env, gym.Wrapper):
        env = env.env
        yield env


def _statistics(env: gym.Env, name: str):
    """The running statistics of this name that a wrapper keeps, or None."""
    return next((vars(layer)[name] for layer in _layers(env) if name in vars(layer)), None)


def warn_of_no_statistics(env: gym.Env) -> None:
    """Warn that observations are to be normalised by statistics of nothing."""
    statistics = _statistics(env, "obs_rms")
    if statistics is not None and statistics.count < 1:
        warnings.warn(
            "NormalizeObservation has seen nothing in this environment yet; an agent trained in "
            "another one needs that one's statistics: env.set_wrapper_attr('obs_rms', "
            "training_env.get_wrapper_attr('obs_rms'))",
            stacklevel=3,
        )


@contextmanager
def undisturbed(env: gym.Env) -> Iterator[None]:
    """Play in `env` and leave no trace in it but the episode.

    Its generators of random numbers are put back as they were, and `fixed_statistics` holds.
    """
    layers = list(_layers(env))
    owners = [*layers, *(space for e in layers for space in (e.action_space, e.observation_space))]
    kept = [
        (owner, name, value, copy.deepcopy(value))
        for owner in owners
        for name, value in vars(owner).items()
        if isinstance(value, GENERATORS) or name in ("_np_random", "_np_random_seed")
    ]
    try:
        with fixed_statistics(env):
            yield
    finally:
        for owner, name, value, before in kept:
            if isinstance(value, np.random.Generator):
                value.bit_generator.state = before.bit_generator.state
            elif isinstance(value, np.random.RandomState):
                value.set_state(before.get_state())
            elif isinstance(value, random.Random):
                value.setstate(before.getstate())
            setattr(owner, name, value)


@contextmanager
def fixed_statistics(env: gym.Env) -> Iterator[None]:
    """Let wrappers that gather statistics of observations or rewards gather none meanwhile."""
    learning = [layer for layer in _layers(env) if getattr(layer, "update_running_mean", False)]
    for layer in learning:
        setattr(layer, "update_running_mean", False)  # noqa: B010 - for mypy
    try:
        yield
    finally:
        for layer in learning:
            setattr(layer, "update_running_mean", True)  # noqa: B010 - for mypy


def reset(env: gym.Env, seed: int | None = None):
    """Return the first observation of an episode, a copy that nobody else holds.

    Raises:
        TypeError: if ``env.reset`` does not return an observation and a dictionary.
        ValueError: if the observation is not of the shape that the environment promises.
    """
    answer = env.reset(seed=seed if seed is None else int(seed))
    if not (isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[1], dict)):
        raise TypeError(
            f"env.reset must return (observation, info), where info is a dictionary, got "
            f"{answer!r}; old Gym returned the observation alone"
        )
    return _own(answer[0], env.observation_space, "reset")


def step(env: gym.Env, action: int) -> tuple:
    """Return ``(observation, reward, terminated, truncated)`` after `action`.

    The observation is a copy that nobody else holds: an environment may write the next one into the
    same array.

    Raises:
        TypeError: if ``env.step`` does not return five values, the reward is not one number, or a
            flag is neither true nor false.
        ValueError: if the observation is not of the shape that the environment promises.
    """
    answer = env.step(action)
    if not (isinstance(answer, tuple | list) and len(answer) == 5):
        got = f"{len(answer)} values" if isinstance(answer, tuple | list) else repr(answer)
        raise TypeError(
            f"env.step must return (observation, reward, terminated, truncated, info), got {got}; "
            f"old Gym had one done in place of terminated (the task has ended) and truncated (a "
            f"time limit cut it)"
        )
    observation, reward, terminated, truncated, _ = answer
    return (
        _own(observation, env.observation_space, "step"),
        _number(reward),
        _flag(terminated, "terminated"),
        _flag(truncated, "truncated"),
    )


def _own(observation, space: spaces.Space, verb: str):
    """A copy of `observation`; integers stay integers."""
    if type(observation) is int and space.shape == ():
        return observation
    if space.shape is None:  # in parts: a Dict, say, for an agent that reads such things
        return copy.deepcopy(observation)
    array = np.array(observation)
    if array.shape != space.shape or array.dtype.kind not in "biuf":
        raise ValueError(
            f"env.{verb} returned an observation of type {type(observation).__name__}, as an array "
            f"{array.dtype} of shape {array.shape}, and its observation_space is {space}"
        )
    return array if array.ndim else array.item()


def _number(reward) -> float:
    if type(reward) is float:
        return reward
    array = np.asarray(reward)
    if array.ndim or array.dtype.kind not in "biuf":
        raise TypeError(
            f"the reward must be one number, got {reward!r}"
            + ("; return its only element" if array.size == 1 and array.ndim else "")
        )
    return float(array)


def _flag(flag, name: str) -> bool:
    if type(flag) is bool:
        return flag
    array = np.asarray(flag)
    if array.ndim or array.dtype.kind not in "biuf" or array not in (0, 1):
        raise TypeError(f"{name} must be True or False, got {flag!r}")
    return bool(array)
