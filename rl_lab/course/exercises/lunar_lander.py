"""Exercises of the chapter on LunarLander."""

import numpy as np

from rl_lab.course.exercises.answers import call, exercise, expect, require


@exercise("lunar_lander.return", "landing", "crash")
def episode_return(landing, crash) -> str:
    """A return from its three parts."""
    fuel = 90 * 0.3 + 60 * 0.03
    expect(
        "landing",
        landing,
        210 - fuel + 100,
        [
            (210 + fuel + 100, "Fuel is paid for, not earned."),
            (-170 - fuel + 100, "A change is the last potential minus the first, which is < 0."),
            (20 - fuel + 100, "The way down pays, too: where did the potential begin?"),
            (210 - fuel, "Coming to rest pays 100 more."),
            (210 + 100, "The fuel is missing."),
            (210 - 90 * 0.3 - 60 * 0.3 + 100, "Side engines cost a tenth of the main engine."),
        ],
        "Change of the potential, minus fuel, plus what coming to rest pays.",
    )
    expect(
        "crash",
        crash,
        210 - fuel - 100,
        [
            (-100, "That is the last reward. The return has all the others, too."),
            (210 - fuel, "The last reward of a crash is not 0."),
            (landing - 100, "Between +100 and -100 lies more than 100."),
        ],
        "As above, with another last reward.",
    )
    return "an episode that ends in a crash may well return more than 0."


@exercise("lunar_lander.slips", "slip()")
def slips(slip) -> str:
    """A policy whose hand slips."""
    always_two = dict(policy=lambda state: 2, n=20_000)
    never = _actions(slip, 0.0, **always_two)
    require(set(never) == {2}, "With probability 0 the policy should always have its way.")
    always = _actions(slip, 1.0, **always_two)
    require(
        set(always) != {2}, "With probability 1 each action should be random, and none of them was."
    )
    require(
        len(set(always)) > 1,
        "One random action was drawn and kept. Draw a new one in every step.",
    )
    require(set(always) <= {0, 1, 2, 3}, f"There is no action {max(always)}: they are 0, 1, 2, 3.")
    missing = {0, 1, 2, 3} - set(always)
    require(
        not missing,
        f"Action {', '.join(map(str, sorted(missing)))} never comes up in a slip: all four should, "
        "the one of the policy among them. (The upper end of `rng.integers` is left out.)",
    )
    share = float(np.mean(_actions(slip, 0.2, **always_two) != 2))
    expect(
        "the share of actions that are not the policy's, at probability 0.2",
        share,
        0.15,
        [
            (0.6, "The hand slips in 8 steps of 10: is the comparison the wrong way round?"),
            (0.2, "Is the policy's own action left out of the random ones?"),
        ],
        "A slip of four equal actions is the policy's own in one case of four.",
        rel=0.12,
    )
    first, again = (_actions(slip, 0.5, **always_two) for _ in range(2))
    require(
        np.array_equal(first, again),
        "Two generators of the same seed gave different actions: draw from `rng` alone.",
    )
    return "a skill that never changes, under a hand that slips."


def _actions(slip, probability: float, policy, n: int) -> np.ndarray:
    """What the slipping policy does in `n` steps."""
    slipping = call(slip, policy, probability, np.random.default_rng(0))
    require(callable(slipping), "`slip` should return a function of the state.")
    return np.array([int(call(slipping, np.zeros(8))) for _ in range(n)])


@exercise("lunar_lander.limit", "as_terminal", "as_truncated")
def limit(as_terminal, as_truncated) -> str:
    """The target of the last hovering step."""
    reward, duty = -0.173, 0.577
    worth = reward / 0.01
    expect(
        "as_terminal",
        as_terminal,
        reward,
        [
            (worth, "Marked terminal, nothing is added after the reward."),
            (-reward, "Fuel costs: mind the sign."),
            (-0.3, "The engine fires on a share of the steps only: on average, then?"),
            (-duty, "That is the share of steps. What does each cost?"),
        ],
        "The target of a terminal transition is its reward.",
        rel=0.02,
    )
    expect(
        "as_truncated",
        as_truncated,
        worth,
        [
            (reward, "That is the target of a terminal transition. Here the hover goes on."),
            (worth + reward, "What follows is discounted by gamma."),
            (-worth, "Fuel costs: mind the sign."),
            (0.99 * worth, "And the reward of the step itself?"),
        ],
        "Reward plus gamma times the value of hovering on for ever.",
        rel=0.004,
    )
    return "the mistake makes time run out for free, and dawdling looks better than it is."
