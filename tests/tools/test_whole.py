"""The whole book as one file: no dead link, nothing hidden, and equations as MathML."""

import re
import sys
import zipfile
from pathlib import Path
from posixpath import join, normpath
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from bs4 import BeautifulSoup

sys.path.insert(0, str(Path(__file__).parents[2] / "book" / "_ext"))
sys.path.insert(0, str(Path(__file__).parents[2] / "book" / "tools"))

from course import forget_old
from whole import FILES, link_files, main, whole

BOOK = Path(__file__).parents[2] / "book"

NAV = (
    '<nav class="bd-docs-nav"><a class="internal" href="#">Book</a>'
    '<a class="internal" href="ring.html">Ring</a></nav>'
)
INDEX = f"""<html>{NAV}<article><section id="book"><h1>Book</h1>
<p>See <a href="ring.html#fig-ring">Figure 1</a>, <a href="ring.html">the ring</a>,
<a href="../_modules/x.html">code</a> and <a href="https://example.org">elsewhere</a>.</p>
<section id="the-chapters"><h2>Chapters</h2><div><table><tr><td>1</td></tr></table></div></section>
</section></article></html>"""
RING = """<html><article><section class="tex2jax_ignore mathjax_ignore" id="ring"><h1>Ring</h1>
<p>Slot <span class="math">\\(i \\bmod N\\)</span>, and back to <a href="#ring">Ring</a>.</p>
<div class="math" id="eq"><span class="eqno">(1)</span>\\[n = \\sigma^2 / v\\]</div>
<div class="cell"><details class="above-input"><summary>Show</summary><pre>folded</pre></details>
<details class="above-output"><summary>Show the answer</summary>
<figure id="fig-ring"><img alt="A ring." loading="lazy" src="../_images/ring.svg">
<figcaption><p>A ring.</p></figcaption></figure></details></div>
<form class="quiz"><fieldset><legend>Why?</legend>
<input id="a"><label for="a">So.</label></fieldset>
<details><summary>Answers</summary><ul><li>Yes.</li></ul></details></form>
<video aria-label="It turns." poster="../_images/ring.svg" src="x.mp4"></video>
</section></article></html>"""


@pytest.fixture
def site(tmp_path):
    """A site of two pages."""
    for name, text in (
        ("book/index.html", INDEX),
        ("book/ring.html", RING),
        ("_images/ring.svg", '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"/>'),
        ("_static/pygments.css", ""),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_a_title_may_hold_any_character(site):
    page = site / "book/index.html"
    page.write_text(INDEX.replace("<h1>Book", "<h1>Q &lt; V <em>&amp;</em> more"), "utf-8")
    assert BeautifulSoup(whole(site), "html.parser").title.text == "Q < V & more"


def test_every_link_inside_has_a_place_and_nothing_is_hidden(site):
    soup = BeautifulSoup(whole(site), "html.parser")
    places = [tag["id"] for tag in soup.select("[id]")]
    assert len(places) == len(set(places))
    links = [link["href"] for link in soup.select("a[href]")]
    assert {link for link in links if not link.startswith("#")} == {"https://example.org"}
    assert {link[1:] for link in links if link.startswith("#")} <= set(places)
    assert "folded" not in soup.text and "Why?" in soup.text and "Yes." in soup.text
    assert not soup.select("details, input, video, .mathjax_ignore")
    assert [image["alt"] for image in soup.select("img")] == ["A ring.", "It turns."]


def test_an_epub_is_well_formed_and_its_links_lead_somewhere(site):
    main("epub", site)
    with zipfile.ZipFile(site / FILES["epub"]) as book:
        files = {name: book.read(name) for name in book.namelist()}
    pages = {name: text for name, text in files.items() if name.endswith(".xhtml")}
    roots = {name: ElementTree.fromstring(text) for name, text in pages.items()}
    ids = {name: {tag.get("id") for tag in root.iter()} for name, root in roots.items()}
    for name, root in roots.items():
        for tag in root.iter():
            link = tag.get("href") or tag.get("src") or ""
            if link and ":" not in link:
                path, _, place = link.partition("#")
                path = normpath(join(Path(name).parent.as_posix(), path)) if path else name
                assert path in files and (not place or place in ids[path]), link
    assert b"".join(pages.values()).count(b"<math ") == 2


def test_the_first_page_leads_to_the_files_that_are_there(site):
    page = site / "book/index.html"
    link_files(site)
    assert "whole-book" not in page.read_text("utf-8")
    (site / FILES["pdf"]).write_bytes(bytes(2_000_000))
    for _ in range(2):  # the second time changes nothing
        link_files(site)
        links = BeautifulSoup(page.read_text("utf-8"), "html.parser").select(".whole-book a")
        assert [link.text for link in links] == ["PDF (2 MB)"]
        assert (page.parent / links[0]["href"]).resolve() == site / FILES["pdf"]
    forget_old(SimpleNamespace(outdir=site))
    link_files(site)
    assert "whole-book" not in page.read_text("utf-8")


def test_a_build_begins_without_the_files_of_another(site):
    for name in FILES.values():
        (site / name).write_text("with solutions")
    forget_old(SimpleNamespace(outdir=site))
    assert not [name for name in FILES.values() if (site / name).exists()]


def test_the_first_page_of_the_book_has_the_place_for_the_links():
    index = (BOOK / "index.md").read_text(encoding="utf-8")
    assert re.search(r"^\(the-chapters\)=\n## .*?(\{list-table\}|^\| )", index, re.M | re.S)
