"""Exercises of the chapter on Double DQN."""

import numpy as np

from rl_lab.course.exercises.answers import (
    call,
    call_for_array,
    exercise,
    expect,
    number,
    require,
)


@exercise("double_dqn.coins", "two", "three", "valued")
def coins(two, three, valued) -> str:
    """The largest of several estimates that are 3 once in four times, and -1 otherwise."""
    sizes = "It is 3 if at least one estimate is 3, and -1 otherwise."
    expect(
        "two",
        two,
        0.75,
        [
            (0, "Each estimate is 0 on average. Their maximum is asked for."),
            (1.0, "Half of the cases? One of two is 3 less often: both can be 3 at once."),
            (-0.75, "That is the smallest of the two, on average. The largest is asked for."),
            (7 / 16, "That is how often the largest is 3. What is it on average?"),
        ],
        sizes,
    )
    expect(
        "three",
        three,
        21 / 16,
        [
            (37 / 64, "That is how often the largest is 3. What is it on average?"),
            (2.0, "Three chances of one in four overlap: take the chance that none is 3."),
            (0.75, "That is the answer for two actions."),
        ],
        sizes,
    )
    expect(
        "valued",
        valued,
        0,
        [(21 / 16, "The estimate that chose does not value.")],
        "The second estimate knows nothing of the choice.",
    )
    return "the bias grows with the number of actions, and an independent second estimate has none."


# What a mistake makes of the three transitions below, and its hint.
_ONLINE = np.array([[1.5, 3.0, 2.0], [5.0, 0.0, 1.0], [0.0, 1.0, 4.0]])
_TARGET = np.array([[6.0, 2.0, 4.0], [3.0, 9.0, 7.0], [8.0, 5.0, 1.0]])
_REWARDS, _DONES, _GAMMA = np.array([1.0, -1.0, 2.0]), np.array([0.0, 0.0, 1.0]), 0.5


def _targets(bootstrap, masked=True):
    return _REWARDS + _GAMMA * (1 - masked * _DONES) * bootstrap


_ROWS = np.arange(3)
_MISTAKES = (
    (_targets(_TARGET.max(1)), "This is the plain target: the target network chooses and values."),
    (
        _targets(_ONLINE.max(1)),
        "The online network chooses and values here. It should only choose.",
    ),
    (
        _targets(_ONLINE[_ROWS, _TARGET.argmax(1)]),
        "The two have changed places: the online network chooses, the target network values.",
    ),
    (
        _targets(_TARGET[_ROWS, _ONLINE.argmax(1)], masked=False),
        "After a terminal state there is no value.",
    ),
    (_targets(_ONLINE.argmax(1)), "`argmax` is the number of an action, not its value."),
)


@exercise("double_dqn.target", "target()")
def target(target) -> str:
    """The Double DQN target of a minibatch, in NumPy."""
    given = [_ONLINE, _TARGET, _REWARDS, _DONES]
    found = call_for_array(target, *(array.copy() for array in given), _GAMMA)
    require(
        found.shape == (3,),
        f"Three transitions have three targets; the shape of yours is {found.shape}. A row of "
        "values is chosen from by a pair of indices: the row, and the action.",
    )
    for wrong, hint in _MISTAKES:
        require(not np.allclose(found, wrong), hint)
    right = _targets(_TARGET[_ROWS, _ONLINE.argmax(1)])
    for row, (value, expected) in enumerate(zip(found, right, strict=True)):
        expect(f"target(...)[{row}]", value, expected, (), "Compute it by hand for this row.")
    return "one network chooses, the other values, and a terminal state has no value."


@exercise("double_dqn.needed", "needed()")
def needed(needed) -> str:
    """The smallest period with which Double keeps at most half of the bias."""
    for machines in (40, 10, 20):
        expect(
            f"needed({machines})",
            number(call(needed, machines), f"needed({machines})"),
            _needed(1 - 0.1 / (2 * machines)),
            [
                (320, "That is about right for ten machines only."),
                (_needed(1 - 0.1 / machines), "One door of two leads to the hall."),
                (_needed(1 - 0.1 / 2), "A machine is one of several."),
                (_needed(1 - 1 / (2 * machines)), "An update replaces a tenth of the error."),
            ],
            "Begin with f: how much of a machine's error does an episode leave, on average?",
            rel=4e-3,
        )
    return "the more rarely a machine is played, the longer its error lives, and so the period."


def _needed(f: float) -> int:
    """The smallest period for which the shared part of the bias is at most one half."""
    return next(c for c in range(1, 10_000) if (1 - f**c) / (c * (1 - f)) <= 0.5)
