"""Divergence in the page: one weight, two states, and a discount that decides."""

import traitlets

from rl_lab.course.experiments.base import Experiment


class Divergence(Experiment):
    """The two-state example: bootstrapping through one shared weight, update by update.

    A reader sees the weight over 1,000 expected updates, the factor per update over gamma,
    and the discount at which this factor passes 1. Try: move gamma across the threshold;
    change the learning rate, which moves no threshold; weight the states as an agent visits
    them; freeze the target for a longer period, and see what that changes and what not.

    Attributes:
        gamma: discount per environment step.
        epsilon: probability that state 2 ends the episode.
        alpha: learning rate, at most 0.4: from 0.5 on, with some weightings, it would add a
            divergence of its own, whatever the discount.
        target_period: updates between two copies of the weight to the target; 1 is none.
        weighting: how much each state counts, ``"uniform"`` or ``"visited"``.
        update: the update at which the numbers are read.
        state: ``{"weight": at this update, "factor": per update, "threshold": of gamma}``.
    """

    NAME = "divergence"
    TITLE = "One weight, two states"
    SUMMARY = (
        "A chart of the size of one weight over 1,000 expected updates of the two-state example, "
        "on a log scale, and one of the factor per update over gamma, with the threshold where it "
        "passes 1. Move gamma, epsilon, the learning rate and the target period, and see which "
        "decide whether the weight decays or diverges, and which only how fast."
    )

    gamma = traitlets.Float(0.99, min=0.5, max=1.0).tag(sync=True)
    epsilon = traitlets.Float(0.1, min=0.0, max=1.0).tag(sync=True)
    alpha = traitlets.Float(0.1, min=0.01, max=0.4).tag(sync=True)
    target_period = traitlets.Int(1, min=1, max=500).tag(sync=True)
    weighting = traitlets.Enum(["uniform", "visited"], "uniform").tag(sync=True)
    update = traitlets.Int(1_000, min=0, max=1_000).tag(sync=True)
