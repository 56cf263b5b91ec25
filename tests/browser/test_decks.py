"""Every deck in Chromium, from a folder and without a network."""

import re
import sys

import pytest
from places import ROOT, Log, Site

sys.path.insert(0, str(ROOT / "book" / "tools"))

from slides import main

pytestmark = pytest.mark.slow
CHAPTERS = sorted(path.stem for path in (ROOT / "book").glob("*.ipynb"))

# Goes to every slide, and tells how far it and its parts reach; what is too long scrolls.
MEASURE = """async () => {
  await MathJax.startup.promise;
  const found = [];
  for (const slide of Reveal.getSlides()) {
    const { h, v } = Reveal.getIndices(slide);
    Reveal.slide(h, v);
    await new Promise(requestAnimationFrame);
    found.push([h, v, slide.scrollWidth, slide.getBoundingClientRect().bottom]);
  }
  return found;
}"""


@pytest.fixture(scope="module")
def folder(site_folder, tmp_path_factory):
    """All decks."""
    folder = tmp_path_factory.mktemp("slides")
    main([], site_folder, folder)
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


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_deck_is_whole_asks_for_nothing_and_no_slide_overflows(deck, name):
    page, log = deck(name)
    slides = page.evaluate(MEASURE)
    assert slides
    assert [slide for slide in slides if slide[2] > 1280 or slide[3] > 720] == []
    assert page.locator("mjx-merror").count() == 0
    broken = "[...document.images].filter(it => !it.naturalWidth || it.alt.length < 20).length"
    assert page.evaluate(broken) == 0
    page.evaluate("document.querySelectorAll('.notes, pre, code').forEach(it => it.remove())")
    text = page.locator(".slides").text_content()
    assert not re.search(r":::|```|\{[\w:-]+\}`|-start\}|-end\}|Solution", text)
    headings = page.locator(".slides h2").all_text_contents()
    asked = [headings.count(heading) for heading in ("Question", "Predict")]
    assert headings.count("Answer") == sum(asked)
    assert asked[0] >= 3
    assert sum(heading.startswith("Exercise ") for heading in headings) >= 2
    log.assert_clean()


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
