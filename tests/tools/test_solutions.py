"""`make book SOLUTIONS=no`: what is not on the page is not in the search or a download either."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parents[2] / "book" / "_ext"))

import launch
from solutions import left_out

BOOK = Path(__file__).parents[2] / "book"
ASKED = "```{exercise-start}\n:label: ex-x\n```\nAsked here.\n\n```{exercise-end}\n```"
TOLD = "```{solution-start} ex-x\n:class: dropdown\n```\nThe tapir did it."
CHAPTER = nbformat.writes(
    new_notebook(
        cells=[
            new_markdown_cell("# Title\n\nBefore."),
            new_markdown_cell(ASKED),
            new_markdown_cell(TOLD),
            new_code_cell("tapir = 1"),
            new_markdown_cell("```{solution-end}\n```\n\nA zebra came."),
        ]
    )
)


@pytest.mark.parametrize(("said", "told"), [("", True), ("yes", True), ("no", False)])
def test_page_search_and_downloads_agree(said, told, tmp_path, monkeypatch):
    monkeypatch.setenv("SOLUTIONS", said)
    (tmp_path / "index.ipynb").write_text(CHAPTER, encoding="utf-8")
    settings = {
        "extensions": ["myst_nb", "sphinx_exercise", "solutions"],
        "nb_execution_mode": "off",
    }
    site = tmp_path / "site"
    app = Sphinx(tmp_path, None, site, tmp_path / "trees", "html", settings, None, None)
    app.build()
    options = {"repository_url": "https://github.com/some/fork", "repository_branch": "main"}
    fake = SimpleNamespace(
        config=SimpleNamespace(html_theme_options=options),
        **{name: getattr(app, name) for name in ("builder", "env", "outdir", "srcdir")},
    )
    launch.write_downloads(fake, None)
    files = ("index.html", "searchindex.js", "_sources/index.ipynb", "_sources/index.py")
    for name in files:
        text = (site / name).read_text(encoding="utf-8").lower()
        assert ("tapir" in text) == told
        assert "asked" in text or name == "searchindex.js"
        assert "zebra" in text


@pytest.mark.parametrize("path", sorted(BOOK.glob("*.ipynb")), ids=lambda it: it.stem)
def test_every_chapter_keeps_its_exercises_and_loses_its_solutions(path, monkeypatch):
    text = path.read_text(encoding="utf-8")
    assert left_out(text) == text
    monkeypatch.setenv("SOLUTIONS", "no")
    made = left_out(text)
    exercises = text.count("{exercise-start}")
    assert made.count("{exercise-start}") == made.count("{exercise-end}") == exercises
    assert "{solution" not in made
    cells = json.loads(made)["cells"]
    assert not any("solves" in cell["metadata"] for cell in cells)


def test_a_word_that_is_not_understood_builds_nothing(monkeypatch):
    monkeypatch.setenv("SOLUTIONS", "none")
    with pytest.raises(ValueError, match="SOLUTIONS is 'none'; say SOLUTIONS=no"):
        left_out(CHAPTER)


@pytest.mark.parametrize(
    ("repository", "said", "launches", "issues"),
    [("some/fork", "", True, True), ("some/fork", "no", False, True), ("", "", False, False)],
)
def test_no_button_leads_to_solutions_or_nowhere(
    repository, said, launches, issues, tmp_path, monkeypatch, capsys
):
    for name in ("BOOK_REPOSITORY_URL", "GIT_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.setenv("GITHUB_REPOSITORY", repository)
    monkeypatch.setenv("SOLUTIONS", said)
    options = {
        "repository_url": "https://github.com/OWNER/REPOSITORY",
        "launch_buttons": {"binderhub_url": "https://mybinder.org"},
        "use_edit_page_button": True,
        "use_issues_button": True,
    }
    config = SimpleNamespace(html_theme_options=options)
    launch.drop_buttons(SimpleNamespace(srcdir=tmp_path), config)
    assert bool(options["launch_buttons"]) == options["use_edit_page_button"] == launches
    assert options["use_issues_button"] == issues
    assert ("set BOOK_REPOSITORY_URL" in capsys.readouterr().err) == (not repository)
