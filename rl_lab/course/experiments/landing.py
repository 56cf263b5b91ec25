"""The recorded lander, step by step, in the page."""

import traitlets

from rl_lab.course.experiments.base import Experiment


class Landing(Experiment):
    """A crash, a hover and a landing, to be moved through step by step.

    A reader sees the lander over its pad, what it observes, its four action values and the
    action they choose, at each environment step of the videos of ``book/studies/videos.py``;
    and each value less the mean of the four over the whole video. Try: stop the landing where
    the lander tilts and see which value is on top; then ask how little decides.

    The traces are those of ``book/studies/landing.py``: one seed, three moments of training.

    Attributes:
        moment: ``"crash"``, ``"hover"`` or ``"landing"``.
        step: environment step of the video.
        speed: 1 is real time, 50 environment steps a second.
    """

    NAME = "landing"
    TITLE = "A landing, step by step"
    SUMMARY = (
        "The lander over its pad at one environment step of a video, with what it observes, a bar "
        "for each of its four action values and the chosen one marked; below, what tells the four "
        "values apart over the whole video. Move through a crash, a hover and a landing with the "
        "slider, or play."
    )
    ASSETS = ("landing",)

    moment = traitlets.Enum(["crash", "hover", "landing"], "landing").tag(sync=True)
    step = traitlets.Int(120, min=0, max=400).tag(sync=True)
    speed = traitlets.Float(0.5, min=0.1, max=2.0).tag(sync=True)
