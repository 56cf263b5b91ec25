"""Exercises of the chapter on n-step returns and prioritized replay."""

import numpy as np

from rl_lab.course.exercises.answers import call, exercise, expect, number


@exercise("better_memory.returns", "first", "second", "at_limit")
def returns(first, second, at_limit) -> str:
    """Three-step targets of an episode of four steps."""
    expect(
        "first",
        first,
        2.5,
        [
            (1.5, "The rewards are right. After three steps the episode goes on, and has a value."),
            (3.5, "The value that follows is discounted three times."),
            (5.5, "The value that follows is discounted three times."),
            (9.5, "The value that follows is discounted three times."),
            (11, "Rewards and value are discounted, once for every step that they lie ahead."),
            (3, "The reward of the third step is discounted twice, by 0.25."),
        ],
        "Add three rewards, discounted 0, 1 and 2 times, and the value after them, 3 times.",
    )
    expect(
        "second",
        second,
        2,
        [
            (3, "That would be so after a time limit. What follows a terminal state?"),
            (5, "The reward of 4 lies two steps ahead."),
            (6, "The rewards are discounted, the first of them not."),
        ],
        "Its rewards are 0, 2 and 4, and nothing follows.",
    )
    expect(
        "at_limit",
        at_limit,
        3,
        [
            (2, "A time limit ends the episode, not the value of the state where it happens."),
            (10, "The value lies three steps ahead: discount it three times."),
            (4, "The value lies three steps ahead: discount it three times."),
            (6, "The value lies three steps ahead: discount it three times."),
        ],
        "Take the answer before it, and add the discounted value of the last state.",
    )
    return "a return is cut where the episode ends, and only a terminal state takes the value away."


@exercise("better_memory.find", "find()")
def find(find) -> str:
    """The search in a sum tree."""
    nodes = [0.0, 10.0, 4.0, 6.0, 1.0, 3.0, 2.0, 4.0]
    hint = "At each node compare x with the sum of the left child."
    for x, leaf, mistakes in (
        (0.5, 0, ()),
        (5.5, 2, [(0, "It always goes left."), (3, "Going right, subtract the sum on the left.")]),
        (2.0, 1, [(0, "It does not go right where x is not below the left sum.")]),
        (1.0, 1, [(0, "1.0 is not *below* the running sum 1: it falls on the second leaf.")]),
        (9.9, 3, ()),
    ):
        found = number(call(find, list(nodes), x), f"find(nodes, {x})")
        expect(f"find(nodes, {x}) with leaves 1, 3, 2, 4", found, leaf, mistakes, hint)
    larger = [0.0, 8.0, 4.0, 4.0, 2.0, 2.0, 2.0, 2.0] + [1.0] * 8
    found = number(call(find, larger, 5.5), "find of a tree with eight leaves")
    expect("find of a tree with eight leaves of 1, x = 5.5", found, 5, (), "Go down to the leaves.")
    return "one comparison a level: twenty for a million transitions."


@exercise("better_memory.rest", "rest()")
def rest(rest) -> str:
    """Where a table rests that learns from prioritized samples without weights."""
    for p in (0.1, 0.9, 0.5, 0.2):
        odds = np.sqrt(p / (1 - p))
        expect(
            f"rest({p})",
            number(call(rest, p), f"rest({p})"),
            odds / (1 + odds),
            [
                (p, "That is the mean, which the weights would restore."),
                (1 - p, "That is the probability of a reward of 0."),
                (p**2 / (p**2 + (1 - p) ** 2), "Frequencies are not squared; errors are."),
                (np.sqrt(p), "Set the pull of the ones equal to that of the zeros, and solve."),
            ]
            if p != 0.5
            else (),
            "Ones pull with p (1 - V) (1 - V), zeros with (1 - p) V V; at rest they are equal.",
            rel=1e-3,
        )
    return "whatever is rare counts too much, for good or bad."
