"""CartPole-v1 learned by a table: k bins for each of its four numbers, 2 k^4 entries."""

from pathlib import Path

import numpy as np
import pandas as pd

from rl_lab.agents.tabular import QLearningAgent
from rl_lab.course.studies import Study, Tables, main
from rl_lab.envs import Bins, make_env
from rl_lab.training import evaluate, train_dqn

DATA = Path(__file__).parents[1] / "data"
STEPS = 60_000

# Cart position and pole angle are cut where an episode ends. The two velocities have no end;
# 3 covers all but the last moments of a fall.
HIGH = (2.4, 3.0, 0.21, 3.0)


class FallingStepSize(QLearningAgent):
    """A `QLearningAgent` whose step size falls linearly to 0 over `n_updates` updates."""

    def __init__(self, *args, n_updates: int, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self._falls = iter(self.lr * (1 - np.arange(n_updates) / n_updates))

    def update(self, *args, **kwargs) -> dict[str, float]:
        """Update with the next, smaller step size."""
        self.lr = next(self._falls)
        return super().update(*args, **kwargs)


def run(
    seed: int, *, k: int, high: tuple, agent: dict, falling: bool, n_env_steps: int, eval_every: int
) -> Tables:
    """Train one table and return what it scored during (`evals`) and after training (`final`)."""
    high = np.array(high)
    env, eval_env = (Bins(make_env("CartPole-v1"), k, -high, high) for _ in range(2))
    if falling:
        learner = FallingStepSize(k**4, 2, **agent, seed=seed, n_updates=n_env_steps)
    else:
        learner = QLearningAgent(k**4, 2, **agent, seed=seed)
    history = train_dqn(
        learner,
        env,
        n_episodes=n_env_steps,
        n_env_steps=n_env_steps,
        seed=seed,
        print_every=0,
        eval_env=eval_env,
        eval_every=eval_every,
    )
    evals = pd.DataFrame(
        {
            "env_steps": evaluation.env_steps,
            "return": np.mean([episode.episode_return for episode in evaluation.episodes]),
        }
        for evaluation in history.evaluations
    )
    returns = evaluate(learner, eval_env, 100)
    final = {
        "k": k,
        "entries": learner.q.size,
        "visited": np.count_nonzero(learner.q),  # rewards are 1: what was updated is not 0
        "return": returns.mean(),
        "return_min": returns.min(),
        "training_episodes": len(history.returns),
    }
    return {"evals": evals, "final": pd.DataFrame([final])}


COMMON = dict(high=HIGH, n_env_steps=STEPS, eval_every=20_000)
FIXED = dict(gamma=0.99, epsilon_decay=0.998, epsilon_min=0.05, lr=0.1)
FALLING = FIXED | dict(lr=0.5)

STUDY = Study(
    name="tabular_cartpole",
    question="How well does a table with k bins per number balance CartPole-v1?",
    run=run,
    arms={
        **{
            f"{k} bins": dict(k=k, agent=FALLING, falling=True, **COMMON)
            for k in (2, 4, 6, 8, 10, 12, 16)
        },
        **{
            f"{k} bins, fixed step": dict(k=k, agent=FIXED, falling=False, **COMMON)
            for k in (4, 10, 16)
        },
    },
    seeds=tuple(range(10)),
)

if __name__ == "__main__":
    main(STUDY, DATA)
