"""LunarLander-v3 with the common settings, and with a recipe meant to land every time."""

from pathlib import Path

from rl_lab.course.settings import LANDER, LANDER_RECIPE, LANDER_STEPS
from rl_lab.course.studies import Study, main, run_dqn

DATA = Path(__file__).parents[1] / "data"

COMMON = Study(
    name="lunar_lander_common",
    question="How well does DQN with the common settings land after 800 episodes?",
    run=run_dqn,
    arms={
        "common": dict(
            env="LunarLander-v3",
            agent=LANDER,
            train=dict(n_episodes=800, max_steps=1000),
            eval_every=20_000,
        ),
    },
    seeds=tuple(range(10)),
)

RECIPE = Study(
    name="lunar_lander_recipe",
    question="Does a recipe land after 300,000 environment steps, whatever the seed?",
    run=run_dqn,
    arms={
        "recipe": dict(
            env="LunarLander-v3",
            agent=LANDER_RECIPE,
            loss=dict(double=True),
            train=dict(n_episodes=100_000, max_steps=1000, n_env_steps=LANDER_STEPS),
            eval_every=20_000,
        ),
    },
    seeds=tuple(range(10)),
    group=5,
)

if __name__ == "__main__":
    main(COMMON, DATA)
    main(RECIPE, DATA)
