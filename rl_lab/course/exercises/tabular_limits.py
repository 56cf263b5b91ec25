"""Exercises of the chapter on tables."""

import numpy as np

from rl_lab.agents.tabular import QLearningAgent
from rl_lab.course.exercises.answers import call, exercise, expect, require, run, table

# Mean absolute errors of the tables, as the chapter's own experience gives them.
SIZES = {2: 5.7, 4: 4.8, 6: 4.5, 8: 4.7, 10: 4.8, 16: 7.1}


@exercise("tabular_limits.count", "entries", "gigabytes", "weights")
def count(entries, gigabytes, weights) -> str:
    """A table and a network for LunarLander."""
    expect(
        "entries",
        entries,
        4 * 10**8,
        [
            (10**8, "That counts the rows. How many values stand in a row?"),
            (8 * 10 * 4, "Bins of different numbers are combined, not listed one after another."),
            (4 * 8**10, "Base and exponent are exchanged: how many choices has *each* number?"),
            (2 * 10**8, "CartPole has two actions. How many has LunarLander?"),
        ],
        "A row for each combination of bins, and a value for each action.",
    )
    expect(
        "gigabytes",
        gigabytes,
        3.2,
        [
            (0.4, "That is one byte an entry."),
            (3.2e9, "Those are bytes; a gigabyte is a thousand million of them."),
            (25.6, "An entry has 8 bytes, not 8 bytes of 8 bits each again."),
        ],
        "Multiply the entries by 8 bytes.",
        rel=0.08,  # a gigabyte of 2**30 bytes is as good
    )
    layers = 8 * 256 + 256 * 256 + 256 * 4
    expect(
        "weights",
        weights,
        layers + 256 + 256 + 4,
        [
            (layers, "Each unit has a bias, too."),
            (8 * 256 + 256 * 4 + 256 + 4, "There are two hidden layers, and weights between them."),
            (8 + 256 + 256 + 4, "Those are the units. Each pair of units has a weight."),
        ],
        "Three linear layers: 8 to 256, 256 to 256, 256 to 4, each with its biases.",
    )
    return "the table would need thousands of times as many numbers as the network."


@exercise("tabular_limits.mask", "Forgetful()")
def mask(Forgetful) -> str:
    """Q-learning that looks beyond the end of an episode."""
    end, middle = _table_after(Forgetful, done=True), _table_after(Forgetful, done=False)
    require(
        end.any() or middle.any(),
        "After one update of `Forgetful` its table is still the old one. Does your `update` call "
        "`super().update(...)`?",
    )
    right = 0.5 * (1 + 0.9 * 4)  # from 0, half of the way to r + gamma max Q(s', .)
    masked, no_reward = 0.5 * 1, 0.5 * 0.9 * 4
    expect(
        "Q(s, a) after a transition that does not end the episode",
        middle[0, 1],
        right,
        [(masked, "It is treated as an end: there the mask should have no say.")],
        "Only the treatment of ends should change.",
    )
    expect(
        "Q(s, a) after a transition that ends the episode",
        end[0, 1],
        right,
        [
            (masked, "That is what the careful agent learns: the end is still taken for an end."),
            (no_reward, "The reward was lost on the way."),
        ],
        "It should move towards r + gamma max Q(s', .), as everywhere else.",
    )
    return "it treats the last transition of an episode like any other."


def _table_after(kind, done: bool) -> np.ndarray:
    """Row 0 starts at 0, row 1 is worth 4: the table after one step from one to the other."""
    agent = call(kind, 2, 2, lr=0.5, gamma=0.9, seed=0)
    require(isinstance(agent, QLearningAgent), "`Forgetful` should be a kind of QLearningAgent.")
    agent.q[1] = 4.0
    run(agent.update, 0, 1, 1.0, 1, done)
    agent.q[1] = 0.0
    return agent.q


@exercise("tabular_limits.bins", "by_size")
def bins(by_size) -> str:
    """The error of a table, by the number of bins."""
    errors = table(by_size, "by_size", SIZES)
    require(
        min(errors.values()) > 0,
        "An error is below 0. Errors of both signs cancel in a mean: take absolute values first.",
    )
    ratio = {k: errors[k] / known for k, known in SIZES.items()}
    require(
        max(ratio.values()) < 2,
        "The errors are far too large. Are they squared, or summed where a mean was meant?",
    )
    off = [k for k in SIZES if abs(errors[k] - SIZES[k]) > 0.1]
    require(
        not off,
        f"For k = {', '.join(map(str, off))} another error was found. Take all 100 test pairs, "
        "visited or not, and the mean over all 10 seeds.",
    )
    return "a size in between is best. Coarse bins mix what differs, fine ones stay empty."
