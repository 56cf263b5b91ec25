"""A lander that learns the distribution of its return, and what it expected on some flights.

One C51 agent, the recipe of LunarLander with 51 atoms, is kept at several moments of training: one
seed, an anecdote to look at. Greedy flights are then stored step by step, with the distribution of
the chosen action, for the chapter and for the experiment in the page. ``--keep-weights`` flies
anew without training.
"""

import argparse
import json
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from safetensors.numpy import save_file
from safetensors.torch import load_file
from safetensors.torch import save_file as save_weights

from rl_lab.agents.dqn import DQNAgent
from rl_lab.course.settings import LANDER_RECIPE
from rl_lab.course.stored import verify_checksum, write_checksums
from rl_lab.distributional import Categorical
from rl_lab.envs import make_env
from rl_lab.networks import QNetwork
from rl_lab.training import EVALUATION_SEED, train_dqn

DATA = Path(__file__).parents[1] / "data"
landing = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("landing.py"))))
WEIGHTS = DATA / "lander_distribution_weights.safetensors"
SEED = 0
OBJECTIVE = Categorical(v_min=-200, v_max=200, n_atoms=51, double=True)
MOMENTS = {"early": 40_000, "late": 100_000}  # environment steps
AGENT = LANDER_RECIPE | dict(lr_decay_updates=198_000)  # of which it takes about half

# The moment of training of each flight, and how it has to end: by its last observation and reward.
FLIGHTS = {
    "landing": (
        "late",
        lambda state, reward: reward == 100 and abs(state[0]) < 0.2 and state[6:].all(),
    ),
    "crash": (
        "early",
        lambda state, reward: reward == -100 and abs(state[0]) < 0.4 and abs(state[4]) > 1,
    ),
    "surprise": ("late", lambda state, reward: reward == -100),
}


def network(obs_dim: int, n_actions: int, hidden_dim: int) -> QNetwork:
    """A network with 51 logits per action."""
    return QNetwork(obs_dim, n_actions, hidden_dim, n_atoms=OBJECTIVE.n_atoms)


def make_agent() -> DQNAgent:
    """The agent before it has learned anything."""
    return DQNAgent(8, 4, **AGENT, network=network, objective=OBJECTIVE, device="cpu", seed=SEED)


def train() -> None:
    """Train the agent, and store its weights at each of the moments."""
    agent, env, kept = make_agent(), make_env("LunarLander-v3"), {}
    for moment, env_steps in MOMENTS.items():
        history = train_dqn(
            agent,
            env,
            n_episodes=env_steps,  # more than there will be: env_steps is the limit
            max_steps=1_000,
            n_env_steps=env_steps - agent.n_env_steps,
            seed=None if agent.n_env_steps else SEED,
            print_every=0,
        )
        print(moment, np.mean(history.returns[-20:]), flush=True)
        if moment in (needed for needed, _ in FLIGHTS.values()):
            kept |= {f"{moment}.{k}": v.clone() for k, v in agent.online.state_dict().items()}
    save_weights(kept, WEIGHTS)


def trained(moment: str) -> DQNAgent:
    """The agent of a moment, from its stored weights."""
    agent, weights = make_agent(), load_file(verify_checksum(WEIGHTS))
    agent.online.load_state_dict(
        {k.partition(".")[2]: v for k, v in weights.items() if k.startswith(f"{moment}.")}
    )
    return agent


def fly(agent: DQNAgent, start: int) -> tuple[dict[str, np.ndarray], np.ndarray, float]:
    """Play one greedy episode from a start of `evaluate`.

    Returns:
        The arrays of `landing.fly`, and ``probabilities`` ``[n_env_steps + 1, 51]``, of the return
        of the greedy action. And the last observation and reward.
    """
    support, probabilities = OBJECTIVE.support(), []

    def read(state: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            each = agent.online(torch.as_tensor(state)).softmax(-1)
        values = (each @ support).numpy()
        probabilities.append(each[int(values.argmax())].numpy())
        return values

    arrays, state, _ = landing.fly(start, read)
    arrays["probabilities"] = probabilities
    reward = arrays["steps"][-2][-1]
    return {name: np.array(rows, np.float32) for name, rows in arrays.items()}, state, reward


def main() -> None:
    """Train, fly, and write the flights; their metadata hold the returns."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--keep-weights", action="store_true", help="fly anew, do not train")
    if not parser.parse_args().keep_weights:
        train()
        write_checksums(DATA)
    tensors, entries = {}, {}
    for name, (moment, wanted) in FLIGHTS.items():
        agent = trained(moment)
        for start in range(EVALUATION_SEED, EVALUATION_SEED + 200):
            arrays, state, reward = fly(agent, start)
            if wanted(state, reward):
                break
        else:
            raise RuntimeError(f"no start leads to a {name}: try another SEED")
        tensors |= {f"{name}.{key}": array for key, array in arrays.items()}
        entries[name] = dict(
            moment=moment,
            env_steps=MOMENTS[moment],
            start=start,
            length=len(arrays["steps"]) - 1,
            flight_return=float(arrays["steps"][:, -1].sum()),
        )
        print(name, entries[name], flush=True)
    manifest = dict(
        environment="LunarLander-v3",
        seed=SEED,
        gamma=AGENT["gamma"],
        v_min=OBJECTIVE.v_min,
        v_max=OBJECTIVE.v_max,
        n_atoms=OBJECTIVE.n_atoms,
        moments=MOMENTS,
        flights=entries,
    )
    save_file(tensors, DATA / "lander_distribution.safetensors", {"manifest": json.dumps(manifest)})
    write_checksums(DATA)


if __name__ == "__main__":
    main()
