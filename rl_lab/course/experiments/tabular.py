"""Tables in the page: Q-learning on FrozenLake, and CartPole cut into bins."""

import traitlets

from rl_lab.course.experiments.base import Experiment


class FrozenLake(Experiment):
    """Q-learning walks over the 4 x 4 FrozenLake, and all 64 values are on the map.

    A reader sees four values and the best action on every square, where the walker stands,
    and the largest distance to Q* over environment steps. Try: lower the learning rate once
    the arrows point the best way, and the distance falls; where nothing slips, a learning rate of 1
    finds the exact values; with epsilon 0 all but one way to the goal stays unknown.

    A setting that is changed counts from then on; the table is kept. The distance is to
    the exact values of the present discount and ice.

    Attributes:
        alpha: learning rate.
        gamma: discount per environment step.
        epsilon: probability of a random action.
        slippery: whether a move goes astray two times out of three.
        speed: environment steps a second while it plays.
        steps: environment steps done before the first picture.
        seed: of walk, ice and ties.
        state: ``{"steps": environment steps, "distance": largest error against Q*}``.
    """

    NAME = "frozen_lake"
    TITLE = "Q-learning on FrozenLake"
    SUMMARY = (
        "A map of the lake with the four learned values of every square and an arrow for the best "
        "action, beside a chart of the largest and the mean error against the exact values. It "
        "opens after 20,000 environment steps of Q-learning. Play on, change learning rate, "
        "discount, exploration or the ice, and see which of them brings the error down."
    )

    alpha = traitlets.Float(0.5, min=0.01, max=1.0).tag(sync=True)
    gamma = traitlets.Float(0.99, min=0.0, max=0.99).tag(sync=True)
    epsilon = traitlets.Float(0.5, min=0.0, max=1.0).tag(sync=True)
    slippery = traitlets.Bool(True).tag(sync=True)
    speed = traitlets.Enum([2, 20, 200, 2000], 200).tag(sync=True)
    steps = traitlets.Int(20_000, min=0, max=200_000).tag(sync=True)
    seed = traitlets.Int(0, min=0, max=2**32 - 1).tag(sync=True)


class BinnedCartPole(Experiment):
    """CartPole's four numbers in k bins each: what the table costs, and how much of it is used.

    A reader sees a grid of two of the numbers with the bins that were visited, the visited
    share of all 2 k^4 entries for every k, and what the tables of the study
    ``tabular_cartpole`` earned. Try: add bins, and the share falls with the fourth power;
    let the player balance, and it visits even less.

    The environment steps are played in the page, from the seed: a push is random with
    probability `chance`, and else follows a rule that balances the pole.

    Attributes:
        k: bins per number.
        chance: share of random pushes.
        steps: environment steps that are played.
        pair: the two numbers in the picture, counted from 0 in Gymnasium's order.
        seed: of starts and random pushes.
        state: ``{"entries": size of the table, "visited": entries that were visited}``.
    """

    NAME = "bins"
    TITLE = "A table for CartPole"
    SUMMARY = (
        "A grid of the pole's angle and angular velocity, in k bins each, with the bins that a "
        "player visited; beside it the visited share of all entries, and the returns of the "
        "stored tables, over k. Add bins, or let the player balance, and see what becomes of "
        "both."
    )
    ASSETS = ("tabular_cartpole.final",)

    k = traitlets.Int(10, min=1, max=20).tag(sync=True)
    chance = traitlets.Float(1.0, min=0.0, max=1.0).tag(sync=True)
    steps = traitlets.Int(60_000, min=1_000, max=60_000).tag(sync=True)
    pair = traitlets.Enum(["2 3", "0 1", "0 2", "1 3"], "2 3").tag(sync=True)
    seed = traitlets.Int(0, min=0, max=2**32 - 1).tag(sync=True)
