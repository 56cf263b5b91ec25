"""Exercises of the chapter on distributions of returns."""

import numpy as np

from rl_lab.course.exercises.answers import call, exercise, expect, number, require


def _three(value, name: str) -> np.ndarray:
    """Three probabilities that sum to 1, or a sentence."""
    try:
        array = np.asarray(value, float)
    except (TypeError, ValueError):
        array = np.empty(0)
    require(array.shape == (3,), f"`{name}` should be a list of three numbers, one for each atom.")
    require(
        bool(np.isfinite(array).all()) and abs(array.sum() - 1) < 1e-3,
        f"`{name}` sums to {array.sum():.3g}: probability is moved, never made or lost.",
    )
    return array


def _expect_three(name: str, value, right: tuple, mistakes, otherwise: str) -> None:
    given = _three(value, name)
    if np.allclose(given, right, atol=1e-3):
        return
    for wrong, hint in mistakes:
        require(not np.allclose(given, wrong, atol=1e-3), f"`{name}`: {hint}")
    require(False, f"`{name}`: {otherwise}")


@exercise("distributional.target", "target", "terminal", "lost")
def target(target, terminal, lost) -> str:
    """The projection on three atoms, with and without a future, and what a clamp takes."""
    _expect_three(
        "target",
        target,
        (0.15, 0.65, 0.2),
        [
            ((0.2, 0.3, 0.5), "These are the probabilities before anything was moved."),
            ((0.35, 0.35, 0.3), "The nearer atom has the larger share: shares are crosswise."),
            ((0.2, 0.8, 0.0), "The nearer atom does not get everything; the mean would change."),
        ],
        "Move each atom to 2 + 0.5 z, then share it between the atoms on its two sides.",
    )
    _expect_three(
        "terminal",
        terminal,
        (0.6, 0.4, 0.0),
        [
            ((0.4, 0.6, 0.0), "2 is nearer to 0 than to 5: which atom has the larger share?"),
            ((0.15, 0.65, 0.2), "After a terminal state nothing follows: the discount is 0."),
            ((0.2, 0.3, 0.5), "After a terminal state the return is the reward, 2."),
        ],
        "All of the probability sits at the reward, 2; share it between 0 and 5.",
    )
    expect(
        "lost",
        lost,
        1.65,
        [
            (-1.65, "The mean falls, by how much? Give it as a positive number."),
            (3.5, "Each atom beyond the end loses its distance times its probability."),
            (1.5, "The second atom is beyond the end as well."),
            (9.6, "That is the mean after the clamp; by how much did it fall?"),
            (11.25, "That is the mean before the clamp; by how much does it fall?"),
        ],
        "8 + 0.5 z gives 8, 10.5 and 13: what lies above 10 is moved to 10.",
    )
    return "the projection keeps the mean, until something is clamped."


@exercise("distributional.worst", "worst()")
def worst(worst) -> str:
    """The mean of the worst share of a distribution."""
    z = np.array([0.0, 2.0, 4.0, 6.0])
    p = np.array([0.1, 0.2, 0.3, 0.4])
    mean = float(p @ z)
    for share, right, mistakes in (
        (1.0, mean, [(z.mean(), "Weigh each atom with its probability.")]),
        (0.1, 0.0, [(mean, "That is the mean of everything, not of the worst part.")]),
        (
            0.5,
            (0.2 * 2 + 0.2 * 4) / 0.5,
            [
                (mean, "That is the mean of everything, not of the worst part."),
                ((0.2 * 2 + 0.2 * 4), "Divide by the share, so that it is a mean."),
                ((0.2 * 2 + 0.3 * 4) / 0.5, "Of the atom on the border only a part counts."),
                ((0.2 * 2 + 0.3 * 4) / 0.6, "Of the atom on the border only a part counts."),
                (0.2 * 2 / 0.3, "A part of the atom on the border counts as well."),
                ((0.1 * 4 + 0.4 * 6) / 0.5, "That is the best half."),
            ],
        ),
    ):
        found = number(call(worst, p.copy(), z.copy(), share), f"worst(p, z, {share})")
        expect(
            f"worst(p, z, {share}) with p = 0.1, 0.2, 0.3, 0.4 and z = 0, 2, 4, 6",
            found,
            right,
            mistakes,
            "Fill up the share from the lowest atom on, and take the mean of what is in it.",
        )
    return "with share = 1 it is the Q-value, and with less it is a cautious one."


@exercise("distributional.wrapped", "crash", "half")
def wrapped(crash, half) -> str:
    """Where probability goes if the projection is not clamped."""
    name = "crash"
    _expect_three(
        name,
        crash,
        (0.0, 0.0, 1.0),
        [
            ((1.0, 0.0, 0.0), "That is what the clamp does. Without it, `lower` is -1."),
            ((0.0, 1.0, 0.0), "In Python, `target[-1]` is the last entry of a list."),
        ],
        "`place` is -1, and so is `lower`. Which entry is `target[-1]`?",
    )
    _expect_three(
        "half",
        half,
        (0.5, 0.0, 0.5),
        [
            ((1.0, 0.0, 0.0), "That is what the clamp does. Without it, `lower` is -1."),
            ((0.0, 0.0, 1.0), "`place` is -0.5: the share of `lower + 1`, which is 0, is a half."),
            ((0.0, 0.5, 0.5), "`lower + 1` is 0, the first entry."),
        ],
        "`place` is -0.5, so `lower` is -1, and each of the two has a half.",
    )
    return "a crash became the best return there is, and no error was raised."
