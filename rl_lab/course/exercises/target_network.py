"""Exercises of the chapter on target networks."""

import copy

import torch

from rl_lab.agents.dqn import DQNAgent
from rl_lab.course.exercises.answers import call, exercise, expect, number, require


@exercise("target_network.tau", "period", "time_constant")
def tau(period, time_constant) -> str:
    """A soft copy of 0.005 as a hard period."""
    expect(
        "period",
        period,
        399,
        [
            (200, "That is 1 / tau, the time constant. A hard copy has half its period as age."),
            (400, "Nearly: a copy is 0 updates old at first, and C - 1 at most."),
            (199, "That is the mean age. Which period has it?"),
            (0.01, "Solve tau = 2 / (C + 1) for C."),
        ],
        "Solve tau = 2 / (C + 1) for C.",
    )
    expect(
        "time_constant",
        time_constant,
        200,
        [(0.005, "That is tau itself."), (400, "That is twice the time constant.")],
        "After this many updates the old weights have shrunk to a share of 1/e.",
        rel=5e-3,
    )
    return "count the period in updates, and the two can be compared."


class _Shown:
    """An agent in three attributes."""

    def __init__(self, online, target) -> None:
        self.online, self.target = online, target
        self.n_updates, self.target_update_freq = 0, 1_000


@exercise("target_network.alias", "period", "has_frozen_copy()")
def alias(period, has_frozen_copy) -> str:
    """A target that is no copy, and how to tell."""
    expect(
        "period",
        period,
        1,
        [
            (1_000, "That is what was asked for. Which object learns, and which is frozen?"),
            (0, "Close to the idea. How old are the weights of the target at each update?"),
        ],
        "When does the target change: with every copy, or with every update?",
    )
    agent = DQNAgent(1, 2, 4, device="cpu", seed=0)
    online = agent.online
    shallow = copy.copy(online)  # another module, the same tensors
    with torch.no_grad():
        moved = copy.deepcopy(online)
        moved.first.weight.add_(1.0)
    cases = [
        (online, online, False, "`target` is `online` itself, and your function says frozen."),
        (online, moved, True, "a real copy was not recognised, some updates after the copying."),
        (
            online,
            copy.deepcopy(online),
            True,
            "a real copy was not recognised right after the copying, when its values are still "
            "equal. Equal is not the same.",
        ),
        (
            online,
            shallow,
            False,
            "two modules shared their tensors, and your function says frozen. Look at the "
            "parameters, or change one network and watch the other.",
        ),
    ]
    for learned, frozen, truth, sentence in cases:
        before = [p.detach().clone() for p in learned.parameters()]
        answer = bool(call(has_frozen_copy, _Shown(learned, frozen)))
        require(answer == truth, f"Wrong for one agent: {sentence}")
        same = all(torch.equal(p, b) for p, b in zip(learned.parameters(), before, strict=True))
        require(same, "`has_frozen_copy` changed the agent's weights and did not put them back.")
    return "a second name is not a copy, and equal values are no proof of one."


@exercise("target_network.hurts", "flipping()", "longest")
def hurts(flipping, longest) -> str:
    """A target network that does harm."""
    expect(
        "flipping(1, 1)",
        call(flipping, 1, 1),
        0.702,
        [
            (1.098, "The sign of the target is lost: the second feature is -2."),
            (0.9, "The target is missing: it is -2 gamma times the frozen weight."),
        ],
        "One update from w = 1, with the frozen weight at 1.",
    )
    two = 0.702 + 0.1 * (-1.98 - 0.702)
    expect(
        "flipping(5, 2)",
        call(flipping, 5, 2),
        abs(two),
        [
            (0.702**2, "The target moved with w, although the period is 5."),
            (0.702, "Two updates, and only one was made."),
        ],
        "Within a period the frozen weight stays at 1.",
    )
    fine = number(call(flipping, 10, 1_000), "flipping(10)")
    wild = number(call(flipping, 11, 1_100), "flipping(11)")
    require(fine < 0.01, f"Period 10 should converge, and |w| ended at {fine:.3g}.")
    require(
        wild > 10,
        f"Period 11 should diverge, and |w| ended at {wild:.3g}. Is the copy made *after* the "
        "11th update, the 22nd and so on?",
    )
    expect(
        "longest",
        longest,
        10,
        [(11, "That is the first one which diverges.")],
        "Try the periods one by one.",
    )
    return "there, each copy takes the whole overshoot, and chasing is safer."
