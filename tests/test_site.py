"""What the site's own extension does to pages, on small pieces of HTML and CSS."""

import sys
from pathlib import Path

import pytest
import tinycss2
from bs4 import BeautifulSoup

sys.path.insert(0, str(Path(__file__).parents[1] / "book" / "_ext"))

from machines import pages_address, plain_text, sitemap, summary
from pages import (
    add_experiments,
    drop_unused,
    join_heads,
    name_things,
    offer_kernels,
    size_of,
)
from styles import join_styles, used_rules


@pytest.mark.parametrize(
    ("css", "kept"),
    [
        (".used{a:b}.unused{c:d}", ".used{a:b}"),
        (".used,.unused{a:b}", ".used{a:b}"),
        (".used .unused{a:b}p{c:d}", "p{c:d}"),
        (".used:not(.unused){a:b}", ".used:not(.unused){a:b}"),
        ("@media print{.unused{a:b}}", ""),
        ("@media print{.used{a:b}}", "@media print{.used{a:b}}"),
        ("@font-face{src:url(x)}@keyframes spin{to{a:b}}", "@keyframes spin{to{a:b}}"),
    ],
)
def test_a_rule_stays_if_its_classes_are_used(css, kept):
    rules = tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True)
    assert used_rules(rules, {"used"}) == kept


@pytest.mark.parametrize(
    ("repository", "address"),
    [
        ("https://github.com/Some/course", "https://some.github.io/course/"),
        ("https://github.com/some/some.github.io", "https://some.github.io/"),
        (None, None),
    ],
)
def test_where_the_site_is_shown(repository, address):
    assert pages_address(repository) == address


def test_plain_text_has_words_for_pictures_and_latex_for_equations():
    soup = BeautifulSoup(
        '<article><h1>Title<a class="headerlink" href="#t">#</a></h1><p>With <span class="math">'
        r'\(x_i\)</span>.</p><div class="math">\[y = 1\]</div><img alt="A line rises." src="a.png">'
        '<video aria-label="A pole falls."></video><div class="highlight-ipython3"><pre>f(x)</pre>'
        "</div></article>",
        "html.parser",
    )
    text = plain_text(soup)
    assert text.startswith("# Title\n\nWith $x_i$.\n\n$$\ny = 1\n$$\n")
    assert "[Figure: A line rises.]" in text and "[Film: A pole falls.]" in text
    assert "```python\nf(x)\n```" in text


def test_lists_for_machines():
    entries = [("Course", "index.md", "About it."), ("One", "one.md", "The first.")]
    assert summary(entries).startswith("# Course\n\n> About it.\n")
    assert "- [One](one.md): The first." in summary(entries)
    assert "<loc>https://a.b/?c&amp;d</loc>" in sitemap(["https://a.b/?c&d"])


def test_scripts_go_where_nothing_needs_them():
    page = '<script src="a/{}.js"></script><script src="other.js"></script><p class="math">x</p>'
    for name, scripts in [("design-tabs", 1), ("mathjax", 2), ("scripts/fontawesome", 1)]:
        soup = BeautifulSoup(page.format(name), "html.parser")
        drop_unused(soup)
        assert len(soup.select("script")) == scripts


def test_names_for_screen_readers():
    soup = BeautifulSoup(
        '<header id="pst-header"></header><div><a class="navbar-brand"></a></div>'
        '<button title="Open"><i></i></button><div role="doc-biblioentry"></div>'
        "<table><thead><tr><th></th><th>name</th></tr></thead></table>",
        "html.parser",
    )
    name_things(soup)
    assert soup.button["aria-label"] == "Open"
    assert not soup.select("header, [role=doc-biblioentry]") and soup.select("[role=listitem]")
    assert [cell.name for cell in soup.tr] == ["td", "th"]


def test_sizes_of_drawings(tmp_path):
    drawing = tmp_path / "a.svg"
    drawing.write_text('<svg viewBox="0 0 64 32"></svg>')
    assert size_of(drawing) == (64, 32)
    assert size_of(tmp_path / "missing.png") is None


def test_a_page_gets_the_scripts_of_its_experiments(tmp_path):
    place = '<div class="rl-experiment" data-experiment="cartpole_live"></div>'
    soup = BeautifulSoup(f"<html><head></head>{place}</html>", "html.parser")
    (tmp_path / "_static").mkdir()
    for _ in range(2):  # the second time changes nothing
        add_experiments(soup, tmp_path / "book", tmp_path)
        (script,) = soup.select("script")
        folder = "../_static/experiments"
        assert script["data-scripts"] == f"{folder}/cartpole_live.js {folder}/loader.js"
    assert (tmp_path / "_static/experiments/loader.js").is_file()
    page_without = BeautifulSoup("<html><head></head></html>", "html.parser")
    add_experiments(page_without, tmp_path, tmp_path)
    assert not page_without.select("script")


def test_an_experiment_that_is_not_there_is_named(tmp_path):
    place = '<div class="rl-experiment" data-experiment="levitation"></div>'
    soup = BeautifulSoup(f"<html><head></head>{place}</html>", "html.parser")
    with pytest.raises(ValueError, match="levitation"):
        add_experiments(soup, tmp_path, tmp_path)


def test_the_name_of_an_index_stands_in_the_first_row():
    table = (
        "<table class='dataframe'><thead><tr><{0}></{0}><th>a</th></tr><tr><th>seed</th>{1}</tr>"
    )
    soup = BeautifulSoup(table.format("td", "<th></th>") + "</thead></table>", "html.parser")
    join_heads(soup)
    join_heads(soup)
    assert [cell.text for cell in soup.select("tr th")] == ["seed", "a"]
    assert len(soup.select("tr")) == 1
    kept = BeautifulSoup(table.format("th", "<th>b</th>") + "</thead></table>", "html.parser")
    join_heads(kept)  # two rows of names
    assert len(kept.select("tr")) == 2


def test_a_live_control_links_to_the_launch_menu():
    menu = '<div class="dropdown-launch-buttons"><a href="https://b/x.ipynb">Binder</a><a href="#">'
    place = '</a></div><span class="rl-launch">start one with the rocket button</span>'
    soup = BeautifulSoup(menu + place, "html.parser")
    for _ in range(2):
        offer_kernels(soup)
        assert soup.span.text == "start one in the cloud with Binder"
    assert soup.span.a["href"] == "https://b/x.ipynb"
    without = BeautifulSoup('<span class="rl-launch">the rocket button</span>', "html.parser")
    offer_kernels(without)
    assert without.text == "the rocket button"


def test_a_second_build_keeps_the_one_style_sheet(tmp_path):
    static = tmp_path / "_static"
    static.mkdir()
    (static / "basic.css").write_text("p{a:b}", encoding="utf-8")
    (static / "theme.css").write_text("h1{a:b}", encoding="utf-8")

    def pages(*sheets):
        links = "".join(f'<link rel="stylesheet" href="_static/{name}">' for name in sheets)
        return {tmp_path / "a.html": BeautifulSoup(links, "html.parser")}

    first = pages("theme.css", "theme.css?v=1")
    join_styles(first, tmp_path)
    text = (static / "site.css").read_text(encoding="utf-8")
    assert "h1" in text and "p" in text
    join_styles(first, tmp_path)
    assert (static / "site.css").read_text(encoding="utf-8") == text
    assert len(next(iter(first.values())).select("link")) == 1
