"""CartPole-v1: Rainbow, each of its parts added to DQN, and each taken out of Rainbow.

Equal in every arm: environment steps, updates, batch size, hidden units, learning rate. Agents with
noisy layers explore by their noise alone, the others by epsilon. Measures, each as a difference to
plain DQN or to Rainbow with an interval over seeds: the mean greedy return over the run (how soon
it learns), and the greedy return of 50 episodes after it.

What an update costs is timed in stacks of the same agents on one core: processor time of an
environment step with its update, by agent. The smallest of three short runs counts, since whatever
else the machine does can only slow one down.
"""

import time
from pathlib import Path

import pandas as pd

from rl_lab.course.results import Tables
from rl_lab.course.settings import CARTPOLE
from rl_lab.course.studies import Study, main, run_family

DATA = Path(__file__).parents[1] / "data"
STEPS = 10_000
AGENT = CARTPOLE | dict(
    hidden_dim=64,
    batch_size=32,
    epsilon_min=0.05,
    epsilon_decay_steps=5_000,
    buffer_size=STEPS,
    learning_starts=500,
)
PARTS = ("Double", "dueling", "3 steps", "prioritized", "noisy", "C51")


def settings(parts: tuple[str, ...]) -> dict:
    """Settings of the agent with these parts, for `run_family`."""
    noisy = "noisy" in parts
    learns = dict(learns="mean")
    if "C51" in parts:  # rewards of 1 for ever are worth 1 / (1 - gamma) = 100
        learns = dict(learns="atoms", v_min=0.0, v_max=100.0, n_atoms=21)
    return dict(
        agent=AGENT
        | dict(n_step=3 if "3 steps" in parts else 1)
        | (dict(epsilon=0.0, epsilon_min=0.0) if noisy else {}),
        objective=learns | dict(double="Double" in parts),
        dueling="dueling" in parts,
        noisy=noisy,
        replay="prioritized" if "prioritized" in parts else "uniform",
    )


def _arms(named: dict[str, tuple[str, ...]]) -> dict[str, dict]:
    return {
        label: settings(parts)
        | dict(
            env="CartPole-v1",
            train=dict(n_episodes=100_000, max_steps=500, n_env_steps=STEPS),
            eval_every=1_000,
            eval_episodes=10,
            final_episodes=50,
        )
        for label, parts in named.items()
    }


SEEDS = tuple(range(5_000, 5_020))
PREDICTION = (
    "By mean greedy return over the run. Added to plain DQN: 3 steps, C51 and noisy "
    "help (interval above 0), since on LunarLander in Obando-Ceron and Castro (2021) Rainbow lost "
    "most without C51, then 3 steps, then noisy; Double, dueling and prioritized are not decided "
    "(interval holds 0), the first for CartPole's ceiling, the others since their removal cost "
    "nothing there. Rainbow beats plain DQN. Taken out of Rainbow: no part is missed (every "
    "interval holds 0), as on CartPole-v0 in the same paper; in Hessel et al. (2018), on 57 Atari "
    "games, prioritized and 3 steps were missed most, then C51, noisy somewhat, dueling and Double "
    "hardly."
)

STUDY = Study(
    name="rainbow",
    question="Which parts of Rainbow help DQN on CartPole-v1?",
    run=run_family,
    arms=_arms({"plain": (), "Rainbow": PARTS} | {f"plain + {part}": (part,) for part in PARTS}),
    seeds=SEEDS,
    group=20,
    prediction=PREDICTION,
)
WITHOUT = Study(
    name="rainbow_without",
    question="Which parts does Rainbow miss on CartPole-v1?",
    run=run_family,
    arms=_arms({f"Rainbow - {part}": tuple(p for p in PARTS if p != part) for part in PARTS}),
    seeds=SEEDS,
    group=20,
    prediction=PREDICTION,
)


def run_cost(seed: int, *, parts: tuple[str, ...], agents: int = 20, steps: int = 150) -> Tables:
    """Time `steps` environment steps of a stack: the difference of a longer and a shorter run."""
    arm = settings(tuple(parts))
    arm["agent"] = arm["agent"] | dict(learning_starts=32)
    seconds = []
    for n_env_steps in (40, 40, 40 + steps):  # the first warms up
        start = time.process_time()
        run_family(
            tuple(range(100 * seed, 100 * seed + agents)),
            **arm,
            env="CartPole-v1",
            train=dict(n_episodes=100_000, n_env_steps=n_env_steps),
            eval_every=1_000_000,
            final_episodes=1,
        )
        seconds.append(time.process_time() - start)
    ms = 1_000 * (seconds[2] - seconds[1]) / steps / agents
    return {"times": pd.DataFrame([{"seed": seed, "ms": ms}])}


COST = Study(
    name="rainbow_cost",
    question="What does each part of Rainbow cost per update?",
    run=run_cost,
    arms={"plain": dict(parts=())}
    | {part: dict(parts=(part,)) for part in PARTS}
    | {"Rainbow": dict(parts=PARTS)},
    seeds=(1, 2, 3),
)

if __name__ == "__main__":
    main(STUDY, DATA)
    main(WITHOUT, DATA)
    main(COST, DATA)
