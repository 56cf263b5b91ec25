"""CartPole-v1 for 300 episodes with the target network copied every 1, 100 and 1,000 updates."""

from pathlib import Path

from rl_lab.settings import CARTPOLE
from rl_lab.studies import Study, main, run_dqn

DATA = Path(__file__).parents[1] / "data"

STUDY = Study(
    name="target_period",
    question="What does the period of the target copy do to DQN with the common settings?",
    run=run_dqn,
    arms={
        f"every {period:,}": dict(
            env="CartPole-v1",
            agent=CARTPOLE | {"target_update_freq": period},
            train=dict(n_episodes=300, max_steps=500),
            eval_every=2_500,
        )
        for period in (1, 100, 1_000)
    },
    seeds=tuple(range(20)),
    group=10,
)

if __name__ == "__main__":
    main(STUDY, DATA)
