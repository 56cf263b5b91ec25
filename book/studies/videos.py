"""Videos of one agent at several moments of its training, and its weights at each.

Without arguments what is missing is made; ``videos.py cartpole`` trains on CartPole and records
anew, and with ``--keep-weights`` records anew from the stored weights. A video shows one greedy
episode of one seed: an anecdote to look at, where the other scripts of this folder give
results. ``videos.json`` says of each video whose it is, where it starts and what it returned.
"""

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from safetensors.torch import load_file, save_file

from rl_lab.agents.dqn import DQNAgent
from rl_lab.course.settings import CARTPOLE_RECIPE, CARTPOLE_STEPS, LANDER_RECIPE, LANDER_STEPS
from rl_lab.course.stored import write_checksums
from rl_lab.course.videos import record
from rl_lab.envs import make_env
from rl_lab.losses import QLearning
from rl_lab.training import EVALUATION_SEED, train_dqn

VIDEOS = Path(__file__).parents[1] / "videos"
MANIFEST = VIDEOS / "videos.json"
SEED = 0


@dataclass(frozen=True)
class Task:
    """What is learned and recorded.

    Attributes:
        env_name: Gymnasium name.
        sizes: observed numbers, and actions.
        settings: of the agent, which learns by the Double DQN target.
        moments: environment steps of training at which a video is recorded, in rising order.
        max_steps: environment steps of a training episode at most.
        video_steps: environment steps of a video at most.
        every: environment steps between two frames of a video.
        endings: for a moment, how the recorded episode has to end, by its last observation, its
            last reward and its length; anyhow, if the moment is not named.
    """

    env_name: str
    sizes: tuple[int, int]
    settings: Mapping
    moments: Mapping[str, int]
    max_steps: int = 500
    video_steps: int = 500
    every: int = 2
    endings: Mapping[str, Callable[..., bool]] = field(default_factory=dict)

    def agent(self) -> DQNAgent:
        """The agent before it has learned anything."""
        objective = QLearning(double=True)
        return DQNAgent(*self.sizes, **self.settings, objective=objective, device="cpu", seed=SEED)


LANDER_LIMIT = 1_000
TASKS = {
    "cartpole": Task(
        "CartPole-v1",
        (4, 2),
        CARTPOLE_RECIPE,
        {"before": 0, "during": 8_000, "after": CARTPOLE_STEPS},
    ),
    # Of an observation x and y come first, the contacts of the legs last.
    "lunar_lander": Task(
        "LunarLander-v3",
        (8, 4),
        LANDER_RECIPE,
        {"crash": 0, "hover": 80_000, "landing": LANDER_STEPS},
        max_steps=LANDER_LIMIT,
        video_steps=400,
        every=4,
        endings={
            "crash": lambda state, reward, length: reward == -100 and abs(state[0]) < 0.9,
            "hover": lambda state, reward, length: length == LANDER_LIMIT and state[1] > 0.1,
            "landing": lambda state, reward, length: reward == 100 and abs(state[0]) < 0.2,
        },
    ),
}


def weights_path(name: str, moment: str) -> Path:
    """Where the weights of a moment are."""
    return VIDEOS / f"{name}_{moment}.safetensors"


def train(name: str) -> None:
    """Train one agent in pieces, and store its weights at each of the moments."""
    task = TASKS[name]
    agent, env = task.agent(), make_env(task.env_name)
    for moment, env_steps in task.moments.items():
        if missing := env_steps - agent.n_env_steps:
            train_dqn(
                agent,
                env,
                n_episodes=missing,  # more than there will be: env_steps is the limit
                max_steps=task.max_steps,
                n_env_steps=missing,
                seed=None if agent.n_env_steps else SEED,
                print_every=0,
            )
        save_file(agent.online.state_dict(), weights_path(name, moment))


def trained(name: str, moment: str) -> tuple[DQNAgent, int]:
    """The agent of a moment, from its stored weights, and the seed of its video's start.

    The start is the first of `evaluate`, which training has not seeded, or the first whose
    episode ends as asked for.
    """
    task = TASKS[name]
    agent = task.agent()
    agent.online.load_state_dict(load_file(weights_path(name, moment)))
    wanted = task.endings.get(moment)
    return agent, first_start(agent, make_env(task.env_name), wanted) if wanted else EVALUATION_SEED


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
    raise RuntimeError("no start leads to the episode to be recorded: try another SEED")


class Counted:
    """An agent whose choices are counted: the environment steps of a video."""

    def __init__(self, agent: DQNAgent) -> None:
        self.agent, self.n = agent, 0

    def select_action(self, state, training=True):
        """Choose as the agent does."""
        self.n += 1
        return self.agent.select_action(state, training=training)


def record_all(name: str) -> dict[str, dict]:
    """Record all moments from their stored weights; returns the manifest's entry of each video."""
    task, entries = TASKS[name], {}
    camera = make_env(task.env_name, render_mode="rgb_array")
    for moment, env_steps in task.moments.items():
        agent, start = trained(name, moment)
        path, player = VIDEOS / f"{name}_{moment}.mp4", Counted(agent)
        options = dict(max_steps=task.video_steps, every=task.every)
        recorded = record(player, camera, path, seed=start, **options)
        entries[path.stem] = {
            "environment": task.env_name,
            "agent": name,
            "seed": SEED,
            "env_steps": env_steps,
            "start": start,
            "every": task.every,
            "length": player.n,
            "return": round(recorded, 2),
            "bytes": path.stat().st_size,
        }
        print(path.stem, entries[path.stem], flush=True)
    return entries


def read_manifest() -> dict:
    """What is known of the videos so far."""
    empty = {"agents": {}, "videos": {}}
    return json.loads(MANIFEST.read_text(encoding="utf-8")) if MANIFEST.exists() else empty


def make(name: str, keep_weights: bool) -> None:
    """Train, unless the weights are there and kept; record, and write both into the manifest."""
    VIDEOS.mkdir(exist_ok=True)
    stored = all(weights_path(name, moment).exists() for moment in TASKS[name].moments)
    if not (keep_weights and stored):
        train(name)
    manifest = read_manifest()
    manifest["videos"] |= record_all(name)
    manifest["agents"][name] = {"double": True, **TASKS[name].settings}
    text = json.dumps(manifest, indent=1, sort_keys=True)
    MANIFEST.write_text(f"{text}\n", encoding="utf-8")


def is_complete(name: str) -> bool:
    """Whether every video of `name` is there, with its poster, its weights and its entry."""
    kinds = (".mp4", ".png", ".safetensors")
    known = read_manifest()["videos"]
    return all(
        f"{name}_{moment}" in known and (VIDEOS / f"{name}_{moment}{kind}").exists()
        for moment in TASKS[name].moments
        for kind in kinds
    )


def main() -> None:
    """Make the videos named on the command line, or those that are missing."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    # `choices` refuses an empty list before Python 3.12.
    parser.add_argument("names", nargs="*", help=f"of {', '.join(TASKS)}; default: what is missing")
    parser.add_argument("--keep-weights", action="store_true", help="record anew, do not train")
    given = parser.parse_args()
    if unknown := [name for name in given.names if name not in TASKS]:
        parser.error(f"nothing is recorded of {unknown[0]!r}, only of {', '.join(TASKS)}")
    for name in given.names or [n for n in TASKS if not is_complete(n)]:
        make(name, keep_weights=given.keep_weights or not given.names)
        write_checksums(VIDEOS)


if __name__ == "__main__":
    main()
