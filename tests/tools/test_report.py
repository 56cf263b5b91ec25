"""The page that shows old and new outputs side by side, on tiny notebooks."""

import base64
import importlib.util
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_notebook, new_output
from PIL import Image

BOOK = Path(__file__).parents[2] / "book"
spec = importlib.util.spec_from_file_location("report", BOOK / "tools" / "report.py")
report = sys.modules["report"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(report)


def printed(text):
    return new_output("stream", name="stdout", text=text)


def drawn(shade, width=8):
    file = io.BytesIO()
    Image.fromarray(np.full((4, width, 3), shade, np.uint8)).save(file, "png")
    return new_output("display_data", {"image/png": base64.b64encode(file.getvalue()).decode()})


def soup_of(*changes):
    return BeautifulSoup(report.page(list(changes), "A title"), "html.parser")


def change(old, new, **fields):
    return report.Change("book/tiny.ipynb", 3, "a < b", "Cell outputs differ", old, new, **fields)


def marked(page):
    """The words that are marked as changed, added or taken away."""
    return [tag.text for tag in page.select(".diff_chg, .diff_add, .diff_sub")]


def test_what_differs_is_marked_beside_what_does_not():
    page = soup_of(change([printed("loss 0.25\nsame <b>\n")], [printed("loss 0.5\nsame <b>\n")]))
    assert marked(page) == ["2"]
    assert "same <b>" in page.table.text.replace("\xa0", " ") and page.b is None
    assert page.pre.text == "a < b" and page.h2.text == "tiny, code cell 3"


def test_figures_stand_side_by_side_with_words_and_where_they_differ():
    page = soup_of(change([drawn(10)], [drawn(20)], alt='It "rises".'))
    alts = [image["alt"] for image in page.select("img")]
    assert alts == ['stored: It "rises".', 'new: It "rises".', "where they differ"]
    assert all(image["src"].startswith("data:image/png;base64,") for image in page.select("img"))
    assert len(soup_of(change([drawn(10)], [drawn(10, width=9)])).select("img")) == 2
    assert "none" in soup_of(change([drawn(10)], [])).select("figure")[1].text


def test_where_pictures_differ_is_dark_and_the_rest_is_white():
    old, new = np.full((2, 2, 3), 200, np.uint8), np.full((2, 2, 3), 200, np.uint8)
    new[0, 1] = 0
    files = []
    for pixels in (old, new):
        files.append(io.BytesIO())
        Image.fromarray(pixels).save(files[-1], "png")
    found = np.array(Image.open(io.BytesIO(report.difference(*(f.getvalue() for f in files)))))
    assert (found == 255).tolist() == [[True, False], [True, True]] and found[0, 1] < 160


def test_errors_tables_and_html_are_shown_as_text():
    error = new_output("error", ename="NameError", evalue="<x>", traceback=[])
    page = soup_of(change([printed("1")], [error]))
    assert "NameError: <x>" in page.table.text.replace("\xa0", " ") and page.x is None
    tables = [new_output("execute_result", {"text/html": f"<i>{n}</i>"}) for n in (1, 2)]
    assert marked(soup_of(change([tables[0]], [tables[1]]))) == ["1", "2"]


def test_the_page_stands_alone():
    page = soup_of(change([printed("1")], [drawn(1)]), change([], []))
    assert not page.select("script, link, [src^=http], [href^=http]")


def test_an_annotation_names_chapter_cell_and_line():
    found = report.annotation(change([], [], line=12))
    assert found == (
        "::error file=book/tiny.ipynb,line=12,title=tiny%2C code cell 3::Cell outputs differ"
    )
    wild = report.Change("a:b,c.ipynb", 0, "", "100 %\nlost")
    assert report.annotation(wild).startswith("::error file=a%3Ab%2Cc.ipynb,")
    assert report.annotation(wild).endswith("::100 %25%0Alost")


# Since a commit


def write(path, *cells):
    """Write a notebook of cells given as id, source and outputs."""
    path.parent.mkdir(exist_ok=True)
    cells = [new_code_cell(s, id=i, outputs=o, execution_count=1) for i, s, o in cells]
    nbformat.write(new_notebook(cells=cells), path)


@pytest.fixture
def root(tmp_path):
    def git(*arguments):
        identity = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
        subprocess.run(["git", "-C", tmp_path, *identity, *arguments], check=True)

    cells = [(name, name, [printed(name)]) for name in ("one", "two", "three")]
    write(tmp_path / "book/tiny.ipynb", *cells)
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "all")
    return tmp_path


def test_what_changed_since_a_commit(root):
    assert report.changes_since("HEAD", root) == []
    one, _, three = ((name, name, [printed(name)]) for name in ("one", "two", "three"))
    four = ("four", "four", [printed("four")])
    write(root / "book/tiny.ipynb", one, ("three", "three!", [printed("3")]), four)
    write(root / "book/new.ipynb", three)
    found = [(c.path[5:-6], c.number, c.says) for c in report.changes_since("HEAD", root)]
    assert found == [
        ("new", 0, "is not in HEAD"),
        ("tiny", 1, "differs from HEAD"),
        ("tiny", 2, "is not in HEAD"),
        ("tiny", 1, "is in HEAD only"),
    ]


def test_an_unknown_commit_is_named(root):
    with pytest.raises(ValueError, match="'nowhere'"):
        report.changes_since("nowhere", root)


# After a failure under nbval


@pytest.mark.slow
@pytest.mark.parametrize("workers", [(), ("-n", "2", "--dist", "loadfile")])
def test_a_failing_run_writes_the_page_and_marks_the_cells(tmp_path, workers):
    shutil.copytree(BOOK / "tools", tmp_path / "tools")
    for name in ("conftest.py", "nbval_sanitize.cfg"):
        shutil.copy(BOOK / name, tmp_path)
    cells = [("good", "print(1)", [printed("1\n")]), ("bad", "print(2)", [printed("3\n")])]
    write(tmp_path / "tiny.ipynb", *cells, ("worse", "1 / 0", []))
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COLUMNS"))}
    command = [sys.executable, "-m", "pytest", "--nbval", "-p", "no:cacheprovider", *workers]
    done = subprocess.run(
        [*command, "--rootdir", tmp_path, "tiny.ipynb"],
        cwd=tmp_path,
        env=env | {"GITHUB_ACTIONS": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    marks = [line for line in done.stdout.splitlines() if line.startswith("::error")]
    line = report.line_of(tmp_path / "tiny.ipynb", "bad")
    assert line > 1
    assert marks[0] == (
        f"::error file=tiny.ipynb,line={line},title=tiny%2C code cell 1::Cell outputs differ"
    )
    assert len(marks) == 2 and marks[1].endswith("::the cell raised ZeroDivisionError")
    page = BeautifulSoup((tmp_path / "_build/report/index.html").read_text(), "html.parser")
    assert [heading.text for heading in page.select("h2")] == [
        "tiny, code cell 1",
        "tiny, code cell 2",
    ]
    assert marked(page.table) == ["3", "2"]
    assert "ZeroDivisionError: division by zero" in page.text.replace("\xa0", " ")
