"""`make new-chapter` in a copy of the book: what it begins keeps every rule, and passes."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "book" / "tools"))

from new_chapter import begin, enter_in_contents, enter_on_first_page

ROOT = Path(__file__).parents[2]


@pytest.fixture
def copy(tmp_path):
    """A copy of what the rules for chapters look at."""
    (tmp_path / "tests" / "tools").mkdir(parents=True)
    shutil.copy(ROOT / "tests" / "tools" / "test_book.py", tmp_path / "tests" / "tools")
    for name in ("_toc.yml", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "book").mkdir()
    for path in (ROOT / "book").iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path / "book")
    for name in ("template", "tools"):
        shutil.copytree(ROOT / "book" / name, tmp_path / "book" / name)
    return tmp_path


@pytest.mark.slow
def test_what_it_begins_passes_the_suite(copy):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COLUMNS"))}

    def run(*arguments):
        command = [sys.executable, *arguments]
        done = subprocess.run(
            command, cwd=copy, env=env, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    code, printed = run("book/tools/new_chapter.py", "double_dqn2")
    assert code == 0, printed
    assert (
        "double_dqn2" in printed and "TEMPLATE" not in (copy / "book/double_dqn2.ipynb").read_text()
    )
    rules = ("tests/tools/test_book.py", "-k", "double_dqn2 or table_of_contents")
    code, printed = run("-m", "pytest", "--nbval", "book/double_dqn2.ipynb", *rules)
    assert code == 0, printed
    assert "table_of_contents" not in printed and " passed" in printed
    code, printed = run("book/tools/new_chapter.py", "double_dqn2")
    assert code == 1 and "has a page of that name" in printed


@pytest.mark.parametrize("name", ["", "Double", "double-dqn", "double__dqn", "2nd", "../x", "a b"])
def test_a_name_that_is_none_is_refused(copy, name):
    before = (copy / "_toc.yml").read_text()
    with pytest.raises(ValueError, match=r"NAME=.*small letters"):
        begin(name, copy / "book")
    assert (copy / "_toc.yml").read_text() == before


def test_a_page_of_the_book_is_not_overwritten(copy):
    with pytest.raises(ValueError, match="NAME='glossary'"):
        begin("glossary", copy / "book")


def test_it_comes_last_among_the_numbered():
    contents = (ROOT / "_toc.yml").read_text()
    entered = enter_in_contents(contents, "mine").splitlines()
    place = entered.index("      - file: book/mine")
    assert entered[place - 1].startswith("      - file: book/")
    assert entered[place + 1].startswith("  - caption:")
    assert [line for line in entered if line != entered[place]] == contents.splitlines()
    page = enter_on_first_page((ROOT / "book" / "index.md").read_text(), "mine")
    assert page.count("{doc}`mine`") == 1
    last = re.findall(r"(?m)^\* - (\d+)\n  - \{doc\}`(\w+)`", page)[-2:]
    assert last[1][1] == "mine" and int(last[1][0]) == int(last[0][0]) + 1
    assert f"      - file: book/{last[0][1]}" == entered[place - 1]
