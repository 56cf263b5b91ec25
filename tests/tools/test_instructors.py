"""What the page for instructors promises is so."""

import ast
import csv
import importlib
import json
import re
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from costs import COLUMNS, TABLE, chapters

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "book" / "instructors.md").read_text(encoding="utf-8")
ELSEWHERE = {"dask_jobqueue", "dask_kubernetes"}  # packages of a cluster, not of this book


def checked() -> set[str]:
    """Every sentence that a chapter's checks print."""
    found = set()
    for path in (ROOT / "book").glob("*.ipynb"):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            for output in cell.get("outputs", []):
                found |= set(re.findall(r"Checked: (.*)", "".join(output.get("text", ""))))
    return found


def test_quoted_claims_are_claims_of_a_chapter():
    table = TEXT.partition("## Misconceptions")[2].partition("\n## ")[0]
    quoted = re.findall(r"(?<![\w*])\*([A-Z0-9][^*]+\.)\*", table)
    assert quoted and set(quoted) <= checked()


def test_the_costs_are_those_of_the_chapters_and_fit_what_is_said():
    with TABLE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    order = chapters()
    measured = [row["chapter"] for row in rows]
    # A chapter that was just begun has no costs yet.
    assert measured == [name for name in order if name in measured]
    assert set(rows[0]) == set(COLUMNS)
    assert max(int(row["MB"]) for row in rows) < 1_000 and "as much as 1,000 MB" in TEXT
    index = (ROOT / "book" / "index.md").read_text(encoding="utf-8")
    for row in rows:
        minutes = re.search(rf"{{doc}}`{row['chapter']}`.*?about&nbsp;(\d+)&nbsp;min", index, re.S)
        assert int(row["longest cell"]) <= int(row["seconds"]) <= 60 * int(minutes[1])


def test_every_target_on_the_page_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", TEXT, re.M))
    assert named and named <= targets


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", TEXT, re.S))
def test_listings_can_be_read_and_use_names_that_exist(block, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "book" / "studies"))
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] not in ELSEWHERE:
            module = importlib.import_module(node.module)
            assert all(hasattr(module, alias.name) for alias in node.names)
    sys.modules.pop("ablation", None)


def test_the_plans_take_as_long_as_they_say():
    lectures = TEXT.partition("(instructors-lectures)=")[2].partition("(instructors-syllabi)=")[0]
    items = lectures.split(":::{tab-item}")[1:]
    assert len(items) == 3
    for item in items:
        assert sum(map(int, re.findall(r"^\| (\d+) \|", item, re.M))) == 90
    day = TEXT.partition("(instructors-workshop)=")[2].partition("\n## ")[0]
    hours = re.findall(r"^\| (\d+):(\d+) \| (\d+):(\d+) \|", day, re.M)
    times = [(60 * int(a) + int(b), 60 * int(c) + int(d)) for a, b, c, d in hours]
    assert all(start < end for start, end in times)
    assert all(end <= start for (_, end), (start, _) in pairwise(times))
