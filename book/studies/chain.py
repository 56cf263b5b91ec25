"""A corridor with known Q*: what a network does to the error, and what the target's period does.

Every arm learns from the same random walks, so that arms differ in the learner alone.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from rl_lab.agents.dqn import DQNAgent
from rl_lab.agents.tabular import QLearningAgent
from rl_lab.course.studies import Study, main
from rl_lab.envs import Chain, optimal_q
from rl_lab.replay import RecentTransitions, ReplayBuffer
from rl_lab.stack import AgentStack

DATA = Path(__file__).parents[1] / "data"


def random_walk(chain: Chain, steps: int, seed: int) -> list[tuple]:
    """Return the transitions of uniformly random play: what `update` takes, in its order."""
    rng = np.random.default_rng(seed)
    state, _ = chain.reset(seed=seed)
    walk = []
    for _ in range(steps):
        action = int(rng.integers(2))
        after, reward, terminated, truncated, _ = chain.step(action)
        walk.append((state, action, reward, after, terminated))
        state = chain.reset()[0] if terminated or truncated else after
    return walk


def run(
    seeds: tuple[int, ...],
    *,
    learner: str,
    chain: dict,
    gamma: float,
    steps: int,
    eval_every: int,
    **settings,
) -> dict[str, pd.DataFrame]:
    """Train a learner per seed, each on a walk of its own, and return their errors against Q*.

    Args:
        seeds: of the walks, and of the agents.
        learner: ``"table"`` or ``"network"``.
        chain: settings of `Chain`.
        gamma: discount per environment step.
        steps: environment steps.
        eval_every: environment steps between two rows of the result.
        settings: settings of `tables` or `networks`.
    """
    env = Chain(**chain, start=None)
    q_star = optimal_q(env.P, gamma)
    walks = [random_walk(env, steps, seed) for seed in seeds]
    learn = {"table": tables, "network": networks}[learner]
    rows = []
    for t, values in enumerate(learn(walks, seeds, len(q_star), gamma, **settings), start=1):
        if t % eval_every == 0:
            error = np.asarray(values()) - q_star  # [seeds, states, actions]
            found = {
                "seed": seeds,
                "env_steps": t,
                "rms": np.sqrt((error**2).mean((1, 2))),
                "bias": error.mean((1, 2)),
                "right": ((error + q_star).argmax(-1) == q_star.argmax(-1)).mean(-1),
            }
            rows.append(pd.DataFrame(found))
    return {"errors": pd.concat(rows)}


def tables(walks: list, seeds: tuple[int, ...], n_states: int, gamma: float, lr: float) -> Iterator:
    """Take one step of tabular Q-learning for every walk, and yield a way to see the values."""
    agents = [QLearningAgent(n_states, 2, lr=lr, gamma=gamma, seed=seed) for seed in seeds]
    for transitions in zip(*walks, strict=True):
        for agent, transition in zip(agents, transitions, strict=True):
            agent.update(*transition)
        yield lambda: [agent.q for agent in agents]


def networks(
    walks: list,
    seeds: tuple[int, ...],
    n_states: int,
    gamma: float,
    agent: dict,
    features: str = "position",
    recent: bool = False,
) -> Iterator:
    """Take one step of every network, and yield likewise.

    Args:
        agent: settings of `DQNAgent`.
        features: what a network reads: ``"position"``, one number from -1 to 1, or ``"one-hot"``.
        recent: learn from the latest transitions in place of replayed ones.
    """
    matrix = np.eye(n_states) if features == "one-hot" else np.linspace(-1, 1, n_states)[:, None]
    matrix = matrix.astype(np.float32)
    agents = [
        DQNAgent(
            matrix.shape[1],
            2,
            **agent,
            gamma=gamma,
            device="cpu",
            seed=seed,
            replay=RecentTransitions if recent else ReplayBuffer,
        )
        for seed in seeds
    ]
    stack = AgentStack(agents)
    everywhere = np.stack([matrix] * len(agents))
    for transitions in zip(*walks, strict=True):
        due = [
            learner.observe(matrix[s], a, r, matrix[s2], terminated)
            for learner, (s, a, r, s2, terminated) in zip(agents, transitions, strict=True)
        ]
        if all(due):
            stack.learn()
        yield lambda: stack.online.q_values(everywhere)


COMMON = dict(
    chain=dict(n_states=10, slip=0.1, max_steps=50), gamma=0.95, steps=4_000, eval_every=100
)
NETWORK = dict(hidden_dim=32, lr=1e-3, learning_starts=16, buffer_size=4_000)
ONE = NETWORK | dict(batch_size=1, target_update_freq=1)
MANY = NETWORK | dict(batch_size=16)


def network(**settings) -> dict:
    return COMMON | dict(learner="network") | settings


STUDY = Study(
    name="chain",
    question="How far from Q* are a table, an online network and DQN with several target periods?",
    run=run,
    arms={
        "table": COMMON | dict(learner="table", lr=0.1),
        "table, step 0.5": COMMON | dict(learner="table", lr=0.5),
        "naive, position": network(recent=True, agent=ONE),
        "naive, one-hot": network(recent=True, features="one-hot", agent=ONE),
        "replay, batch 1": network(agent=ONE),
        **{
            f"period {period:,}": network(agent=MANY | dict(target_update_freq=period))
            for period in (1, 10, 100, 1_000)
        },
        "tau 0.02": network(agent=MANY | dict(target_update_freq=1, tau=0.02)),
    },
    seeds=tuple(range(20)),
    group=10,
)

if __name__ == "__main__":
    main(STUDY, DATA)
