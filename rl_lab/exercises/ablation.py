"""Exercises of the chapter on the ablation."""

import numpy as np

from rl_lab.exercises.answers import call, exercise, expect, number, require
from rl_lab.stats import iqm


@exercise("ablation.pairs", "middle", "improvement")
def pairs(middle, improvement) -> str:
    """An inter-quartile mean and a probability of improvement on paper."""
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


@exercise("ablation.best", "judged_by_best()")
def best(judged_by_best) -> str:
    """What becomes of a score when each run shows its best moment."""
    rows = np.array([[10, 90, 0, 20, 5], [80, 10, 30, 20, 5], [20, 30, 10, 70, 5]], float)
    right = float(iqm(rows.max(axis=0)))
    expect(
        "judged_by_best(returns) of five runs with three evaluations",
        call(judged_by_best, rows.copy()),
        right,
        [
            (float(iqm(rows[-1])), "Those are the final agents; take the best moment of each."),
            (rows.max(), "That is the best moment of all runs together: one for each run, please."),
            (
                float(iqm(rows.max(axis=1))),
                "That is the best *run* at each moment. Rows are moments, columns are runs.",
            ),
            (
                float(np.max(iqm(rows, axis=1))),
                "That is the best moment of the average run. Each run has a best moment of its own",
            ),
            (float(rows.max(axis=0).mean()), "Take the inter-quartile mean of the best moments."),
            (float(np.median(rows.max(axis=0))), "That is the median of the best moments."),
        ],
        "First the maximum of each column, then the inter-quartile mean of these.",
    )
    return "it rewards whoever swings most."


@exercise("ablation.width", "mean_width()")
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
