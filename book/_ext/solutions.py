"""The site without the solutions of its exercises: ``make book SOLUTIONS=no``.

Worked solutions are taken out of a chapter before it is read, so that neither its page nor the
search knows them; launch.py does the same to the notebooks and scripts that readers download, and
leaves out the buttons that lead to the repository, whose notebooks have all solutions.
"""

import os
import sys
from pathlib import Path

import nbformat

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
from handout import without_solutions

ANSWERS = {"": True, "yes": True, "no": False}


def shown() -> bool:
    """Whether this build shows solutions, by the variable ``SOLUTIONS``."""
    said = os.environ.get("SOLUTIONS", "")
    if said not in ANSWERS:
        raise ValueError(f"SOLUTIONS is {said!r}; say SOLUTIONS=no, or leave it out")
    return ANSWERS[said]


def left_out(text: str) -> str:
    """The text of a notebook, less its solutions, where this build shows none."""
    if shown():
        return text
    notebook = nbformat.reads(text, as_version=4)
    notebook.cells = without_solutions(notebook.cells, fences=True)
    return nbformat.writes(notebook)


def read_without(app, docname: str, source: list[str]) -> None:
    """Take the solutions out of a chapter that Sphinx is about to read."""
    if str(app.env.doc2path(docname)).endswith(".ipynb"):
        source[0] = left_out(source[0])


def setup(app):
    """Called by Sphinx."""
    app.connect("source-read", read_without)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
