"""CartPole-v1 with several target periods; then with and without replay and the target network.

The second study is at equal steps and updates. Without replay the minibatch is the last 64
transitions in order; without a target network the copy is made after every update. A fifth arm
adds the Double DQN target. Exploration falls by environment steps, so that every arm explores
alike.
"""

from dataclasses import replace
from pathlib import Path

from rl_lab.course.settings import CARTPOLE, CARTPOLE_BY_STEPS
from rl_lab.course.studies import Study, main, run_dqn

DATA = Path(__file__).parents[1] / "data"
STEPS = 20_000

# What the arms share; each adds its agent and its replay.
CARTPOLE_ARM = dict(
    env="CartPole-v1",
    loss={},
    train=dict(n_episodes=10_000, max_steps=500, n_env_steps=STEPS),
    eval_every=1_000,
    keep_episodes=False,
)
WITHOUT = CARTPOLE_BY_STEPS | {"target_update_freq": 1}

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
        "both": CARTPOLE_ARM | dict(agent=CARTPOLE_BY_STEPS, replay="uniform"),
        "replay only": CARTPOLE_ARM | dict(agent=WITHOUT, replay="uniform"),
        "target only": CARTPOLE_ARM | dict(agent=CARTPOLE_BY_STEPS, replay="recent"),
        "neither": CARTPOLE_ARM | dict(agent=WITHOUT, replay="recent"),
        "both, double": CARTPOLE_ARM
        | dict(agent=CARTPOLE_BY_STEPS, replay="uniform", loss=dict(double=True)),
    },
    seeds=tuple(range(30)),
    group=10,
)

# Run on a processor of another kind: what of the first result was the processor's?
REPLAY_TARGET_AGAIN = replace(
    REPLAY_TARGET,
    name="replay_target_again",
    question="Does another kind of processor tell the same of replay and the target network?",
)

if __name__ == "__main__":
    main(TARGET_PERIOD, DATA)
    main(REPLAY_TARGET, DATA)
    main(REPLAY_TARGET_AGAIN, DATA)
