"""A search for settings that balance CartPole-v1 in 50,000 environment steps, by Optuna.

The search sees seeds that no result for CartPole is judged on. Four trials at a time, all seeds of
each, are trained as one stack; the sampler (TPE) learns from them before it proposes the next four.
"""

from functools import partial
from pathlib import Path

import numpy as np
import optuna
import pandas as pd

from rl_lab.agents.dqn import DQNAgent
from rl_lab.course.settings import (
    CARTPOLE,
    CARTPOLE_RECIPE,
    CARTPOLE_SCALE,
    CARTPOLE_SCALED,
    CARTPOLE_SEARCHED,
    CARTPOLE_SEARCHED_STEPS,
)
from rl_lab.course.studies import Study, main, run_dqn, train_and_play
from rl_lab.envs import make_env
from rl_lab.losses import QLearning
from rl_lab.training import History

DATA = Path(__file__).parents[1] / "data"
STEPS = CARTPOLE_SEARCHED_STEPS
BUDGET = dict(buffer_size=STEPS, learning_starts=1_000, lr_decay_updates=STEPS - 1_000)
FIXED = CARTPOLE | BUDGET


def propose(trial: optuna.Trial) -> dict:
    """Return the settings of a trial that the sampler chooses."""
    return dict(
        lr=trial.suggest_float("lr", 5e-4, 3e-3, log=True),
        gamma=trial.suggest_categorical("gamma", [0.98, 0.99]),
        target_update_freq=trial.suggest_int("target_update_freq", 20, 500, log=True),
        epsilon_decay_steps=trial.suggest_int("epsilon_decay_steps", 3_000, 20_000, step=1_000),
        epsilon_min=trial.suggest_float("epsilon_min", 0.01, 0.1, log=True),
    )


def search(
    seeds: tuple[int, ...], *, fixed: dict, n_env_steps: int, rounds: int, at_once: int = 4
) -> dict[str, pd.DataFrame]:
    """Let the sampler look for settings.

    The score of a trial is the greedy return of its agents, the mean over the evaluations of
    the last 20,000 steps. The end alone would tell trials apart by luck: most of them reach 500.

    Args:
        seeds: of every trial's agents and environments.
        fixed: settings that no trial changes.
        n_env_steps: environment steps of each agent.
        rounds: stacks that are trained, one after the other.
        at_once: trials in a stack.

    Returns:
        ``trials``: a row per trial and seed, with the trial's settings, the score of the seed
        and its greedy return at the end, over 100 episodes.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=0, n_startup_trials=2 * at_once)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    rows = []
    for _ in range(rounds):
        trials = [study.ask() for _ in range(at_once)]
        proposed = [propose(trial) for trial in trials]
        agents = [
            DQNAgent(
                4,
                2,
                **fixed | settings,
                seed=seed,
                device="cpu",
                objective=QLearning(double=True),
            )
            for settings in proposed
            for seed in seeds
        ]
        histories, played = train_and_play(
            agents,
            partial(make_env, "CartPole-v1"),
            seeds * at_once,
            n_episodes=n_env_steps,
            n_env_steps=n_env_steps,
            eval_every=5_000,
            eval_episodes=20,
        )
        scores = [_late_return(h, n_env_steps - 20_000) for h in histories]
        returns = np.array([[e.episode_return for e in row] for row in played]).mean(1)
        for i, (trial, settings) in enumerate(zip(trials, proposed, strict=True)):
            own = slice(i * len(seeds), (i + 1) * len(seeds))
            study.tell(trial, np.mean(scores[own]))
            rows += [
                {"seed": seed, "trial": trial.number, **settings, "score": score, "return": last}
                for seed, score, last in zip(seeds, scores[own], returns[own], strict=True)
            ]
    return {"trials": pd.DataFrame(rows)}


def _late_return(history: History, after: int) -> float:
    """Return the mean of all greedy episodes played later than `after` environment steps."""
    late = [
        e
        for evaluation in history.evaluations
        if evaluation.env_steps > after
        for e in evaluation.episodes
    ]
    return float(np.mean([e.episode_return for e in late]))


STUDY = Study(
    name="cartpole_search",
    question="Which settings balance CartPole-v1 after 50,000 environment steps on five seeds?",
    run=search,
    arms={
        "search": dict(
            fixed=FIXED,
            n_env_steps=STEPS,
            rounds=5,
        )
    },
    seeds=tuple(range(1_000, 1_005)),
    group=5,
)


def _trained(settings: dict, env: str | dict = "CartPole-v1") -> dict:
    """An arm that trains agents of these settings."""
    return dict(
        env=env,
        agent=settings,
        loss=dict(double=True),
        train=dict(n_episodes=STEPS, n_env_steps=STEPS),
        eval_every=5_000,
        keep_episodes=False,
    )


SHORTLIST = Study(
    name="cartpole_shortlist",
    question="Which of four good settings balances CartPole-v1 on twenty other seeds?",
    run=run_dqn,
    arms={  # rounded to two digits
        "trial 6": _trained(
            FIXED
            | dict(lr=1.5e-3, target_update_freq=180, epsilon_decay_steps=9_000, epsilon_min=0.027)
        ),
        "trial 7": _trained(
            FIXED
            | dict(lr=1.7e-3, target_update_freq=170, epsilon_decay_steps=6_000, epsilon_min=0.013)
        ),
        "trial 9": _trained(CARTPOLE_SEARCHED),
        "trial 13": _trained(
            FIXED
            | dict(lr=1.9e-3, target_update_freq=24, epsilon_decay_steps=15_000, epsilon_min=0.017)
        ),
    },
    seeds=tuple(range(1_005, 1_025)),
    group=20,
)

_BY_HAND = CARTPOLE_RECIPE | BUDGET
SEARCHED = Study(
    name="cartpole_searched",
    question="Do the settings found, or those made by hand, balance on seeds the search never saw?",
    run=run_dqn,
    arms={
        "searched": _trained(CARTPOLE_SEARCHED),
        "by hand": _trained(_BY_HAND),
    },
    seeds=tuple(range(30)),
    group=30,
)

# What no search could choose. The changes came out of some thirty attempts on the seeds 1,000 to
# 1,039, which are not stored; the thirty seeds here had no part in any choice.
_SCALED = dict(name="CartPole-v1", scale=CARTPOLE_SCALE)
LADDER = Study(
    name="cartpole_steps",
    question="Do three changes to the recipe make CartPole-v1 reliable in 50,000 steps?",
    run=run_dqn,
    arms={
        "by hand": _trained(_BY_HAND),
        "epsilon to 0.1": _trained(_BY_HAND | dict(epsilon_min=0.1)),
        "and the angle times 5": _trained(CARTPOLE_SCALED, _SCALED),
        "and a copy every 200": _trained(CARTPOLE_SCALED | dict(target_update_freq=200), _SCALED),
    },
    seeds=tuple(range(2_000, 2_030)),
    group=30,
)

if __name__ == "__main__":
    for study in (STUDY, SHORTLIST, SEARCHED, LADDER):
        main(study, DATA)
