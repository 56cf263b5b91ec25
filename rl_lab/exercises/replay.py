"""Exercises of the chapter on replay."""

import numpy as np

from rl_lab.exercises.answers import call, exercise, expect, number, require


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


@exercise("replay.clock", "one_state()")
def clock(one_state) -> str:
    """A value of 100, and what a false terminal makes of it."""
    wrong_flag = 1 / (1 - 0.99 * (1 - 1 / 500))
    careful = number(call(one_state, False), "one_state(False)")
    careless = number(call(one_state, True), "one_state(True)")
    require(
        abs(careful - 100) < 1 or abs(careful - wrong_flag) > 3,
        "With `done_at_limit=False` the value is that of the wrong flag. Then no step at all may "
        "be passed as `done`; `truncated=True` marks the cut.",
    )
    expect(
        "one_state(False)",
        careful,
        100,
        [(1, "Each step was told to be terminal.")],
        "Nothing ends here, so it must come to 1 / (1 - gamma). Are there 500 episodes of 500 "
        "steps, and is the step size 0.005?",
        rel=0.01,
    )
    expect(
        "one_state(True)",
        careless,
        wrong_flag,
        [
            (100, "Nothing has changed: the step at the limit must be passed with `done=True`."),
            (1, "Each step was told to be terminal, not only the 500th."),
        ],
        "Only the last step of each episode, one in 500, is told to be terminal.",
        rel=0.03,
    )
    return "a clock that nobody sees is charged to every state alike."


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
