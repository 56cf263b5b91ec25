"""The planted-bug lab: ten programs that differ from `short_dqn` in one line, and its exercises."""

import inspect
import random
from collections.abc import Callable
from functools import cache
from types import CodeType, ModuleType
from typing import NamedTuple

import gymnasium as gym
import numpy as np
import torch

from rl_lab.course.exercises import short_dqn, short_dqn_tests
from rl_lab.course.exercises.answers import (
    EMPTY,
    Wrong,
    exercise,
    expect,
    name_of,
    require,
    run,
    said,
)
from rl_lab.envs import make_env
from rl_lab.stack import StackedNetworks, greedy_together
from rl_lab.utils.common import use_threads

SOURCE = inspect.getsource(short_dqn)
SEEDS, STEPS = (0, 1), 3_000  # of the runs that show whether a bug of the learner's does harm
# A return between those of agents with a harmful bug and of healthy ones. Means of any two of 20
# seeds: with the bug of the solution at most 80, with half the step size (no harm) at least 140.
HARM = 100


class Bug(NamedTuple):
    """One line of `short_dqn`, what stands in its place, and a sentence on it."""

    line: str
    planted: str
    meaning: str
    look: str  # where a learner should look who took it for another bug


BUGS = {
    "no mask": Bug(
        "return rewards + gamma * (1 - dones) * best",
        "return rewards + gamma * best",
        "the target of a terminal transition bootstraps, too",
        "How do the values grow: by a fixed amount, or by a fixed factor? Which mistake would "
        "make the world worth something for ever, whatever the agent does?",
    ),
    "limit is end": Bug(
        "agent.buffer.push(state, action, reward, next_state, terminated)",
        "agent.buffer.push(state, action, reward, next_state, terminated or truncated)",
        "a time limit is stored as a terminal state",
        "Compare all of its curves with the healthy ones, point by point. Which mistake would "
        "show only in agents better than these?",
    ),
    "online target": Bug(
        "best = target(next_states).amax(1)",
        "best = online(next_states).amax(1)",
        "the network that learns also makes the targets",
        "How fast do the values rise in the first thousand steps? What holds them back in a "
        "healthy program?",
    ),
    "worst action": Bug(
        "best = target(next_states).amax(1)",
        "best = target(next_states).amin(1)",
        "the target takes the lowest next value in place of the highest",
        "Set its values against the returns that it gets. Who would expect so little of so good "
        "a future?",
    ),
    "lost copy": Bug(
        "self.target.load_state_dict(self.online.state_dict())",
        "target = copy.deepcopy(self.online)",
        "the copy is given to a local name, and the target network never changes",
        "The loss says how well the estimates fit the targets. What must the targets do for it "
        "to look like this?",
    ),
    "all pairs": Bug(
        "q = online(states).gather(1, actions.unsqueeze(1)).squeeze(1)",
        "q = online(states).gather(1, actions.unsqueeze(1))",
        "estimates [B, 1] meet targets [B]: every estimate is pulled to every target",
        "The values settle, and the loss does not fall. To what would an estimate tend that has "
        "many targets at once?",
    ),
    "wrong weights": Bug(
        "self.optimizer = torch.optim.Adam(self.online.parameters(), lr=1e-3)",
        "self.optimizer = torch.optim.Adam(self.target.parameters(), lr=1e-3)",
        "the optimizer was given the weights of the target network",
        "What has changed between the first evaluation and the last? What has to move for "
        "anything to be learned?",
    ),
    "stale gradient": Bug(
        "        self.optimizer.zero_grad()\n",
        "",
        "the gradients of all earlier updates are added up",
        "Do its seeds agree with each other? Which mistake would make each step larger than the "
        "minibatch asks for, in whichever direction it went before?",
    ),
    "late state": Bug(
        "agent.buffer.push(state, action, reward, next_state, terminated)",
        "agent.buffer.push(next_state, action, reward, next_state, terminated)",
        "the state after the action is stored as the one before it, too",
        "Values and loss could pass for healthy, and the return could not. The value climbs "
        "whatever the agent does: what would a transition have to look like for that?",
    ),
    "slow clock": Bug(
        "return max(0.05, 1 - self.n_steps / 3_000)",
        "return max(0.05, 1 - self.n_episodes / 3_000)",
        "epsilon falls by episodes, and its schedule was made for environment steps",
        "Set the return in training beside the greedy one. What lies between the two?",
    ),
}
# Which letter a bug has in the figures. Diagnose before you look: `diff` tells in the end.
PATIENTS = dict(zip("ABCDEFGHIJ", random.Random(7).sample(sorted(BUGS), len(BUGS)), strict=True))


@cache
def _compiled(source: str) -> CodeType:
    return compile(source, "<short_dqn>", "exec")


def _module(source: str) -> ModuleType:
    """A module of its own: whatever a test changes in it is gone afterwards."""
    module = ModuleType("short_dqn")
    exec(_compiled(source), module.__dict__)
    return module


def program(bug: str | None = None) -> ModuleType:
    """Return `short_dqn` as a module: healthy, or with one of the ten bugs planted.

    Args:
        bug: a name from `BUGS`, or a letter from A to J; None for the healthy program.

    Raises:
        ValueError: if there is no such bug.
    """
    if bug is None:
        return _module(SOURCE)
    found = _bug(bug)
    return _module(SOURCE.replace(found.line, found.planted))


def _bug(name: str) -> Bug:
    known = BUGS.get(PATIENTS.get(name, name))
    if known is None:
        raise ValueError(
            f"there is no bug {name!r}; take a letter from A to J, or one of {', '.join(BUGS)}"
        )
    return known


def diff(name: str) -> str:
    """Say which line of the healthy program a bug (a name or a letter) replaces, and by what."""
    line, planted, *_ = (text.strip() for text in _bug(name))
    return f"- {line}\n+ {planted}".rstrip(" +\n")


def fails(test: Callable, bug: str | None = None) -> bool:
    """Whether a test, a function of one program, fails on this one."""
    try:
        test(program(bug))
    except Exception:
        return True
    return False


class Probed:
    """A program of the lab as `rl_lab.probes.probe` asks for it: with a discount of 0.9.

    Args:
        env: the probe environment.
        dqn: the program, a module with `Agent` and `train`.
    """

    gamma = 0.9

    def __init__(self, env: gym.Env, dqn: ModuleType) -> None:
        self.train = dqn.train
        (n_inputs,), n_actions = env.observation_space.shape, int(env.action_space.n)
        self.agent = dqn.Agent(n_inputs, n_actions, learning_starts=100)
        self.agent.gamma = self.gamma

    def learn_in(self, env: gym.Env, n_env_steps: int) -> None:
        """Train by the program's own loop."""
        for _ in self.train(self.agent, env, n_env_steps, seed=0):
            pass

    def q_values(self, state: np.ndarray) -> np.ndarray:
        """Return the action values of one state."""
        with torch.no_grad():
            return self.agent.online(torch.as_tensor(state)).numpy()

    def select_action(self, state: np.ndarray, training: bool = True) -> int:
        """Return the program's action, or the greedy one."""
        return self.agent.act(state) if training else int(self.q_values(state).argmax())


def examine(test: Callable) -> str:
    """Say what a test finds: whether the healthy program passes, and which patients fail."""
    try:
        test(program())
    except Exception as error:
        return f"The healthy program fails your test: {said(error)}."
    found = [letter for letter in PATIENTS if fails(test, letter)]
    return f"The healthy program passes. Patients that fail: {', '.join(found) or 'none'}."


# Exercises


@exercise("debugging.by_hand", "healthy", "unmasked", "all_pairs", "ceiling")
def by_hand(healthy, unmasked, all_pairs, ceiling) -> str:
    """The loss of two transitions, and what two bugs make of it; the largest honest value."""
    q, rewards, best = np.array([2.0, 4.0]), np.array([1.0, 1.0]), np.array([3.0, 10.0])
    open_ended, y = rewards + 0.9 * best, rewards + 0.9 * np.array([1.0, 0.0]) * best

    def mean(y, q=q) -> float:
        return float(np.square(y - q).mean())

    whole = 2 * mean(y), "That is the sum; the loss is the mean."
    expect(
        "healthy",
        healthy,
        mean(y),
        [
            whole,
            (mean(open_ended), "Nothing follows the second transition: its target bootstraps."),
            (mean(rewards + np.array([1, 0]) * best), "The discount is missing."),
            (float(np.abs(y - q).mean()), "The errors are squared."),
            (mean(y, q[:, None]), "Each estimate belongs to one target, its own."),
        ],
        "First the two targets, then the two errors, then their squares.",
    )
    expect(
        "unmasked",
        unmasked,
        mean(open_ended),
        [
            (mean(y), "That is the healthy loss: let the second transition bootstrap as well."),
            (2 * mean(open_ended), whole[1]),
            (mean(rewards), "Without the mask both targets bootstrap; here neither does."),
        ],
        "Only the target of the second transition changes.",
    )
    expect(
        "all_pairs",
        all_pairs,
        mean(y, q[:, None]),
        [
            (mean(y), "That is the healthy loss: two errors. How many pairs are there?"),
            (4 * mean(y, q[:, None]), "That is the sum over the pairs; the loss is their mean."),
            (2 * mean(y, q[:, None]), "There are more pairs than two to divide by."),
            (mean(open_ended, q[:, None]), "The mask is healthy in this one."),
        ],
        "Write the matrix of all estimates against all (masked) targets.",
    )
    steps = 0.99 ** np.arange(500)
    expect(
        "ceiling",
        ceiling,
        float(steps.sum()),
        [
            (500, "That is undiscounted."),
            (100, "That is what an episode without end would be worth, and this one has an end."),
            (float(steps[1:].sum()), "The first reward is not discounted, and it counts."),
            (float(0.99 * steps.sum()), "The first reward is not discounted."),
        ],
        "A geometric series of 500 terms.",
        rel=1e-4,
    )
    return "and of the three losses the smallest belongs to a bug."


@exercise("debugging.diagnosis", "diagnosis")
def diagnosed(diagnosis) -> str:
    """Which bug each patient has."""
    require(
        isinstance(diagnosis, dict),
        f"`diagnosis` should be a dictionary, and it is {diagnosis!r:.60}.",
    )
    unknown = [key for key in diagnosis if key not in PATIENTS]
    require(not unknown, f"There is no patient {unknown[:1]}: the letters go from A to J.")
    named = {letter: name for letter, name in diagnosis.items() if name not in (..., None, "")}
    for letter, name in named.items():
        require(
            isinstance(name, str) and name in BUGS,
            f"`diagnosis[{letter!r}]` is {name!r:.40}; the suspects are {', '.join(BUGS)}.",
        )
    require(bool(named), f"`diagnosis` {EMPTY}.")
    right = [letter for letter in PATIENTS if named.get(letter) == PATIENTS[letter]]
    wrong = [letter for letter in PATIENTS if letter in named and letter not in right]
    so_far = f"{len(right)} of the ten are right ({', '.join(right) or 'none'})"
    if wrong:
        name = named[wrong[0]]
        twice = [letter for letter, other in named.items() if other == name]
        hint = BUGS[PATIENTS[wrong[0]]].look
        also = f" You named {name!r} for {' and '.join(twice)}." if len(twice) > 1 else ""
        raise Wrong(f"{so_far}. Look at {wrong[0]} again.{also} {hint}")
    require(len(right) == len(PATIENTS), f"{so_far}, and the others have no name yet.")
    return "all ten. Now prove it: what fits the curves need not be in the code."


def _require_test(test: Callable, bug: str, name: str) -> None:
    """A test passes on the healthy program and fails on this bug."""
    result = None
    try:
        result = test(program())
    except AssertionError as error:
        raise Wrong(
            f"`{name}` fails on the healthy program ({said(error)}): a false alarm. Is "
            "something in it still dots? If not, work the expected value out by hand again."
        ) from error
    except (Exception, SystemExit) as error:
        raise Wrong(f"`{name}` was given the healthy program, and {said(error)}.") from error
    require(
        result is None,
        f"`{name}` returned {result!r:.40}. A test speaks by `assert`: nothing happens where it "
        "holds, and an AssertionError where it does not.",
    )
    if not fails(test, bug):
        others = sum(fails(test, letter) for letter in PATIENTS)
        raise Wrong(
            f"`{name}` passes on the healthy program, and on the one with {bug!r} as well. It "
            f"catches {others} of the ten. Which value would differ between those two programs?"
        )


@exercise("debugging.mask_test", "test_mask()")
def mask_test(test_mask) -> str:
    """A first unit test: the target of a terminal transition."""
    _require_test(test_mask, "no mask", name_of(test_mask))
    found = [letter for letter in PATIENTS if fails(test_mask, letter)]
    return (
        f"the healthy program passes, and your test fails for {' and '.join(found)}, whatever "
        "their curves look like."
    )


@exercise("debugging.suite", "tests")
def suite(tests) -> str:
    """A unit test for each of the ten."""
    require(isinstance(tests, dict), f"`tests` should be a dictionary, and it is {tests!r:.60}.")
    unknown = [name for name in tests if name not in BUGS]
    require(not unknown, f"There is no suspect {unknown[:1]}; there are {', '.join(BUGS)}.")
    written = {name: tests[name] for name in BUGS if tests.get(name) not in (..., None)}
    require(bool(written), f"`tests` {EMPTY}.")
    caught, trouble = [], ""
    for name, test in written.items():
        require(callable(test), f"`tests[{name!r}]` should be a function of one program.")
        try:
            _require_test(test, name, f"tests[{name!r}]")
            caught.append(name)
        except Wrong as wrong:
            trouble = trouble or f" {wrong}"
    if len(caught) < len(BUGS):
        absent = ", ".join(name for name in BUGS if name not in written)
        missing = "" if trouble else f" Still without a test: {absent}."
        raise Wrong(f"Bugs with a test that finds them: {len(caught)} of 10.{trouble}{missing}")
    return "ten tests pass on the healthy program, and each fails on the bug that it was made for."


@exercise("debugging.eleventh", "line", "planted")
def eleventh(line, planted) -> str:
    """A bug of the learner's own that runs, does harm, and passes all ten tests."""
    for name, text in (("line", line), ("planted", planted)):
        require(isinstance(text, str), f"`{name}` should be a string, and it is {text!r:.60}.")
    found = SOURCE.count(line) if line.strip() else 0
    require(
        found == 1,
        f"`line` occurs {found} times in the program. Copy a whole line of it, or so much that it "
        "can be found in one place only.",
    )
    require(line.strip() != planted.strip(), "`planted` is the healthy line itself.")
    source = SOURCE.replace(line, planted)
    try:
        _compiled(source)
    except SyntaxError as error:
        raise Wrong(f"That is not silent: Python does not read it ({error.msg}).") from error
    for name, test in short_dqn_tests.TESTS.items():
        try:
            test(_module(source))
        except Exception as error:
            raise Wrong(
                f"The test for {name!r} fails on it. Find a place where none of the ten looks."
            ) from error
    use_threads(1)

    def planted_bug() -> float:
        return float(np.mean([greedy_return(_module(source), seed) for seed in SEEDS]))

    result = run(planted_bug)
    require(
        result < HARM,
        f"It runs, and all ten tests pass; but after {STEPS:,} environment steps the agent returns "
        f"more than {HARM}, as a healthy one does. Find one that does harm.",
    )
    return (
        f"all ten tests pass, nothing complains, and after {STEPS:,} environment steps the agent "
        f"returns less than {HARM}. Which test would have found it?"
    )


def greedy_return(dqn: ModuleType, seed: int, n_env_steps: int = STEPS) -> float:
    """Mean greedy return of a program's agent on unseen starts after training on CartPole."""
    agent = dqn.Agent(seed=seed)
    for _ in dqn.train(agent, make_env("CartPole-v1"), n_env_steps, seed):
        pass
    envs = [[make_env("CartPole-v1") for _ in range(10)]]
    played = greedy_together(StackedNetworks([agent.online]), envs, agent.gamma)[0]
    return float(np.mean([episode.episode_return for episode in played]))
