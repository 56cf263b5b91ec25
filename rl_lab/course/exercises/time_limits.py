"""Exercises of the chapter on time limits."""

import numpy as np

from rl_lab.course.exercises.answers import call, exercise, expect, number, require


@exercise("time_limits.disguise", "learned_value", "limit")
def disguise(learned_value, limit) -> str:
    """What a hidden limit takes from the value of a pole."""
    expect(
        "learned_value",
        learned_value,
        1 / (1 - 0.99 * (1 - 1 / 50)),
        [
            (100, "That is the true value. One transition in 50 gets the target 1."),
            ((1 - 0.99**50) / 0.01, "That is for an agent that sees how much time is left."),
            (1, "Only the last transition has the target 1."),
            (1 / (1 - 0.99 * 1 / 50), "The share that goes on is 1 - 1/50, not 1/50."),
        ],
        "One target in 50 is 1, and the others are 1 + 0.99 V. Solve for V.",
    )
    expect(
        "limit",
        limit,
        891,
        [
            (890, "One environment step less, and more than a tenth is lost."),
            (892, "It is one environment step less."),
            (230, "That is for an agent that sees the clock, at the start of an episode."),
        ],
        "Set 1 / (1 - 0.99 + 0.99 / L) = 90, and round up.",
        rel=1e-6,
    )
    return "it takes a limit nine times the horizon before a hidden clock costs only a tenth."


@exercise("time_limits.clock", "one_state()")
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
        "steps, and is the learning rate 0.005?",
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
    return "a clock that nobody sees costs every state that looks the same."


@exercise("time_limits.leak", "leak()")
def leak(leak) -> str:
    """A transition whose last observation is that of the next episode."""
    for before, right in (
        ((3, 1, 0.0, 4, False), (3, 1, 0.0, 4, False)),
        ((4, 1, 2.0, 5, True), (4, 1, 2.0, 1, True)),
    ):
        after = call(leak, *before)
        require(
            isinstance(after, tuple) and len(after) == 5,
            "`leak` should return a tuple of five: cell, action, reward, next_cell, truncated.",
        )
        numbers = [number(np.float64(x) if isinstance(x, bool) else x, "leak()") for x in after]
        name = f"leak{before}"
        if not before[4]:
            require(numbers[3] == 4, f"`{name}`: within an episode nothing changes.")
        require(numbers[3] != 5, f"`{name}` still holds the true last cell, 5.")
        require(numbers[3] != 0, f"`{name}`: episodes start in cell 1, not in cell 0.")
        require(
            bool(numbers[4]) == before[4], f"`{name}`: the flag stays; only the next cell changes."
        )
        require(tuple(numbers) == right, f"`{name}` is {after}, and should be {right}.")
    return "a state from another episode, with all flags as they should be."
