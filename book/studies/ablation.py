"""CartPole-v1 with several target periods; then with and without replay and the target network.

The second study is at equal steps and updates. Without replay the minibatch is the last 64
transitions in order; without a target network the copy is made after every update. A fifth arm
adds the Double DQN target. Exploration falls by environment steps, so that every arm explores
alike. The third study asks the same of LunarLander-v3, in its first 100,000 steps.
"""

from dataclasses import replace
from pathlib import Path

from rl_lab.course.settings import CARTPOLE, CARTPOLE_BY_STEPS, LANDER_RECIPE
from rl_lab.course.studies import Study, main, run_dqn

DATA = Path(__file__).parents[1] / "data"
STEPS = 20_000
LANDER_STEPS = 100_000
LANDER_AGENT = LANDER_RECIPE | dict(epsilon_min=0.05, lr_decay_updates=None)


# What the arms of a task share; each adds its agent and its replay.
CARTPOLE_ARM = dict(
    env="CartPole-v1",
    loss={},
    train=dict(n_episodes=10_000, max_steps=500, n_env_steps=STEPS),
    eval_every=1_000,
    keep_episodes=False,
)
LANDER_ARM = dict(
    env="LunarLander-v3",
    train=dict(n_episodes=LANDER_STEPS, max_steps=1_000, n_env_steps=LANDER_STEPS),
    eval_every=10_000,
    keep_episodes=False,
)


def _cross(shared: dict, agent: dict) -> dict[str, dict]:
    """The four arms: replay and the target network, each on and off."""
    without = agent | {"target_update_freq": 1}
    return {
        "both": shared | dict(agent=agent, replay="uniform"),
        "replay only": shared | dict(agent=without, replay="uniform"),
        "target only": shared | dict(agent=agent, replay="recent"),
        "neither": shared | dict(agent=without, replay="recent"),
    }


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
    arms=_cross(CARTPOLE_ARM, CARTPOLE_BY_STEPS)
    | {
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

REPLAY_TARGET_LANDER = Study(
    name="replay_target_lander",
    question="Of replay and the target network, which one does DQN need on LunarLander-v3?",
    run=run_dqn,
    arms=_cross(LANDER_ARM, LANDER_AGENT),
    seeds=tuple(range(10)),
    group=10,
)

if __name__ == "__main__":
    main(TARGET_PERIOD, DATA)
    main(REPLAY_TARGET, DATA)
    main(REPLAY_TARGET_AGAIN, DATA)
    main(REPLAY_TARGET_LANDER, DATA)
