"""Exercises of the chapter on an environment of your own."""

from collections.abc import Callable
from itertools import pairwise
from types import SimpleNamespace

import gymnasium as gym
import numpy as np

from rl_lab.agents.dqn import DQNAgent
from rl_lab.course.exercises.answers import call, exercise, expect, name_of, number, require, run
from rl_lab.stack import train_together
from rl_lab.training import EVALUATION_SEED

# Of the agents that learn from a learner's reward, and of the task.
SEEDS, STEPS, LIMIT, EPISODES = (0, 1, 2), 4_000, 100, 10
GAMMA = 0.95


@exercise("your_environment.by_hand", "minutes", "gamma", "open_ended", "flagged")
def by_hand(minutes, gamma, open_ended, flagged) -> str:
    """A time constant, the discount for it, and what a wrong flag makes of a value."""
    expect(
        "minutes",
        minutes,
        12,
        [
            (6, "By then the level moves as fast as it ever will. It has to come to rest, too."),
            (36, "That is one centimetre a minute, and the pump can do more."),
            (8, "That is for a rise without an end: the pump has to be turned back as well."),
            (18, "That would be with the pump at one notch more than the drain, half of the way."),
        ],
        "Turn up for as long as you turn down, and add up the centimetres.",
    )
    expect(
        "gamma",
        gamma,
        0.98,
        [
            (0.02, "That is 1 - gamma."),
            (50, "That is the horizon; the discount lies between 0 and 1."),
            (0.95, "The horizon of 0.95 is 20."),
            (0.5, "With 0.5 the horizon is two minutes."),
        ],
        "Solve 1 / (1 - gamma) = 50.",
    )
    expect(
        "open_ended",
        open_ended,
        50,
        [
            (
                100,
                "That is a hundred minutes at full weight; later ones count less, without end.",
            ),
            (49, "The first reward is not discounted, and it counts."),
        ],
        "A geometric series.",
    )
    expect(
        "flagged",
        flagged,
        1 / (1 - 0.98 * 0.99),
        [
            (50, "That is the value of a task that goes on."),
            (49.5, "Not the value of today alone is cut: every minute after it may be the last."),
            (1 / (1 - 0.98 * 0.01), "Nothing follows with probability 1/100, not with 99/100."),
            (100, "The values add up with the discount as well."),
            (
                (1 - 0.98**100) / 0.02,
                "That is for an agent that sees the clock; this one does not.",
            ),
        ],
        "Each minute goes on with probability 99/100: put that beside the discount.",
    )
    return "one flag in a hundred takes a third off the value."


@exercise("your_environment.shaping", "shaped()")
def shaping(shaped) -> str:
    """A shaping reward that no detour can earn, on paths with the same ends."""
    paths = ([80, 65, 50, 50, 50], [80, 95, 60, 70, 50], [80, 50, 30, 70, 50])

    def paid(path) -> float:
        steps = [
            number(call(shaped, SimpleNamespace(before=a, level=b)), f"shaped at {a} to {b} cm")
            for a, b in pairwise(path)
        ]
        return float(GAMMA ** np.arange(len(steps)) @ steps)

    straight, detour, swing = map(paid, paths)
    nearer, away = (paid(path) for path in ([80, 60], [60, 80]))
    require(
        nearer > away,
        "It pays no more for 80 to 60 cm than for 60 to 80 cm, and the middle is at 50 cm.",
    )
    require(
        away < 0 or nearer <= 0,
        "Going away costs nothing: what is earned on the way back can be earned again and again.",
    )
    hint = (
        "The bare difference of two potentials adds up to the same on every path only without a "
        "discount: the agent counts a later potential gamma times a minute."
    )
    there_and_back = nearer + away
    require(
        abs(straight - detour) < 1e-6 * abs(straight)
        and abs(straight - swing) < 1e-6 * abs(straight),
        f"From 80 cm to 50 cm in four minutes it pays {straight:.4g} on a straight path, "
        f"{detour:.4g} by 95 cm and {swing:.4g} by 30 cm, discounted. They should be one. "
        + (
            hint
            if abs(there_and_back) < 1e-9
            else "Is it gamma times a potential after, minus the same potential before?"
        ),
    )
    return "whatever way it goes, the agent is paid for where it starts and where it arrives."


def _task(Tank: Callable, reward: Callable) -> gym.Env:
    limited = gym.wrappers.TimeLimit(call(Tank, reward), LIMIT)
    return gym.wrappers.RescaleObservation(limited, np.float32(-1), np.float32(1))


def _played(env: gym.Env, act: Callable) -> tuple[float, float]:
    """Mean return of greedy episodes, and the share of their time limit spent in the band."""
    total = inside = 0.0
    for episode in range(EPISODES):
        state, _ = env.reset(seed=EVALUATION_SEED + episode)
        over = False
        while not over:
            state, reward, terminated, truncated, info = env.step(act(state))
            total, inside = total + float(reward), inside + info["in band"]
            over = terminated or truncated
    return total / EPISODES, inside / EPISODES / LIMIT


def keep_level(state: np.ndarray) -> int:
    """The rule of the chapter, on rescaled observations."""
    level, pump, drain = 50 + 50 * state[0], 4 + 4 * state[1], 4 + 2 * state[2]
    return int(np.clip(np.round(drain + (50 - level) / 6 - pump), -1, 1)) + 1


@exercise("your_environment.milked", "Tank()", "reward()")
def milked(Tank, reward) -> str:
    """A plausible reward that buys the wrong thing: agents earn it, and leave the band."""

    def paid(level: float, pump: float, drain: float, before: float) -> float:
        water = SimpleNamespace(level=level, pump=pump, drain=drain, before=before)
        return number(1.0 * call(reward, water), f"{name_of(reward)} at {level} cm")

    at_rest = paid(50.0, 4.0, 4.0, 50.0)
    anywhere = [
        paid(level, pump, 4.0, level - pump + 4)
        for level in (-5.0, 10.0, 50.0, 95.0, 104.0)
        for pump in (0.0, 4.0, 8.0)
    ]
    require(
        -1e-9 <= min(anywhere) and max(anywhere) <= 1 + 1e-9,
        f"Let it pay between 0 and 1 a minute; it pays from {min(anywhere):.3g} to "
        f"{max(anywhere):.3g}.",
    )
    require(
        at_rest >= 0.4,
        f"At rest in the middle it pays {at_rest:.3g}: nobody would take that for a reward of "
        "keeping the level. Let it be 0.4 at least.",
    )
    env = run(_task, Tank, reward)
    by_rule, _ = _played(env, keep_level)
    agents = [
        DQNAgent(
            env.observation_space.shape,
            3,
            hidden_dim=64,
            gamma=GAMMA,
            epsilon_min=0.05,
            epsilon_decay_steps=1_500,
            learning_starts=500,
            buffer_size=STEPS,
            target_update_freq=50,
            device="cpu",
            seed=seed,
        )
        for seed in SEEDS
    ]
    train_together(agents, lambda: _task(Tank, reward), SEEDS, STEPS, LIMIT, n_env_steps=STEPS)
    results = [_played(env, lambda s, a=a: a.select_action(s, training=False)) for a in agents]
    earned, inside = np.mean(results, axis=0)
    require(
        inside < 0.5,
        "Agents that learned from it still keep the level in the band for most of the time. What "
        "would a reader of the reward alone do in their place?",
    )
    require(
        earned > by_rule,
        "The agents leave the band and earn less than the rule that keeps it: they have failed to "
        "learn, and that is another flaw. Find a reward of which they get more.",
    )
    return "the agents earn more of it than the rule that keeps the level, and leave the band."
