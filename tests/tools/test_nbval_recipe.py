"""Does `make test` notice when a chapter no longer shows what it computes?

One small notebook is recorded and then spoiled, each cell in one way; a pytest run over it
has to fail exactly the cells that would mislead a reader.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

pytestmark = pytest.mark.slow  # it starts eight kernels
BOOK = Path(__file__).parents[2] / "book"

SETUP = """\
import io
import os
import sys
import numpy as np
from IPython.display import Image, display
from PIL import Image as Picture

def draw(shade, width=40):
    file = io.BytesIO()
    pixels = np.full((30, width, 3), shade, dtype=np.uint8)
    Picture.fromarray(pixels).save(file, format="png")
    display(Image(file.getvalue()))"""


@dataclass
class Case:
    """A cell: recorded as `source`, spoiled, and what pytest then says (nothing: it passes)."""

    source: str
    says: str = ""
    tag: str | None = None
    stored: tuple[str, str] | None = None  # text of the stored outputs: old, new
    computes: str | None = None  # another source, with the old outputs
    fields: dict | None = None  # other fields of the stored cell


PROGRESS = "print('episodes   1-50 : mean return   23.4')"
LOSS = "print('loss', 0.125)"
CASES = {
    "setup": Case(SETUP),
    "untouched": Case("2 + 2"),
    "number": Case("2 + 2", "outputs differ", stored=('"4"', '"5"')),
    "computation": Case("2 + 2", "outputs differ", computes="2 + 3"),
    "print_gone": Case("print(1)", "Missing output", computes="None"),
    "progress_number": Case(PROGRESS, stored=("23.4", "-140.0")),
    "progress_word": Case(PROGRESS, "outputs differ", stored=("mean", "median")),
    "near": Case(LOSS, tag="approx-25", stored=("0.125", "0.135")),
    "far": Case(LOSS, "outputs differ", tag="approx-25", stored=("0.125", "0.2")),
    "any_digits": Case(LOSS, tag="approx", stored=("0.125", "-17.0")),
    "array": Case("print('[12.5]')", tag="approx", stored=("12.5]", "7. ]")),
    "other_word": Case(LOSS, "outputs differ", tag="approx", stored=("loss", "lost")),
    "ignored": Case(LOSS, tag="nbval-ignore-output", stored=("loss", "lost")),
    "figure": Case("draw(100)"),
    "figure_nearby": Case("draw(100)", computes="draw(101)"),
    "figure_changed": Case("draw(100)", "differs by 10.0 of 255", computes="draw(110)"),
    "figure_resized": Case("draw(100)", "of size", computes="draw(100, width=41)"),
    "figure_approx": Case("draw(100)", tag="approx", computes="draw(200, width=41)"),
    "figure_approx_resized": Case("draw(100)", "of size", tag="approx", computes="draw(1, 80)"),
    "figure_not_stored": Case("draw(100)", "Unexpected output", fields={"outputs": []}),
    "figure_not_drawn": Case("draw(100)", "Missing output", computes="None"),
    "never_run": Case("2 + 2", "never run", fields={"execution_count": None, "outputs": []}),
    "stored_bar": Case(
        "print('8/10')",
        "a progress bar or a warning is stored",
        stored=('"stdout"', '"stderr"'),
    ),
    "stderr": Case("1", "standard error", computes="print('!', file=sys.stderr)\n1"),
    "expected_error": Case("1 / 0", tag="raises-exception"),
    "other_error": Case("1 / 0", "outputs differ", tag="raises-exception", computes="int('x')"),
    "false_claim": Case("1", "AssertionError", computes="assert 2 + 2 == 5"),
    "exception": Case("1", "NameError", computes="undefined"),
}
FATAL = {"exception": ("undefined", "NameError"), "death": ("os._exit(1)", "kernel died")}


def run(folder, *arguments):
    """Run Python in `folder`, free of what the surrounding pytest set."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COLUMNS"))}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=600
    )


def write(path, cells):
    nbformat.write(new_notebook(cells=cells), path)


def spoil(cell, case):
    if case.stored:
        text = json.dumps(cell.outputs)
        assert case.stored[0] in text
        cell.outputs = nbformat.from_dict(json.loads(text.replace(*case.stored)))
    cell.source = case.computes or cell.source
    cell.update(case.fields or {})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A book with three recorded chapters: sound, and two that will break their kernel."""
    folder = tmp_path_factory.mktemp("book")
    shutil.copytree(BOOK / "tools", folder / "tools")
    for name in ("conftest.py", "nbval_sanitize.cfg"):
        shutil.copy(BOOK / name, folder)
    cells = [
        new_code_cell(case.source, id=name, metadata={"tags": [case.tag] if case.tag else []})
        for name, case in CASES.items()
    ]
    write(folder / "sound.ipynb", cells)
    done = run(folder, "tools/record.py", "sound")
    assert done.returncode == 0, done.stdout + done.stderr
    for name, (source, _) in FATAL.items():
        cells = [new_code_cell(text, execution_count=1) for text in ("import os", source, "1")]
        write(folder / f"{name}.ipynb", cells)
    return folder


@pytest.fixture(scope="module")
def checked(folder):
    """What a run over spoiled chapters prints, and outcome and message of each cell."""
    notebook = nbformat.read(folder / "sound.ipynb", as_version=4)
    notebook.cells = [cell for cell in notebook.cells if cell.id in CASES]  # no set-up for Colab
    for cell in notebook.cells:
        spoil(cell, CASES[cell.id])
    nbformat.write(notebook, folder / "spoiled.ipynb")
    chapters = ("spoiled", *FATAL)
    done = run(
        folder,
        *("-m", "pytest", "--nbval", "-p", "no:cacheprovider", "--color=no"),
        *("-n", "2", "--dist", "loadfile", "--junitxml=cells.xml"),
        *(f"{name}.ipynb" for name in chapters),
    )
    assert done.returncode == 1, done.stdout + done.stderr
    outcomes = {name: [] for name in chapters}
    for test in ElementTree.parse(folder / "cells.xml").iter("testcase"):
        outcome = next(iter(test), None)
        outcomes[test.get("classname").removesuffix(".ipynb")].append(
            ("passed", "")
            if outcome is None
            else (outcome.tag, outcome.get("message", "") + (outcome.text or ""))
        )
    return done.stdout, outcomes


@pytest.mark.parametrize("name", CASES)
def test_a_cell_fails_if_it_would_mislead(checked, name):
    outcome, message = checked[1]["spoiled"][list(CASES).index(name)]
    says = CASES[name].says
    assert outcome == ("failure" if says else "passed"), message
    assert says in message


@pytest.mark.parametrize("name", FATAL)
def test_a_broken_kernel_fails_at_once_and_skips_the_rest(checked, name):
    before, broken, after = checked[1][name]
    assert before[0] == "passed"
    assert broken[0] == "failure" and FATAL[name][1] in broken[1]
    assert after[0] == "skipped"


def test_summary_gives_seconds_per_chapter_and_ends_with_the_counts(checked):
    summary = checked[0].partition("seconds per chapter")[2]
    assert all(name in summary for name in checked[1])
    assert " failed, " in checked[0].splitlines()[-1]


def test_recording_again_changes_no_byte(folder):
    before = (folder / "sound.ipynb").read_bytes()
    done = run(folder, "tools/record.py", "sound.ipynb")
    assert " s " in done.stdout and " MB " in done.stdout and "unchanged" in done.stdout
    assert (folder / "sound.ipynb").read_bytes() == before
    stored = json.loads(before)
    assert stored["metadata"]["language_info"] == {"name": "python"}
    assert not any("execution" in cell["metadata"] for cell in stored["cells"])


def test_a_chapter_that_fails_or_complains_is_not_stored(folder):
    sources = {"raises": "1 / 0", "complains": "import sys; print('!', file=sys.stderr)"}
    for name, source in sources.items():
        write(folder / f"{name}.ipynb", [new_code_cell(source)])
    before = {name: (folder / f"{name}.ipynb").read_bytes() for name in sources}
    done = run(folder, "tools/record.py", *sources)
    assert "failed: raises, complains" in done.stderr and done.returncode == 1
    assert "ZeroDivisionError" in done.stderr and "standard error" in done.stderr
    assert before == {name: (folder / f"{name}.ipynb").read_bytes() for name in sources}


def test_an_unknown_chapter_is_refused_by_name(folder):
    done = run(folder, "tools/record.py", "nowhere")
    assert done.returncode == 1 and "nowhere.ipynb" in done.stderr


def test_splitting_a_chapter_between_workers_is_refused(folder):
    done = run(folder, "-m", "pytest", "--nbval", "-n", "2", "sound.ipynb")
    assert done.returncode == 4 and "--dist loadfile" in done.stderr


def test_a_chapter_passes_without_our_conftest(tmp_path):
    """As an instructor runs it who has copied it into a repository of their own."""
    shutil.copytree(BOOK / "data", tmp_path / "data")
    shutil.copy(BOOK / "naive_network.ipynb", tmp_path)
    done = run(tmp_path, "-m", "pytest", "--nbval", "-p", "no:cacheprovider", "naive_network.ipynb")
    assert done.returncode == 0, done.stdout
