"""CartPole-v1 with several target periods, and with and without replay and the target network.

The second study is at equal steps and updates. Without replay the minibatch is the last 64
transitions in order; without a target network the copy is made after every update. A fifth arm
adds the Double DQN target. Exploration falls by environment steps, so that every arm explores
alike.
"""

from pathlib import Path

from rl_lab.settings import CARTPOLE
from rl_lab.studies import Study, main, run_dqn

DATA = Path(__file__).parents[1] / "data"
STEPS = 20_000
AGENT = CARTPOLE | dict(epsilon_min=0.05, epsilon_decay_steps=10_000)
NO_TARGET = AGENT | {"target_update_freq": 1}


def _arm(agent: dict, replay: str, **loss) -> dict:
    return dict(
        env="CartPole-v1",
        agent=agent,
        replay=replay,
        loss=loss,
        train=dict(n_episodes=10_000, max_steps=500, n_env_steps=STEPS),
        eval_every=1_000,
        keep_episodes=False,
    )


TARGET_PERIOD = Study(
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

REPLAY_TARGET = Study(
    name="replay_target",
    question="Of replay and the target network, which one does DQN need?",
    run=run_dqn,
    arms={
        "both": _arm(AGENT, "uniform"),
        "replay only": _arm(NO_TARGET, "uniform"),
        "target only": _arm(AGENT, "recent"),
        "neither": _arm(NO_TARGET, "recent"),
        "both, double": _arm(AGENT, "uniform", double=True),
    },
    seeds=tuple(range(30)),
    group=10,
)

if __name__ == "__main__":
    main(TARGET_PERIOD, DATA)
    main(REPLAY_TARGET, DATA)
