"""Questions in the page: by mouse, by keyboard, and without JavaScript."""

import pytest
from places import ROOT

pytestmark = pytest.mark.slow

PAGE = "book/replay"
CHAPTERS = sorted(
    path.stem
    for path in (ROOT / "book").glob("*.ipynb")
    if ":::{quiz}" in path.read_text(encoding="utf-8")
)


def test_most_chapters_ask():
    assert len(CHAPTERS) >= 9


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_three_questions_each_with_one_right_answer(visit, chapter):
    page, _ = visit(f"book/{chapter}")
    forms = page.locator("form.quiz").all()
    assert len(forms) == 3
    for form in forms:
        assert form.locator("fieldset > legend").inner_text().strip()
        options = form.locator("input[type=radio]").count()
        assert options == form.locator("li").count() == form.locator("label").count() >= 3
        assert form.locator("li[data-right]").count() == 1
    names = page.eval_on_selector_all("form.quiz input", "all => all.map(it => it.name)")
    assert len(set(names)) == 3


def test_each_choice_is_answered_with_its_reason(visit):
    page, log = visit(PAGE)
    form = page.locator("form.quiz").first
    button, result = form.get_by_role("button"), form.locator(".quiz-result")
    button.click()
    assert "Choose one" in result.inner_text()
    assert result.get_attribute("aria-live") == "polite"
    for option in form.locator("input").all():
        option.check()
        assert result.inner_text() == ""  # what was said belongs to another choice
        button.click()
        key = option.get_attribute("id")
        reason = page.locator(f"#{key}-answer")
        assert result.inner_text() == reason.text_content()
        right = reason.get_attribute("data-right") is not None
        assert ("right" if right else "wrong") in result.get_attribute("class").split()
        assert (" Yes." if right else " No.") in result.inner_text()
    log.assert_clean()


def test_the_keyboard_is_enough(visit):
    page, _ = visit(PAGE)
    form = page.locator("form.quiz").first
    form.locator("input").first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    assert form.locator("input").nth(1).is_checked()
    page.keyboard.press("Enter")
    assert "(b)" in form.locator(".quiz-result").inner_text()
    page.keyboard.press("Tab")
    assert form.get_by_role("button").evaluate("it => it === document.activeElement")


def test_without_javascript_the_answers_unfold(visit):
    page, _ = visit(PAGE, java_script_enabled=False)
    form = page.locator("form.quiz").first
    assert not form.locator("button").is_visible()
    assert not form.locator("li").first.is_visible()
    form.locator("summary").click()
    assert form.locator("li").first.is_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_a_phone_by_day_and_night(visit, theme):
    page, _ = visit(PAGE, width=375, color_scheme=theme)
    for form in page.locator("form.quiz").all():
        box = form.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 375
