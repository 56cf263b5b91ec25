"""Exercises of the chapter on the ablation."""

import numpy as np

from rl_lab.course.exercises.answers import call, exercise, expect, require
from rl_lab.stats import iqm


@exercise("ablation.effects", "replay_effect", "target_effect", "interaction")
def effects(replay_effect, target_effect, interaction) -> str:
    """Main effects and interaction of a 2 x 2 design on paper."""
    whole = (80, "That is the gain of both ideas together.")
    expect(
        "replay_effect",
        replay_effect,
        50,
        [
            (
                60,
                "That is replay's gain with the target network. Average it with the gain without.",
            ),
            (
                40,
                "That is replay's gain without the target network. Average it with the gain with.",
            ),
            (100, "That is the sum of the two gains; take their mean."),
            (30, "That is the target network's effect."),
            whole,
        ],
        "Switch replay on, once with and once without the target network, and average the gains.",
    )
    expect(
        "target_effect",
        target_effect,
        30,
        [
            (40, "That is the gain with replay. Average it with the gain without."),
            (20, "That is the gain without replay. Average it with the gain with."),
            (60, "That is the sum of the two gains; take their mean."),
            (50, "That is replay's effect."),
            whole,
        ],
        "Switch the target network on, once with and once without replay, and average the gains.",
    )
    expect(
        "interaction",
        interaction,
        20,
        [
            (-20, "The gain *with* the other idea comes first."),
            (10, "This chapter takes the whole difference of the two gains, not half of it."),
            (0, "The gains do not add up: one is larger beside the other idea."),
            whole,
        ],
        "The target network's gain with replay, minus its gain without.",
    )
    return "two averages, and what they hide."


@exercise("ablation.clusters", "resample()")
def clusters(resample) -> str:
    """One resample of seeds, each with all of its runs."""
    runs = np.array([np.arange(50.0), np.arange(50.0) + 100])  # run of seed s: s, and s + 100
    rng = np.random.default_rng(0)
    draws = [np.asarray(call(resample, runs.copy(), rng)) for _ in range(3)]
    require(
        draws[0].shape == (100,),
        f"The resample has the shape {draws[0].shape}; all runs of the drawn seeds in one flat "
        "array are (100,) here, two of each of the 50 seeds drawn.",
    )
    require(np.isin(draws[0], runs).all(), "The resample holds scores that no run has.")
    for draw in draws:
        firsts, seconds = np.sort(draw[draw < 100]), np.sort(draw[draw >= 100]) - 100
        require(
            len(firsts) == len(seconds) and bool((firsts == seconds).all()),
            "A seed was drawn without its second run, or with that of another seed: draw seeds, "
            "and take a whole column for each.",
        )
        require(len(set(firsts)) < 50, "No seed was drawn twice: draw with replacement.")
    require(
        not np.array_equal(draws[0], draws[1]),
        "Two resamples were the same: draw from the generator that is passed, without a seed.",
    )
    again = np.asarray(call(resample, runs.copy(), np.random.default_rng(0)))
    require(
        np.array_equal(again, draws[0]),
        "The same generator gave another resample: draw from `rng` alone.",
    )
    return "seeds are drawn, and bring all of their runs."


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
            (float(rows.max(axis=0).mean()), "Take the interquartile mean of the best moments."),
            (float(np.median(rows.max(axis=0))), "That is the median of the best moments."),
        ],
        "First the maximum of each column, then the interquartile mean of these.",
    )
    return "it rewards whoever swings most."
