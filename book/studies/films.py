"""Films of one agent at several moments of its training, and its weights at each.

Without arguments the films that are missing are made; ``films.py cartpole`` makes
those of CartPole anew. A film shows one greedy episode of one seed: an anecdote to
look at, where the other scripts of this folder give results.
"""

import argparse
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

from safetensors.torch import save_file

from rl_lab.agents.dqn import DQNAgent
from rl_lab.envs import make_env
from rl_lab.films import record
from rl_lab.losses import q_learning_loss
from rl_lab.settings import CARTPOLE_RECIPE, CARTPOLE_STEPS, LANDER_RECIPE, LANDER_STEPS
from rl_lab.training import EVALUATION_SEED, train_dqn

FILMS = Path(__file__).parents[1] / "films"
SEED = 0

# Environment steps of training at which each film is taken, in rising order.
MOMENTS = {
    "cartpole": {"before": 0, "during": 8_000, "after": CARTPOLE_STEPS},
    "lunar_lander": {"crash": 0, "hover": 80_000, "landing": LANDER_STEPS},
}

# How an episode of the lander has to end to be filmed, by its last observation (x and y
# first, the contacts of the legs last), its last reward and its length.
LANDER_LIMIT = 1_000
LANDER_ENDINGS = {
    "crash": lambda state, reward, length: reward == -100 and abs(state[0]) < 0.9,
    "hover": lambda state, reward, length: length == LANDER_LIMIT and state[1] > 0.1,
    "landing": lambda state, reward, length: reward == 100 and abs(state[0]) < 0.2,
}


def cartpole() -> None:
    """The recipe on CartPole-v1: untrained, in mid-training, and at the end of its budget."""
    loss = partial(q_learning_loss, double=True)
    agent = DQNAgent(4, 2, **CARTPOLE_RECIPE, loss=loss, device="cpu", seed=SEED)
    train_and_film("cartpole", "CartPole-v1", agent)


def lunar_lander() -> None:
    """The recipe on LunarLander-v3: a crash untrained, a hover half-way, a landing at the end."""
    loss = partial(q_learning_loss, double=True)
    agent = DQNAgent(8, 4, **LANDER_RECIPE, loss=loss, device="cpu", seed=SEED)
    train_and_film(
        "lunar_lander",
        "LunarLander-v3",
        agent,
        max_steps=LANDER_LIMIT,
        film_steps=400,
        every=4,
        endings=LANDER_ENDINGS,
    )


def train_and_film(
    name: str,
    env_name: str,
    agent: DQNAgent,
    *,
    max_steps: int = 500,
    film_steps: int = 500,
    every: int = 2,
    endings: Mapping[str, Callable[..., bool]] = MappingProxyType({}),
) -> None:
    """Train `agent` in pieces; at each of its moments store its weights and a film.

    A film begins from the first start of `evaluate`, which training has not seeded, or
    from the first whose episode ends as asked for.

    Args:
        name: key of `MOMENTS`, and first word of the files' names.
        env_name: Gymnasium name.
        agent: an untrained agent.
        max_steps: environment steps of a training episode at most.
        film_steps: environment steps of a film at most.
        every: environment steps between two frames of a film.
        endings: for a moment, how the filmed episode has to end; anyhow, if it is not named.
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
        if moment in endings:
            seed = first_start(agent, make_env(env_name), endings[moment])
        filmed = record(agent, camera, film, seed=seed, max_steps=film_steps, every=every)
        print(
            f"{film.name}: after {env_steps:,} environment steps, start {seed}, "
            f"return while filmed {filmed:.0f}"
        )


def first_start(agent: DQNAgent, env, wanted: Callable[..., bool]) -> int:
    """The seed of the first start of `evaluate` whose greedy episode ends as wanted.

    Raises:
        RuntimeError: if none of 200 starts does.
    """
    for seed in range(EVALUATION_SEED, EVALUATION_SEED + 200):
        state, _ = env.reset(seed=seed)
        length, over = 0, False
        while not over:
            action = agent.select_action(state, training=False)
            state, reward, terminated, truncated, _ = env.step(action)
            length, over = length + 1, terminated or truncated
        if wanted(state, reward, length):
            return seed
    raise RuntimeError("no start leads to the episode to be filmed: try another SEED")


MAKERS = {"cartpole": cartpole, "lunar_lander": lunar_lander}


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
