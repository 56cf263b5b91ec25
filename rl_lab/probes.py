"""Probe environments: six tasks so small that a failure says which part of an agent is broken.

Each asks for one ability more than the one before it, and its action values are known exactly
for any discount. Only the first failure can be taken at its word: the probes below it need the
same part, too.

Source of the method: Jones (2021), "Debugging RL, without the agonizing pain".
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium import spaces

ON, TERMINATED, TRUNCATED = (False, False), (True, False), (False, True)  # as a step returns them
# Half of what a missing discount changes with gamma 0.9; healthy DQNs were within 0.001.
TOLERANCE = 0.05


class Probe(NamedTuple):
    """One probe: what happens in it, what is right, and what a failure points at.

    Attributes:
        name: a word or two for the table.
        outcomes: ``{state: [of action 0, of action 1]}``, each the next state, the reward, and
            one of `ON`, `TERMINATED` and `TRUNCATED`. A state is the one number to observe.
        starts: states in which an episode may start, all with the same probability.
        values: gives Q* ``{state: (of action 0, of action 1)}`` for a discount.
        points_at: what to look at in an agent for which this is the first probe to fail.
    """

    name: str
    outcomes: Mapping[float, Sequence[tuple]]
    starts: tuple[float, ...]
    values: Callable[[float], dict[float, tuple[float, float]]]
    points_at: str


PROBES = (
    Probe(
        "constant reward",
        {1: [(1, 1, TERMINATED)] * 2},  # whatever the action
        (1,),
        lambda gamma: {1: (1, 1)},
        "the loss, its sign, the weights that the optimiser was given. Only one action is wrong: "
        "gather, or exploration. Far above 1: whether a terminal transition bootstraps.",
    ),
    Probe(
        "observation",  # an episode ends in the state it did not start in
        {-1: [(1, -1, TERMINATED)] * 2, 1: [(-1, 1, TERMINATED)] * 2},
        (-1, 1),
        lambda gamma: {-1: (-1, -1), 1: (1, 1)},
        "what the network is fed. Both near 0: rows that do not belong together, such as [B, 1] "
        "against [B]. Signs exchanged: the next state stored in place of the state.",
    ),
    Probe(
        "delayed reward",
        {-1: [(1, 0, ON)] * 2, 1: [(1, 1, TERMINATED)] * 2},
        (-1,),
        lambda gamma: {-1: (gamma, gamma), 1: (1, 1)},
        "bootstrapping: the discount, the target network and its refresh.",
    ),
    Probe(
        "action",
        {1: [(1, -1, TERMINATED), (1, 1, TERMINATED)]},
        (1,),
        lambda gamma: {1: (-1, 1)},
        "which action's value is updated (gather). Only the greedy action is wrong: the argmax.",
    ),
    Probe(
        "observation and action",
        {-1: [(1, 1, ON), (1, -1, ON)], 1: [(1, -1, TERMINATED), (1, 1, TERMINATED)]},
        (-1,),
        lambda gamma: {-1: (gamma + 1, gamma - 1), 1: (-1, 1)},
        "whether observation and action of a stored row belong together. Too low in state -1: "
        "the maximum over the next actions.",
    ),
    Probe(
        "time limit",  # the delayed reward once more, cut between its two steps
        {-1: [(1, 0, TRUNCATED)] * 2, 1: [(1, 1, TERMINATED)] * 2},
        (-1, 1),
        lambda gamma: {-1: (gamma, gamma), 1: (1, 1)},
        "truncation. Near 0 in state -1: `terminated or truncated` was taken for terminal.",
    ),
)


class ProbeEnv(gym.Env):
    """The environment of a probe: one number to observe, two actions, no chance but the start.

    Args:
        probe: one of `PROBES`, or your own.
    """

    observation_space = spaces.Box(-1, 1, (1,), np.float32)
    action_space = spaces.Discrete(2)

    def __init__(self, probe: Probe) -> None:
        self.probe = probe

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        """Start an episode; returns ``(observation, {})``."""
        super().reset(seed=seed)
        self._state = self.probe.starts[self.np_random.integers(len(self.probe.starts))]
        return _observed(self._state), {}

    def step(self, action: int):
        """Return ``(observation, reward, terminated, truncated, {})``."""
        self._state, reward, ends = self.probe.outcomes[self._state][int(action)]
        return _observed(self._state), float(reward), *ends, {}


def _observed(state: float) -> np.ndarray:
    return np.array([state], np.float32)


@dataclass(frozen=True)
class Result:
    """What a probe found.

    Attributes:
        probe: the probe.
        passed: None where the agent shows nothing that this probe could judge.
        what: the first value or greedy action that is wrong; if none is, the least exact one.
        expected: what it should be.
        found: what it was.
        error: what the agent raised, if it did, to be raised again for its traceback.
    """

    probe: Probe
    passed: bool | None
    what: str = ""
    expected: float | None = None
    found: float | None = None
    error: Exception | None = None


@dataclass(frozen=True, repr=False)
class Report:
    """The results of all probes, in order; prints as a table.

    Attributes:
        results: one for each probe.
        notes: what could not be looked at.
    """

    results: Sequence[Result]
    notes: Sequence[str] = ()

    @property
    def first_failure(self) -> Result | None:
        """The failure to begin with; None if no probe failed."""
        return next((result for result in self.results if result.passed is False), None)

    def __repr__(self) -> str:
        verdicts = {True: "passed", False: "FAILED", None: "not seen"}
        rows: list[tuple[str, ...]] = [("probe", "verdict", "what", "should be", "was")]
        for one in self.results:
            cells = ["" if n is None else f"{round(n, 3) + 0:g}" for n in (one.expected, one.found)]
            rows.append((one.probe.name, verdicts[one.passed], one.what, *cells))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        if first := self.first_failure:
            raised = first.error and f"raised {first.error!r}"
            look = raised or f"look at {first.probe.points_at}"
            lines.append(f"Begin with {first.probe.name!r}: {look}")
        return "\n".join([*lines, *self.notes])


def probe(
    make_agent: Callable[[gym.Env], Any],
    *,
    seed: int = 0,
    n_env_steps: int = 1_500,
    probes: Sequence[Probe] = PROBES,
    tolerance: float = TOLERANCE,
) -> Report:
    """Train a new agent in each probe environment and say which part of it is broken.

    The agent has `gamma`, `select_action`, `update` and `decay_epsilon`, as `DQNAgent`. A program
    with a training loop of its own has ``learn_in(env, n_env_steps)`` in place of the last two.
    Values are read by `q_values(state)`; without it only greedy actions are judged.

    Let its discount be 0.9 or less, or a missing one changes too little to be seen, and its target
    network be refreshed every hundred updates or so, or nothing is passed on in time.

    Args:
        make_agent: is given the probe environment and returns an untrained agent.
        seed: seeds the environments; `make_agent` seeds the agents.
        n_env_steps: environment steps in each probe.
        probes: which probes, in order.
        tolerance: how far from the right one a value may be.

    Returns:
        The `Report`. An exception that the agent raises while it learns or is asked is a failure.
    """
    results: list[Result] = []
    notes: dict[str, None] = {}
    for one in probes:
        env = ProbeEnv(one)
        env.reset(seed=seed)
        agent = make_agent(env)
        if not hasattr(agent, "q_values"):
            notes["No q_values: greedy actions were judged, values could not be."] = None
        elif 1 - agent.gamma <= tolerance:
            notes[f"gamma={agent.gamma:g}: a missing discount could not be seen."] = None
        try:
            _train(agent, env, n_env_steps)
            results.append(_judge(agent, one, tolerance))
        except Exception as error:
            results.append(Result(one, False, type(error).__name__, error=error))
    return Report(results, [*notes])


def _train(agent, env: gym.Env, n_env_steps: int) -> None:
    if hasattr(agent, "learn_in"):
        agent.learn_in(env, n_env_steps)
        return
    state, _ = env.reset()
    for _ in range(n_env_steps):
        action = agent.select_action(state)
        next_state, reward, terminated, truncated, _ = env.step(action)
        agent.update(state, action, reward, next_state, terminated, truncated=truncated)
        state = next_state
        if terminated or truncated:
            agent.decay_epsilon()
            state, _ = env.reset()


def _judge(agent, probe: Probe, tolerance: float) -> Result:
    if not (seen := [*_seen(agent, probe.values(agent.gamma))]):
        return Result(probe, None)
    wrong = [one for one in seen if not abs(one[1] - one[2]) <= tolerance]  # NaN is wrong, too
    worst = wrong[0] if wrong else max(seen, key=lambda one: abs(one[1] - one[2]))
    return Result(probe, not wrong, *worst)


def _seen(agent, values: dict) -> Iterator[tuple[str, float, float]]:
    """Yield what can be seen of an agent: its name, what it should be, and what it is."""
    if hasattr(agent, "q_values"):
        for state, row in values.items():
            found = np.reshape(agent.q_values(_observed(state)), len(row))
            for action, (right, value) in enumerate(zip(row, found, strict=True)):
                yield f"Q({state:+g}, {action})", right, float(value)
    for state, row in values.items():
        if row[0] != row[1]:
            action = agent.select_action(_observed(state), training=False)
            yield f"greedy action in {state:+g}", int(np.argmax(row)), int(action)
