"""Settings for LunarLander-v3, one change at a time, on seeds that no other result uses.

Fifteen agents make a stack: three settings, five seeds each. The second stack was chosen after a
look at the first.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from rl_lab.agents.dqn import DQNAgent
from rl_lab.course.settings import LANDER_RECIPE, LANDER_SEARCHED, LANDER_STEPS
from rl_lab.course.studies import Study, main, run_dqn, train_and_play
from rl_lab.envs import make_env
from rl_lab.losses import QLearning

DATA = Path(__file__).parents[1] / "data"


def compare(
    seeds: tuple[int, ...],
    *,
    fixed: dict,
    settings: Mapping[str, dict],
    n_env_steps: int,
    eval_every: int = 30_000,
    eval_episodes: int = 10,
) -> dict[str, pd.DataFrame]:
    """Train every setting with every seed, all in one stack.

    Args:
        seeds: of the agents and the environments of each setting.
        fixed: settings of `DQNAgent` that they share.
        settings: what each changes.
        n_env_steps: environment steps of each agent.
        eval_every: environment steps between greedy evaluations.
        eval_episodes: episodes of each.

    Returns:
        ``evals`` and ``final``: a row per setting, seed and evaluation.
    """
    runs = [(label, seed) for label in settings for seed in seeds]
    agents = [
        DQNAgent(
            8,
            4,
            **fixed | settings[label],
            seed=seed,
            device="cpu",
            objective=QLearning(double=True),
        )
        for label, seed in runs
    ]
    histories, played = train_and_play(
        agents,
        partial(make_env, "LunarLander-v3"),
        [seed for _, seed in runs],
        n_episodes=n_env_steps,
        max_steps=1_000,
        n_env_steps=n_env_steps,
        eval_every=eval_every,
        eval_episodes=eval_episodes,
    )
    evals = [
        {
            "seed": seed,
            "setting": label,
            "env_steps": evaluation.env_steps,
            "return": np.mean([e.episode_return for e in evaluation.episodes]),
            "predicted": np.mean([e.predicted for e in evaluation.episodes]),
        }
        for (label, seed), history in zip(runs, histories, strict=True)
        for evaluation in history.evaluations
    ]
    final = [
        {
            "seed": seed,
            "setting": label,
            "return": np.mean([e.episode_return for e in episodes]),
            "length": np.mean([e.length for e in episodes]),
        }
        for (label, seed), episodes in zip(runs, played, strict=True)
    ]
    return {"evals": pd.DataFrame(evals), "final": pd.DataFrame(final)}


STUDY = Study(
    name="lander_search",
    question="What makes LunarLander-v3 land on more seeds of five in 300,000 environment steps?",
    run=compare,
    arms={
        "first": dict(
            fixed=LANDER_RECIPE | dict(buffer_size=LANDER_STEPS),
            settings={
                "gamma 0.98": dict(gamma=0.98),
                "epsilon to 0.1": dict(epsilon_min=0.1),
                "gamma 0.98, epsilon to 0.1": dict(gamma=0.98, epsilon_min=0.1),
            },
            n_env_steps=LANDER_STEPS,
        ),
        "second": dict(
            fixed=LANDER_RECIPE | dict(buffer_size=LANDER_STEPS, epsilon_min=0.1),
            settings={
                "lr 0.001": dict(lr=1e-3),
                "epsilon to 0.2": dict(epsilon_min=0.2),
                "copy every 500": dict(target_update_freq=500),
            },
            n_env_steps=LANDER_STEPS,
        ),
    },
    seeds=tuple(range(1_000, 1_005)),
    group=5,
)

SEARCHED = Study(
    name="lunar_lander_searched",
    question="On how many seeds that the search never saw do its settings land?",
    run=run_dqn,
    arms={
        "searched": dict(
            env="LunarLander-v3",
            agent=LANDER_SEARCHED,
            loss=dict(double=True),
            train=dict(n_episodes=LANDER_STEPS, max_steps=1_000, n_env_steps=LANDER_STEPS),
            eval_every=20_000,
            keep_episodes=False,
        ),
    },
    seeds=tuple(range(10)),
    group=5,
)

if __name__ == "__main__":
    for study in (STUDY, SEARCHED):
        main(study, DATA)
