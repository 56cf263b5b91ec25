"""Exercises of the chapter on luck."""

import numpy as np

from rl_lab.course.exercises.answers import call, exercise, expect, number, require


@exercise("luck.pairs", "middle", "improvement")
def pairs(middle, improvement) -> str:
    """An interquartile mean and a probability of improvement on paper."""
    expect(
        "middle",
        middle,
        310,
        [
            (316, "That is the mean of all five: cut a quarter at each end first."),
            (300, "That is the median. Here three values are left after the cut."),
            (930, "That is the sum of the middle three."),
        ],
        "Sort, leave out the lowest and the highest, average the rest.",
    )
    expect(
        "improvement",
        improvement,
        0.7,
        [
            (10 / 15, "There is a tie between the two; it counts for something."),
            (11 / 15, "A tie is not a whole win."),
            (0.3, "That is the probability that Y improves on X."),
            (10.5, "That is a number of pairs. Of how many?"),
            (0.5, "Compare every X with every Y, not place by place."),
        ],
        "Count the wins of X over all fifteen pairs; a tie is half a win.",
    )
    return "the middle of X, and the share of pairs that it wins."


@exercise("luck.width", "mean_width()")
def width(mean_width) -> str:
    """How an interval narrows with the number of seeds."""
    population = np.random.default_rng(5).normal(100.0, 20.0, 30)
    few = number(call(mean_width, population, 5), "mean_width(population, 5)")
    ten, forty = (number(call(mean_width, population, n), f"mean_width({n})") for n in (10, 40))
    again = number(call(mean_width, population, 10), "mean_width(population, 10)")
    require(ten == again, "The same study gave two widths: draw from a generator with a seed.")
    require(ten > 0, "A width is the upper end minus the lower end, and so above 0.")
    require(
        few > ten > forty,
        "More seeds do not make your interval narrower. Is `n` the number of seeds in each study?",
    )
    of_the_mean = 2 * 1.96 * population.std() / np.sqrt(40)
    require(
        forty > 0.7 * of_the_mean,
        "Your intervals are far too narrow. Measure the whole interval, and let each study draw "
        "its seeds *with* replacement.",
    )
    require(
        forty < 1.6 * of_the_mean,
        "Your intervals are far too wide: they should be those of the mean of the middle half, "
        "not of a single seed.",
    )
    ratio = forty / ten
    require(
        0.4 < ratio < 0.62,
        f"Four times the seeds leave a share of {ratio:.2f} of the width; theory has another.",
    )
    return "four times the work buys about half of the width."


def _shuffled(wins: str) -> tuple[np.ndarray, np.ndarray]:
    """Scores of two variants, seed by seed: 1 where x beats all of y so far, 0 the reverse."""
    sign = np.array([1.0 if win == "1" else -1.0 for win in wins])
    size = sign * np.arange(1, len(wins) + 1)
    return size, -size


@exercise("luck.peeking", "found()")
def peeking(found) -> str:
    """Whether a test repeated after each seed ever finds a difference."""
    for name, wins, right, hint in [
        (
            "five seeds far apart, then the reverse",
            "11111000",
            True,
            "After five seeds p was below 0.05. Look after each seed, not at the end alone.",
        ),
        ("seeds that take turns", "101010101010", False, "There p was never below 0.05."),
        (
            "four seeds far apart, then turns",
            "11110000",
            False,
            "p is below 0.05 after four seeds, and never from the fifth on. Begin with five.",
        ),
        (
            "a difference that shows with the last seed",
            "001111",
            True,
            "p is below 0.05 with all seeds, and with no fewer. Is the last look included?",
        ),
    ]:
        made = call(found, *_shuffled(wins))
        require(
            isinstance(made, bool | np.bool_),
            f"`found` should return True or False, and it returned {made!r:.40}.",
        )
        require(bool(made) == right, f"`found` said {bool(made)} for {name}. {hint}")
    return "every look is another chance to be misled."
