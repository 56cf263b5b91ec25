"""Experiments over many seeds: run once, stored, and loaded by the chapters.

A `Study` names its arms (settings) and seeds. `run_study` trains every seed of
every arm in parallel processes, writes each one the moment it is finished, and
joins them into CSV tables and a JSON manifest beside them. A study that was
killed carries on where it stopped.
"""

import argparse
import datetime
import hashlib
import inspect
import json
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import gymnasium as gym
import numpy as np
import pandas as pd
import torch
from joblib import Parallel, cpu_count, delayed, parallel_config
from tqdm.auto import tqdm

from rl_lab.agents.dqn import DQNAgent
from rl_lab.envs import make_env
from rl_lab.losses import q_learning_loss
from rl_lab.multiseed import StackedQNetwork, greedy_together, train_together
from rl_lab.replay import RecentTransitions
from rl_lab.training import Evaluation, GreedyEpisode, History, train_dqn

Tables = dict[str, pd.DataFrame]


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
    """

    name: str
    question: str
    run: Callable[..., Tables]
    arms: Mapping[str, dict]
    seeds: tuple[int, ...]
    group: int = 1

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
        return json.loads(json.dumps(settings))

    @property
    def hash(self) -> str:
        """A short hash of the definition."""
        return _hash(self.definition)


class Result(NamedTuple):
    """A stored study."""

    tables: Tables
    manifest: dict

    @property
    def credits(self) -> str:
        """Say in one line how many runs there are and what they took on their machine."""
        m = self.manifest
        runs = len(m["definition"]["arms"]) * len(m["definition"]["seeds"])
        seconds = m["seconds"]
        took = f"{seconds} seconds" if seconds < 100 else f"{seconds / 60:.0f} minutes"
        return (
            f"{runs} runs ({len(m['definition']['arms'])} arms x "
            f"{len(m['definition']['seeds'])} seeds), {took} of running, {m['date']}, "
            f"torch {m['versions']['torch']}"
        )


def run_dqn(
    seeds: int | Sequence[int],
    *,
    env: str | dict,
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

    Args:
        seeds: of the agents and their training environments: one seed is trained by
            `train_dqn`, several are stacked by `train_together`.
        env: Gymnasium name, or arguments of `make_env`.
        agent: settings of `DQNAgent`.
        train: settings of `train_dqn`.
        eval_every: environment steps between greedy evaluations during training.
        eval_episodes: episodes of each.
        final_episodes: episodes of the last evaluation, after training.
        loss: settings of `q_learning_loss`.
        replay: ``"uniform"``, or ``"recent"`` for `RecentTransitions`.
        keep_episodes: return the table of training episodes, the largest by far.

    Returns:
        ``episodes`` (a row per training episode, unless left out), ``evals`` (a row per
        evaluation) and ``final`` (a row per seed).
    """
    stores = {"uniform": lambda: None, "recent": lambda: RecentTransitions(agent["batch_size"])}
    make = partial(make_env, **(env if isinstance(env, dict) else {"name": env}))
    spaces = make()
    seeds = (seeds,) if isinstance(seeds, int) else tuple(seeds)
    agents = [
        DQNAgent(
            spaces.observation_space.shape[0],
            int(spaces.action_space.n),
            **agent,
            device="cpu",
            seed=seed,
            loss=partial(q_learning_loss, **(loss or {})),
            replay=stores[replay](),
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
            {"seed": seed, **_summary(evaluation)}
            for seed, history in zip(seeds, histories, strict=True)
            for evaluation in history.evaluations
        ),
        "final": pd.DataFrame(
            {"seed": seed, **_summary(Evaluation(a.n_env_steps, a.n_updates, episodes))}
            | {"epsilon": a.epsilon}
            for seed, a, episodes in zip(seeds, agents, played, strict=True)
        ),
    }
    if keep_episodes:
        tables["episodes"] = pd.concat(map(_episodes, seeds, histories))
    return tables


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
    networks = StackedQNetwork([a.online for a in agents])
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


def _summary(evaluation: Evaluation) -> dict[str, float]:
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
    call finds it there and does not run it again, unless it is of other versions of the
    packages. Only this process writes, so the machines of a cluster need no common disk.

    Args:
        study: what to run.
        data: folder of the stored results.
        jobs: processes; None for one per core. A cluster has its own number.
        fresh: forget finished seeds and run all of them.
        scheduler: address of a Dask scheduler, ``"tcp://HOST:8786"``, whose workers run
            the study in place of processes of this machine. A worker that is lost has its
            work done again by another.

    Raises:
        ValueError: if no scheduler answers at the address.
    """
    parts = Path(data) / ".parts" / study.name
    parts.mkdir(parents=True, exist_ok=True)
    runs = {
        (arm, group): parts
        / f"{_slug(arm)}-{_hash(study.settings(arm))}-{'_'.join(map(str, group))}.json"
        for arm in study.arms
        for group in study.groups
    }
    if fresh:
        for path in runs.values():
            path.unlink(missing_ok=True)
    versions = machine()["versions"]
    todo = [key for key, path in runs.items() if not _is_finished(path, versions)]
    todo.sort(key=lambda run: run[1])  # seed by seed, so that an early stop leaves whole seeds
    if todo:
        with _processes(scheduler, jobs):
            work = Parallel(return_as="generator_unordered", pre_dispatch="all")(
                delayed(_run_part)(study.run, arm, group, study.arms[arm]) for arm, group in todo
            )
            for arm, group, part in tqdm(work, total=len(todo), desc=study.name, unit="run"):
                if part["machine"]["versions"] != versions:
                    raise ValueError(
                        f"a worker runs {part['machine']['versions']}, this machine {versions}; "
                        f"install the same requirements.txt there"
                    )
                _write({runs[arm, group]: json.dumps(part)})
    return _join(study, runs, Path(data))


def _processes(scheduler: str | None, jobs: int | None) -> parallel_config:
    """Let joblib use the processes of this machine, or the workers of a Dask cluster."""
    if scheduler is None:
        return parallel_config(backend="loky", n_jobs=jobs or cpu_count())
    try:
        return parallel_config(backend="dask", n_jobs=-1, scheduler_host=scheduler)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"no Dask scheduler answers at {scheduler!r}; start one with `dask scheduler` and "
            f"give the address it prints, e.g. tcp://127.0.0.1:8786"
        ) from error


def _is_finished(path: Path, versions: dict) -> bool:
    if not path.exists():
        return False
    part = json.loads(path.read_text())
    return "date" in part and part["machine"]["versions"] == versions


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
        "tables": {
            name: json.loads(table.to_json(orient="split", index=False, double_precision=15))
            for name, table in tables.items()
        },
    }
    return arm, group, part


def _write(texts: Mapping[Path, str]) -> None:
    """Write files whole, and all of them or none: where the disk is full, the old ones stay."""
    unfinished = {path: path.with_suffix(f".{os.getpid()}.tmp") for path in texts}
    try:
        for path, text in texts.items():
            unfinished[path].write_text(text, encoding="utf-8")
    except OSError as error:
        for file in unfinished.values():
            file.unlink(missing_ok=True)
        error.add_note(
            "What was stored before is untouched, and finished parts are kept: make room, or make "
            "the folder writable, and run the study again; it goes on from there."
        )
        raise
    for path, file in unfinished.items():
        os.replace(file, path)


def _join(study: Study, runs: Mapping[tuple[str, tuple], Path], data: Path) -> Result:
    """Join the parts into one CSV per table, and write the manifest last."""
    frames: dict[str, list[pd.DataFrame]] = {}
    parts = []
    for (arm, group), path in runs.items():
        part = json.loads(path.read_text())
        parts.append(part)
        for name, content in part["tables"].items():
            table = pd.DataFrame(content["data"], columns=content["columns"])
            table.insert(0, "arm", arm)
            if "seed" not in table:
                table.insert(1, "seed", group[0])
            frames.setdefault(name, []).append(table)
    manifest = {
        "question": study.question,
        "hash": study.hash,
        "definition": study.definition,
        "seconds": round(sum(part["seconds"] for part in parts)),
        "date": max(part["date"] for part in parts),
        "versions": parts[0]["machine"]["versions"],
        "processor": " and ".join(sorted({part["machine"]["processor"] for part in parts})),
    }
    texts = {
        f"{study.name}.{name}.csv": pd.concat(frames[name]).to_csv(
            index=False, float_format="%.7g", lineterminator="\n"
        )
        for name in sorted(frames)
    }
    manifest["sha256"] = {name: _digest(text.encode()) for name, text in texts.items()}
    texts[f"{study.name}.json"] = json.dumps(manifest, indent=1) + "\n"
    _write({data / name: text for name, text in texts.items()})
    for table in data.glob(f"{study.name}.*.csv"):
        if table.name not in texts:
            table.unlink()  # of a run that returned more
    return load_study(data / study.name)


def seal(path: Path | str) -> None:
    """Write the checksums of a stored study's tables into its manifest.

    `load_study` compares them. A table that somebody means to change is sealed again.
    """
    path = Path(path)
    manifest = path.with_name(path.name + ".json")
    content = _read_manifest(manifest)
    content["sha256"] = _checksums(path)
    _write({manifest: json.dumps(content, indent=1) + "\n"})


def _checksums(path: Path) -> dict[str, str]:
    """The checksum of each table of the study at `path`."""
    tables = sorted(path.parent.glob(f"{path.name}.*.csv"))
    return {table.name: _checksum(table) for table in tables}


def _checksum(path: Path) -> str:
    """SHA-256 of a text file, whatever the ends of lines are that git writes here."""
    return _digest(path.read_bytes())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()


def _read_manifest(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # of JSON, or of UTF-8
        raise ValueError(
            f"{path} is damaged (SHA-256 {_checksum(path)}): {error}; "
            f"fetch it again, for example with `git checkout -- {path.name}` beside it"
        ) from error


def load_study(path: Path | str) -> Result:
    """Load the stored study at `path`, e.g. ``"data/cartpole"``.

    Raises:
        FileNotFoundError: if it was never run; the message says how to run it.
        ValueError: if a file is not the one that was stored; the message names it.
    """
    path = Path(path)
    manifest = path.with_name(path.name + ".json")
    if not manifest.exists():
        raise FileNotFoundError(f"no stored study at {path}; `make studies` runs what is missing")
    content = _read_manifest(manifest)
    for name, stored in content.get("sha256", {}).items():
        table = manifest.with_name(name)
        found = _checksum(table) if table.exists() else "missing"
        if found != stored:
            raise ValueError(
                f"{table} is not the file that was stored: its SHA-256 is {found}, and "
                f"{manifest.name} says {stored}; fetch it again, for example with "
                f"`git checkout -- {name}` beside it"
            )
    tables = {
        file.name.split(".")[-2]: pd.read_csv(file)
        for file in sorted(path.parent.glob(f"{path.name}.*.csv"))
    }
    return Result(tables, content)


def curves(table: pd.DataFrame, column: str, x: str = "env_steps") -> dict[str, pd.DataFrame]:
    """Return for each arm a table with `x` as its index and a column per seed."""
    return {
        arm: rows.pivot(index=x, columns="seed", values=column)
        for arm, rows in table.groupby("arm", sort=False)
    }


def main(study: Study, data: Path) -> None:
    """Run `study` from the command line."""
    parser = argparse.ArgumentParser(description=study.question)
    parser.add_argument("--jobs", type=int, default=None, help="processes (default: one per core)")
    parser.add_argument("--fresh", action="store_true", help="run finished seeds again, too")
    parser.add_argument("--scheduler", default=None, help="a Dask scheduler: tcp://HOST:8786")
    args = parser.parse_args()
    print(run_study(study, data, **vars(args)).credits)


def machine() -> dict:
    """Versions and processor: where they match, results repeat exactly."""
    names = ("torch", "gymnasium", "numpy")
    return {
        "versions": {"python": platform.python_version(), **{n: version(n) for n in names}},
        "processor": f"{_processor()}, {torch.backends.cpu.get_cpu_capability()}",
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():  # a processor's name alone can stand for several generations
        fields = dict(
            (part.strip() for part in line.split(":", 1))
            for line in cpuinfo.read_text().splitlines()
            if ":" in line
        )
        if "model name" in fields:
            generation = (
                f"{key} {fields[key]}" for key in ("cpu family", "model") if key in fields
            )
            return ", ".join((fields["model name"], *generation))
    return platform.processor() or platform.machine()


def _hash(settings: dict) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def _slug(label: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in label.lower())
