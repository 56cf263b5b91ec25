"""CartPole-v1: the common settings, a recipe, and the recipe with a buffer that forgets.

The third arm differs from the second in one setting: its replay buffer holds 50,000
transitions, so that the first 10,000 are gone by the end.
"""

from dataclasses import replace
from pathlib import Path

from rl_lab.course.settings import CARTPOLE, CARTPOLE_RECIPE, CARTPOLE_STEPS
from rl_lab.course.studies import Study, main, run_dqn

DATA = Path(__file__).parents[1] / "data"


def _recipe(agent: dict) -> dict:
    return dict(
        env="CartPole-v1",
        agent=agent,
        loss=dict(double=True),
        train=dict(n_episodes=10_000, max_steps=500, n_env_steps=CARTPOLE_STEPS),
        eval_every=2_500,
    )


STUDY = Study(
    name="cartpole",
    question="Do the common settings solve CartPole-v1, and does a recipe do better?",
    run=run_dqn,
    arms={
        "common settings": dict(
            env="CartPole-v1",
            agent=CARTPOLE,
            train=dict(n_episodes=500, max_steps=500),
            eval_every=2_500,
        ),
        "recipe": _recipe(CARTPOLE_RECIPE),
        "recipe, buffer 50,000": _recipe(CARTPOLE_RECIPE | dict(buffer_size=50_000))
        | dict(keep_episodes=False),
    },
    seeds=tuple(range(30)),
    group=10,
)

# Run on a processor of another kind: what of the first result was the processor's?
AGAIN = replace(
    STUDY,
    name="cartpole_again",
    question="Does another kind of processor tell the same of the recipe?",
    arms={arm: settings | dict(keep_episodes=False) for arm, settings in STUDY.arms.items()},
)

if __name__ == "__main__":
    main(STUDY, DATA)
    main(AGAIN, DATA)
