"""Notebooks for a class: ``make handout`` for the learners, ``make solutions`` for the teacher.

Both are made of the chapters, so that nothing is kept twice. A handout has the stubs and the cells
that review them, no worked solutions, no answers of questions or predictions, and no outputs. The
key has the worked solutions in the place of the stubs, between the marks of nbgrader, and a hidden
test below each review: it is a source notebook for ``nbgrader generate_assignment``. Both find
`data` and `videos` beside them.
"""

import copy
import re
import shutil
import sys
from pathlib import Path

import nbformat

BOOK = Path(__file__).parents[1]
BUILD = BOOK.parent / "_build"
SOLUTION = re.compile(r"^```+\{solution-start\}.*?^```+\{solution-end\}\n```+\n?", re.M | re.S)
MATCHING = re.compile(r"^(:::+)\{matching\}.*?^\1$\n?", re.M | re.S)
FENCE = re.compile(r"^```\{exercise-(?:start|end)\}[^`]*^```\n?", re.M)

ASKED = re.compile(r"^(:::+)\{(?:quiz|prediction)\}.*?^\1$", re.M | re.S)
ANSWER = re.compile(r"<details>.*?</details>\n*", re.S)
TELLING = re.compile(
    r"^(:::+|```+)\{[\w-]+\}[^\n]*\n(?::\w+:[^\n]*\n)*?:class:[^\n]*\banswer\b.*?^\1$\n?",
    re.M | re.S,
)


def grade_id(cell) -> str:
    """The name under which nbgrader knows a cell, or the empty string."""
    return cell.metadata.get("nbgrader", {}).get("grade_id", "")


def without_solutions(cells: list, fences: bool = False) -> list:
    """The cells, less all from a solution's start to its end; `fences` of exercises may stay."""
    kept, inside = [], False
    for original in cells:
        cell = copy.deepcopy(original)
        if cell.cell_type == "markdown":
            source = MATCHING.sub("", SOLUTION.sub("", cell.source + "\n"))
            if inside:
                ended = "```{solution-end}" in source
                source = source.partition("```{solution-end}\n```")[2] if ended else ""
                inside = not ended
                source = SOLUTION.sub("", source)
            if "```{solution-start}" in source:
                source, inside = source.partition("```{solution-start}")[0], True
            cell.source = (source if fences else FENCE.sub("", source)).strip()
            if cell.source:
                kept.append(cell)
        elif not inside:
            kept.append(cell)
    return kept


def without_answers(text: str) -> str:
    """The text without the answers of its questions and predictions, and what tells them."""
    asked = ASKED.sub(lambda found: ANSWER.sub("", found[0]), text)
    return TELLING.sub("", asked)


def handout(notebook):
    """The learner's notebook."""
    made = copy.deepcopy(notebook)
    made.cells = without_solutions(made.cells)
    for cell in made.cells:
        if cell.cell_type == "markdown":
            cell.source = without_answers(cell.source).strip()
    made.cells = [cell for cell in made.cells if cell.source or cell.cell_type == "code"]
    return cleared(made)


def key(notebook):
    """The teacher's notebook: the worked solutions stand where the stubs were."""
    answers = {
        cell.metadata["solves"]: cell.source.rpartition("\nreview(")[0].rstrip()
        for cell in notebook.cells
        if "solves" in cell.metadata
    }
    made = handout(notebook)
    for cell in made.cells:
        name = grade_id(cell)
        if name in answers:
            cell.source = marked(cell.source, answers[name])
        elif name:
            hidden = f"assert {cell.source}.passed"
            cell.source += f"\n### BEGIN HIDDEN TESTS\n{hidden}\n### END HIDDEN TESTS"
    return made


def marked(stub: str, answer: str) -> str:
    """The answer between nbgrader's marks, below the lines that it shares with the stub."""
    old, new = stub.split("\n"), answer.split("\n")
    shared = 0
    while shared < min(len(old), len(new)) and old[shared] == new[shared]:
        shared += 1
    rest = new[shared:]
    hints = [f"# {line}" for line in old[shared:] if line.strip() not in {"", "..."}]
    first = next(line for line in rest if line.strip())
    indent = first[: len(first) - len(first.lstrip())]
    hints = [indent + hint for hint in hints]
    begin, end = f"{indent}### BEGIN SOLUTION", f"{indent}### END SOLUTION"
    return "\n".join([*new[:shared], *hints, begin, *rest, end])


def cleared(notebook):
    """The notebook without anything that a run has left in it."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def is_wanted(kind: str, notebook) -> bool:
    """Whether a chapter has something to hand out, or something that nbgrader can grade."""
    if kind == "handout" and any("{exercise-start}" in cell.source for cell in notebook.cells):
        return True
    return any(map(grade_id, notebook.cells))


def main(kind: str, names: list[str], build: Path = BUILD) -> None:
    """Write the chapters that have exercises to ``_build/KIND``."""
    chapters = [BOOK / f"{name}.ipynb" for name in names] or sorted(BOOK.glob("*.ipynb"))
    if missing := [path.stem for path in chapters if not path.is_file()]:
        known = ", ".join(sorted(path.stem for path in BOOK.glob("*.ipynb")))
        sys.exit(f"no such chapter: {', '.join(missing)}; there are {known}")
    folder = build / kind
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("data", "videos"):
        shutil.copytree(
            BOOK / name,
            folder / name,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns(".*"),
        )
    written = 0
    for path in chapters:
        notebook = nbformat.read(path, as_version=4)
        if is_wanted(kind, notebook):
            made = {"handout": handout, "solutions": key}[kind](notebook)
            nbformat.write(made, folder / path.name)
            written += 1
        elif names:
            sys.exit(f"{path.stem} has no cells that nbgrader can grade; replay.ipynb shows how")
    print(f"{folder}: {written} chapters")


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in {"handout", "solutions"}:
        sys.exit("usage: python book/tools/handout.py handout|solutions [CHAPTER ...]")
    main(sys.argv[1], sys.argv[2:])
