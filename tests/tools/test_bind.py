"""The numbers of every page are bound to their sources, and a wrong digit is found."""

import json
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "book" / "tools"))

from bind import (
    BOOK,
    Page,
    bind,
    changes,
    check,
    code_numbers,
    ledger,
    measure,
    numbers,
    pages,
    sentences,
)

LEDGERS = BOOK / "bindings"


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.stem)
def test_every_number_is_the_one_of_its_source(path):
    wrong = check(Page(path), ledger(path.stem, LEDGERS))
    assert not wrong, "\n".join([*wrong, f"Right? Then make bind CHAPTER={path.stem}"])


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.stem)
def test_few_wrong_digits_pass(path):
    page = Page(path)
    if [p.key for p in page.passages] == [p.key for p in ledger(page.name, LEDGERS)]:
        made, passed, _ = measure(page, ledger(page.name, LEDGERS), share=0.2)
        assert passed <= 0.01 * made


def test_every_file_has_its_page():
    assert {path.stem for path in LEDGERS.iterdir()} == {path.stem for path in pages()}


@pytest.fixture
def small(tmp_path):
    """A page of two cells, bound."""

    def cell(kind, name, text, **more):
        return {"cell_type": kind, "id": name, "source": text, "metadata": {}} | more

    def put(said, shown):
        output = {"output_type": "stream", "text": shown}
        cells = [
            cell("code", "run", "show()", outputs=[output]),
            cell("markdown", "read", said),
        ]
        (tmp_path / "small.ipynb").write_text(json.dumps({"cells": cells}))
        return tmp_path / "small.ipynb"

    path = put("The error is 9.1 on 26 of 30 seeds.", "error 9.07 on 26 of 30 seeds")
    bind(path, tmp_path)
    return put, lambda: check(Page(path), ledger("small", tmp_path))


@pytest.mark.parametrize(
    ("said", "shown", "complaint"),
    [
        ("The error is 9.1 on 26 of 30 seeds.", "error 9.07 on 26 of 30 seeds", None),
        ("On 9.1 the error stays, for 26 of 30.", "error 9.13 on 26 of 30 seeds", None),
        ("The error is 9.2 on 26 of 30 seeds.", "error 9.07 on 26 of 30 seeds", "9.07"),
        ("The error is 9.1 on 27 of 30 seeds.", "error 9.07 on 26 of 30 seeds", "small: 'The"),
        ("The error is 9.1 on 26 of 30 seeds.", "error 9.07 on 27 of 30 seeds", "says 27"),
        ("The error is 9.1.", "error 9.07 on 26 of 30 seeds", "9.1"),
        ("", "error 9.07 on 26 of 30 seeds", "gone"),
    ],
)
def test_what_is_found(small, said, shown, complaint):
    put, wrong = small
    put(said, shown)
    assert bool(wrong()) == bool(complaint) and (complaint or "") in "".join(wrong())


def test_a_slip_and_an_invention_are_refused(small, tmp_path):
    put, wrong = small
    for said in ("The error is 9.1 on 26 of 36 seeds.", "The error was 812."):
        path = put(said, "error 9.07 on 26 of 30 seeds")
        assert any("<- ?" in line for line in bind(path, tmp_path))
        assert any("has no source" in line for line in wrong())
        shutil.copy(tmp_path / "small.txt", tmp_path / "seen.txt")
        assert not [line for line in bind(path, tmp_path) if "<- ?" not in line]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("# 99 problems\n\nSee [7](page8.html), {cite:t}`mnih2015`: $y = 88$.", ["99", "7", "88"]),
        ("```python\n55\n```\n\n:::{tip}\n:class: a-6\nNine of ten, twice.\n:::", ["Nine", "ten"]),
        ("- 1,000 or 2e3\n- 10 % of 0.5", ["1,000", "2e3", "10", "0.5"]),
        ("From \u22122 to -3.5, $-4$, $10^{-5}$ (-6)", ["-2", "-3.5", "-4", "10", "-5", "-6"]),
        ("10-20, $n-1$, 3 - 2, 7\u22124, CartPole-v1", ["10", "20", "1", "3", "2", "7", "4", "1"]),
    ],
)
def test_what_is_read(text, found):
    assert [n.text for sentence in sentences(text) for n in numbers(sentence)] == found


def test_the_sign_of_a_number_is_bound(small, tmp_path):
    put, wrong = small
    bind(put("It ends at \u221291.", "It ends: -91.2"), tmp_path)
    assert not wrong()
    put("It ends at 91.", "It ends: -91.2")
    assert "says 91" in wrong()[0]
    put("It ends at \u221291.", "It ends: 91.2")
    assert "says 91.2" in wrong()[0]
    assert {said for _, said in changes("At -8")} == {"At -9", "At 8"}
    assert {said for _, said in changes("At 8, v1")} == {"At 9, v1", "At -8, v1", "At 8, v2"}


def test_the_sign_of_a_number_in_code():
    code = "a = -1\nb - 2\nc(-3, [-4, 5])\nd[-6:]\nreturn_ = (e\n - 7)\nf = x if y else -8"
    assert [n.value for n, _ in code_numbers(code)] == [-1, 2, -3, -4, 5, 6, 7, -8]


def test_a_title_and_a_raw_cell_are_read_and_a_magic_is_named(tmp_path):
    cells = [
        {"cell_type": "markdown", "id": "head", "source": "# 99 balloons", "metadata": {}},
        {"cell_type": "raw", "id": "raw", "source": "It took 412 steps.", "metadata": {}},
    ]
    path = tmp_path / "odd.ipynb"
    path.write_text(json.dumps({"cells": cells}))
    assert [p.written for p in Page(path).passages] == [["99"], ["412"]]
    magic = {"cell_type": "code", "id": "m", "source": "x = 1\n%time f()", "outputs": []}
    path.write_text(json.dumps({"cells": [magic | {"metadata": {}}]}))
    with pytest.raises(ValueError, match="odd, cell m: '%time f\\(\\)' is no Python"):
        Page(path)
