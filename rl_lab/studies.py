"""Experiments over many seeds: run once, stored, and loaded by the chapters.

A `Study` names its arms (settings) and seeds. `run_study` trains every seed of
every arm in parallel processes, writes each one the moment it is finished, and
joins them into CSV tables and a JSON manifest beside them. A study that was
killed carries on where it stopped.
"""

import argparse
import datetime
import hashlib
import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, cpu_count, delayed
from tqdm.auto import tqdm

from rl_lab.agents.dqn import DQNAgent
from rl_lab.envs import make_env
from rl_lab.losses import q_learning_loss
from rl_lab.replay import RecentTransitions
from rl_lab.training import Evaluation, greedy_episodes, train_dqn

Tables = dict[str, pd.DataFrame]


@dataclass(frozen=True)
class Study:
    """One question, put to several arms over several seeds.

    Attributes:
        name: name of the stored files.
        question: what the study asks, in one sentence.
        run: ``run(seed, **arm) -> {table name: DataFrame}``, one row per observation.
        arms: label of each arm, and the settings handed to `run`.
        seeds: seeds of every arm.
    """

    name: str
    question: str
    run: Callable[..., Tables]
    arms: Mapping[str, dict]
    seeds: tuple[int, ...]

    @property
    def definition(self) -> dict:
        """All that decides the result, as plain JSON values."""
        settings = {"name": self.name, "arms": dict(self.arms), "seeds": list(self.seeds)}
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
        """Say in one line how many runs there are and what they cost."""
        m = self.manifest
        runs = len(m["definition"]["arms"]) * len(m["definition"]["seeds"])
        return (
            f"{runs} runs ({len(m['definition']['arms'])} arms x "
            f"{len(m['definition']['seeds'])} seeds), {m['seconds'] / 60:.0f} minutes of one "
            f"core, {m['date']}, torch {m['versions']['torch']}"
        )


def run_dqn(
    seed: int,
    *,
    env: str,
    agent: dict,
    train: dict,
    eval_every: int,
    eval_episodes: int = 20,
    final_episodes: int = 100,
    loss: Mapping = {},
    replay: str = "uniform",
) -> Tables:
    """Train one `DQNAgent` and return what it did, as tables.

    Args:
        seed: of the agent and of the training environment.
        env: Gymnasium name.
        agent: settings of `DQNAgent`.
        train: settings of `train_dqn`.
        eval_every: environment steps between greedy evaluations during training.
        eval_episodes: episodes of each.
        final_episodes: episodes of the last evaluation, after training.
        loss: settings of `q_learning_loss`.
        replay: ``"uniform"``, or ``"recent"`` for `RecentTransitions`.

    Returns:
        ``episodes`` (a row per training episode), ``evals`` (a row per evaluation) and
        ``final`` (one row).
    """
    stores = {"uniform": lambda: None, "recent": lambda: RecentTransitions(agent["batch_size"])}
    env_train, env_eval = make_env(env), make_env(env)
    learner = DQNAgent(
        env_train.observation_space.shape[0],
        int(env_train.action_space.n),
        **agent,
        device="cpu",
        seed=seed,
        loss=partial(q_learning_loss, **loss),
        replay=stores[replay](),
    )
    history = train_dqn(
        learner,
        env_train,
        **train,
        seed=seed,
        print_every=0,
        eval_env=env_eval,
        eval_every=eval_every,
        eval_episodes=eval_episodes,
    )
    final = Evaluation(
        learner.n_env_steps,
        learner.n_updates,
        greedy_episodes(learner, env_eval, final_episodes),
    )
    episodes = pd.DataFrame(
        {
            "episode": np.arange(1, len(history.returns) + 1),
            "env_steps": history.env_steps,
            "return": history.returns,
            "loss": history.losses,
            "epsilon": history.epsilons,
        }
    )
    last = pd.DataFrame([_summary(final) | {"epsilon": learner.epsilon}])
    return {
        "episodes": episodes,
        "evals": pd.DataFrame([_summary(e) for e in history.evaluations]),
        "final": last,
    }


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


def run_study(study: Study, data: Path, *, jobs: int | None = None, fresh: bool = False) -> Result:
    """Run what is missing of `study`, store it under `data` and return it.

    Every finished seed is written at once to ``data/.parts``; a second call finds it
    there and does not run it again.

    Args:
        study: what to run.
        data: folder of the stored results.
        jobs: processes; None for one per core.
        fresh: forget finished seeds and run all of them.
    """
    parts = Path(data) / ".parts" / study.name
    parts.mkdir(parents=True, exist_ok=True)
    runs = {
        (arm, seed): parts / f"{_slug(arm)}-{_hash(dict(settings))}-{seed}.json"
        for arm, settings in study.arms.items()
        for seed in study.seeds
    }
    if fresh:
        for path in runs.values():
            path.unlink(missing_ok=True)
    todo = [(*key, path) for key, path in runs.items() if not path.exists()]
    todo.sort(key=lambda run: run[1])  # seed by seed, so that an early stop leaves whole seeds
    work = Parallel(n_jobs=jobs or cpu_count(), return_as="generator_unordered")(
        delayed(_run_part)(study.run, seed, study.arms[arm], path) for arm, seed, path in todo
    )
    for _ in tqdm(work, total=len(todo), desc=study.name, unit="run"):
        pass
    return _join(study, runs, Path(data))


def _run_part(run: Callable[..., Tables], seed: int, settings: dict, path: Path) -> None:
    """Run one seed of one arm and write it whole or not at all."""
    torch.set_num_threads(1)
    start = time.perf_counter()
    tables = run(seed, **settings)
    part = {
        "seconds": round(time.perf_counter() - start, 1),
        "machine": _machine(),
        "tables": {
            name: json.loads(table.to_json(orient="split", index=False, double_precision=15))
            for name, table in tables.items()
        },
    }
    unfinished = path.with_suffix(f".{os.getpid()}.tmp")
    unfinished.write_text(json.dumps(part))
    os.replace(unfinished, path)


def _join(study: Study, runs: Mapping[tuple[str, int], Path], data: Path) -> Result:
    """Join the parts into one CSV per table, and write the manifest."""
    frames: dict[str, list[pd.DataFrame]] = {}
    seconds, machine = 0.0, None
    for (arm, seed), path in runs.items():
        part = json.loads(path.read_text())
        seconds += part["seconds"]
        machine = part["machine"]
        for name, content in part["tables"].items():
            table = pd.DataFrame(content["data"], columns=content["columns"])
            table.insert(0, "arm", arm)
            table.insert(1, "seed", seed)
            frames.setdefault(name, []).append(table)
    manifest = {
        "question": study.question,
        "hash": study.hash,
        "definition": study.definition,
        "seconds": round(seconds),
        "date": datetime.date.today().isoformat(),
        **machine,
    }
    for name, tables in frames.items():
        pd.concat(tables).to_csv(
            data / f"{study.name}.{name}.csv", index=False, float_format="%.7g"
        )
    (data / f"{study.name}.json").write_text(json.dumps(manifest, indent=1) + "\n")
    return load_study(data / study.name)


def load_study(path: Path | str) -> Result:
    """Load the stored study at `path`, e.g. ``"data/cartpole"``.

    Raises:
        FileNotFoundError: if it was never run; the message says how to run it.
    """
    path = Path(path)
    manifest = path.with_name(path.name + ".json")
    if not manifest.exists():
        raise FileNotFoundError(
            f"no stored study at {path}; make it with: python studies/{path.name}.py"
        )
    tables = {
        file.name.split(".")[-2]: pd.read_csv(file)
        for file in sorted(path.parent.glob(f"{path.name}.*.csv"))
    }
    return Result(tables, json.loads(manifest.read_text()))


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
    args = parser.parse_args()
    print(run_study(study, data, jobs=args.jobs, fresh=args.fresh).credits)


def _machine() -> dict:
    """Versions and processor: where they match, results repeat exactly."""
    names = ("torch", "gymnasium", "numpy")
    return {
        "versions": {"python": platform.python_version(), **{n: version(n) for n in names}},
        "processor": f"{_processor()}, {torch.backends.cpu.get_cpu_capability()}",
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _hash(settings: dict) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def _slug(label: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in label.lower())
