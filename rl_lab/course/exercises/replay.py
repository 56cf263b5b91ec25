"""Exercises of the chapter on replay."""

import numpy as np

from rl_lab.course.exercises.answers import call, exercise, expect, number, require


@exercise("replay.twins", "twin_probability()")
def twins(twin_probability) -> str:
    """The chance that a minibatch holds a transition twice."""
    n, batch = 500, 32
    different = float(np.prod(1 - np.arange(batch) / n))
    value = number(call(twin_probability, n, batch), "twin_probability(500, 32)")
    require(
        0 <= value <= 1,
        f"`twin_probability(500, 32)` is {value:.3g}, and a probability lies between 0 and 1.",
    )
    expect(
        "twin_probability(500, 32)",
        value,
        1 - different,
        [
            (different, "That is the probability that all are different."),
            (0, "That would be so without replacement. `ReplayBuffer` puts each one back."),
            (batch / n, "That is the size of the minibatch over that of the buffer."),
            (1 - (1 - 1 / n) ** batch, "That is the chance to meet *one given* transition."),
            (1 - (1 - 1 / n) ** (batch - 1), "Only pairs with the first one are counted."),
            (
                1 - float(np.prod(1 - np.arange(1, batch + 1) / n)),
                "One factor too many: the first draw cannot repeat anything.",
            ),
        ],
        "Multiply the chances that each draw differs from all before it.",
        rel=5e-3,
    )
    expect(
        "twin_probability(50_000, 32)",
        call(twin_probability, 50_000, 32),
        1 - float(np.prod(1 - np.arange(batch) / 50_000)),
        (),
        "For 500 it was right: is a 500 still written in the function?",
    )
    pair = call(twin_probability, 10, 2)
    expect("twin_probability(10, 2)", pair, 0.1, (), "Is the batch size used?")
    return "twins are the rule in a small buffer, and rare in a large one."


@exercise("replay.age", "mean_age", "warm_up")
def age(mean_age, warm_up) -> str:
    """How old a sampled transition is, in a full ring and in one that is filling."""
    expect(
        "mean_age",
        mean_age,
        24_999.5,
        [(25_000, "Ages begin at 0, not at 1."), (50_000, "That is the capacity.")],
        "The ages 0 to N - 1 occur once each: take their mean.",
        rel=1e-6,
    )
    expect(
        "warm_up",
        warm_up,
        4_999.5,
        [(24_999.5, "The ring is not full yet."), (5_000, "Ages begin at 0, not at 1.")],
        "The ring holds 10,000 transitions, of the ages 0 to 9,999.",
        rel=1e-6,
    )
    return "half of what is stored lies between a sample and today."


@exercise("replay.alias", "in_tiny", "in_library")
def alias(in_tiny, in_library) -> str:
    """What two buffers hold of an array that is written over."""
    tiny, library = _three(in_tiny, "in_tiny"), _three(in_library, "in_library")
    require(
        (tiny, library) != ([0, 1, 2], [2, 2, 2]),
        "The two are exchanged: look at what each `push` does with `state`.",
    )
    require(
        tiny != [0, 1, 2],
        "`in_tiny` lists what was pushed. Does `TinyRing` keep the numbers, or the array in which "
        "they stood?",
    )
    require(
        tiny != [0, 0, 0],
        "`in_tiny` holds the first value three times. The array is written over *after* the push: "
        "what does it hold at the end?",
    )
    require(tiny == [2, 2, 2], f"`in_tiny` is {tiny}. How many arrays are there in all?")
    require(
        library != [2, 2, 2],
        "`in_library` is what a buffer of references would hold. What does the assignment to a "
        "row of a matrix do?",
    )
    require(library == [0, 1, 2], f"`in_library` is {library}. Run it, slot by slot.")
    return "one stores a name, the other the numbers."


def _three(values, name: str) -> list[int]:
    """Three whole numbers."""
    try:
        numbers = [float(number(value, name)) for value in list(values)]
    except TypeError:
        numbers = []
    require(len(numbers) == 3, f"`{name}` should be a list of three numbers, slots 0, 1 and 2.")
    return [int(n) if n == int(n) else n for n in numbers]
