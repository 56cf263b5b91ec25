"""Two sets of noisy estimates in the page: one chooses, the other says what the choice is worth."""

import traitlets

from rl_lab.course.experiments.base import Experiment


class TwoEstimates(Experiment):
    """The largest of several noisy estimates, and a second estimate of the action that it names.

    A reader sees one draw, two estimates of every action and which of the first set is largest;
    and, over many draws, the mean of the largest and the mean of the second estimate of the same
    action, beside what is expected of both. Try: raise the number of actions; let one action be
    better than the others, by less than the noise; let the two sets share their errors.

    Errors are uniform, as in the chapter on what to take away. What is expected is integrated, not
    drawn.

    Attributes:
        actions: of the state.
        lead: value of the first action; the others are worth 0.
        noise: largest error of an estimate.
        shared: share of each error that both estimates of an action have in common.
        seed: of the draws.
        state: ``{"draws": so far, "largest": mean, "second": mean}``.
    """

    NAME = "two_estimates"
    TITLE = "One chooses, one values"
    SUMMARY = (
        "On the left, two noisy estimates of the value of each action; the largest of the first "
        "set chooses an action. On the right, over many draws, the mean of that largest estimate "
        "and of the second estimate of the same action, beside what is expected of both and what "
        "the best action is worth. Change the number of actions, the lead of the first, the noise, "
        "and how much of it the two sets share."
    )

    actions = traitlets.Int(10, min=2, max=20).tag(sync=True)
    lead = traitlets.Float(0.0, min=0.0, max=2.0).tag(sync=True)
    noise = traitlets.Float(1.0, min=0.1, max=2.0).tag(sync=True)
    shared = traitlets.Float(0.0, min=0.0, max=1.0).tag(sync=True)
    seed = traitlets.Int(0, min=0, max=2**32 - 1).tag(sync=True)
