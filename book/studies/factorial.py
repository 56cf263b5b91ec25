"""CartPole-v1: replay and the target network, a 2 x 2 factorial with a learning rate for each arm.

Three studies of one question. `TUNING` gives every arm the same four learning rates on ten
seeds of its own. The learning rate of an arm is the one with the largest mean greedy return over
all evaluations of a run. `FACTORIAL` then runs each arm at its rate on a hundred seeds that no
choice has seen, and `LONG` on thirty more, for twice as many environment steps.

Equal in every arm: environment steps, updates, batch size, exploration, which falls by environment
steps. Without replay a minibatch is the last 64 transitions in order; without a target network
the copy is made after every update. Measures, each with an interval over seeds: the mean greedy
return over the run, the greedy return of 100 episodes after it (mean and IQM), and the share
of agents that reach 475 then.
"""

from pathlib import Path

from rl_lab.course.results import load_study
from rl_lab.course.settings import CARTPOLE_BY_STEPS
from rl_lab.course.studies import Study, main, run_dqn

DATA = Path(__file__).parents[1] / "data"
RATES = (1e-4, 3e-4, 1e-3, 3e-3)
ARMS = {  # replay, updates between two copies
    "both": ("uniform", 100),
    "replay only": ("uniform", 1),
    "target only": ("recent", 100),
    "neither": ("recent", 1),
}


def _arm(arm: str, lr: float, n_env_steps: int = 50_000) -> dict:
    """The settings of an arm at a learning rate."""
    replay, period = ARMS[arm]
    return dict(
        env="CartPole-v1",
        agent=CARTPOLE_BY_STEPS | dict(lr=lr, target_update_freq=period),
        replay=replay,
        loss={},
        train=dict(n_episodes=100_000, max_steps=500, n_env_steps=n_env_steps),
        eval_every=2_500,
        keep_episodes=False,
    )


TUNING = Study(
    name="factorial_tuning",
    question="At which learning rate does each arm of the factorial do best?",
    run=run_dqn,
    arms={f"{arm}, {lr:g}": _arm(arm, lr) for arm in ARMS for lr in RATES},
    seeds=tuple(range(1_000, 1_010)),
    group=10,
    prediction="Arms without replay or without a target network need a smaller learning rate.",
)


def best_rates() -> dict[str, float]:
    """The learning rate of each arm: the one with the largest mean return over the run."""
    means = load_study(DATA / TUNING.name).tables["evals"].groupby("arm")["return"].mean()
    return {arm: max(RATES, key=lambda lr, arm=arm: means[f"{arm}, {lr:g}"]) for arm in ARMS}


def factorial() -> Study:
    """A hundred seeds of each arm."""
    return Study(
        name="factorial",
        question="Which idea does DQN need on CartPole-v1, each arm at its own learning rate?",
        run=run_dqn,
        arms={arm: _arm(arm, lr) for arm, lr in best_rates().items()},
        seeds=tuple(range(3_000, 3_100)),
        group=10,
        prediction="Both together do best, replay alone better than a target network alone, and "
        "neither worst: the order of the scores of Mnih et al. (2015), Extended Data Table 3.",
    )


def long() -> Study:
    """Twice as many environment steps."""
    return Study(
        name="factorial_long",
        question="Given twice the time, does the agent with both ideas overtake the others?",
        run=run_dqn,
        arms={arm: _arm(arm, lr, 100_000) for arm, lr in best_rates().items()},
        seeds=tuple(range(3_100, 3_130)),
        group=10,
        prediction="Both together end highest: what a target network costs at the beginning it "
        "returns in stability.",
    )


if __name__ == "__main__":
    main(TUNING, DATA)
    main(factorial(), DATA)
    main(long(), DATA)
