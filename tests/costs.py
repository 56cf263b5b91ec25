"""What it costs to run a chapter, for instructors.md: ``python tests/costs.py [CHAPTER ...]``.

Executes the chapters one after the other, writes nothing into them, and stores the seconds that
the kernel kept a core busy, those of the longest cell, and its largest memory in
``book/performance/chapters.csv``; rows of other chapters stay. Seconds of the core, not of the
clock: a busy machine changes them less.
"""

import csv
import math
import sys
from pathlib import Path

import nbformat
import numpy as np
import psutil
import yaml

sys.path.insert(0, str(Path(__file__).parents[1] / "book" / "tools"))

from record import PeakMemory, kernel_env, make_client

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "book" / "performance" / "chapters.csv"
COLUMNS = ["chapter", "seconds", "longest cell", "MB"]


def chapters() -> list[str]:
    """Names of the chapters, in the book's order."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    files = [Path(page["file"]) for part in toc["parts"] for page in part["chapters"]]
    return [file.name for file in files if (ROOT / f"{file}.ipynb").is_file()]


def busy() -> float:
    """Seconds that the children of this process have kept a core busy so far."""
    spent = (child.cpu_times() for child in psutil.Process().children(recursive=True))
    return sum(times.user + times.system for times in spent)


def cost(name: str) -> dict:
    """Execute a chapter; return its row, seconds and megabytes rounded up."""
    notebook = nbformat.read(ROOT / "book" / f"{name}.ipynb", as_version=4)
    client, seconds = make_client(notebook, ROOT / "book"), [0.0]
    client.on_cell_executed = lambda **_: seconds.append(busy())
    with PeakMemory() as peak:
        client.execute(env=kernel_env())
    numbers = (seconds[-1], max(np.diff(seconds)), peak.bytes / 2**20)
    return dict(zip(COLUMNS, [name, *map(math.ceil, numbers)], strict=True))


def main(names: list[str]) -> None:
    """Measure the named chapters, or all."""
    order = chapters()
    if unknown := [name for name in names if name not in order]:
        sys.exit(f"no such chapter: {', '.join(unknown)}")
    rows = {}
    if TABLE.is_file():
        with TABLE.open(encoding="utf-8", newline="") as file:
            rows = {row["chapter"]: row for row in csv.DictReader(file)}
    for name in names or order:
        rows[name] = cost(name)
        print(*(f"{key} {value}" for key, value in rows[name].items()), sep=", ", flush=True)
        with TABLE.open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            table.writeheader()
            table.writerows(rows[name] for name in order if name in rows)


if __name__ == "__main__":
    main(sys.argv[1:])
