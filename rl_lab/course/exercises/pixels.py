"""Exercises of the chapter on pixels."""

import numpy as np

from rl_lab.course.exercises.answers import call, exercise, expect, require


@exercise("pixels.size", "places", "weights", "dense")
def size(places, weights, dense) -> str:
    """The first layer of Mnih et al. (2015), and a dense layer in its place."""
    expect(
        "places",
        places,
        20,
        [
            (
                19,
                "Divide what is left of the width by the step, and count the first place as well.",
            ),
            (21, "84 / 4 places would let the last filters hang over the edge."),
            (77, "That is for a filter that moves by one pixel."),
            (400, "That is for both directions together; asked is one."),
        ],
        "From one place to the next the filter moves by 4, and it is 8 wide.",
    )
    expect(
        "weights",
        weights,
        32 * (4 * 64 + 1),
        [
            (32 * 4 * 64, "The biases are missing, one for each filter."),
            (32 * (64 + 1), "A filter has a table for each of the four frames."),
            (4 * 64 + 1, "That is one filter."),
            (400 * 32 * (4 * 64 + 1), "The same weights serve every place."),
        ],
        "A filter has 8 x 8 weights for each frame, and one bias.",
    )
    made = 32 * 20 * 20
    expect(
        "dense",
        dense,
        made * (4 * 84 * 84 + 1),
        [
            (made * 4 * 84 * 84, "The biases are missing, one for each output."),
            (made * (84 * 84 + 1), "It reads four frames."),
            (32 * (4 * 84 * 84 + 1), "The output is 32 pictures, not 32 numbers."),
        ],
        "Each of its outputs has a weight for each pixel of each frame, and one bias.",
    )
    return f"the filters need one weight where the dense layer has {dense / weights:,.0f}."


@exercise("pixels.stack", "stack()")
def stack(stack) -> str:
    """Frames of one episode, from frames that are stored once."""
    first = np.zeros(14, bool)
    first[[0, 5, 6]] = True  # the second episode has one frame only
    frames = np.arange(14)[:, None, None] * np.ones((1, 2, 3), int)
    cases = {
        (12, 4): ([9, 10, 11, 12], "The last of them is frame i, and they follow each other."),
        (6, 4): ([6, 6, 6, 6], "Frame 6 begins an episode: there is nothing before it."),
        (8, 4): ([6, 6, 7, 8], "The episode of frame 8 begins at frame 6."),
        (1, 4): ([0, 0, 0, 1], "There are no frames before the first one that was stored."),
        (5, 2): ([5, 5], "Frame 5 begins an episode."),
        (9, 3): ([7, 8, 9], "Is `depth` used?"),
    }
    for (i, depth), (right, hint) in cases.items():
        found = np.asarray(call(stack, frames, first, i, depth))
        called = f"`stack(frames, first, {i}, {depth})`"
        require(
            found.shape == (depth, 2, 3),
            f"{called} has shape {found.shape}; asked is [depth, H, W], here {(depth, 2, 3)}.",
        )
        rows = found[:, 0, 0].tolist()
        require(
            rows == right,
            f"{called} holds the frames {rows}, where episodes begin at 0, 5 and 6. "
            f"{'Oldest first, please.' if rows[::-1] == right else hint}",
        )
    return "no stack reaches into another episode."


@exercise("pixels.twice", "largest")
def twice(largest) -> str:
    """What is left of a picture that is divided by 255 once too often."""
    expect(
        "largest",
        largest,
        1 / 255,
        [
            (1, "That is what the wrapper hands on. The network divides by 255 as well."),
            (255, "That is what the environment hands on, before either division."),
            (0, "The wrapper turns 255 into 1, and 1 / 255 is small, but not 0."),
            (1 / 255**2, "A cell holds 255 before the first division, not 1."),
        ],
        "Follow a cell that holds 255 through both divisions.",
    )
    return "all that is left of white is the darkest grey but black."
