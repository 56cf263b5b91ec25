"""Decks are made by rule from the pages of the site; in Chromium: tests/browser/test_decks.py."""

import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

sys.path.insert(0, str(Path(__file__).parents[2] / "book" / "tools"))

from slides import Deck, first_sentence, main

LONG = 60 * "and so on "
PAGE = f"""<article><section><h1>Replay<a class="headerlink">#</a></h1><p>The question. {LONG}</p>
<section><h2>A ring</h2><p>First <em>said</em>. Then {LONG}</p>
<div class="cell"><details class="above-input"><pre>folded</pre></details>
<div class="cell_output"><figure><img alt="A ring."></figure></div></div><p>After it.</p>
<div class="cell"><div class="cell_input">x = 1</div></div>
<form class="quiz"><fieldset><legend>Why?</legend><label for="a">Because.</label></fieldset>
<details><ul><li>Yes. It is.</li></ul></details></form>
<div class="exercise admonition"><p class="admonition-title">Exercise 1</p><p>Compute. {LONG}</p>
<div class="cell"><div class="cell_input">review(x)</div></div></div>
<div class="solution dropdown admonition"><p>Four.</p></div></section></section></article>"""


@pytest.fixture
def slides():
    """The slides of the page as text: heading, what is shown, notes."""
    page = BeautifulSoup(Deck(BeautifulSoup(PAGE, "html.parser").article).html(), "html.parser")
    found = []
    for slide in page.select("section > section"):
        notes = "".join(note.extract().get_text() for note in slide.select(".notes"))
        found.append((slide.find(["h1", "h2"]).extract().text, slide, notes))
    return found


def test_headings_figures_boxes_and_prose_after_code_begin_slides(slides):
    headings = ["Replay", "A ring", "A ring", "A ring", "Question", "Answer", "Exercise 1"]
    assert [heading for heading, *_ in slides] == headings
    assert slides[2][1].img["alt"] == "A ring." and "After it." in slides[3][1].text


def test_a_long_paragraph_shows_its_first_sentence_and_the_notes_have_it_all(slides):
    assert slides[1][1].text.strip() == "First said."
    assert LONG.strip() in slides[1][2] and LONG.strip() in slides[0][1].text


def test_answers_are_below_and_solutions_for_the_speaker_alone(slides):
    question, answer, task = slides[4:]
    assert "Because." in question[1].text and "Yes" not in question[1].text
    assert "Yes. It is." in answer[1].text
    assert "Four." in task[2] and "Four." not in "".join(slide.text for _, slide, _ in slides)


def test_all_that_a_prediction_asks_is_on_its_slide_and_an_element_may_have_no_class():
    page = """<article><h1>Odd</h1><div>Plain.</div><form class="prediction">
    <p class="prediction-title">Predict</p><p>One die.</p><p>Two dice.</p>
    <fieldset><legend>How far?</legend></fieldset>
    <div class="prediction-answer"><p>Far.</p></div></form></article>"""
    plain, asked, answer = Deck(BeautifulSoup(page, "html.parser").article).slides
    assert "Plain." in plain[1][0] and "Far." in answer[1][0]
    assert asked[1] == ["<p>One die.</p>", "<p>Two dice.</p>", "<p>How far?</p>"]


def test_folded_code_and_reviews_are_left_out(slides):
    shown = "".join(slide.text for _, slide, _ in slides)
    assert "x = 1" in shown and "folded" not in shown and "review(" not in shown


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("A pole, e.g. This, falls. Then", "A pole, e.g. This, falls."),
        ("See <code>a. B</code>? Yes.", "See a. B?"),
        ("Lin et al. Said so. <b>So</b> do we.", "Lin et al. Said so."),
        ("No end at 0.9 of it", "No end at 0.9 of it"),
    ],
)
def test_a_sentence_ends_where_it_ends(text, first):
    assert first_sentence(BeautifulSoup(f"<p>{text}</p>", "html.parser").p).text == first


def test_an_unknown_chapter_is_named(tmp_path):
    with pytest.raises(SystemExit, match="no such chapter: nothing; there are ablation"):
        main(["nothing"], tmp_path, tmp_path)
