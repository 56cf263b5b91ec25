"""What DQN learns from, in the page: a ring of transitions, and a target that holds still."""

import traitlets

from rl_lab.course.experiments.base import Experiment


class MovingTarget(Experiment):
    """A network that learns the corridor of the chapter, beside its target and the exact values.

    A reader sees the value of a step in each of the ten cells three times: by the online
    network, by the target network and exactly; and the error against Q* over environment
    steps, run after run in one chart. Try: play with period 100 and watch the target jump;
    then period 1,000, then 1, which is no target network; then a soft copy.

    The corridor, the network and all settings are those of ``book/studies/chain.py``: 4,000
    environment steps of a random walk, an update after each, two hidden layers of 32 units
    that read the position.

    Attributes:
        refresh: ``"hard"`` copies after every `period` updates, ``"soft"`` ones by `tau`.
        period: updates between two hard copies; 1 is no target network.
        tau: share of the online weights that each update copies.
        action: whose values are drawn.
        speed: updates per second.
        seed: of weights, walk and minibatches.
        state: after each complete run, ``{"runs": [...]}``: label and last error of each.
    """

    NAME = "moving_target"
    TITLE = "A moving target"
    SUMMARY = (
        "On the left, the value of a step in each cell of the corridor: exactly, by the online "
        "network, and by the target network that it chases. On the right, the error against the "
        "exact values while it learns. Press Play, and change the period of the copies, or make "
        "them soft; the curves of earlier runs stay."
    )

    refresh = traitlets.Enum(["hard", "soft"], "hard").tag(sync=True)
    period = traitlets.Int(100, min=1, max=4_000).tag(sync=True)
    tau = traitlets.Float(0.02, min=1e-4, max=1.0).tag(sync=True)
    action = traitlets.Enum(["right", "left"], "right").tag(sync=True)
    speed = traitlets.Float(100.0, min=1.0, max=1_000.0).tag(sync=True)
    seed = traitlets.Int(0, min=0, max=2**30 - 1).tag(sync=True)


class ReplayRing(Experiment):
    """A replay buffer that fills with the CartPole transitions of a random player.

    A reader sees the ring with its episodes, the slots of the latest minibatch and the one
    that is overwritten next; the correlation of rows within minibatches, taken in a row and
    drawn; the ages of the draws beside what is expected; and what a minibatch is worth in
    independent transitions. Try: watch the hand come round and overwrite the oldest
    episode; then a capacity of 50, then of 10,000.

    The measures are those of the chapter on replay. A minibatch of each kind is taken after
    every `batch` environment steps, so that those in a row do not overlap.

    Attributes:
        capacity: slots of the ring.
        batch: rows of a minibatch.
        feature: of the state, whose correlation and worth are shown.
        speed: environment steps per second.
        seed: of the player, and of the draws.
        state: ``{"env_steps": so far, "minibatches": drawn}``.
    """

    NAME = "replay_ring"
    TITLE = "A ring of memories"
    SUMMARY = (
        "A ring of slots fills with CartPole transitions, episode by episode, and a hand shows "
        "which slot is overwritten next; dots mark the slots of the latest minibatch. Below, the "
        "correlation of rows in a minibatch, for neighbours in a row and for drawn ones, and the "
        "ages of what was drawn. Change capacity and batch size."
    )

    capacity = traitlets.Int(300, min=4, max=10_000).tag(sync=True)
    batch = traitlets.Int(32, min=2, max=128).tag(sync=True)
    feature = traitlets.Enum(
        ["cart position", "cart velocity", "pole angle", "angular velocity"], "pole angle"
    ).tag(sync=True)
    speed = traitlets.Float(50.0, min=1.0, max=1_000.0).tag(sync=True)
    seed = traitlets.Int(0, min=0, max=2**30 - 1).tag(sync=True)
