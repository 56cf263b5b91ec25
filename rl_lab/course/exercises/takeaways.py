"""Exercises of the last chapter."""

import numpy as np

from rl_lab.course.exercises.answers import call, exercise, expect, number, require, table


@exercise("takeaways.bias", "value")
def bias(value) -> str:
    """What a small bias of every target becomes."""
    expect(
        "value",
        value,
        (1 + 0.99 * 0.1) / (1 - 0.99),
        [
            (100.1, "The bias is in *every* target, also in those of the next state."),
            (100.099, "The bias is in *every* target, also in those of the next state."),
            (110, "The maximum is discounted before it enters the target, its error with it."),
            (100, "That is the value without bias."),
            (9.9, "That is what the bias adds."),
            (109, "Almost: 0.1 in the maximum of the next state is 0.099 in the target."),
        ],
        "Write V = 1 + gamma (V + 0.1) and solve for V.",
        rel=2e-4,
    )
    return "a bias of the maximum is multiplied by gamma / (1 - gamma), which is 99."


@exercise("takeaways.coins", "found")
def coins(found) -> str:
    """Seeds of 20 that find the prize by exploring always."""
    seeds = table(found, "found", (6, 12))
    require(
        all(0 <= n <= 20 and n == int(n) for n in seeds.values()),
        "Count the seeds, of 20, on which `first_find` is not NaN.",
    )
    require(
        seeds != {6: 0, 12: 19},
        "You counted the seeds that did *not* find it.",
    )
    require(
        seeds[6] >= 18,
        f"With 6 rooms it was found on {seeds[6]:.0f} seeds only. Does epsilon stay at 1? It falls "
        "to `epsilon_min` otherwise.",
    )
    require(
        seeds[12] <= 8,
        f"With 12 rooms it was found on {seeds[12]:.0f} seeds, more than coin tosses allow. Does "
        "the table start at 0?",
    )
    return "coin tosses are as far as exploring at random goes."


@exercise("takeaways.clip", "without_minimum()")
def clip(without_minimum) -> str:
    """PPO's clipped term alone."""
    for ratio, advantage, right, full, why in [
        (1.1, 2.0, 2.2, 2.2, "Inside the clip the ratio counts as it is."),
        (1.5, 1.0, 1.2, 1.2, "The ratio is clipped to 1 + c, then multiplied."),
        (0.5, 1.0, 0.8, 0.5, "The ratio is clipped to 1 - c, then multiplied."),
        (1.5, -1.0, -1.2, -1.5, "The ratio is clipped to 1 + c, then multiplied."),
        (0.5, -1.0, -0.8, -0.8, "The ratio is clipped to 1 - c, then multiplied."),
    ]:
        product = ratio * advantage
        mistakes = [
            (full, "That is the whole objective: the minimum is still there."),
            (product, "That is the ratio without any clip."),
            (float(np.clip(product, 0.8, 1.2)), "Clip the ratio, not the product."),
        ]
        name = f"without_minimum({ratio}, {advantage:+.0f})"
        value = number(call(without_minimum, ratio, advantage), name)
        expect(name, value, right, mistakes, why)
    other = call(without_minimum, 2.0, 1.0, 0.5)
    expect("without_minimum(2, +1, c=0.5)", other, 1.5, (), "Is `c` used?")
    return "the two cases in which a policy has gone the wrong way lose their way back."
