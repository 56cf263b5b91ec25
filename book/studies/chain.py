"""A corridor with known Q*: what a network does to the error, and what the target's period does.

Every arm learns from the same random walks, so that arms differ in the learner alone. A run
trains ten small networks side by side, each on a walk of its own: their weights lie on a
leading axis, which the library's loss allows, and cost little more than one.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from rl_lab.agents.dqn import DQNAgent
from rl_lab.agents.tabular import QLearningAgent
from rl_lab.envs import Chain, optimal_q
from rl_lab.networks import QNetwork, seeded
from rl_lab.replay import Batch, Draw
from rl_lab.studies import Study, main

DATA = Path(__file__).parents[1] / "data"
WALKERS = 10  # walks, and networks, in one run


class Stack(nn.Module):
    """K networks that share nothing: observations [K, B, S] in, action values [K, B, A] out."""

    def __init__(self, networks: list[QNetwork]) -> None:
        super().__init__()
        rows = list(zip(*(network.children() for network in networks), strict=True))
        self.weights = nn.ParameterList(
            torch.stack([layer.weight.detach().T for layer in row]) for row in rows
        )
        self.biases = nn.ParameterList(
            torch.stack([layer.bias.detach()[None] for layer in row]) for row in rows
        )

    def forward(self, x):
        *hidden, last = zip(self.biases, self.weights, strict=True)
        for bias, weight in hidden:
            x = torch.baddbmm(bias, x, weight).relu()
        return torch.baddbmm(last[0], x, last[1])


class Recorded:
    """A store of K walks that were recorded beforehand; `push` reveals the next step of each."""

    def __init__(self, walks: np.ndarray, features: np.ndarray, recent: bool, seed: int) -> None:
        self.walks = torch.from_numpy(walks)
        self.features = torch.from_numpy(features.astype(np.float32))
        self.recent, self.n = recent, 0
        self.rng = np.random.default_rng(seed)

    def __len__(self) -> int:
        return self.n

    def push(self, *transition) -> None:
        self.n += 1

    def draw(self, batch_size: int) -> Draw:
        """Return the latest transitions of each walk, or a uniform draw from those revealed."""
        k = len(self.walks)
        if self.recent:
            slots = np.arange(self.n - batch_size, self.n)[None].repeat(k, 0)
        else:
            slots = self.rng.integers(self.n, size=(k, batch_size))
        s, a, r, s2, done = self.walks[np.arange(k)[:, None], slots].unbind(-1)
        batch = Batch(
            self.features[s.long()],
            a.long(),
            r.float(),
            self.features[s2.long()],
            done.float(),
            torch.ones(slots.shape),
        )
        # The agent averages over all K x B losses; each network shall feel the mean of its own B.
        return Draw(batch, torch.full(slots.shape, float(k)), slots)

    def feedback(self, slots, td_errors) -> None:
        pass


def random_walk(chain: Chain, steps: int, seed: int) -> np.ndarray:
    """Return rows (state, action, reward, next state, terminated) of uniformly random play."""
    rng = np.random.default_rng(seed)
    state, _ = chain.reset(seed=seed)
    rows = []
    for _ in range(steps):
        action = int(rng.integers(2))
        after, reward, terminated, truncated, _ = chain.step(action)
        rows.append((state, action, reward, after, terminated))
        state = chain.reset()[0] if terminated or truncated else after
    return np.array(rows, float)


def run(
    seed: int,
    *,
    learner: str,
    features: str = "position",
    recent: bool = False,
    agent: dict,
    chain: dict,
    gamma: float,
    steps: int,
    eval_every: int,
) -> dict[str, pd.DataFrame]:
    """Train ten learners on ten walks and return their errors against Q*.

    Args:
        seed: picks the ten walks and initial networks, none shared with another seed.
        learner: ``"table"`` or ``"network"``.
        features: what a network reads: ``"position"``, one number from -1 to 1, or ``"one-hot"``.
        recent: learn from the latest transitions in place of replayed ones.
        agent: settings of `QLearningAgent` or `DQNAgent`.
        chain: settings of `Chain`.
        gamma: discount per environment step.
        steps: environment steps.
        eval_every: environment steps between two rows of the result.
    """
    env = Chain(**chain, start=None)
    q_star = optimal_q(env.P, gamma)
    n = len(q_star)
    numbers = range(WALKERS * seed, WALKERS * (seed + 1))
    walks = np.stack([random_walk(env, steps, number) for number in numbers])
    if learner == "table":
        values = table_values(walks, n, eval_every, gamma=gamma, **agent)
    else:
        matrix = np.eye(n) if features == "one-hot" else np.linspace(-1, 1, n)[:, None]
        values = network_values(
            walks, matrix, numbers, eval_every, recent=recent, gamma=gamma, **agent
        )
    error = values - q_star  # [evaluations, walkers, states, actions]
    n_evals = len(values)
    table = pd.DataFrame(
        {
            "walker": np.tile(numbers, n_evals),
            "env_steps": np.repeat(eval_every * np.arange(1, n_evals + 1), WALKERS),
            "rms": np.sqrt((error**2).mean((2, 3))).ravel(),
            "bias": error.mean((2, 3)).ravel(),
            "right": (values.argmax(-1) == q_star.argmax(-1)).mean(2).ravel(),
        }
    )
    return {"errors": table}


def table_values(walks: np.ndarray, n_states: int, every: int, **settings) -> np.ndarray:
    """Return the tables ``[evaluations, walkers, states, 2]`` of Q-learning on each walk."""
    values = []
    for walk in walks:
        agent = QLearningAgent(n_states, 2, **settings)
        for t, (state, action, reward, after, terminated) in enumerate(walk, start=1):
            agent.update(int(state), int(action), reward, int(after), terminated)
            if t % every == 0:
                values.append(agent.q.copy())
    return np.stack(values).reshape(len(walks), -1, n_states, 2).swapaxes(0, 1)


def network_values(
    walks: np.ndarray,
    matrix: np.ndarray,
    numbers,
    every: int,
    *,
    recent: bool,
    hidden_dim,
    **settings,
) -> np.ndarray:
    """Return the same of a stack of networks, one per walk, trained by one `DQNAgent`."""
    n_features = matrix.shape[1]
    networks = [seeded(lambda: QNetwork(n_features, 2, hidden_dim), number) for number in numbers]
    agent = DQNAgent(
        n_features,
        2,
        device="cpu",
        network=Stack(networks),
        replay=Recorded(walks, matrix, recent, seed=numbers[0]),
        **settings,
    )
    everything = torch.from_numpy(matrix.astype(np.float32)).expand(len(walks), -1, -1)
    unused = np.zeros(n_features)  # the transition to learn from is in the recording
    values = []
    for t in range(1, walks.shape[1] + 1):
        agent.update(unused, 0, 0.0, unused, False)
        if t % every == 0:
            with torch.inference_mode():
                values.append(agent.online(everything).numpy())
    return np.stack(values)


COMMON = dict(
    chain=dict(n_states=10, slip=0.1, max_steps=50), gamma=0.95, steps=4_000, eval_every=100
)
NETWORK = dict(hidden_dim=32, lr=1e-3, learning_starts=16)
ONLINE = NETWORK | dict(batch_size=1, target_update_freq=1)
REPLAYED = NETWORK | dict(batch_size=16)

STUDY = Study(
    name="chain",
    question="How far from Q* are a table, an online network and DQN with several target periods?",
    run=run,
    arms={
        "table": COMMON | dict(learner="table", agent=dict(lr=0.1)),
        "naive, position": COMMON | dict(learner="network", recent=True, agent=ONLINE),
        "naive, one-hot": COMMON
        | dict(learner="network", recent=True, features="one-hot", agent=ONLINE),
        "shuffled, batch 1": COMMON | dict(learner="network", agent=ONLINE),
        **{
            f"period {period:,}": COMMON
            | dict(learner="network", agent=REPLAYED | dict(target_update_freq=period))
            for period in (1, 10, 100, 1_000)
        },
        "tau 0.02": COMMON
        | dict(learner="network", agent=REPLAYED | dict(target_update_freq=1, tau=0.02)),
    },
    seeds=(0, 1),
)

if __name__ == "__main__":
    main(STUDY, DATA)
