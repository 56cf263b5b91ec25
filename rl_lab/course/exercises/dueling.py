"""Exercises of the chapter on dueling networks."""

import numpy as np

from rl_lab.course.exercises.answers import (
    call,
    call_for_array,
    exercise,
    expect,
    number,
    require,
)


@exercise("dueling.split", "value", "advantage", "moves")
def split(value, advantage, moves) -> str:
    """Value and advantage of the action values 4, 1, 1, 2, and what an update spills over."""
    expect(
        "value",
        value,
        2,
        [(4, "That is the best action's value."), (8, "That is the sum.")],
        "V is the mean of the action values.",
    )
    expect(
        "advantage",
        advantage,
        2,
        [(0, "That would be so if V were the largest value."), (4, "That is the action's value.")],
        "By how much is the first action above V?",
    )
    expect(
        "moves",
        moves,
        0.3,
        [
            (0, "In a table. Here the actions share V."),
            (0.7, "The others move less: they do not share the first action's advantage."),
            (0.35, "That is so without the mean, or for very many actions."),
            (0.4, "That is how far V moves; the other advantages fall."),
        ],
        "What share of the first action's rise reaches each other one, with four actions?",
    )
    return "an action that was not tried has moved, too."


@exercise("dueling.head", "head()")
def head(head) -> str:
    """Action values from the value of each state and the advantages."""
    value = np.array([5.0, -1.0])
    advantages = np.array([[2.0, 0.0, -5.0], [1.0, 3.0, 2.0]])
    found = call_for_array(head, value.copy(), advantages.copy())
    require(
        found.shape == (2, 3),
        f"Two states and three actions have values of shape (2, 3), not {found.shape}.",
    )
    total = value[:, None] + advantages
    for wrong, hint in (
        (total, "A constant can still move between the two: the mean is missing."),
        (total - advantages.max(1, keepdims=True), "That subtracts the largest, not the mean."),
        (total - advantages.mean(), "That is one mean for all states. Each row has its own."),
        (total - advantages.mean(0), "That is a mean over the states. It is over the actions."),
        (advantages - advantages.mean(1, keepdims=True), "Where is V?"),
    ):
        require(not np.allclose(found, wrong), hint)
    right = total - advantages.mean(1, keepdims=True)
    require(
        np.allclose(found, right),
        f"The values are {found.tolist()}. Compute a row by hand: is its mean V?",
    )
    return "V is the mean of each row."


@exercise("dueling.spill", "spill()")
def spill(spill) -> str:
    """How far the other actions move in a dueling head whose advantages are not centred."""
    for m in (2, 4, 16):
        expect(
            f"spill({m})",
            number(call(spill, m), f"spill({m})"),
            0.5,
            [
                ((m - 1) / (2 * m - 1), "That is for the head that subtracts the mean."),
                (1.0, "The trained action moves twice: by V, and by its own advantage."),
                (0.0, "V is shared by all actions: whoever trains one moves all."),
                (1 / m, "No mean is taken, so that the number of actions has no say."),
            ],
            "By how much does V move, and by how much the advantage of the trained action?",
        )
    return "half of every update spills over, and nothing says any more what V is."
