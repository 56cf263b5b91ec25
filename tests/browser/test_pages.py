"""Every page of the site as readers open it: over HTTP, from a folder, by keyboard, at night."""

import re
import sys

import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup
from places import REPOSITORY, ROOT

sys.path.insert(0, str(ROOT / "book" / "_ext"))

from reading import measure

pytestmark = pytest.mark.slow

TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
BOOK = [TOC["root"], *(page["file"] for part in TOC["parts"] for page in part["chapters"])]
CHAPTERS = [page for page in BOOK if (ROOT / f"{page}.ipynb").exists()]
PAGES = [*BOOK, "search", "genindex", "py-modindex", "_modules/rl_lab/losses"]
WIDTHS = (1280, 375)


def has_control(page_name: str) -> bool:
    """Whether a chapter has something to run live."""
    return "rl-live" in (ROOT / f"{page_name}.ipynb").read_text(encoding="utf-8")


# Compressed bytes of a first visit, videos apart.
TEXT_PAGE, EXPERIMENT_PAGE = 1_200_000, 2_500_000

SETTLED = "Promise.all(document.getAnimations().map(it => it.finished.catch(() => null)))"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
UNSET_MATH = "[...document.querySelectorAll('.math')].filter(it => !it.querySelector('mjx-math'))"
PLAIN_CODE = """document.querySelectorAll(".highlight pre").forEach(
  it => it.replaceChildren(document.createTextNode(it.textContent)))"""
AWAITED = "document.querySelectorAll('.tag_answer:has(.rl-experiment)')"
PICTURES = "[...document.images].filter(it => it.checkVisibility())"


def look_around(page) -> None:
    """Move, as any reader does; wait until all equations are set and all experiments are there.

    Those that wait for a prediction are opened, as by it.
    """
    page.mouse.move(200, 200)
    page.wait_for_function(f"{UNSET_MATH}.length === 0")
    page.evaluate(f"{AWAITED}.forEach(it => it.classList.add('open'))")
    for place in page.locator(".rl-experiment").all():
        place.scroll_into_view_if_needed()
        page.wait_for_function("place => place.model", arg=place.element_handle())


@pytest.mark.parametrize("scheme", ["http", "file"])
@pytest.mark.parametrize("page_name", PAGES)
def test_a_page_is_complete_without_a_network(visit, page_name, scheme):
    page, log = visit(page_name, scheme=scheme)
    look_around(page)
    page.evaluate(f"{PICTURES}.forEach(it => it.loading = 'eager')")
    page.wait_for_function(f"{PICTURES}.every(it => it.complete && it.naturalWidth > 0)")
    log.assert_clean()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("page_name", PAGES)
def test_axe_finds_nothing_and_nothing_overflows(visit, page_name, width):
    page, _ = visit(page_name, width=width, color_scheme="light")
    look_around(page)
    assert page.evaluate(OVERFLOW) <= 0
    if width == min(WIDTHS):  # thousands of coloured words, whose colours the wide page has shown
        page.evaluate(PLAIN_CODE)
    found = violations(page)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
    page.evaluate(SETTLED)
    # Roles and names stay what they are at night; only colours change.
    found += violations(page, runOnly=["color-contrast", "link-in-text-block"])
    assert not found, "\n".join(found)


def violations(page, **options) -> list[str]:
    """What axe-core objects to, a line for each element."""
    # Without `preload` it asks for no style sheet a second time.
    options = {"resultTypes": ["violations"], "preload": False, **options}
    results = Axe().run(page, options=options).response
    return [
        f"{rule['id']}: {rule['help']}: {node['html'][:200]}"
        for rule in results["violations"]
        for node in rule["nodes"]
    ]


def test_axe_is_heard(visit):
    page, _ = visit("search")
    page.evaluate("document.querySelector('main').append(document.createElement('img'))")
    assert any("image-alt" in line for line in violations(page))


@pytest.mark.parametrize("page_name", BOOK)
def test_a_first_visit_is_light(visit, site, page_name):
    site.sent.clear()
    page, _ = visit(page_name)
    look_around(page)
    page.evaluate(f"{PICTURES}.forEach(it => it.loading = 'eager')")
    page.wait_for_function(f"{PICTURES}.every(it => it.complete)")
    page.wait_for_load_state("networkidle")
    experiments = page.locator(".rl-experiment").count()
    weight = sum(size for path, size in site.sent if not path.endswith(".mp4"))
    assert 50_000 < weight <= (EXPERIMENT_PAGE if experiments else TEXT_PAGE)


@pytest.mark.parametrize("page_name", BOOK)
def test_images_have_sizes_and_nothing_holds_up_the_text(site, page_name):
    soup = BeautifulSoup((site.folder / f"{page_name}.html").read_bytes(), "html.parser")
    assert not soup.select("img:not([width]), img:not([height]), script[src]:not([defer])")
    assert len(soup.select("article img:not([loading=lazy])")) <= 1


@pytest.mark.parametrize("scheme", ["http", "file"])
@pytest.mark.parametrize("page_name", ["book/cartpole", "book/lunar_lander"])
def test_videos_play(visit, page_name, scheme):
    page, log = visit(page_name, scheme=scheme)
    videos = page.locator("article video")
    assert videos.count() > 0
    # What tells an answer waits for the prediction.
    page.locator("form.prediction button").evaluate_all("all => all.forEach(it => it.click())")
    sized = "all => all.every((it) => it.poster && it.getAttribute('height') && it.ariaLabel)"
    assert videos.evaluate_all(sized)
    captions = page.locator("figure.rl-video figcaption").all_inner_texts()
    assert len(captions) == videos.count() and all(captions)
    for number in range(videos.count()):
        video = videos.nth(number)
        video.scroll_into_view_if_needed()
        video.evaluate("it => { it.muted = true; return it.play(); }")
        page.wait_for_function("it => it.currentTime > 0.1", arg=video.element_handle())
        video.evaluate("it => it.pause()")
    log.assert_clean()


@pytest.mark.parametrize("scheme", ["http", "file"])
def test_a_search_finds_chapters_before_the_reference(visit, scheme):
    page, log = visit("book/index", scheme=scheme)
    page.keyboard.press("Control+k")
    page.keyboard.type("seed")
    page.keyboard.press("Enter")
    page.wait_for_function(
        "/found \\d+/.test(document.querySelector('.search-summary')?.textContent)"
    )
    found = page.locator("#search-results li > a").evaluate_all("all => all.map(it => it.href)")
    is_reference = ["/api.html" in it or "/data_dictionary.html" in it for it in found]
    assert True in is_reference and is_reference == sorted(is_reference), found
    log.assert_clean()


@pytest.mark.parametrize("scheme", ["http", "file"])
def test_the_theme_can_be_chosen_and_stays(visit, scheme):
    page, log = visit("book/index", scheme=scheme, color_scheme="light")
    theme = "document.documentElement.dataset.theme"
    assert page.evaluate(theme) == "light"
    button = page.locator(".theme-switch-button")
    for _ in range(3):
        if page.evaluate("localStorage.getItem('mode')") != "dark":
            button.click()
    assert page.evaluate(theme) == "dark"
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.goto(page.url.replace("index", "notation"))
    assert page.evaluate(theme) == "dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == light
    log.assert_clean()


def test_a_first_visit_follows_the_system(visit):
    page, _ = visit("book/index", color_scheme="dark")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


FOCUSED = """() => {
  const it = document.activeElement, style = getComputedStyle(it), box = it.getBoundingClientRect();
  const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
  return {
    name: it.textContent.trim() || it.getAttribute("aria-label") || it.title || it.tagName,
    visible: box.width > 0 && box.height > 0 && (ring || style.boxShadow !== "none"),
    sidebar: it.closest("#pst-primary-sidebar") !== null,
    end: it === document.body,
  };
}"""


def test_the_page_is_used_by_keyboard(visit):
    page, _ = visit("book/replay", reduced_motion="reduce")
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUSED)["name"] == "Skip to main content"
    page.evaluate(SETTLED)
    assert page.locator("#pst-skip-link").bounding_box()["y"] >= 0
    seen = []
    for _ in range(60):
        page.keyboard.press("Tab")
        page.evaluate(SETTLED)
        seen.append(page.evaluate(FOCUSED))
        if seen[-1]["end"]:
            break
    assert [it["name"] for it in seen if not it["visible"]] == []
    assert any(it["sidebar"] and "target" in it["name"] for it in seen)
    assert {"Launch interactive content", "Download this page"} <= {it["name"] for it in seen}


def test_the_skip_link_leads_to_the_text(visit):
    page, _ = visit("book/replay")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.url.endswith("#main-content")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")


def test_the_contents_open_by_keyboard_on_a_telephone(visit):
    page, log = visit("book/replay", width=375)
    page.locator(".primary-toggle").focus()
    page.keyboard.press("Enter")
    dialog = page.locator("#pst-primary-sidebar-modal")
    assert dialog.is_visible()
    assert not violations(page)
    dialog.get_by_role("link", name=re.compile("CartPole")).press("Enter")
    page.wait_for_url("**/cartpole.html")
    log.assert_clean()


def test_a_solution_opens_by_keyboard(visit):
    page, _ = visit("book/replay")
    button = page.locator(".solution .toggle-button").first
    button.focus()
    page.keyboard.press("Enter")
    assert page.locator(".solution").first.locator("p").nth(1).is_visible()


@pytest.mark.parametrize("page_name", [page for page in CHAPTERS if has_control(page)])
def test_a_live_control_leads_to_a_kernel(visit, page_name):
    page, _ = visit(page_name)
    places = page.locator(".rl-live").all()
    assert places
    for place in places:
        assert "This page has no kernel" in place.inner_text()
        addresses = place.locator("a").evaluate_all("all => all.map((it) => it.href)")
        assert any("mybinder.org" in address for address in addresses)
        assert all(f"{page_name}.ipynb" in address for address in addresses)


def test_what_is_printed_has_all_its_equations(visit):
    page, _ = visit("book/tabular_limits")
    page.mouse.move(200, 200)
    page.wait_for_function("Boolean(window.MathJax?.typeset)")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(f"{UNSET_MATH}.length") == 0


def test_mathjax_comes_once_to_a_reader_who_moves_early(visit):
    page, log = visit("book/naive_network")
    early = (
        "document.addEventListener('DOMContentLoaded', () => dispatchEvent(new Event('scroll')))"
    )
    page.add_init_script(early)
    page.reload()
    page.locator(".math").first.scroll_into_view_if_needed()
    page.wait_for_function(f"{UNSET_MATH}.length == 0")
    assert page.locator("script[src*='tex-chtml.js']").count() == 1
    log.assert_clean()


def test_only_what_is_near_starts(visit):
    page, _ = visit("book/cartpole")
    first, second = page.locator(".rl-experiment").all()
    first.scroll_into_view_if_needed()
    page.wait_for_function("place => place.model", arg=first.element_handle())
    assert not second.evaluate("place => place.model")


def test_a_page_knows_its_address(visit):
    page, _ = visit("book/replay")
    address = page.locator("meta[property='og:url']").get_attribute("content")
    assert address == page.locator("link[rel=canonical]").get_attribute("href")
    assert address == "https://example.github.io/course/book/replay.html"
    assert page.locator(f"a[href^='{REPOSITORY}']").count() > 0


def test_a_fold_of_code_opens_those_of_its_section_and_no_other(visit):
    page, log = visit("book/cartpole")
    opened = "details[open]:is(.leads, .follows, .claims, .above-input)"
    assert page.locator("details.leads").count() > 1
    assert page.locator(opened).count() == 0
    page.locator("details.claims > summary:visible").first.click()
    assert page.locator(opened).count() == 1
    page.locator("details.claims > summary:visible").first.click()
    first = page.locator("details.leads:visible").first
    first.locator("> summary").click()
    page.wait_for_function("document.querySelector('details.follows[open]')")
    others = """(first) => [...document.querySelectorAll("details[open]")].filter(
      (it) => it.closest("section") !== first.closest("section")).length"""
    assert first.evaluate(others) == 0
    assert page.locator("details.claims[open]").count() == 0
    log.assert_clean()


def test_a_chapter_is_read_in_one_sitting(site_folder):
    pages = sorted((site_folder / "book").glob("*.html"))
    found = {p.stem: measure(BeautifulSoup(p.read_text("utf-8"), "html.parser")) for p in pages}
    chapters = {name: what for name, what in found.items() if what}
    assert len(chapters) > 15
    assert {name: w.words for name, w in chapters.items() if w.words > 3_000} == {}
    assert {name: w.code_lines for name, w in chapters.items() if w.code_lines > 120} == {}
