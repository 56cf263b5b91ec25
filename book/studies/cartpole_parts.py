"""CartPole-v1: how often two settings reach 475, and which part of the recipe does it.

`HUNDRED` runs the common settings and the recipe on a hundred fresh seeds. `PARTS` leaves one part
out of the recipe for 50,000 environment steps at a time. The mark is a mean greedy return of 475
over 100 episodes after training; measures are the share of agents that reach it, the mean and the
IQM, each with an interval over seeds.
"""

from pathlib import Path

from rl_lab.course.settings import (
    CARTPOLE,
    CARTPOLE_RECIPE,
    CARTPOLE_SCALE,
    CARTPOLE_SCALED,
    CARTPOLE_SEARCHED_STEPS,
    CARTPOLE_STEPS,
)
from rl_lab.course.studies import Study, main, run_dqn

DATA = Path(__file__).parents[1] / "data"


def _arm(agent: dict, n_env_steps: int, *, double: bool = True, scale: list | None = None) -> dict:
    return dict(
        env=dict(name="CartPole-v1", scale=scale),
        agent=agent,
        loss=dict(double=double),
        train=dict(n_episodes=100_000, max_steps=500, n_env_steps=n_env_steps),
        eval_every=2_500,
        keep_episodes=False,
    )


def _part(agent: dict | None = None, **changes) -> dict:
    scale = dict(scale=CARTPOLE_SCALE)
    return _arm(CARTPOLE_SCALED | (agent or {}), CARTPOLE_SEARCHED_STEPS, **scale | changes)


HUNDRED = Study(
    name="cartpole_hundred",
    question="What share of agents do the common settings bring to 475 on CartPole-v1, and what "
    "share the recipe?",
    run=run_dqn,
    arms={
        "common settings": _arm(CARTPOLE, CARTPOLE_STEPS, double=False),
        "recipe": _arm(CARTPOLE_RECIPE, CARTPOLE_STEPS),
    },
    seeds=tuple(range(3_000, 3_100)),
    group=10,
    prediction="The recipe: between 23 and 29 of 30, the two counts of the first seeds, 77 to 97 "
    "%. The common settings: fewer, between 20 and 25 of 30, their two counts: 67 to 83 %.",
)

PARTS = Study(
    name="cartpole_parts",
    question="Which part of the recipe for 50,000 environment steps brings agents to 475?",
    run=run_dqn,
    arms={
        "recipe": _part(),
        "angle unscaled": _part(scale=None),
        "without Double": _part(double=False),
        "constant learning rate": _part(dict(lr_decay_updates=None)),
        "epsilon by episodes": _part(
            dict(epsilon_decay_steps=None, epsilon_min=CARTPOLE["epsilon_min"])
        ),
        "learning at once": _part(dict(learning_starts=0)),
    },
    seeds=tuple(range(3_200, 3_250)),
    group=10,
    prediction="The learning-rate decay matters most and Double next; to begin learning at once "
    "changes nothing.",
)

if __name__ == "__main__":
    main(HUNDRED, DATA)
    main(PARTS, DATA)
