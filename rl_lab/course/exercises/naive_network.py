"""Exercises of the chapter on the naive network."""

import numpy as np

from rl_lab.course.exercises.answers import Wrong, call, exercise, expect, number, require

ALPHA, EPSILON = 0.1, 0.1  # of the two-state example


@exercise("naive_network.threshold", "at_0", "at_half", "safe_from")
def threshold(at_0, at_half, safe_from) -> str:
    """Where the two-state example begins to diverge."""
    hint = "It is where the factor (6 - 4 epsilon) gamma - 5 changes its sign."
    expect(
        "at_0",
        at_0,
        5 / 6,
        [(5 / 5.6, "That is for epsilon = 0.1."), (6 / 5, "It is upside down.")],
        hint,
    )
    expect(
        "at_half",
        at_half,
        5 / 4,
        [
            (1.0, "The sign may well change beyond every discount: do not cut it off at 1."),
            (4 / 5, "It is upside down."),
            (5 / 6 - 2, "Mind the parentheses: all of 6 - 4 epsilon divides."),
        ],
        hint,
    )
    expect(
        "safe_from",
        safe_from,
        0.25,
        [
            (0.5, "That is safe, but not the smallest. Where does the threshold reach 1?"),
            (1.0, "That is the discount. Which epsilon puts the threshold there?"),
        ],
        "Set the threshold equal to the largest discount, 1, and solve for epsilon.",
    )
    return "where episodes end soon, the loop is not fed."


@exercise("naive_network.sampled", "sampled()")
def sampled(sampled) -> str:
    """One sampled transition an update."""
    expect("sampled(0, n_updates=0)", call(sampled, 0, 0, 0.99), 1, (), "w starts at 1.")
    runs = [number(call(sampled, s, 20, 0.99), "sampled(seed, 20)") for s in (1, 1, 2, 3)]
    require(
        runs[0] == runs[1],
        "The same seed gave two results. Draw from a generator of your own: "
        "`np.random.default_rng(seed)`.",
    )
    require(len(set(runs)) > 1, "Different seeds give the same w: is `seed` used?")
    _compare_steps(sampled)
    ends = np.array([number(call(sampled, s, 1_000, 0.99), "sampled") for s in range(20)])
    require(bool((ends > 1e4).all()), "After 1,000 updates w should have grown on every seed.")
    return "it diverges on every seed with sampled updates, too."


def _compare_steps(sampled) -> None:
    """Which values w takes after a single update at gamma = 0.6, and how often."""
    gamma, n = 0.6, 2_000
    first = [number(call(sampled, seed, 1, gamma), "sampled(seed, 1)") for seed in range(n)]
    steps, counts = np.unique(np.round(first, 6), return_counts=True)
    found = dict(zip(steps.tolist(), (counts / n).tolist(), strict=True))
    from_1 = 1 + ALPHA * 1 * (gamma * 2 - 1)
    goes_on = 1 + ALPHA * 2 * (gamma * 2 - 2)
    ends = 1 + ALPHA * 2 * (0 - 2)
    expected = {from_1: 0.5, goes_on: 0.5 * (1 - EPSILON), ends: 0.5 * EPSILON}
    small = {1 + ALPHA * (gamma * 2 - 2), 1 + ALPHA * (0 - 2)}
    expected = {round(value, 6): share for value, share in expected.items()}
    if small & {round(value, 6) for value in found}:
        raise Wrong("The steps from state 2 are too short: its gradient is its feature, 2.")
    require(
        round(ends, 6) in found,
        "No update ever saw the episode end. From state 2 it does so with probability 0.1, and "
        "nothing is bootstrapped then.",
    )
    require(
        set(found) == set(expected),
        "A single update should have three possible results: from state 1, from state 2 going "
        f"on, from state 2 at the end. Yours has {len(found)} at gamma = 0.6, and not the same. "
        "Look at the target and at the feature of each.",
    )
    odd = [value for value, share in expected.items() if abs(found[value] - share) > 0.05]
    require(
        not odd,
        "The three results come up with the wrong frequencies: state 1 and state 2 are equally "
        "likely, and the end follows state 2 in one case of ten.",
    )


@exercise("naive_network.adam", "adam_walk()")
def adam(adam_walk) -> str:
    """The explosion with Adam's steps."""
    expect("adam_walk(0)", call(adam_walk, 0), 1, (), "w starts at 1.")
    expect(
        "adam_walk(1)",
        call(adam_walk, 1),
        1.1,
        [
            (0.9, "It moves the other way. An optimiser walks *against* the gradient it is given."),
            (1.001, "The step is 0.001, Adam's own default. Is `lr=0.1` set?"),
            (1.0272, "That is the step without Adam: 2.7 % of w."),
            (1.0, "Nothing moved. Is `weight.grad` set before `adam.step()`?"),
        ],
        "Adam's first step is as long as its step size, whatever the gradient.",
        rel=1e-5,
    )
    end = number(call(adam_walk, 1_000), "adam_walk(1_000)")
    require(
        end > 50,
        f"After 1,000 updates w is only {end:.3g}. Does each update see the gradient at the "
        "*present* w, with the sign kept?",
    )
    require(end < 500, f"After 1,000 updates w is {end:.3g}: that is no walk. Is Adam in use?")
    return "slowed to a walk, not cured: the direction is as wrong as before."
