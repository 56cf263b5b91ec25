"""LunarLander-v3: the two ideas, the discount, the recipe and its parts, and additions to it.

Every agent plays 100 greedy episodes after training, and the way each of them ends is stored:

- landed: the last reward holds the 100 of a lander at rest;
- left: it flew out at the side;
- crashed: any other terminal state;
- hovered: the time limit found it in the air, with no leg on the ground;
- sat: the time limit found it on the ground, not at rest.

Measures, each with an interval over seeds: the share of episodes that end in a landing, the share
of agents whose mean greedy return reaches 200, the mean and the IQM of those returns, and the mean
return over the run. Equal in all arms of a study: environment steps, updates and evaluations. (But
*learning at once* makes 2,000 more updates.)
"""

from collections.abc import Sequence
from pathlib import Path

import gymnasium as gym

from rl_lab.course.settings import LANDER, LANDER_RECIPE, LANDER_STEPS
from rl_lab.course.studies import Study, Tables, main, run_dqn
from rl_lab.envs import make_env

DATA = Path(__file__).parents[1] / "data"
ENDINGS = ("landed", "crashed", "left", "hovered", "sat")


class Ending(gym.Wrapper):
    """Remembers how the last episode ended, in `ending`."""

    def step(self, action):
        """Return what the environment returned."""
        state, reward, terminated, truncated, info = self.env.step(action)
        if terminated or truncated:
            self.ending = ending(state, reward, terminated)
        return state, reward, terminated, truncated, info


def ending(state: Sequence[float], reward: float, terminated: bool) -> str:
    """How an episode ended, from its last observation and reward."""
    if not terminated:
        return "sat" if state[6] or state[7] else "hovered"
    if reward > 0:
        return "landed"
    return "left" if abs(state[0]) >= 1 else "crashed"


def run(
    seeds: Sequence[int],
    *,
    agent: dict,
    n_env_steps: int,
    double: bool = True,
    replay: str = "uniform",
    eval_every: int = 20_000,
    eval_episodes: int = 20,
    final_episodes: int = 100,
) -> Tables:
    """Train a stack of agents and return their evaluations, and how they play in the end.

    Args:
        seeds: of the agents and their training environments.
        agent: settings of `DQNAgent`.
        n_env_steps: environment steps of training.
        double: use the Double DQN target.
        replay: as of `run_dqn`.
        eval_every: environment steps between greedy evaluations during training.
        eval_episodes: episodes of each.
        final_episodes: episodes of the last evaluation, after training.
    """
    stage = []

    def make() -> gym.Env:
        stage.append(Ending(make_env("LunarLander-v3")))
        return stage[-1]

    tables = run_dqn(
        seeds,
        env=make,
        agent=agent,
        train=dict(n_episodes=n_env_steps, max_steps=1_000, n_env_steps=n_env_steps),
        eval_every=eval_every,
        eval_episodes=eval_episodes,
        final_episodes=final_episodes,
        loss=dict(double=double),
        replay=replay,
        keep_episodes=False,
    )
    ends = [env.ending for env in stage[-len(seeds) * final_episodes :]]  # what is made last
    for name in ENDINGS:
        tables["final"][name] = [
            ends[k : k + final_episodes].count(name) for k in range(0, len(ends), final_episodes)
        ]
    return tables


def _arm(n_env_steps: int = LANDER_STEPS, double: bool = True, replay: str = "uniform", **changes):
    agent = LANDER_RECIPE | changes
    return dict(agent=agent, n_env_steps=n_env_steps, double=double, replay=replay)


FACTORIAL = Study(
    name="lander_factorial",
    question="Of replay and the target network, which one does DQN need on LunarLander-v3?",
    run=run,
    arms={
        "both": _arm(double=False),
        "replay only": _arm(double=False, target_update_freq=1),
        "target only": _arm(double=False, replay="recent"),
        "neither": _arm(double=False, replay="recent", target_update_freq=1),
    },
    seeds=tuple(range(3_000, 3_020)),
    group=10,
    prediction="Only agents with both ideas land reliably; replay matters more than the target "
    "network.",
)

GAMMA = Study(
    name="lander_gamma",
    question="Does the discount decide whether an agent lands or hovers?",
    run=run,
    arms={f"gamma {gamma}": _arm(gamma=gamma) for gamma in (0.98, 0.99, 0.995, 0.999)},
    seeds=tuple(range(3_100, 3_120)),
    group=10,
    prediction="The smaller the discount, the less a landing far ahead is worth and the more "
    "agents hover; 0.999 learns more slowly than 0.99.",
)

PLAIN = Study(
    name="lander_plain",
    question="What does the LunarLander recipe lose without the Double target? The recipe itself "
    "is the arm gamma 0.99 of lander_gamma; both of lander_factorial has these settings, too.",
    run=run,
    arms={"without Double": _arm(double=False)},
    seeds=GAMMA.seeds,
    group=10,
    prediction="Of the recipe's parts the learning-rate decay matters most and Double next.",
)

PARTS = Study(
    name="lander_parts",
    question="Which part of the LunarLander recipe brings agents to land? The whole recipe is the "
    "arm gamma 0.99 of lander_gamma, without Double is lander_plain, the common sizes are "
    "lander_sizes.",
    run=run,
    arms={
        "constant learning rate": _arm(lr_decay_updates=None),
        "epsilon by episodes": _arm(epsilon_decay_steps=None, epsilon_min=LANDER["epsilon_min"]),
        "learning at once": _arm(learning_starts=0),
    },
    seeds=GAMMA.seeds[:10],
    group=10,
    prediction="The learning-rate decay matters most and Double next; a network twice as wide, "
    "with a minibatch twice as large, lands as often.",
)

SIZES = Study(
    name="lander_sizes",
    question="Does the LunarLander recipe land as often with the common width and minibatch? The "
    "recipe itself is the arm gamma 0.99 of lander_gamma.",
    run=run,
    arms={
        "common sizes": _arm(hidden_dim=LANDER["hidden_dim"], batch_size=LANDER["batch_size"]),
    },
    seeds=GAMMA.seeds[:6],
    group=2,
    prediction="A network twice as wide, with a minibatch twice as large, lands as often.",
)

DOUBLE = Study(
    name="lander_double",
    question="At which target period does Double DQN pay?",
    run=run,
    arms={
        f"{name}, every {period:,}": _arm(
            100_000,
            double,
            target_update_freq=period,
            lr_decay_updates=98_000,
            epsilon_decay_steps=20_000,
        )
        | dict(eval_every=10_000)
        for period in (200, 1_000, 5_000)
        for name, double in {"plain": False, "Double": True}.items()
    },
    seeds=tuple(range(3_200, 3_210)),
    group=10,
    prediction="Plain DQN overestimates, Double DQN nearly not; the gap, and what Double gains in "
    "return, grow with the target period.",
)

MEMORY = Study(
    name="lander_memory",
    question="What do 3-step returns add to the LunarLander recipe? The recipe itself is the arm "
    "gamma 0.99 of lander_gamma.",
    run=run,
    arms={"3 steps": _arm(n_step=3)},
    seeds=GAMMA.seeds[:10],
    group=10,
    prediction="3 steps raise the return over the run and the share of landings; prioritized "
    "changes neither. On LunarLander in Obando-Ceron and Castro (2021) Rainbow lost much without "
    "multi-step returns, and next to nothing without prioritized replay.",
)

if __name__ == "__main__":
    main(DOUBLE, DATA)
    main(FACTORIAL, DATA)
    main(GAMMA, DATA)
    main(MEMORY, DATA)
    main(PARTS, DATA)
    main(PLAIN, DATA)
    main(SIZES, DATA)
