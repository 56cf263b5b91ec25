"""Handouts hold no answers and keys hold all; both are notebooks that run."""

import re
import shutil
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

sys.path.insert(0, str(Path(__file__).parents[2] / "book" / "tools"))

from handout import BOOK, grade_id, handout, key, main, marked, without_answers, without_solutions
from record import kernel_env, make_client

BOOKS = {
    path.stem: nbformat.read(path, as_version=4)
    for path in sorted(BOOK.glob("*.ipynb"))
    if '"grade_id"' in path.read_text(encoding="utf-8")
}
QUICK = "naive_network"  # the one that takes least


def solutions(notebook):
    """All prose and code between a solution's start and its end."""
    found, inside = [], False
    for cell in notebook.cells:
        for line in cell.source.split("\n"):
            if "{solution-end}" in line:
                inside = False
            if inside and len(line.strip()) > 25 and not line.strip().startswith(":"):
                found.append(line.strip())
            if "{solution-start}" in line:
                inside = True
    return found


def texts(notebook):
    return "\n".join(cell.source for cell in notebook.cells)


def test_an_empty_cell_of_code_is_the_learners():
    cells = [new_markdown_cell("Yours:"), new_code_cell(""), new_markdown_cell(" ")]
    made = handout(new_notebook(cells=cells))
    assert [(cell.cell_type, cell.source) for cell in made.cells] == [
        ("markdown", "Yours:"),
        ("code", ""),
    ]


@pytest.mark.parametrize("name", BOOKS)
def test_a_handout_tells_no_solution_and_shows_no_output(name):
    chapter = BOOKS[name]
    made = handout(chapter)
    nbformat.validate(made)
    stubs = {cell.source for cell in chapter.cells if grade_id(cell)}
    shared = "\n".join([*stubs, texts(nbformat.from_dict({"cells": before(chapter)}))])
    told = solutions(chapter)
    assert told
    assert [line for line in told if line in texts(made) and line not in shared] == []
    assert not re.search(r"\{(exercise|solution)-(start|end)\}", texts(made))
    code = [cell for cell in made.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert not [cell for cell in code if "solves" in cell.metadata]


def before(chapter):
    """The cells outside of all solutions: what a solution may repeat."""
    kept, inside = [], False
    for cell in chapter.cells:
        inside = inside or "{solution-start}" in cell.source
        if not inside:
            kept.append(cell)
        if inside and "{solution-end}" in cell.source:
            inside = "{solution-start}" in cell.source.rpartition("{solution-end}")[2]
    return kept


@pytest.mark.parametrize("name", BOOKS)
def test_a_handout_has_every_stub_and_the_chapter_is_left_alone(name):
    chapter = BOOKS[name]
    kept = nbformat.writes(chapter)
    made = handout(chapter)
    assert nbformat.writes(chapter) == kept
    wanted = {grade_id(cell): cell.source for cell in chapter.cells if grade_id(cell)}
    assert wanted
    assert {grade_id(cell): cell.source for cell in made.cells if grade_id(cell)} == wanted


@pytest.mark.parametrize("name", BOOKS)
def test_nbgrader_knows_each_cell_by_one_name(name):
    marks = [c.metadata.nbgrader for c in key(BOOKS[name]).cells if "nbgrader" in c.metadata]
    names = [mark.grade_id for mark in marks]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[\w-]+", name) for name in names)
    for mark in marks:
        assert mark.schema_version == 3 and not mark.task
        assert mark.locked == mark.grade and mark.solution != mark.grade
        assert mark.points > 0 if mark.grade else "points" not in mark


@pytest.mark.parametrize("name", BOOKS)
def test_a_key_has_marked_answers_and_hidden_tests(name):
    made = key(BOOKS[name])
    nbformat.validate(made)
    for cell in made.cells:
        mark = cell.metadata.get("nbgrader", {})
        if mark.get("solution"):
            assert cell.source.count("### BEGIN SOLUTION") == 1
            assert cell.source.count("### END SOLUTION") == 1
            compile(cell.source, name, "exec")
        elif mark:
            assert re.search(
                r"### BEGIN HIDDEN TESTS\nassert review\(.+\)\.passed\n### END", cell.source
            )
        assert not cell.get("outputs")


def test_names_of_cells_are_unique_in_the_whole_book():
    names = [grade_id(cell) for chapter in BOOKS.values() for cell in chapter.cells]
    names = [name for name in names if name]
    assert len(names) == len(set(names))


def test_prose_around_a_solution_stays():
    start, end = "```{solution-start} ex\n:class: dropdown\n```", "```{solution-end}\n```"
    exercise = "```{exercise-start}\n:label: ex\n```"
    cells = [
        new_markdown_cell(f"{exercise}\nAsked.\n\n```{{exercise-end}}\n```\n\n{start}\nTold."),
        new_code_cell("told = 1"),
        new_markdown_cell(
            f"Told, too.\n{end}\n\nBetween.\n\n{start}\nTold again.\n{end}\n\nAfter."
        ),
        new_code_cell("shown = 1"),
    ]
    kept = [cell.source for cell in without_solutions(cells)]
    assert kept == ["Asked.", "Between.\n\n\nAfter.", "shown = 1"]


def test_pairs_to_be_found_go_with_the_solutions():
    asked = ":::{matching}\n\nWhich?\n\n<details>\n\n- **A** b\n\n</details>\n\n:::"
    (kept,) = without_solutions([new_markdown_cell(f"Before.\n\n{asked}\n\nAfter.")])
    assert kept.source == "Before.\n\n\nAfter."


@pytest.mark.parametrize("name", BOOKS)
def test_a_handout_asks_and_does_not_answer(name):
    text = "\n".join(cell.source for cell in BOOKS[name].cells)
    made = texts(handout(BOOKS[name]))
    assert made.count("{quiz}") == text.count("{quiz}") > 0
    assert made.count("{prediction}") == text.count("{prediction}")
    assert not re.search(r"<summary>Answers?<|:class:.*\banswer\b", made)


def test_questions_stay_and_answers_go():
    asked = ":::{quiz}\n\nWhy?\n\n- **(a)** So.\n\n<details>\n\n- Yes.\n\n</details>\n\n:::"
    other = "<details>Kept.</details>"
    told = ":::{admonition} What it says\n:class: dropdown answer\nTold.\n:::\n"
    left = without_answers(f"{asked}\n\n{told}\nBetween. {other}")
    assert (
        left == ":::{quiz}\n\nWhy?\n\n- **(a)** So.\n\n:::\n\n\nBetween. <details>Kept.</details>"
    )


def test_an_answer_stands_below_the_lines_that_it_shares_with_the_stub():
    stub = "def twice(x):\n    # two of them\n    ..."
    answer = "def twice(x):\n    return 2 * x"
    assert marked(stub, answer) == (
        "def twice(x):\n    #     # two of them\n    ### BEGIN SOLUTION\n    return 2 * x\n"
        "    ### END SOLUTION"
    )


def run(notebook, folder):
    """Execute a notebook beside the data, as a learner does; returns what its reviews say."""
    for name in ("data", "videos"):
        if not (folder / name).exists():
            shutil.copytree(BOOK / name, folder / name)
    make_client(notebook, folder).execute(env=kernel_env())
    return [
        output["data"]["text/plain"]
        for cell in notebook.cells
        if cell.metadata.get("nbgrader", {}).get("grade")
        for output in cell.outputs
        if "text/plain" in output.get("data", {})
    ]


@pytest.mark.slow
def test_a_handout_runs_to_its_end_with_nothing_filled_in(tmp_path):
    said = run(handout(BOOKS[QUICK]), tmp_path)
    assert len(said) >= 3 and all(sentence.startswith("Not yet: ") for sentence in said)


@pytest.mark.slow
def test_a_key_passes_its_own_checks(tmp_path):
    made = key(BOOKS[QUICK])
    graded = [cell for cell in made.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    for cell in graded:  # and shows what the learner sees
        cell.source += "\n" + cell.source.partition("\n")[0]
    said = run(made, tmp_path)
    assert len(said) == len(graded) and all(sentence.startswith("Right: ") for sentence in said)


@pytest.mark.parametrize("kind", ["handout", "solutions"])
def test_one_chapter_can_be_made(kind, tmp_path, capsys):
    main(kind, ["replay"], tmp_path)
    assert [path.name for path in (tmp_path / kind).glob("*.ipynb")] == ["replay.ipynb"]
    assert (tmp_path / kind / "data" / "cartpole.json").is_file()
    assert capsys.readouterr().out.endswith("1 chapters\n")


def test_without_a_name_all_are_made(tmp_path):
    main("handout", [], tmp_path)
    assert {path.stem for path in (tmp_path / "handout").glob("*.ipynb")} >= set(BOOKS)


def test_a_chapter_that_is_none_is_named_before_anything_is_written(tmp_path):
    with pytest.raises(SystemExit, match=r"no such chapter: replai; there are ablation, .*replay"):
        main("handout", ["replai"], tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_chapter_as_the_template_begins_it_is_handed_out_and_not_graded(tmp_path, monkeypatch):
    text = "```{exercise-start}\n:label: ex\n```\nAsked.\n\n```{exercise-end}\n```"
    monkeypatch.setattr("handout.BOOK", tmp_path)
    nbformat.write(new_notebook(cells=[new_markdown_cell(text)]), tmp_path / "begun.ipynb")
    for name in ("data", "videos"):
        (tmp_path / name).mkdir()
    main("handout", ["begun"], tmp_path / "build")
    assert nbformat.read(tmp_path / "build/handout/begun.ipynb", 4).cells[0].source == "Asked."
    with pytest.raises(SystemExit, match="begun has no cells that nbgrader can grade"):
        main("solutions", ["begun"], tmp_path / "build")
