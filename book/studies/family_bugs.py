"""CartPole-v1 learned by members of the DQN family, healthy and with seven planted bugs.

Seven mistakes that public implementations of the family had, one line each, planted in copies of
the library's modules. Every agent with a bug is compared with the same agent without it.
"""

from pathlib import Path

import pandas as pd

from rl_lab.course.exercises.family_bugs import AGENTS, BUGS, STEPS, build, library
from rl_lab.course.settings import CARTPOLE
from rl_lab.course.studies import Study, Tables, main, summary
from rl_lab.envs import make_env

DATA = Path(__file__).parents[1] / "data"
AGENT = CARTPOLE | dict(
    hidden_dim=64,
    batch_size=32,
    epsilon_min=0.05,
    epsilon_decay_steps=5_000,
    learning_starts=500,
)


def run(
    seed: int,
    *,
    agent: str,
    bug: str | None,
    settings: dict,
    n_env_steps: int = STEPS,
    eval_every: int = 1_000,
    eval_episodes: int = 10,
    final_episodes: int = 50,
) -> Tables:
    """Train one agent; return its evaluations, as its own library makes them, bug and all.

    Args:
        seed: of the agent and of its environment.
        agent: one of `AGENTS`.
        bug: what is planted in the library; None for the healthy one.
        settings: of `DQNAgent`.
        n_env_steps: environment steps of training.
        eval_every: environment steps between two rows of `evals`.
        eval_episodes: greedy episodes of each row.
        final_episodes: greedy episodes after training.
    """
    modules = library(bug)
    learner = build(modules, agent, settings, seed)
    loop = modules["rl_lab.training"]
    history = loop.train_dqn(
        learner,
        make_env("CartPole-v1"),
        n_env_steps,
        500,
        n_env_steps=n_env_steps,
        seed=seed,
        print_every=0,
        eval_every=eval_every,
        eval_episodes=eval_episodes,
        eval_env=make_env("CartPole-v1"),
    )
    last = loop.greedy_episodes(learner, make_env("CartPole-v1"), final_episodes)
    final = loop.Evaluation(learner.n_env_steps, learner.n_updates, last)
    return {
        "evals": pd.DataFrame(map(summary, history.evaluations)),
        "final": pd.DataFrame([summary(final)]),
    }


STUDY = Study(
    name="family_bugs",
    question="What do seven silent bugs of DQN's family do to the return and to the values?",
    run=run,
    arms={agent: dict(agent=agent, bug=None, settings=AGENT) for agent in AGENTS}
    | {bug: dict(agent=BUGS[bug].agent, bug=bug, settings=AGENT) for bug in BUGS},
    seeds=tuple(range(5_100, 5_110)),
    prediction="Loud noise, wrapped atoms and the exploring judge lower the return; all pairs "
    "again, beta stays, wrong neighbour and limit is end cannot be told from healthy agents.",
)

if __name__ == "__main__":
    main(STUDY, DATA)
