"""How many seeds a comparison needs, in the page: studies drawn from a stored one."""

import traitlets

from rl_lab.course.experiments.base import Experiment

ARMS = ("both", "replay only", "target only", "neither", "both, double")


class HowManySeeds(Experiment):
    """Small studies drawn from the thirty stored seeds of the study ``replay_target``.

    A reader sees the curves of one study of k seeds, interquartile mean and 95 % bootstrap
    band, over those of all thirty seeds; and beside them how often a study of so many seeds
    names another winner than all thirty do. Try: draw studies of 3 seeds and watch the
    winner change; then find the k at which the dot falls below one in twenty; then judge
    by the final agents.

    Draws are with replacement, as in the chapter on luck; a tie of two counts half. The
    share is that of 2,000 studies.

    Attributes:
        arms: of the stored study, two or more to compare.
        k: seeds per arm.
        measure: ``"area"`` under the greedy curve, or the ``"final"`` agent's return.
        seed: of the draws.
        state: after each study, ``{"studies": drawn so far, "wrong": of those}``.
    """

    NAME = "how_many_seeds"
    TITLE = "How many seeds?"
    SUMMARY = (
        "On the left, the curves of a study with only a few of the thirty stored seeds of each "
        "arm, with bootstrap bands, over those of all thirty. On the right, the share of such "
        "studies that name the wrong winner, over the number of seeds. Draw studies, and change "
        "the number of seeds, the arms and the measure."
    )
    ASSETS = ("replay_target.evals", "replay_target.final")

    arms = traitlets.List(traitlets.Enum(ARMS), ["both", "replay only"]).tag(sync=True)
    k = traitlets.Int(3, min=1, max=30).tag(sync=True)
    measure = traitlets.Enum(["area", "final"], "area").tag(sync=True)
    seed = traitlets.Int(0, min=0, max=2**32 - 1).tag(sync=True)
