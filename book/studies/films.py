"""Films of one agent at several moments of its training, and its weights at each.

Without arguments the films that are missing are made; ``films.py cartpole`` makes
those of CartPole anew. A film shows one greedy episode of one seed: an anecdote to
look at, where the other scripts of this folder give results.
"""

import argparse
from functools import partial
from pathlib import Path

from safetensors.torch import save_file

from rl_lab.agents.dqn import DQNAgent
from rl_lab.envs import make_env
from rl_lab.films import record
from rl_lab.losses import q_learning_loss
from rl_lab.settings import CARTPOLE_RECIPE, CARTPOLE_STEPS
from rl_lab.training import EVALUATION_SEED, train_dqn

FILMS = Path(__file__).parents[1] / "films"
SEED = 0

# Environment steps of training at which each film is taken, in rising order.
MOMENTS = {
    "cartpole": {"before": 0, "during": 8_000, "after": CARTPOLE_STEPS},
}


def cartpole() -> None:
    """The recipe on CartPole-v1: untrained, in mid-training, and at the end of its budget."""
    loss = partial(q_learning_loss, double=True)
    agent = DQNAgent(4, 2, **CARTPOLE_RECIPE, loss=loss, device="cpu", seed=SEED)
    train_and_film("cartpole", "CartPole-v1", agent)


def train_and_film(
    name: str, env_name: str, agent: DQNAgent, *, max_steps: int = 500, every: int = 2
) -> None:
    """Train `agent` in pieces; at each of its moments store its weights and a film.

    All films of an agent begin from the same start, one that training has not seeded.

    Args:
        name: key of `MOMENTS`, and first word of the files' names.
        env_name: Gymnasium name.
        agent: an untrained agent.
        max_steps: environment steps of a training episode, and of a film, at most.
        every: environment steps between two frames of a film.
    """
    env, camera = make_env(env_name), make_env(env_name, render_mode="rgb_array")
    FILMS.mkdir(exist_ok=True)
    for moment, env_steps in MOMENTS[name].items():
        missing = env_steps - agent.n_env_steps
        if missing:
            train_dqn(
                agent,
                env,
                n_episodes=missing,  # more than there will be: env_steps is the limit
                max_steps=max_steps,
                n_env_steps=missing,
                seed=None if agent.n_env_steps else SEED,
                print_every=0,
            )
        path = FILMS / f"{name}_{moment}"
        save_file(agent.online.state_dict(), path.with_suffix(".safetensors"))
        film = path.with_suffix(".mp4")
        seed = EVALUATION_SEED
        length = record(agent, camera, film, seed=seed, max_steps=max_steps, every=every)
        print(f"{film.name}: {env_steps:,} environment steps, return {length:.0f}")


MAKERS = {"cartpole": cartpole}


def is_complete(name: str) -> bool:
    """Whether every film and every file of weights of `name` is there."""
    return all(
        (FILMS / f"{name}_{moment}{kind}").exists()
        for moment in MOMENTS[name]
        for kind in (".mp4", ".safetensors")
    )


def main() -> None:
    """Make the films named on the command line, or those that are missing."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", choices=MAKERS, help="default: what is missing")
    for name in parser.parse_args().names or [n for n in MAKERS if not is_complete(n)]:
        MAKERS[name]()


if __name__ == "__main__":
    main()
