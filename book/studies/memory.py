"""CartPole-v1: n-step returns and prioritized replay, beside the agent with neither.

All arms are the agent with both ideas of DQN in `factorial`, at its learning rate of 1e-3. Equal in
every arm: environment steps, updates, batch size, exploration. Measures, each with an interval
over seeds: the mean greedy return over the run, the greedy return of 100 episodes after it, and
the share of agents that reach 475 then.
"""

from pathlib import Path

from rl_lab.course.settings import CARTPOLE_BY_STEPS
from rl_lab.course.studies import Study, main, run_dqn

DATA = Path(__file__).parents[1] / "data"


def _arm(n_step: int = 1, replay: str = "uniform") -> dict:
    return dict(
        env="CartPole-v1",
        agent=CARTPOLE_BY_STEPS | dict(n_step=n_step),
        replay=replay,
        train=dict(n_episodes=100_000, max_steps=500, n_env_steps=50_000),
        eval_every=2_500,
        keep_episodes=False,
    )


STUDY = Study(
    name="memory",
    question="What do n-step returns and prioritized replay do for DQN on CartPole-v1?",
    run=run_dqn,
    arms={
        "one step": _arm(),
        "3 steps": _arm(n_step=3),
        "5 steps": _arm(n_step=5),
        "prioritized": _arm(replay="prioritized"),
        "3 steps, prioritized": _arm(n_step=3, replay="prioritized"),
    },
    seeds=tuple(range(4_000, 4_020)),
    group=10,
    prediction="Each part helps and the two together help most: in Hessel et al. (2018), without "
    "either of them Rainbow lost more than without any other part.",
)

if __name__ == "__main__":
    main(STUDY, DATA)
