"""Rooms with traps: does noise in the weights find a prize that epsilon-greedy does not?

Of uniformly random tries one in 2**rooms reaches the prize. Each agent has 400 tries, each of them
an episode. Epsilon falls from 1 to 0.05 over 1,000 environment steps, which are about 400 tries;
noisy agents have none. Coin and prize are 0.1 and 1, or ten times that: nothing else differs, and
epsilon-greedy does not feel it. Chosen after a trial of ten other seeds.
"""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from rl_lab.agents.dqn import DQNAgent
from rl_lab.course.results import Tables
from rl_lab.course.studies import Study, main
from rl_lab.distributional import Categorical
from rl_lab.envs import Features, Traps
from rl_lab.losses import QLearning
from rl_lab.networks import DuelingQNetwork, NoisyLinear, QNetwork, resample_noise, use_noise
from rl_lab.prioritized import PrioritizedReplay
from rl_lab.replay import ReplayBuffer
from rl_lab.stack import train_together

DATA = Path(__file__).parents[1] / "data"
BLOCK = 20  # tries that share a row of the table


def run(
    seeds: tuple[int, ...],
    *,
    rooms: int,
    noisy: bool,
    scale: float = 1.0,
    rainbow: bool = False,
    n_step: int = 1,
    tries: int = 400,
) -> Tables:
    """Let agents try to pass the rooms.

    Args:
        seeds: of the agents; they are trained in one stack.
        rooms: to the prize.
        noisy: explore by noisy layers, else by epsilon.
        scale: the prize; the coin is a tenth of it.
        rainbow: Double, dueling, prioritized and C51 as well.
        n_step: rewards summed in one transition.
        tries: episodes.

    Returns:
        ``final`` (a row per seed), ``tries`` (a row per seed and block of tries) and ``noise`` (a
        row per seed and room, before and after: by how much the trap's value is above that of the
        other door, and the noise of this difference).
    """
    if tries < 200 or tries % BLOCK:
        raise ValueError(f"tries must be a multiple of {BLOCK}, 200 at least, got {tries}")

    def make():
        return Features(Traps(rooms, 0.1 * scale, scale), np.eye(rooms))

    linear = NoisyLinear if noisy else nn.Linear
    explores = dict(epsilon=0.0, epsilon_min=0.0) if noisy else dict(epsilon_decay_steps=1_000)
    objective = Categorical(0.0, scale, 21, double=True) if rainbow else QLearning()
    network = (
        partial(DuelingQNetwork, linear=linear, n_atoms=21)
        if rainbow
        else partial(QNetwork, linear=linear)
    )
    agents = [
        DQNAgent(
            rooms,
            2,
            **(dict(hidden_dim=32, gamma=0.9, epsilon_min=0.05, batch_size=32) | explores),
            target_update_freq=50,
            buffer_size=10_000,
            network=network,
            objective=objective,
            replay=PrioritizedReplay if rainbow else ReplayBuffer,
            n_step=n_step,
            device="cpu",
            seed=seed,
        )
        for seed in seeds
    ]
    before = [_noise(agent, rooms) for agent in agents]
    histories = train_together(agents, make, seeds, n_episodes=tries)
    after = [_noise(agent, rooms) for agent in agents]
    tables = {"final": [], "tries": [], "noise": []}
    for seed, agent, history, *noises in zip(seeds, agents, histories, before, after, strict=True):
        won = np.array(history.returns) > 0.5 * scale
        passed = np.array(history.lengths) - ~won  # the last step of a failed try passed no room
        tables["final"].append(
            {
                "seed": seed,
                "env_steps": agent.n_env_steps,
                "found": bool(won.any()),
                "first": int(won.argmax()) + 1 if won.any() else tries + 1,
                "last_50": won[-50:].mean(),
                "passed": passed[:200].mean(),
            }
        )
        blocks = passed.reshape(-1, BLOCK).mean(1)
        tables["tries"] += [
            {"seed": seed, "tries": BLOCK * (i + 1), "passed": mean}
            for i, mean in enumerate(blocks)
        ]
        tables["noise"] += [
            {"seed": seed, "when": when, "room": room, "gap": gap, "spread": spread}
            for when, rows in zip(("before", "after"), noises, strict=True)
            for room, (gap, spread) in enumerate(rows)
        ]
    return {name: pd.DataFrame(rows) for name, rows in tables.items()}


def _noise(agent: DQNAgent, rooms: int, draws: int = 200) -> list[tuple[float, float]]:
    """Of each room: mean and standard deviation, over the noise, of Q(trap) - Q(other door)."""
    generator = torch.Generator().manual_seed(0)
    safe = torch.arange(rooms) % 2
    gaps = []
    agent.online.eval()
    use_noise(agent.online)
    with torch.inference_mode():
        for _ in range(draws):
            resample_noise(agent.online, generator)
            q = agent.objective.q_values(agent.online(torch.eye(rooms)))
            gaps.append(q[torch.arange(rooms), 1 - safe] - q[torch.arange(rooms), safe])
    values = torch.stack(gaps).double().numpy()
    return list(zip(values.mean(0).tolist(), values.std(0).tolist(), strict=True))


def arms() -> dict[str, dict]:
    """The arms by label."""
    labels = {}
    for rooms in (4, 8, 12):
        for scale in (1, 10):
            for noisy in (False, True):
                label = f"{'noisy' if noisy else 'epsilon'}, {rooms} rooms, prize {scale}"
                labels[label] = dict(rooms=rooms, noisy=noisy, scale=float(scale))
    whole = dict(rooms=8, noisy=True, rainbow=True, n_step=3)
    return labels | {
        "Rainbow": whole,
        "Rainbow - noisy": whole | dict(noisy=False),
        "Rainbow - 3 steps": whole | dict(n_step=1),
    }


STUDY = Study(
    name="rainbow_corridor",
    question="Does noise in the weights find a prize that epsilon-greedy does not?",
    run=run,
    arms=arms(),
    seeds=tuple(range(6_000, 6_020)),
    group=20,
    prediction="Noisy layers find the prize in more of the seeds than epsilon-greedy at 8 and at "
    "12 rooms, at either size of the prize, and Rainbow finds it less often without them: in "
    "Obando-Ceron and Castro (2021) Rainbow on MountainCar lost most without its noisy layers.",
)

if __name__ == "__main__":
    main(STUDY, DATA)
