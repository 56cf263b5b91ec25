"""A sum tree in the page: eight transitions to draw from, in proportion to their errors."""

import traitlets

from rl_lab.course.experiments.base import Experiment


class SumTreeDraws(Experiment):
    """Draws from a prioritized memory of eight transitions, one level of its sum tree at a time.

    A reader sees a random number go down the tree, left or right, to the leaf on which it falls; a
    tally of the draws beside the probabilities; the importance weights; and, when an error
    changes, which sums are formed anew. Try: say left or right before each step; drag an error;
    then alpha 1, and alpha 0.

    The tree, the probabilities and the weights are those of `rl_lab.prioritized`. Each draw is of
    its own, as in a minibatch of one; the weights are those of a minibatch of all eight.

    Attributes:
        errors: sizes of the eight last TD errors.
        alpha: how much they matter; 0 is uniform sampling.
        beta: how much of the bias the weights undo.
        seed: of the draws.
        state: ``{"tally": draws of each, "leaf": the last one}``.
    """

    NAME = "sum_tree"
    TITLE = "Draw from a sum tree"
    SUMMARY = (
        "A sum tree over eight stored transitions, whose errors can be changed. A draw goes down "
        "from the root, left or right, to one leaf; a tally of the draws stands beside the "
        "probabilities and the importance weights. Learning from a transition changes its error, "
        "and the sums above it are formed anew. Change alpha and beta, too."
    )

    errors = traitlets.List(
        traitlets.Float(min=0.0, max=10.0), [1.0, 1.0, 1.0, 8.0, 1.0, 1.0, 1.0, 1.0],
        minlen=8, maxlen=8,
    ).tag(sync=True)  # fmt: skip
    alpha = traitlets.Float(0.6, min=0.0, max=1.0).tag(sync=True)
    beta = traitlets.Float(0.4, min=0.0, max=1.0).tag(sync=True)
    seed = traitlets.Int(0, min=0, max=2**32 - 1).tag(sync=True)
