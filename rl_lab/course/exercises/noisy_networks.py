"""Exercises of the chapter on noisy networks."""

import math

import numpy as np

from rl_lab.course.exercises.answers import Wrong, call, exercise, expect, number, require

MEAN_SIZE = math.sqrt(2 / math.pi)  # of a standard normal number


@exercise("noisy_networks.spread", "independent", "factorised")
def spread(independent, factorised) -> str:
    """Standard deviation of a noisy neuron with the inputs 3 and 4, all sigmas 0.1."""
    hint = "Add the variances: sigma squared times the square of what the noise is multiplied by."
    expect(
        "independent",
        independent,
        0.1 * math.sqrt(26),
        [
            (0.5, "The bias has noise, too."),
            (0.26, "That is the variance. The standard deviation is its root."),
            (0.8, "Variances add, standard deviations do not."),
            (0.7, "Variances add, standard deviations do not; and the bias has noise, too."),
        ],
        hint,
        rel=5e-3,
    )
    m = MEAN_SIZE
    expect(
        "factorised",
        factorised,
        0.1 * math.sqrt(m * (25 * m + 1)),
        [
            (0.1 * math.sqrt(26), "The square of f has the mean 0.798, not 1."),
            (0.1 * m * math.sqrt(26), "The bias has the factor of the output only."),
            (0.1 * math.sqrt(26 * m), "A weight's noise has two factors, each of mean square 0.8."),
            (0.01 * m * (25 * m + 1), "That is the variance. The standard deviation is its root."),
        ],
        "The output's factor is common to all: 0.798 times (25 times 0.798 plus 1), by sigma "
        "squared.",
        rel=5e-3,
    )
    return "three random numbers in place of three here, 128 in place of 4,160 for 64 by 64."


@exercise("noisy_networks.factors", "factors()")
def factors(factors) -> str:
    """The noise of weights and biases from one number per input and one per output."""
    for inputs, outputs in (([4.0, -1.0], [0.25]), ([0.0, 2.25, -9.0], [-1.0, 4.0])):
        given = f"factors({inputs}, {outputs})"
        found = call(factors, np.array(inputs), np.array(outputs))
        weight, bias = _two_arrays(found, given, (len(outputs), len(inputs)))
        own_in, own_out = (np.sign(x) * np.sqrt(np.abs(x)) for x in (inputs, outputs))
        for wrong, sentence in (
            (np.outer(outputs, inputs), "lacks f: the signed root of each number."),
            (np.abs(np.outer(own_out, own_in)), "lost its signs."),
        ):
            require(not np.allclose(weight, wrong), f"The weights' noise {sentence}")
        require(
            np.allclose(own_out, outputs) or not np.allclose(bias, outputs),
            "The biases' noise is f of the outputs' numbers, too.",
        )
        for what, one, right in (
            ("weights", weight, np.outer(own_out, own_in)),
            ("biases", bias, own_out),
        ):
            require(np.allclose(one, right), f"{given}: the noise of the {what} is {one.tolist()}.")
    return "p + q random numbers for p times q weights."


def _two_arrays(found, given: str, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    try:
        weight, bias = found
        weight, bias = np.asarray(weight, float), np.asarray(bias, float)
    except (TypeError, ValueError) as error:
        raise Wrong(f"{given} must return two arrays, of weights and of biases.") from error
    require(
        weight.shape == shape,
        f"{given}: the weights' noise has the shape {weight.shape}, not {shape}: one row for each "
        "output.",
    )
    require(bias.shape == shape[:1], f"{given}: there are as many biases as outputs.")
    require(
        np.isfinite(weight).all() and np.isfinite(bias).all(),
        f"{given} holds NaN: take the root of the size, and give it the sign.",
    )
    return weight, bias


@exercise("noisy_networks.reaches", "reaches()")
def reaches(reaches) -> str:
    """The share of tries that reach the prize where the noise is left on in evaluation."""
    for gap, noise, rooms in ((0.1, 0.2, 4), (0.2, 0.1, 8), (1.0, 0.2, 12)):
        right = 0.5 * (1 + math.erf(gap / noise / math.sqrt(2)))
        expect(
            f"reaches({gap}, {noise}, {rooms})",
            number(
                call(reaches, gap, noise, rooms),
                f"reaches({gap}, {noise}, {rooms})",
            ),
            right**rooms,
            [
                (1.0, "That is so without noise."),
                (right, "That is one room. All of them must be passed."),
                (1 - (1 - right) ** rooms, "That is at least one room. All must be passed."),
                (1 - right, "That is the share of wrong doors in one room."),
                ((1 - right) ** rooms, "That is the share with wrong doors only."),
            ]
            if abs(right**rooms - 1) > 1e-4
            else (),
            "A room is passed if the noise of the difference is above minus the gap.",
            rel=1e-3,
        )
    return "the chance of the right door, to the power of the rooms."
