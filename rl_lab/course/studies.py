"""Experiments over many seeds: run once, stored, and loaded by the chapters.

A `Study` names its arms (settings) and seeds. `run_study` trains every seed of
every arm in parallel processes, writes each one the moment it is finished, and
joins them into tables (see `rl_lab.course.results`). A study that was killed
carries on where it stopped.
"""

import argparse
import datetime
import hashlib
import inspect
import json
import os
import platform
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import gymnasium as gym
import numpy as np
import pandas as pd
import torch
from filelock import FileLock, Timeout
from joblib import Parallel, cpu_count, delayed, parallel_config
from torch import nn
from tqdm.auto import tqdm

from rl_lab.agents.dqn import DQNAgent
from rl_lab.course.machine import commit, machine
from rl_lab.course.results import Result, Tables, read_part, store, write, write_part
from rl_lab.distributional import Categorical, QuantileRegression
from rl_lab.envs import make_env
from rl_lab.losses import QLearning
from rl_lab.networks import ConvQNetwork, DuelingQNetwork, NoisyLinear, QNetwork
from rl_lab.prioritized import PrioritizedReplay
from rl_lab.replay import RecentTransitions, ReplayBuffer
from rl_lab.stack import StackedNetworks, greedy_together, train_together
from rl_lab.training import Evaluation, GreedyEpisode, History, train_dqn

MEAN = {"learns": "mean"}  # an objective, as arms of a study write it


@dataclass(frozen=True)
class Study:
    """One question, put to several arms over several seeds.

    Attributes:
        name: name of the stored files.
        question: what the study asks, in one sentence.
        run: ``run(seed, **arm) -> {table name: DataFrame}``, one row per observation.
            With a `group`, it is given a tuple of seeds, and its tables have a column
            ``seed``.
        arms: label of each arm, and the settings handed to `run`.
        seeds: seeds of every arm.
        group: seeds that one call of `run` trains together, written together when done.
        prediction: what the textbook says will come out, written down before the study runs.
    """

    name: str
    question: str
    run: Callable[..., Tables]
    arms: Mapping[str, dict]
    seeds: tuple[int, ...]
    group: int = 1
    prediction: str = ""

    def __post_init__(self):
        if repeated := [seed for seed, times in Counter(self.seeds).items() if times > 1]:
            raise ValueError(
                f"{self.name}: seeds {repeated} are named twice, and would count twice"
            )

    @property
    def groups(self) -> list[tuple[int, ...]]:
        """The seeds, as they are handed to `run`."""
        return [self.seeds[i : i + self.group] for i in range(0, len(self.seeds), self.group)]

    def settings(self, arm: str) -> dict:
        """The settings of an arm, and what `run` takes where the arm says nothing."""
        parameters = inspect.signature(self.run).parameters
        defaults = {k: p.default for k, p in parameters.items() if p.default is not p.empty}
        return defaults | dict(self.arms[arm])

    @property
    def definition(self) -> dict:
        """All that decides the result, as plain JSON values."""
        settings = {
            "name": self.name,
            "arms": {arm: self.settings(arm) for arm in self.arms},
            "seeds": self.seeds,
            "group": self.group,
        }
        if self.prediction:
            settings["prediction"] = self.prediction
        return json.loads(json.dumps(settings))

    @property
    def hash(self) -> str:
        """A short hash of the definition."""
        return _hash(self.definition)


def run_dqn(
    seeds: int | Sequence[int],
    *,
    env: str | dict | Callable[[], gym.Env],
    agent: dict,
    train: dict,
    eval_every: int,
    eval_episodes: int = 20,
    final_episodes: int = 100,
    loss: dict | None = None,
    replay: str = "uniform",
    keep_episodes: bool = True,
) -> Tables:
    """Train a `DQNAgent` per seed and return what they did, as tables.

    Where observations are pictures its network is a `ConvQNetwork`.

    Args:
        seeds: of the agents and their training environments: one seed is trained by
            `train_dqn`, several are stacked by `train_together`.
        env: Gymnasium name, arguments of `make_env`, or what makes an environment.
        agent: settings of `DQNAgent`.
        train: settings of `train_dqn`.
        eval_every: environment steps between greedy evaluations during training.
        eval_episodes: episodes of each.
        final_episodes: episodes of the last evaluation, after training.
        loss: settings of `QLearning`.
        replay: ``"uniform"``, ``"recent"`` for `RecentTransitions`, or ``"prioritized"`` for
            `PrioritizedReplay`.
        keep_episodes: return the table of training episodes, the largest by far.

    Returns:
        ``episodes`` (a row per training episode, unless left out), ``evals`` (a row per
        evaluation) and ``final`` (a row per seed).
    """
    return run_family(
        seeds,
        env=env,
        agent=agent,
        train=train,
        eval_every=eval_every,
        eval_episodes=eval_episodes,
        final_episodes=final_episodes,
        objective=(loss or {}) | MEAN,
        replay=replay,
        keep_episodes=keep_episodes,
    )


def run_family(
    seeds: int | Sequence[int],
    *,
    env: str | dict | Callable[[], gym.Env],
    agent: dict,
    train: dict,
    eval_every: int,
    eval_episodes: int = 20,
    final_episodes: int = 100,
    objective: dict = MEAN,
    dueling: bool = False,
    noisy: bool = False,
    replay: str = "uniform",
    keep_episodes: bool = False,
) -> Tables:
    """Do as `run_dqn` with any member of the family: what is learned, and by which network.

    Args:
        seeds: as of `run_dqn`, like what is not named here.
        env: see there.
        agent: see there.
        train: see there.
        eval_every: see there.
        eval_episodes: see there.
        final_episodes: see there.
        objective: ``learns``, one of ``"mean"`` (`QLearning`), ``"atoms"`` (`Categorical`) and
            ``"quantiles"`` (`QuantileRegression`), and the settings of that class.
        dueling: the network parts into two streams.
        noisy: its layers are `NoisyLinear`.
        replay: see there.
        keep_episodes: see there.
    """
    stores = {
        "uniform": ReplayBuffer,
        "recent": RecentTransitions,
        "prioritized": PrioritizedReplay,
    }
    objectives = {"mean": QLearning, "atoms": Categorical, "quantiles": QuantileRegression}
    named = env if isinstance(env, dict) else {"name": env}
    make = env if callable(env) else partial(make_env, **named)
    spaces = make()
    settings = dict(objective)
    learns = settings.pop("learns", None)
    for name, choice, choices in (("learns", learns, objectives), ("replay", replay, stores)):
        if choice not in choices:
            raise ValueError(f"{name} is one of {', '.join(choices)}, got {choice!r}")
    learned = objectives[learns](**settings)
    network = partial(
        _network(len(spaces.observation_space.shape) == 3, dueling),
        n_atoms=getattr(learned, "n_atoms", getattr(learned, "n_quantiles", None)),
        linear=NoisyLinear if noisy else nn.Linear,
    )
    seeds = (seeds,) if isinstance(seeds, int) else tuple(seeds)
    agents = [
        DQNAgent(
            spaces.observation_space,
            int(spaces.action_space.n),
            network=network,
            **agent,
            device="cpu",
            seed=seed,
            objective=learned,
            replay=stores[replay],
        )
        for seed in seeds
    ]
    histories, played = train_and_play(
        agents,
        make,
        seeds,
        **train,
        eval_every=eval_every,
        eval_episodes=eval_episodes,
        final_episodes=final_episodes,
    )
    tables = {
        "evals": pd.DataFrame(
            {"seed": seed, **summary(evaluation)}
            for seed, history in zip(seeds, histories, strict=True)
            for evaluation in history.evaluations
        ),
        "final": pd.DataFrame(
            {"seed": seed, **summary(Evaluation(a.n_env_steps, a.n_updates, episodes))}
            | {"epsilon": a.epsilon}
            for seed, a, episodes in zip(seeds, agents, played, strict=True)
        ),
    }
    if keep_episodes:
        tables["episodes"] = pd.concat(map(_episodes, seeds, histories))
    return tables


def _network(pictures: bool, dueling: bool) -> Callable[..., nn.Module]:
    if pictures:
        return partial(ConvQNetwork, dueling=dueling)
    return DuelingQNetwork if dueling else QNetwork


def train_and_play(
    agents: Sequence[DQNAgent],
    make: Callable[[], gym.Env],
    seeds: Sequence[int],
    *,
    final_episodes: int = 100,
    **schedule,
) -> tuple[list[History], list[list[GreedyEpisode]]]:
    """Train each agent in an environment of its own, then let it play greedy.

    Args:
        agents: one is trained by `train_dqn`, several are stacked by `train_together`.
        make: makes an environment.
        seeds: of the training environments.
        final_episodes: greedy episodes of each agent after training.
        schedule: settings of `train_dqn`.

    Returns:
        The history of each agent, and its last greedy episodes.

    Raises:
        KeyboardInterrupt: if a training was stopped.
    """
    if len(agents) == 1:
        histories = [
            train_dqn(agents[0], make(), **schedule, seed=seeds[0], print_every=0, eval_env=make())
        ]
    else:
        histories = train_together(agents, make, seeds, **schedule)
    if any(history.interrupted for history in histories):
        raise KeyboardInterrupt  # a run that was cut short is no result
    stage = [[make() for _ in range(final_episodes)] for _ in agents]
    first = agents[0]
    networks = StackedNetworks([a.online for a in agents], first.objective, first.obs_dtype)
    return histories, greedy_together(networks, stage, [a.gamma for a in agents])


def _episodes(seed: int, history: History) -> pd.DataFrame:
    """One row per training episode, in order; rounded, for it is the largest table."""
    return pd.DataFrame(
        {
            "seed": seed,
            "env_steps": history.env_steps,
            "return": history.returns,
            "loss": [float(f"{loss:.4g}") for loss in history.losses],
            "epsilon": np.round(history.epsilons, 4),
        }
    )


def summary(evaluation: Evaluation) -> dict[str, float]:
    """Means over the episodes of an evaluation, in one row."""
    returns, discounted, predicted, lengths = map(np.array, zip(*evaluation.episodes, strict=True))
    return {
        "env_steps": evaluation.env_steps,
        "updates": evaluation.updates,
        "return": returns.mean(),
        "return_std": returns.std(),
        "return_min": returns.min(),
        "length": lengths.mean(),
        "discounted": discounted.mean(),
        "predicted": predicted.mean(),
    }


def run_study(
    study: Study,
    data: Path,
    *,
    jobs: int | None = None,
    fresh: bool = False,
    scheduler: str | None = None,
) -> Result:
    """Run what is missing of `study`, store it under `data` and return it.

    Every finished seed (or group of them) is written at once to ``data/.parts``; a second
    call finds it there and does not run it again, unless it is damaged, or of other versions of
    the packages. Only this process writes, so the machines of a cluster need no common disk.

    Args:
        study: what to run.
        data: folder of the stored results.
        jobs: processes; None for one per core. A cluster has its own number.
        fresh: forget finished seeds and run all of them.
        scheduler: address of a Dask scheduler, ``"tcp://HOST:8786"``, whose workers run
            the study in place of processes of this machine. A worker that is lost has its
            work done again by another.

    Raises:
        RuntimeError: if another process runs the same study.
        ValueError: if no scheduler answers at the address.
    """
    folder = Path(data) / ".parts" / study.name
    folder.mkdir(parents=True, exist_ok=True)
    paths = {
        (arm, group): folder
        / f"{_slug(arm)}-{_hash(study.settings(arm))}-{'_'.join(map(str, group))}.json"
        for arm in study.arms
        for group in study.groups
    }
    about = {"question": study.question, "hash": study.hash, "definition": study.definition}
    versions = machine()["versions"]
    with _lock(folder):
        if fresh:
            for path in paths.values():
                path.unlink(missing_ok=True)
        parts = {run: read_part(path) for run, path in paths.items()}
        todo = [run for run, part in parts.items() if not _is_finished(part, versions)]
        todo.sort(key=lambda run: run[1])  # seed by seed: an early stop leaves whole seeds
        if todo:
            with _processes(scheduler, jobs):
                work = Parallel(return_as="generator_unordered", pre_dispatch="all")(
                    delayed(_run_part)(study.run, *run, study.arms[run[0]]) for run in todo
                )
                for *run, part in tqdm(work, total=len(todo), desc=study.name, unit="run"):
                    _refuse_other(part["machine"]["versions"], versions)
                    write_part(paths[*run], part)
                    parts[*run] = part
        return store(Path(data), study.name, about, parts)


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Hold a study, so that a second process does not do the same work beside this one.

    The operating system frees the lock of a process that ends, however it ends.
    """
    file, holder = (folder.with_name(f".{folder.name}.{kind}") for kind in ("lock", "holder"))
    try:
        lock = FileLock(file).acquire(blocking=False)
    except Timeout:
        raise RuntimeError(
            f"the study {folder.name} is already being run, by {holder.read_text('utf-8')}; "
            f"wait for it, or stop it first: what it has finished is kept"
        ) from None
    with lock:
        now = datetime.datetime.now()
        text = f"process {os.getpid()} on {platform.node()} since {now:%Y-%m-%d %H:%M}"
        write({holder: text.encode()})
        yield


def _processes(scheduler: str | None, jobs: int | None) -> parallel_config:
    """Let joblib use the processes of this machine, or the workers of a Dask cluster."""
    if scheduler is None:
        return parallel_config(
            backend="loky",
            n_jobs=jobs or cpu_count(),
            initializer=_end_with,
            initargs=(os.getpid(),),
        )
    try:
        return parallel_config(backend="dask", n_jobs=-1, scheduler_host=scheduler)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"no Dask scheduler answers at {scheduler!r}; start one with `dask scheduler` and "
            f"give the address it prints, e.g. tcp://127.0.0.1:8786"
        ) from error


def _end_with(parent: int) -> None:
    """Let this process end within a second of its parent, even one that was killed.

    A worker would otherwise finish its run, for nobody. Windows gives orphans no new parent: there
    it does.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _refuse_other(versions: dict, here: dict) -> None:
    if versions != here:
        raise ValueError(
            f"a worker runs {versions}, this machine {here}; "
            f"install the same requirements.txt there"
        )


def _is_finished(part: dict | None, versions: dict) -> bool:
    return part is not None and part["machine"]["versions"] == versions


def _run_part(
    run: Callable[..., Tables], arm: str, group: tuple[int, ...], settings: dict
) -> tuple[str, tuple[int, ...], dict]:
    """Run one group of seeds of one arm; returns arm, group, and what is stored of them."""
    torch.set_num_threads(1)
    start = time.process_time()
    tables = run(group[0] if len(group) == 1 else group, **settings)
    part = {
        "seconds": round(time.process_time() - start, 1),
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "code": commit(),
        "tables": {
            name: json.loads(table.to_json(orient="split", index=False, double_precision=15))
            for name, table in tables.items()
        },
    }
    return arm, group, part


def main(study: Study, data: Path) -> None:
    """Run `study` from the command line."""
    parser = argparse.ArgumentParser(description=study.question)
    parser.add_argument("--jobs", type=int, default=None, help="processes (default: one per core)")
    parser.add_argument("--fresh", action="store_true", help="run finished seeds again, too")
    parser.add_argument("--scheduler", default=None, help="a Dask scheduler: tcp://HOST:8786")
    args = parser.parse_args()
    print(run_study(study, data, **vars(args)).credits)


def _hash(settings: dict) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def _slug(label: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in label.lower())
