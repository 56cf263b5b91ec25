"""How many independent transitions is a minibatch worth, and do successive updates agree?

At several moments of its training an agent stands still and plays on as it then does. Every
transition of that stream has a semi-gradient, a vector over all weights. The total variance of
these vectors, divided by the total variance of their means over minibatches of 32, is the
effective sample size of a minibatch: once with 32 consecutive rows, once with the same rows
shuffled. The same is asked of the states and of the TD errors.

During the training that follows a moment, the gradients of two updates are compared by
their cosine, and the squared TD errors of the last 32 transitions with those of a random sample of
all earlier ones. Without replay a minibatch is the last 32 transitions: every transition is learned
from 32 times in a row and then never again.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.func import functional_call, grad, vmap

from rl_lab.agents.dqn import DQNAgent
from rl_lab.course.studies import Study, main
from rl_lab.envs import make_env
from rl_lab.losses import q_learning_loss
from rl_lab.replay import Batch, RecentTransitions, ReplayBuffer

DATA = Path(__file__).parents[1] / "data"
MOMENTS = (0, 1_000, 3_000, 10_000)  # environment steps
LAGS = (1, 8, 16, 32, 64, 128)  # updates


class Player:
    """An agent in an environment of its own, and all transitions that it has seen there."""

    def __init__(self, agent: DQNAgent, seed: int) -> None:
        self.agent, self.env = agent, make_env("CartPole-v1")
        self.state = self.env.reset(seed=seed)[0]
        self.seen = ReplayBuffer(20_000)

    def step(self) -> tuple:
        """Take one environment step and return the transition."""
        state, action = self.state, self.agent.select_action(self.state)
        after, reward, terminated, truncated, _ = self.env.step(action)
        self.state = self.env.reset()[0] if terminated or truncated else after
        self.seen.push(state, action, reward, after, terminated, self.agent.gamma)
        return state, action, reward, after, terminated


def gradients(agent: DQNAgent, stream: Batch) -> torch.Tensor:
    """The semi-gradient of the loss of every transition [n, weights]."""
    weights = {name: w.detach() for name, w in agent.online.named_parameters()}

    def loss(weights: dict, row: Batch) -> torch.Tensor:
        online = lambda states: functional_call(agent.online, weights, (states,))  # noqa: E731
        return q_learning_loss(online, agent.target, row).losses.sum()

    rows = Batch(*(field[:, None] for field in stream))  # minibatches of one
    found = vmap(grad(loss), in_dims=(None, 0), chunk_size=1_024)(weights, rows)
    return torch.cat([g.flatten(1) for g in found.values()], 1)


def worth(vectors: torch.Tensor, size: int) -> float:
    """Effective sample size of a minibatch of `size` neighbouring rows of `vectors` [n, d]."""
    means = vectors.unflatten(0, (-1, size)).mean(1)
    return (vectors.var(0).sum() / means.var(0).sum()).item()


@torch.no_grad()
def td_errors(agent: DQNAgent, batch: Batch) -> torch.Tensor:
    """The TD errors of the agent as it is now."""
    return q_learning_loss(agent.online, agent.target, batch).td_errors


def look(agent: DQNAgent, seed: int, size: int, n: int = 8_192) -> list[dict]:
    """Effective sample sizes in a stream of `n` transitions, in their order and shuffled."""
    player = Player(agent, seed)
    for _ in range(n):
        player.step()
    stream = player.seen.gather(np.arange(n))
    vectors = {
        "state": stream[0] / stream[0].std(0),
        "TD error": td_errors(agent, stream)[:, None],
        "gradient": gradients(agent, stream),
    }
    order = torch.from_numpy(np.random.default_rng(seed).permutation(n))
    return [
        {"rows": rows, "of": of, "worth": worth(vector[index], size)}
        for of, vector in vectors.items()
        for rows, index in {"consecutive": slice(None), "shuffled": order}.items()
    ]


def train(agent: DQNAgent, player: Player, size: int, n: int = 512) -> tuple[list, list]:
    """Train for `n` updates.

    Returns:
        The mean cosine of two gradients by their distance; and the mean squared TD error after
        an update, on the last `size` transitions and on a random sample of all earlier ones.
    """
    weights = list(agent.online.parameters())
    rng = np.random.default_rng(0)
    taken, errors = [], []
    while len(taken) < n:
        if not agent.update(*player.step()):
            continue
        taken.append(torch.cat([weight.grad.flatten() for weight in weights]))
        now = len(player.seen)
        if len(taken) % size == 0:
            slots = [np.arange(now - size, now), rng.integers(now - size, size=512)]
            errors.append(
                [td_errors(agent, player.seen.gather(s)).square().mean().item() for s in slots]
            )
    unit = torch.nn.functional.normalize(torch.stack(taken), dim=1)
    cosines = [
        {"lag": lag, "cosine": (unit[lag:] * unit[:-lag]).sum(1).mean().item()} for lag in LAGS
    ]
    return cosines, [dict(zip(("latest", "earlier"), np.mean(errors, 0), strict=True))]


def run(seed: int, *, replay: bool, agent: dict, moments: list[int]) -> dict[str, pd.DataFrame]:
    """Train an agent, and look at its minibatches on the way.

    Args:
        seed: of the agent and its environments.
        replay: sample minibatches from a replay buffer, in place of the last transitions.
        agent: settings of `DQNAgent`.
        moments: environment steps after which to look.
    """
    size = agent["batch_size"]
    store = ReplayBuffer if replay else RecentTransitions
    learner = DQNAgent(4, 2, **agent, device="cpu", seed=seed, replay=store)
    player = Player(learner, seed)
    found = {"worth": [], "cosines": [], "errors": []}
    for moment in moments:
        while learner.n_env_steps < moment:
            learner.update(*player.step())
        rows = [look(learner, 1_000 + seed, size), *train(learner, player, size)]
        for table, new in zip(found.values(), rows, strict=True):
            table += [{"env_steps": moment} | row for row in new]
    return {name: pd.DataFrame(table) for name, table in found.items()}


AGENT = dict(
    hidden_dim=64, batch_size=32, lr=1e-3, gamma=0.99, epsilon_min=0.05, epsilon_decay_steps=10_000
)
STUDY = Study(
    name="minibatch",
    question="What is a minibatch of consecutive transitions worth, and do updates agree?",
    run=run,
    arms={
        name: dict(replay=replay, agent=AGENT | dict(target_update_freq=100), moments=MOMENTS)
        for name, replay in [("replay", True), ("no replay", False)]
    },
    seeds=tuple(range(10)),
    prediction="Consecutive transitions are nearly copies of each other, so that the gradient of "
    "32 of them is worth only a few independent ones; shuffled, it is worth 32. Successive "
    "updates without replay all push the same way, and with replay they do not; what was learned "
    "earlier is forgotten without replay.",
)

if __name__ == "__main__":
    main(STUDY, DATA)
