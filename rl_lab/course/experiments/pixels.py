"""The game of bricks in the page: a trained network beside the reader."""

import traitlets

from rl_lab.course.experiments.base import Experiment


class BricksLive(Experiment):
    """Two games of bricks from the same starts: one for the network, one for the reader.

    A reader sees both games; the network's three action values, the planes that it is shown, and
    for each cell how much its values would change if the cell were empty. Try: play against it;
    then pause before it catches the ball and see which cells decide.

    The game is `rl_lab.bricks`, in JavaScript; the weights are those of ``book/studies/player.py``.

    Attributes:
        seed: of the starts, the same for both players.
        speed: environment steps a second.
        state: after each episode, ``{"returns": {"network": [...], "you": [...]}}``.
    """

    NAME = "bricks_live"
    TITLE = "Play against the network"
    SUMMARY = (
        "Two boards of 10 by 10 cells, each with bricks, a ball and a paddle: a trained network "
        "plays the left one, you play the right one. Below them stand the network's three action "
        "values, the four planes that it sees, and a map of the cells that matter to it."
    )
    ASSETS = ("bricks",)

    seed = traitlets.Int(0, min=0, max=2**32 - 1).tag(sync=True)
    speed = traitlets.Float(6.0, min=1.0, max=20.0).tag(sync=True)
