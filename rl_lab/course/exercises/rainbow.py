"""Exercises of the chapter on Rainbow."""

import math

import numpy as np

from rl_lab.agents.dqn import DQNAgent
from rl_lab.course.exercises.answers import Wrong, call, exercise, expect, require
from rl_lab.distributional import Categorical
from rl_lab.networks import DuelingQNetwork
from rl_lab.prioritized import PrioritizedReplay


@exercise("rainbow.company", "alone_a", "beside_b", "added_up")
def company(alone_a, beside_b, added_up) -> str:
    """What a part brings alone and in company: returns of 100, 160, 150 and 170."""
    expect(
        "alone_a",
        alone_a,
        60,
        [(70, "That is what both bring together."), (160, "That is the return, not the gain.")],
        "Compare A with neither.",
    )
    expect(
        "beside_b",
        beside_b,
        20,
        [
            (10, "That is what B brings beside A."),
            (70, "That is what both bring together."),
            (60, "That is what A brings alone."),
        ],
        "Compare both with B alone.",
    )
    expect(
        "added_up",
        added_up,
        210,
        [
            (110, "That is the gain. What do they reach from 100?"),
            (170, "That is what they reach. What would they, if gains added up?"),
            (310, "Add the gains, not the returns."),
        ],
        "Add the gains of A alone and of B alone to the return of neither.",
    )
    return "both bring 70, not 110, so each looks smaller in company than alone."


@exercise("rainbow.best", "best_arm()")
def best(best_arm) -> str:
    """Rainbow with epsilon in place of noise."""
    for asked in ((4, 2, 0.0, 100.0), (3, 5, -1.0, 1.0)):
        agent = call(best_arm, *asked)
        if not isinstance(agent, DQNAgent):
            raise Wrong(f"`best_arm` should return a DQNAgent, and it returns {agent!r:.60}.")
        _require_best(agent, *asked)
    return "five parts and an epsilon."


def _require_best(
    agent: DQNAgent, obs_dim: int, n_actions: int, v_min: float, v_max: float
) -> None:
    objective = agent.objective
    require(
        (agent.obs_shape, agent.n_actions) == ((obs_dim,), n_actions),
        "It is made for another task: use `obs_dim` and `n_actions`.",
    )
    require(not agent.is_noisy, "Its layers are still noisy: leave `linear` out.")
    require(
        agent.epsilon > 0,
        "It has no noise, and its epsilon is 0: it would never try anything.",
    )
    require(isinstance(objective, Categorical), "It learns a mean: where is C51?")
    require(objective.double, "Its target is not that of Double DQN.")
    require(
        (objective.v_min, objective.v_max) == (v_min, v_max),
        "Its atoms do not run from `v_min` to `v_max`.",
    )
    require(
        isinstance(agent.online, DuelingQNetwork), "Its network does not part into two streams."
    )
    require(isinstance(agent.replay, PrioritizedReplay), "Its replay is uniform.")
    require(agent.n_step == 3, f"Its transitions span {agent.n_step} step(s), not 3.")


@exercise("rainbow.blind", "healthy", "planted", "unnoticed")
def blind(healthy, planted, unnoticed) -> str:
    """A weighted mean of the losses 2 and 4, and a bug that multiplies all pairs."""
    expect(
        "healthy",
        healthy,
        2.0,
        [
            (4.0, "That is the sum. The loss is the mean over the minibatch."),
            (8 / 3, "Divide by the number of transitions, not by the sum of the weights."),
            (2.25, "That is what the bug makes of it."),
        ],
        "Each loss times its own weight, and the mean of the two.",
    )
    expect(
        "planted",
        planted,
        2.25,
        [(9.0, "That is the sum of all four."), (4.5, "There are four products.")],
        "Every weight times every loss: four products, and their mean.",
    )
    try:
        weights = np.asarray(unnoticed, dtype=float)
    except (TypeError, ValueError) as error:
        raise Wrong("`unnoticed` should be two numbers, such as [1, 0.5].") from error
    require(
        weights.shape == (2,) and bool((np.isfinite(weights) & (weights > 0)).all()),
        "`unnoticed` should be two positive numbers, such as [1, 0.5].",
    )
    right, wrong = float(weights @ [2, 4]) / 2, float(weights.mean()) * 3
    require(
        math.isclose(right, wrong, rel_tol=1e-9),
        f"With {weights.tolist()} the loss is {right:g}, and {wrong:g} with the bug: a test would "
        "notice.",
    )
    return "a test with equal weights passes the bug."
