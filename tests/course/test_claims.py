"""Every claim of a chapter can fail: its condition reads something that was computed."""

import ast
import builtins
import json
from pathlib import Path

import pytest

CHAPTERS = sorted((Path(__file__).parents[2] / "book").glob("*.ipynb"))
NO_DATA = {*dir(builtins), "np", "math", "torch"}  # functions and constants


def that_cannot_fail(code):
    """The claims in some code whose condition holds literals only."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "check":
            condition = node.args[1]
            names = [n for n in ast.walk(condition) if isinstance(n, ast.Name)]
            own = {n.id for n in names if isinstance(n.ctx, ast.Store)}  # of a comprehension
            if {n.id for n in names} <= NO_DATA | own:
                yield ast.unparse(condition)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_every_claim_reads_data(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert [claim for cell in code for claim in that_cannot_fail(cell)] == []


@pytest.mark.parametrize(
    "condition", ["3 < 4", "True", "np.sqrt(2) < 2", "all(n < 9 for n in range(9))", "not [0.5]"]
)
def test_literals_are_no_data(condition):
    (found,) = that_cannot_fail(f"check('So.', {condition}, seen=x)")
    assert found == ast.unparse(ast.parse(condition))
    assert list(that_cannot_fail(f"check('So.', {condition} and x < 3)")) == []
