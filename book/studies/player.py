"""Weights of one network that plays the game of bricks, for the experiment in the page.

One seed, trained for longer than the agents of the study ``pixels`` and with a learning rate that
falls to 0: a player to play against, where the study gives the results.
"""

import json
from pathlib import Path

from safetensors.torch import save_file

from rl_lab.agents.dqn import DQNAgent
from rl_lab.course.settings import PIXELS
from rl_lab.course.stored import write_checksums
from rl_lab.envs import make_env
from rl_lab.losses import QLearning
from rl_lab.networks import ConvQNetwork
from rl_lab.training import evaluate, train_dqn

DATA = Path(__file__).parents[1] / "data"
SEED, STEPS, EPISODES = 0, 120_000, 100
AGENT = PIXELS | dict(buffer_size=50_000, lr_decay_updates=(STEPS - 1_000) // 4)


def main() -> None:
    """Train, evaluate, and write ``bricks.safetensors``; its metadata hold the returns."""
    env = make_env("rl_lab/Bricks-v0")
    agent = DQNAgent(
        env.observation_space,
        3,
        **AGENT,
        network=ConvQNetwork,
        objective=QLearning(double=True),
        device="cpu",
        seed=SEED,
    )
    train_dqn(agent, env, n_episodes=STEPS, n_env_steps=STEPS, seed=SEED, print_every=0)
    returns = evaluate(agent, env, EPISODES)
    manifest = dict(
        environment="rl_lab/Bricks-v0",
        view="trail",
        agent=AGENT,
        loss=dict(double=True),
        seed=SEED,
        env_steps=STEPS,
        episodes=EPISODES,
        mean_return=float(returns.mean()),
        cleared=float((returns == 30).mean()),
    )
    print(manifest, flush=True)
    save_file(
        agent.online.state_dict(), DATA / "bricks.safetensors", {"manifest": json.dumps(manifest)}
    )
    write_checksums(DATA)


if __name__ == "__main__":
    main()
