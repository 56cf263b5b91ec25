"""A study on a Dask cluster, started as a user would: same numbers, whatever dies on the way."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import dask
import pytest

from rl_lab.course.studies import Study, run_study

SCRIPT = """
import os, time
from pathlib import Path
import numpy as np, pandas as pd
from rl_lab.course.studies import Study, main

HERE = Path(__file__).parent

def run(seed, *, scale):
    with (HERE / "started").open("a") as file:
        file.write(f"{os.getpid()}\\n")
    time.sleep(0.5)
    draws = np.random.default_rng(seed).normal(size=3) * scale
    return {"draws": pd.DataFrame({"draw": draws})}

STUDY = Study("toy", "?", run, {"one": {"scale": 1}, "ten": {"scale": 10}}, tuple(range(6)))

if __name__ == "__main__":
    main(STUDY, HERE / "data")
"""


def start(*arguments, log):
    """Start one process of a cluster."""
    command = [sys.executable, "-m", "dask", *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, stdout=log.open("w"), stderr=subprocess.STDOUT, env=environment
    )


def until(condition, log, seconds=60):
    """Wait for something to come true, and return it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    raise TimeoutError(log.read_text())


@pytest.fixture
def cluster(tmp_path):
    """The address of a scheduler with two workers, the workers, and where they log."""
    log = tmp_path / "scheduler.log"
    processes = [start("scheduler", "--host", "127.0.0.1", "--port", 0, "--no-dashboard", log=log)]
    try:
        pattern = re.compile(r"Scheduler at:\s+(tcp://\S+)")
        address = until(lambda: pattern.search(log.read_text()), log)[1]
        logs = [tmp_path / f"worker{n}.log" for n in range(2)]
        for one in logs:
            options = ("--nthreads", 1, "--no-nanny", "--no-dashboard", "--local-directory")
            processes.append(start("worker", address, *options, tmp_path, log=one))
        for one in logs:
            until(lambda one=one: "Registered to" in one.read_text(), one)
        yield address, processes[1:]
    finally:
        for process in processes:
            process.kill()
            process.wait()


@pytest.mark.slow
def test_a_cluster_loses_nothing_when_a_worker_is_killed(cluster, tmp_path):
    address, workers = cluster
    script, started = tmp_path / "toy.py", tmp_path / "started"
    script.write_text(SCRIPT)
    command = [sys.executable, script]
    log = tmp_path / "study.log"
    study = subprocess.Popen(
        [*command, "--scheduler", address], stdout=log.open("w"), stderr=subprocess.STDOUT
    )
    try:
        until(lambda: started.exists() and len(started.read_text().splitlines()) >= 4, log)
        at_work = int(started.read_text().splitlines()[-1])
        next(worker for worker in workers if worker.pid == at_work).kill()
        assert study.wait(180) == 0, log.read_text()
    finally:
        study.kill()
    assert "12 runs (2 arms x 6 seeds)" in log.read_text()
    # What ran on the killed worker ran again; everything else ran once.
    assert 12 < len(started.read_text().splitlines()) <= 14

    there = (tmp_path / "data" / "toy.draws.csv").read_text()
    subprocess.run([*command, "--fresh", "--jobs", "2"], check=True, capture_output=True)
    assert there == (tmp_path / "data" / "toy.draws.csv").read_text()
    assert len(there.splitlines()) == 1 + 12 * 3


@pytest.mark.slow
def test_a_scheduler_that_does_not_answer_is_named(tmp_path):
    study = Study("toy", "?", print, {"one": {}}, (0,))
    with dask.config.set({"distributed.comm.timeouts.connect": "1s"}):
        with pytest.raises(ValueError, match=r"no Dask scheduler answers at 'tcp://127.0.0.1:9'"):
            run_study(study, Path(tmp_path), scheduler="tcp://127.0.0.1:9")
