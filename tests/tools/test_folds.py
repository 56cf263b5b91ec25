"""What a finished page makes of claims and of hidden code."""

import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

sys.path.insert(0, str(Path(__file__).parents[2] / "book" / "_ext"))
from folds import fold_claims, join_code

CODE = (
    '<details class="hide above-input"><summary><p class="collapsed">Show</p>'
    '<p class="expanded">Hide</p></summary><pre>code</pre>{}</details>'
)
OUT = '<div class="cell_output"><div class="output stream"><pre>{}</pre></div></div>'


def test_claims_of_a_cell_are_one_line_and_the_rest_stays():
    soup = BeautifulSoup(OUT.format("a\nChecked: One.\nb\nChecked: Two.\n"), "html.parser")
    for _ in range(2):  # a page may be mended twice
        fold_claims(soup)
        assert soup.pre.get_text() == "a\nb\n"
        assert soup.summary.get_text() == "2 claims checked"
        assert [item.get_text() for item in soup.select("details.claims li")] == ["One.", "Two."]


def test_a_cell_that_only_checks_shows_one_line():
    soup = BeautifulSoup(CODE.format(OUT.format("Checked: One.\n")), "html.parser")
    fold_claims(soup)
    assert [it.get_text() for it in soup.select("summary")] == ["1 claim checked"]
    assert soup.pre.get_text() == "code" and not soup.select(".output")
    assert soup.li.get_text() == "One."


@pytest.mark.parametrize("frame", [CODE, "{}"])
def test_claims_that_a_cell_printed_in_parts_are_counted_together(frame):
    stream = '<div class="output stream"><pre>{}</pre></div>'
    parts = [stream.format(text) for text in ("Checked: One.\n", "a\n", "Checked: Two.\nb\n")]
    page = frame.format(f'<div class="cell_output">{"".join(parts)}</div>')
    soup = BeautifulSoup(page * 2, "html.parser")
    fold_claims(soup)
    assert [it.get_text() for it in soup.select("summary")] == ["2 claims checked"] * 2
    assert [it.get_text() for it in soup.select("li")] == ["One.", "Two."] * 2
    assert [it.get_text() for it in soup.select(".output pre")] == ["a\n", "b\n"] * 2


def test_the_first_fold_of_a_section_stands_for_all():
    inner = f"<section>{CODE.format('')}</section>"
    page = f"<article><section>{CODE.format('') * 3}{inner}</section></article>"
    soup = BeautifulSoup(page, "html.parser")
    for _ in range(2):
        join_code(soup)
        kinds = [fold["class"][2:] for fold in soup.select("details")]
        assert kinds == [["leads"], ["follows"], ["follows"], []]
        assert soup.select_one(".collapsed").get_text() == "Show the code of this section (3 cells)"
