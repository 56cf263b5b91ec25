"""What the site's own extension does to pages, on small pieces of HTML."""

import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

sys.path.insert(0, str(Path(__file__).parents[2] / "book" / "_ext"))

from course import pages_address
from pages import (
    add_experiments,
    drop_unused,
    join_heads,
    name_things,
    offer_kernels,
    size_of,
)


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
