"""What a lander expected on stored flights, as a distribution, in the page."""

import traitlets

from rl_lab.course.experiments.base import Experiment


class LanderDistribution(Experiment):
    """Three flights of a lander that learned the distribution of its return.

    A reader sees the lander over its pad, the distribution of the return that it expects of the
    action it chooses, with its mean and what the flight returned in the end; and the distribution
    over the whole flight, as shades. Try: find where the crash has two peaks.

    The flights are those of ``book/studies/lander_distribution.py``: one agent.

    Attributes:
        flight: ``"landing"``, ``"crash"``, or ``"surprise"``, a crash that was not expected.
        step: environment step of the flight.
        speed: 1 is real time, 50 environment steps a second.
    """

    NAME = "lander_distribution"
    TITLE = "What the lander expects"
    SUMMARY = (
        "The lander over its pad at one environment step of a stored flight, and bars for the "
        "probability of each return that it expects of its chosen action; below, the same "
        "distribution over the whole flight. Move through a landing and two crashes with the "
        "slider, or play."
    )
    ASSETS = ("lander_distribution",)

    flight = traitlets.Enum(["landing", "crash", "surprise"], "landing").tag(sync=True)
    step = traitlets.Int(60, min=0, max=1000).tag(sync=True)
    speed = traitlets.Float(0.5, min=0.1, max=2.0).tag(sync=True)
