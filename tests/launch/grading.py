"""Prove the keys with nbgrader itself: ``make grading``; another chapter: ``CHAPTER=cartpole``.

nbgrader has an environment of its own, and the course's kernel runs what learners hand in, as on a
hub. For each chapter nbgrader makes the learners' version of the key, and grades what is handed in:
the worked solutions; stubs that were left empty, below graded cells that a learner has rewritten;
and, where they are written down here, mistakes. The first has to get all points, the others none.
"""

import csv
import json
import os
import shutil
import sys
from pathlib import Path

import nbformat
from shared import ROOT, chapters, hosted, run, workshop

sys.path.insert(0, str(ROOT / "book" / "tools"))

from handout import grade_id, key

COURSE_KERNEL = {
    "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
    "display_name": "Python 3",
    "language": "python",
}
CONFIG = """
c = get_config()
c.CourseDirectory.root = {root!r}
c.ExecutePreprocessor.timeout = 600
c.Execute.timeout = 600
"""
# In place of an answer: of the right kind, and wrong.
MISTAKES = {
    "replay-twins": "def twin_probability(n, batch_size=32):\n    return batch_size / n",
    "replay-alias": "in_tiny = [0, 1, 2]\nin_library = [0, 1, 2]",
}


def answered(release, answers: dict[str, str]):
    """A submission: the learners' version with these cells filled in, by their grade_id."""
    made = nbformat.from_dict(json.loads(nbformat.writes(release)))
    for cell in made.cells:
        cell.source = answers.get(grade_id(cell), cell.source)
    return made


def submissions(release, source) -> dict[str, object]:
    """What learners hand in."""
    stubs = [c for c in release.cells if c.metadata.get("nbgrader", {}).get("solution")]
    graded = [c for c in release.cells if c.metadata.get("nbgrader", {}).get("grade")]
    solved = {grade_id(cell): cell.source for cell in source.cells if grade_id(cell)}
    worked = {grade_id(cell): solved[grade_id(cell)] for cell in stubs}
    cheat = {grade_id(cell): "print('passed')" for cell in graded}
    made = {
        "right": answered(release, worked),
        "empty": answered(release, cheat),
    }
    if all(name in MISTAKES for name in worked):
        made["wrong"] = answered(release, MISTAKES)
    return made


def prepare(name: str, folder: Path):
    """A course of nbgrader's with one assignment, the key of a chapter; returns that key."""
    shutil.rmtree(folder, ignore_errors=True)
    assignment = folder / "source" / name
    assignment.mkdir(parents=True)
    source = key(nbformat.read(ROOT / "book" / f"{name}.ipynb", as_version=4))
    nbformat.write(source, assignment / f"{name}.ipynb")
    for data in ("data", "videos"):
        ignore = shutil.ignore_patterns(".*")
        shutil.copytree(ROOT / "book" / data, assignment / data, ignore=ignore)
    config = CONFIG.format(root=str(folder))
    (folder / "nbgrader_config.py").write_text(config, encoding="utf-8")
    kernel = folder / "jupyter" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text(json.dumps(COURSE_KERNEL), encoding="utf-8")
    return source


def scores(name: str, nbgrader: Path, folder: Path) -> dict[str, tuple[float, float]]:
    """What nbgrader gives for each submission, and the most that it could give."""
    source = prepare(name, folder)
    env = hosted(folder, JUPYTER_PATH=str(folder / "jupyter"), OMP_NUM_THREADS="1")
    env["PATH"] = f"{nbgrader.parent}{os.pathsep}{env['PATH']}"  # where it looks for alembic

    def ask(*words: str) -> str:
        return run(nbgrader, *words, cwd=folder, env=env)

    ask("generate_assignment", name)
    path = Path(name, f"{name}.ipynb")
    release = nbformat.read(folder / "release" / path, as_version=4)
    text = nbformat.writes(release)
    assert "BEGIN" not in text and ".passed" not in text, f"{name}: the release tells the answers"
    for learner, notebook in submissions(release, source).items():
        handed_in = folder / "submitted" / learner / path
        handed_in.parent.mkdir(parents=True)
        nbformat.write(notebook, handed_in)
    ask("autograde", name)
    ask("export", "--to=grades.csv")
    with (folder / "grades.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {row["student_id"]: (float(row["score"]), float(row["max_score"])) for row in rows}


def main(nbgrader: str, names: list[str]) -> None:
    """Grade the named chapters; without a name, one that is quick."""
    folder = workshop("grading")
    for name in chapters(names or ["replay"]):
        given = scores(name, Path(nbgrader).absolute(), folder / name)
        for learner, (score, most) in sorted(given.items()):
            print(f"{name:<16} {learner:<9} {score:.0f} of {most:.0f}", flush=True)
        score, most = given.pop("right")
        assert score == most > 0, f"{name}: the worked solutions get {score} of {most}"
        assert all(score == 0 for score, _ in given.values()), f"{name}: points for nothing"


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python tests/launch/grading.py NBGRADER [CHAPTER ...], or make grading")
    main(sys.argv[1], sys.argv[2:])
