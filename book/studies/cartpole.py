"""CartPole-v1: the common settings, and a recipe that balances every time."""

from pathlib import Path

from rl_lab.settings import CARTPOLE, CARTPOLE_RECIPE, CARTPOLE_STEPS
from rl_lab.studies import Study, main, run_dqn

DATA = Path(__file__).parents[1] / "data"

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
        "recipe": dict(
            env="CartPole-v1",
            agent=CARTPOLE_RECIPE,
            loss=dict(double=True),
            train=dict(n_episodes=10_000, max_steps=500, n_env_steps=CARTPOLE_STEPS),
            eval_every=2_500,
        ),
    },
    seeds=tuple(range(30)),
    group=10,
)

if __name__ == "__main__":
    main(STUDY, DATA)
