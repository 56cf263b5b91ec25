"""CartPole-v1 in 50,000 environment steps: from the recipe in three changes, one after the other.

The changes were found on seeds from 1,000 on. These thirty seeds had no part in any choice.
"""

from pathlib import Path

from rl_lab.settings import (
    CARTPOLE_RECIPE,
    CARTPOLE_SCALE,
    CARTPOLE_SCALED,
    CARTPOLE_SEARCHED_STEPS,
)
from rl_lab.studies import Study, main, run_dqn

DATA = Path(__file__).parents[1] / "data"
STEPS = CARTPOLE_SEARCHED_STEPS
BY_HAND = CARTPOLE_RECIPE | dict(buffer_size=STEPS, lr_decay_updates=STEPS - 1_000)
PLAIN = "CartPole-v1"
SCALED = dict(name=PLAIN, scale=CARTPOLE_SCALE)


def _trained(env: str | dict, settings: dict) -> dict:
    return dict(
        env=env,
        agent=settings,
        loss=dict(double=True),
        train=dict(n_episodes=STEPS, n_env_steps=STEPS),
        eval_every=5_000,
        keep_episodes=False,
    )


STUDY = Study(
    name="cartpole_steps",
    question="Do three changes to the recipe make CartPole-v1 reliable in 50,000 steps?",
    run=run_dqn,
    arms={
        "by hand": _trained(PLAIN, BY_HAND),
        "epsilon to 0.1": _trained(PLAIN, BY_HAND | dict(epsilon_min=0.1)),
        "and the angle times 5": _trained(SCALED, BY_HAND | dict(epsilon_min=0.1)),
        "and a copy every 200": _trained(SCALED, CARTPOLE_SCALED),
    },
    seeds=tuple(range(2_000, 2_030)),
    group=30,
)

if __name__ == "__main__":
    main(STUDY, DATA)
