"""Pairs to be found in the page: what the script says, and what stands there without it."""

import pytest

pytestmark = pytest.mark.slow

PAGE = "book/debugging"


def test_it_says_how_many_are_right_and_which_are_not(visit):
    page, log = visit(PAGE)
    form = page.locator("form.matching")
    button, result = form.get_by_role("button"), form.locator(".matching-result")
    assert result.get_attribute("aria-live") == "polite"
    button.click()
    assert "at least one" in result.inner_text()
    menus = form.locator("select").all()
    rights = [menu.get_attribute("data-right") for menu in menus]
    menus[0].select_option(rights[0])
    menus[1].select_option(rights[0])
    button.click()
    assert result.inner_text() == "1 of 10 are right. Look again at B."
    for menu, right in zip(menus, rights, strict=True):
        menu.select_option(right)
        assert result.inner_text() == ""  # what was said belongs to other choices
    button.click()
    assert result.inner_text() == "10 of 10 are right."
    log.assert_clean()


def test_without_javascript_the_pairs_unfold(visit):
    page, _ = visit(PAGE, java_script_enabled=False)
    form = page.locator("form.matching")
    assert not form.locator("button").is_visible()
    form.locator("summary").click()
    assert form.locator("details li").first.is_visible()


def test_it_fits_a_phone(visit):
    page, _ = visit(PAGE, width=375)
    for menu in page.locator("form.matching select").all():
        box = menu.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 375
