"""Decks are made by rule from the chapters alone."""

import re
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

sys.path.insert(0, str(Path(__file__).parents[1] / "book"))

from slides import (
    BOOK,
    ROOM,
    Deck,
    Words,
    blocks,
    chapter_names,
    export,
    html_items,
    learn_words,
    list_items,
    main,
    printed,
    sentences,
    shortened,
    table_items,
)

WORDS = learn_words()
CHAPTERS = chapter_names()


@pytest.fixture(scope="module")
def decks():
    """Every deck with its page."""
    made = {name: Deck(name, WORDS) for name in CHAPTERS}
    return {
        name: (deck, BeautifulSoup(export(deck.notebook()), "html.parser"))
        for name, deck in made.items()
    }


def test_every_chapter_has_a_deck():
    assert set(CHAPTERS) == {path.stem for path in BOOK.glob("*.ipynb")}


def test_a_sentence_ends_where_it_ends():
    text = "**By hand.** A pole, e.g. this one, is worth $0.9. Really$ much. See `a. B`? Yes."
    assert sentences(text) == [
        "**By hand.** A pole, e.g. this one, is worth $0.9. Really$ much.",
        "See `a. B`?",
        "Yes.",
    ]
    assert sentences("Mnih et al. (2015) say so. So do we.") == [
        "Mnih et al. (2015) say so.",
        "So do we.",
    ]


def test_a_long_paragraph_shows_its_first_sentence_and_what_leads_on():
    first, middle, last = "First " + 90 * "a" + ".", "Middle " + 90 * "b" + ".", "And then:"
    assert shortened(f"{first} {middle}") == first
    assert shortened(f"{first} {middle} {last}") == f"{first} {last}"
    assert shortened("Short. And whole.") == "Short. And whole."
    assert shortened(f"Look. {first} {middle}") == f"Look. {first}"


def test_directives_are_understood_or_refused():
    text = "```{list-table} Title\n:name: tab\n* - a\n  - b\n* - c\n  - d\n    e\n```"
    (table,) = blocks(text)
    assert (table.kind, table.title, table.label) == ("table", "Title", "tab")
    assert table.text == "| a | b |\n| --- | --- |\n| c | d e |"
    (formula,) = blocks("```{math}\n:label: eq-x\nx = 1\n```")
    assert (formula.kind, formula.text, formula.label) == ("math", "x = 1", "eq-x")
    with pytest.raises(ValueError, match=r"no directive \{mermaid\}: teach it"):
        list(blocks("```{mermaid}\ngraph\n```"))


def test_roles_are_understood_or_refused():
    words = Words(
        {"replay": "Replay", "notation": "Notation"}, {"replay": 3}, {"fig-x": "Figure 3.1"}
    )
    assert (
        words.plain_roles("{doc}`replay` and {doc}`notation`")
        == "[Replay](replay.html) and *Notation*"
    )
    assert (
        words.plain_roles("[](replay.ipynb), {numref}`fig-x`")
        == "[Replay](replay.html), Figure 3.1"
    )
    assert words.plain_roles("{cite:p}`lin1992,mnih2015`") == "(Lin, 1992; Mnih et al., 2015)"
    assert words.plain_roles("{cite:t}`vanhasselt2010`") == "van Hasselt (2010)"
    for text, message in [
        ("{kbd}`x`", r"no role \{kbd\}"),
        ("{numref}`fig-y`", "called 'fig-y'"),
        ("{cite:p}`nobody1900`", "no work 'nobody1900'"),
    ]:
        with pytest.raises(ValueError, match=message):
            words.plain_roles(text)


def test_checks_become_a_list_and_other_lines_stay():
    kinds = [item.cell.metadata.kind for item in printed("a 1\nb 2\nChecked: So.\nChecked: Too.")]
    assert kinds == ["output", "checked", "checked"]


def test_what_is_too_long_for_a_slide_is_cut_or_left_out():
    (item,) = printed("\n".join(map(str, range(99))))
    assert item.height < ROOM and item.cell.outputs[0].text.endswith("19\n... and so on")
    (item,) = html_items(f"<table>{99 * '<tr><td>1</td></tr>'}</table>")
    assert item.height < ROOM and "is in the chapter" in item.cell.source


def test_items_of_a_list_keep_their_marks():
    assert list_items("1. one\n2. two\n   lines\n") == ["1. one", "2. two\n   lines"]


def test_a_table_that_is_too_long_goes_on_with_its_head():
    rows = "\n".join(f"| {n} | x |" for n in range(60))
    pieces = list(table_items(f"| a | b |\n| --- | --- |\n{rows}", ROOM))
    assert len(pieces) > 2 and all(piece.height <= ROOM for piece in pieces)
    assert all(piece.cell.source.startswith("| a | b |\n| --- |") for piece in pieces)
    assert sum(piece.cell.source.count("| x |") for piece in pieces) == 60


@pytest.mark.slow
@pytest.mark.parametrize("name", CHAPTERS)
def test_a_deck_is_whole(decks, name):
    deck, page = decks[name]
    assert page.html["lang"] == "en" and page.title.string
    slides = page.select(".slides > section > section")
    assert len(slides) == len(deck.slides) > 10
    assert all(slide.room >= 0 for slide in deck.slides)
    assert slides[0].h1 and "The question." in slides[0].get_text()
    assert all(slide.h2 for slide in slides[1:])
    titles = [slide.h2.get_text() for slide in slides[1:]]
    assert titles.count("Question") == titles.count("Answer") >= 3
    assert titles.count("Exercise") >= 2 and "Summary" in titles


@pytest.mark.slow
@pytest.mark.parametrize("name", CHAPTERS)
def test_no_directive_and_no_role_is_left(decks, name):
    _, page = decks[name]
    for shown in page.select(".slides > section > section > div, aside"):
        for code in shown.select("pre, code"):
            code.extract()
        text = shown.get_text()
        assert not re.search(r":::|```|\{[\w:-]+\}`|^:\w+:|-start\}|-end\}", text, re.M), text


@pytest.mark.slow
@pytest.mark.parametrize("name", CHAPTERS)
def test_figures_say_what_they_show(decks, name):
    _, page = decks[name]
    images = page.select("img")
    assert all(len(image["alt"]) > 20 for image in images)
    assert all(int(image["width"]) <= 1160 for image in images)
    assert len(images) == (BOOK / f"{name}.ipynb").read_text(encoding="utf-8").count('"image/png"')


@pytest.mark.slow
@pytest.mark.parametrize("name", CHAPTERS)
def test_worked_solutions_are_for_the_speaker_alone(decks, name):
    _, page = decks[name]
    notes = [note.extract() for note in page.select("aside.notes")]
    assert sum("Solution." in note.get_text() for note in notes) >= 2
    assert "Solution." not in page.get_text()
    assert "review(" not in page.get_text()


@pytest.mark.slow
def test_what_a_slide_leaves_out_is_said(decks):
    _, page = decks["replay"]
    said = " ".join(page.get_text().split())
    for sentence in ("Shifting everything by one place", "a gradient is a mean over a minibatch"):
        assert sentence.lower() in said.lower()


def test_one_deck_can_be_made(tmp_path, capsys):
    main(["replay"], tmp_path)
    assert {path.stem for path in tmp_path.glob("*.html")} == {"replay", "index"}
    assert "replay.html" in (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "slides" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="no such chapter: nothing; there are tabular_limits"):
        main(["nothing"], tmp_path)
