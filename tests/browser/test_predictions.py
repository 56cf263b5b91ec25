"""Predictions in the page: made first, kept, counted on the last page, whole without a script."""

import pytest
from places import ROOT

pytestmark = pytest.mark.slow

PAGE = "book/naive_network"
CHAPTERS = sorted(
    path.stem
    for path in (ROOT / "book").glob("*.ipynb")
    if ":::{prediction}" in path.read_text(encoding="utf-8")
)
WAITING = ".tag_answer, .admonition.answer"


def test_an_answer_opens_after_the_choice_and_what_waits_after_the_last(visit):
    page, log = visit(PAGE)
    first, second = page.locator("form.prediction").all()[:2]
    waiting = page.locator(WAITING).first
    assert not first.locator(".prediction-answer").is_visible()
    assert "Show the answer" in first.get_by_role("button").inner_text()
    first.locator("input").first.check()
    assert "Compare" in first.get_by_role("button").inner_text()
    first.get_by_role("button").click()
    assert first.locator(".prediction-answer").is_visible()
    assert first.locator(".prediction-result").inner_text() == "Not so."
    assert not waiting.is_visible()  # the second prediction is about it, too
    second.get_by_role("button").click()  # without a guess
    assert waiting.is_visible()
    assert second.locator(".prediction-result").inner_text() == ""
    log.assert_clean()


def test_the_keyboard_is_enough(visit):
    page, _ = visit(PAGE)
    form = page.locator("form.prediction").first
    form.locator("input").first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert form.locator(".prediction-result").inner_text() == "Right."
    answer = form.locator(".prediction-answer")
    assert answer.is_visible()
    assert answer.evaluate("it => it === document.activeElement")


def test_answers_are_kept_counted_and_forgotten(visit):
    page, log = visit(PAGE)
    chosen = []
    for number, is_right in enumerate((True, False)):
        form = page.locator("form.prediction").nth(number)
        right = int(form.get_attribute("data-right")) - 1
        chosen.append(right if is_right else (right + 1) % form.locator("input").count())
        form.locator("input").nth(chosen[-1]).check()
        form.get_by_role("button").click()
    first = page.locator("form.prediction").first.locator("input").nth(chosen[0])
    page.reload()
    assert first.is_checked()
    assert page.locator(WAITING).first.is_visible()
    total = page.locator("form.prediction").count()
    page.goto(page.url.replace("naive_network", "takeaways"))
    score = page.locator(".prediction-score")
    assert "1 of your 2 predictions" in score.inner_text()
    cells = score.locator("tbody td").all_inner_texts()
    assert "network" in cells[0] and cells[1:] == ["1", "2", str(total)]
    score.get_by_role("button").click()
    assert "no predictions of yours" in score.inner_text()
    page.go_back()
    page.reload()
    assert not first.is_checked()
    log.assert_clean()


@pytest.fixture
def asked(browser):
    """A page with one question, whose answer is a number from 200 to 300."""
    page = browser.new_page()
    page.set_content(
        '<h1>Asked</h1><form class="prediction" id="it" data-right="200 300"><input name="it">'
        '<button></button><p class="prediction-result"></p>'
        '<div class="prediction-answer">250</div></form>'
    )
    page.add_script_tag(path=ROOT / "book/_ext/static/prediction.js")
    yield page
    page.close()


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("0,5", 0.5),
        ("1,000", 1000),
        ("12 345", 12345),
        ("300 steps", 300),
        ("about -.5", -0.5),
        ("\u2212200", -200),
        ("1e3", 1000),
        ("26 of 30", 26),
    ],
)
def test_numbers_as_people_type_them(asked, typed, number):
    assert asked.evaluate("numberOf", typed) == number


def test_what_holds_no_number_is_not_compared(asked):
    for typed, said, opened in (("many", "Type a number.", 0), ("250 steps", "Right.", 1)):
        asked.locator("input").fill(typed)
        asked.get_by_role("button").click()
        assert asked.locator(".prediction-result").inner_text() == said
        assert asked.locator("form.open").count() == opened


def test_pages_are_counted_in_the_order_of_their_titles(visit):
    page, log = visit(PAGE)
    titles = ["Appendix", "10. Ten", "9. Nine", "Words"]
    stored = {title: {"title": title, "total": 1, "answers": {}} for title in titles}
    page.evaluate("it => localStorage.setItem(KEY, JSON.stringify(it))", stored)
    page.goto(page.url.replace("naive_network", "takeaways"))
    rows = page.locator(".prediction-score tbody tr").all_inner_texts()
    assert [row.split("\t")[0] for row in rows] == ["9. Nine", "10. Ten", "Appendix", "Words"]
    log.assert_clean()


def test_a_link_to_a_figure_opens_it(visit):
    page, _ = visit(PAGE)
    figure = page.locator("#fig-naive-network-cartpole")
    assert not figure.is_visible()
    page.evaluate("location.hash = 'fig-naive-network-cartpole'")
    figure.wait_for(state="visible")


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_without_javascript_everything_is_there(visit, chapter):
    page, _ = visit(f"book/{chapter}", java_script_enabled=False)
    for block in page.locator(f".prediction-answer, {WAITING}").all():
        assert block.is_visible()
    assert not page.locator("form.prediction button").first.is_visible()


def test_print_shows_everything(visit):
    page, _ = visit(PAGE)
    page.emulate_media(media="print")
    assert page.locator(".prediction-answer").first.is_visible()
    assert page.locator(WAITING).first.is_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_a_phone_by_day_and_night(visit, theme):
    page, _ = visit(PAGE, width=375, color_scheme=theme)
    for form in page.locator("form.prediction").all():
        box = form.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 375
