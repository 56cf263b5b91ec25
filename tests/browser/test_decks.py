"""Every deck in Chromium, from a folder and without a network."""

import re
import sys

import pytest
from bs4 import BeautifulSoup
from places import ROOT, Log, Site

sys.path.insert(0, str(ROOT / "book"))

from slides import chapter_names, learn_words, main

pytestmark = pytest.mark.slow

# Goes to every slide and measures how far its contents reach.
MEASURE = """async () => {
  await MathJax.startup.promise;
  const found = [];
  for (const slide of Reveal.getSlides()) {
    const { h, v } = Reveal.getIndices(slide);
    Reveal.slide(h, v);
    await new Promise(requestAnimationFrame);
    let [right, bottom] = [0, 0];
    for (const part of slide.querySelectorAll(":scope > :not(.notes), :scope > :not(.notes) *")) {
      const box = part.getBoundingClientRect();
      if (!box.width || !box.height || part.closest("mjx-assistive-mml")) continue;
      [right, bottom] = [Math.max(right, box.right), Math.max(bottom, box.bottom)];
    }
    found.push([`${h}/${v}`, Math.round(right), Math.round(bottom)]);
  }
  return found;
}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """All decks."""
    folder = tmp_path_factory.mktemp("slides")
    main([], folder)
    return folder


@pytest.fixture
def deck(folder, browser):
    """Open a deck as a lecturer does; returns the page and what went wrong there."""
    contexts = []

    def open_deck(name):
        context = browser.new_context(viewport={"width": 1280, "height": 720}, offline=True)
        contexts.append(context)
        page, log = context.new_page(), Log()
        log.listen(page, Site(folder, folder.as_uri()))
        page.goto(f"{folder.as_uri()}/{name}.html", wait_until="load")
        return page, log

    yield open_deck
    for context in contexts:
        context.close()


@pytest.mark.parametrize("name", chapter_names())
def test_a_deck_asks_for_nothing_and_no_slide_overflows(deck, name):
    page, log = deck(name)
    slides = page.evaluate(MEASURE)
    assert len(slides) > 10
    assert [s for s in slides if s[1] > 1280 or s[2] > 720 or s[2] < 100] == []
    assert page.locator("mjx-merror").count() == 0
    text = "\n".join(page.locator(".slides section > div").all_inner_texts())
    assert not re.search(r":::|```\{|\{[\w:-]+\}`", text)
    log.assert_clean()


def test_text_can_be_read_from_the_back(deck):
    page, _ = deck("replay")
    sizes = page.evaluate(
        """() => [...document.querySelectorAll(".slides p, .slides li, .slides pre, .slides td")]
          .filter(it => !it.closest(".notes"))
          .map(it => parseFloat(getComputedStyle(it).fontSize))"""
    )
    assert min(sizes) >= 17


def test_keys_turn_slides_and_open_the_notes(deck):
    page, log = deck("replay")
    page.wait_for_function("Reveal.isReady()")
    page.keyboard.press("Space")
    assert page.evaluate("Reveal.getIndices().v") == 1
    with page.expect_popup() as opened:
        page.keyboard.press("s")
    opened.value.wait_for_load_state()
    assert "Speaker View" in opened.value.title()
    assert log.errors == []


def test_numbers_are_those_of_the_site(site_folder):
    words = learn_words()
    pages = {
        name: BeautifulSoup((site_folder / "book" / f"{name}.html").read_bytes(), "html.parser")
        for name in words.chapters
    }
    assert len(words.labels) > 50
    for label, number in words.labels.items():
        name = "equation-" + label if number.startswith("(") else label
        found = [
            place for page in pages.values() if (place := page.find(id=name.replace("_", "-")))
        ]
        place = (found or [p for page in pages.values() if (p := page.find(id=name))])[0]
        shown = place.select_one(".caption-number, .eqno").get_text()
        assert shown.strip().rstrip("#").strip() == number, label
