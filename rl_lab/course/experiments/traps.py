"""Rooms with traps in the page: a table that explores by epsilon, and one by noise."""

import traitlets

from rl_lab.course.experiments.base import Experiment


class TrapRooms(Experiment):
    """Two tables walk the same rooms with traps: one is epsilon-greedy, one has noisy values.

    A reader sees which share of the tries passed each room, and how many rooms a try passed as the
    tries went on. Try: add a room, and count the tries that it costs; start with more noise, then
    make the prize larger and see whether the same noise still explores.

    The rooms are `rl_lab.envs.Traps`; the coin in each trap is a tenth of the prize. The noisy
    table is a `NoisyLinear` layer on one-hot rooms, with a draw for each value of its own: mean and
    noise of a value learn by the same error.

    Attributes:
        rooms: to the prize.
        epsilon: probability of a random door in the first table.
        sigma: what the noise of each value is at first, in units of reward.
        prize: behind the last room.
        seed: of all draws.
        state: ``{"tries": so far, "epsilon": prizes, "noise": prizes}``.
    """

    NAME = "traps"
    TITLE = "Epsilon against noise"
    SUMMARY = (
        "Two tables look for a prize behind rooms with one safe door and one trap each. On the "
        "left, the share of tries that passed each room; on the right, rooms passed over tries. "
        "Change the number of rooms, epsilon, the first noise and the prize, and see how far each "
        "of the two gets, and whether its exploration ends."
    )

    rooms = traitlets.Int(6, min=2, max=12).tag(sync=True)
    epsilon = traitlets.Float(0.5, min=0.0, max=1.0).tag(sync=True)
    sigma = traitlets.Float(0.5, min=0.0, max=5.0).tag(sync=True)
    prize = traitlets.Float(1.0, min=0.1, max=20.0).tag(sync=True)
    seed = traitlets.Int(0, min=0, max=2**32 - 1).tag(sync=True)
