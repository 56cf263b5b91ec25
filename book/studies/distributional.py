"""CartPole-v1: the distribution of returns learned in place of its mean.

All arms are the agent of the study `memory` with one-step returns and uniform replay. Equal in
every arm: environment steps, updates, batch size, learning rate, exploration, hidden layers. They
differ in what is learned of a return: its mean, 51 atoms on [0, 100], 51 atoms on [0, 25], or 51
quantiles. With a reward of 1 a step and gamma = 0.99 no return exceeds 100; that of an agent that
balances on exceeds 25. Measures, each with an interval over seeds: the mean greedy return over
the run, the greedy return of 100 episodes after it, and the share of agents that reach 475 then.
"""

from pathlib import Path

from rl_lab.course.settings import CARTPOLE_BY_STEPS
from rl_lab.course.studies import Study, main, run_family

DATA = Path(__file__).parents[1] / "data"


def _arm(**objective) -> dict:
    return dict(
        env="CartPole-v1",
        agent=CARTPOLE_BY_STEPS,
        objective=objective,
        train=dict(n_episodes=100_000, max_steps=500, n_env_steps=20_000),
        eval_every=2_000,
    )


STUDY = Study(
    name="distributional",
    question="Does learning the distribution of returns help DQN on CartPole-v1?",
    run=run_family,
    arms={
        "plain": _arm(learns="mean"),
        "C51": _arm(learns="atoms", v_min=0, v_max=100, n_atoms=51),
        "C51, cut at 25": _arm(learns="atoms", v_min=0, v_max=25, n_atoms=51),
        "QR-DQN": _arm(learns="quantiles", n_quantiles=51),
    },
    seeds=tuple(range(7_000, 7_020)),
    group=10,
    prediction="C51 and QR-DQN do better than plain DQN: in Obando-Ceron and Castro (2021) Rainbow "
    "on LunarLander lost most without the distribution of returns. C51 with a support cut at 25 "
    "does worse than C51 on [0, 100]: it cannot tell 25 from more.",
)

if __name__ == "__main__":
    main(STUDY, DATA)
