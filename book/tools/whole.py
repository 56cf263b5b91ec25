"""The whole book as one file: ``make pdf`` and ``make epub``.

Both are made of the pages of the site, in their order, where Sphinx has already resolved every
role, number and citation. What a page hides until somebody clicks stands open, except for code and
checks that it folds away; a video is its poster, and an experiment the description of it.
Chromium prints the PDF, pandoc writes the EPUB, and then the first page of the site links to them.
"""

import re
import shutil
import sys
from html import escape
from pathlib import Path
from posixpath import normpath
from urllib.parse import urlsplit

import pypandoc
from bs4 import BeautifulSoup, Tag
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[2]
STYLE = ROOT / "book" / "template" / "whole.css"
FILES = {"pdf": "deep-q-networks.pdf", "epub": "deep-q-networks.epub"}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")

# Folded code and checks; what needs the page or a kernel; marks for links, and the way about.
LEFT_OUT = (
    "details.above-input, .above-output > summary, .below-input > summary, .rl-live, .headerlink, "
    "script, style, button, input, select, textarea, .quiz-result, .prediction-result, "
    ".prediction-score, .sd-octicon, .whole-book, "
    ".sd-container-fluid:has(.sd-stretched-link)"
)
# Where pandoc does not follow a name.
FORGETFUL = ("dt", "p", "li", "dl", "tr", "table", "figure", "a", "code")
# Sets smaller what is wider than the page; a table keeps its place, an equation its number.
FIT = """async () => {
  await MathJax.startup.promise;
  for (const part of document.querySelectorAll("mjx-container[display], table, pre")) {
    const room = part.parentElement.clientWidth, child = part.querySelector("mjx-math") || part;
    const wide = Math.max(child.scrollWidth, child.getBoundingClientRect().width);
    if (wide > room) part.style.zoom = Math.max(0.4, 0.97 * room / wide);
  }
  const images = [...document.images].map((image) => image.decode().then(() => 0, () => 1));
  const broken = (await Promise.all(images)).reduce((a, b) => a + b, 0);
  return broken + document.querySelectorAll("mjx-merror").length;
}"""
FOOTER = (
    '<div style="width: 100%; font: 8px sans-serif; text-align: center">'
    '<span class="pageNumber"></span></div>'
)


def names(site: Path) -> list[str]:
    """The pages of the book in their order, as the site's navigation has them."""
    soup = BeautifulSoup((site / "book/index.html").read_text("utf-8"), "html.parser")
    links = [link["href"] for link in soup.select(".bd-docs-nav a.internal")]
    found = [link.removesuffix(".html") for link in links if re.fullmatch(r"\w+\.html", link)]
    return ["index", *dict.fromkeys(found)]


def chapter(name: str, html: str, pages: list[str]) -> Tag:
    """What a page says: its article, with addresses that hold in the whole book."""
    soup = BeautifulSoup(html, "html.parser")
    article = soup.article
    for tag in article.select(LEFT_OUT):
        tag.decompose()
    for tag in article.select("[id]"):
        tag["id"] = anchor(name, tag["id"])
    for link in article.select("a[href]"):
        if place := inside(name, link["href"], pages):
            link["href"] = place
        elif not urlsplit(link["href"]).scheme:
            link.unwrap()  # a listing, a video: it is on the site alone
    show_pictures(soup, article)
    unfold(article)
    flatten(article)
    article.h1.insert(0, soup.new_tag("span", attrs={"id": article.h1.get("id", f"{name}--")}))
    article.h1["id"] = name
    return article


def show_pictures(soup: BeautifulSoup, article: Tag) -> None:
    """Put posters in the place of videos, and let images be found from the site's folder."""
    for video in article.select("video"):
        picture = {"src": video["poster"], "alt": video["aria-label"]}
        video.replace_with(soup.new_tag("img", attrs=picture))
    for image in article.select("img[src]"):
        if not urlsplit(image["src"]).scheme:
            image["src"] = normpath(f"book/{image['src']}")
        del image["loading"]


def unfold(article: Tag) -> None:
    """Open what is folded, and turn forms into text."""
    renamed = {"details": "div", "form": "div", "fieldset": "div"}
    for tag in article.select("details, form, fieldset, summary, legend, label"):
        tag["class"] = [*tag.get("class", []), tag.name]
        tag.name = renamed.get(tag.name, "p")
        for attribute in set(tag.attrs) - {"class", "id"}:
            del tag[attribute]


def flatten(article: Tag) -> None:
    """Let headings alone make the order, and keep names where pandoc keeps them."""
    for section in article.select("section"):
        heading = section.find(re.compile(r"h\d"), recursive=False)
        if heading and "id" in section.attrs:
            heading["id"] = section["id"]
        section.unwrap()
    for tag in article.select(", ".join(f"{name}[id]" for name in FORGETFUL)):
        mark = BeautifulSoup(f'<span id="{tag.attrs.pop("id")}"></span>', "html.parser").span
        if tag.name in {"dt", "p", "li"}:
            tag.insert(0, mark)
        else:
            (tag.find_parent("table") or tag).insert_before(mark)


def anchor(page: str, place: str) -> str:
    """The name of a place of a page in the whole book."""
    return f"{page}--{place.replace('/', '-')}"


def inside(page: str, link: str, pages: list[str]) -> str | None:
    """Where a link of a page leads in the whole book; None where it leads out of it."""
    found = re.fullmatch(r"(?:(\w+)\.html)?(?:#(.*))?", link)
    if found is None or (found[1] or page) not in pages:
        return None
    target = found[1] or page
    return f"#{anchor(target, found[2])}" if found[2] else f"#{target}"


def whole(site: Path) -> str:
    """The book as one page of HTML."""
    pages = names(site)
    bodies, titles = [], []
    for name in pages:
        body = chapter(name, (site / f"book/{name}.html").read_text("utf-8"), pages)
        bodies.append(body.decode_contents())
        titles.append(escape(body.h1.get_text()))
    first, *others = bodies
    contents = [
        f'<li><a href="#{name}">{title}</a></li>'
        for name, title in zip(pages[1:], titles[1:], strict=True)
    ]
    toc = f'<nav class="contents"><p>Contents</p><ul>{"".join(contents)}</ul></nav>'
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{titles[0]}</title>'
        '<link rel="stylesheet" href="_static/pygments.css">'
        f"<style>{STYLE.read_text('utf-8')}</style></head>"
        f"<body>{first}{toc}{''.join(others)}</body></html>"
    )


def write_pdf(html: str, site: Path, target: Path) -> None:
    """Print the book."""
    chromium = next(filter(None, map(shutil.which, BROWSERS)), None)
    if chromium is None:
        sys.exit(f"no browser to print with: none of {', '.join(BROWSERS)} is installed")
    mathjax = '<script src="_static/mathjax/tex-chtml.js"></script></head>'
    page_file = site / "whole.html"  # beside what it shows
    page_file.write_text(html.replace("</head>", mathjax, 1), encoding="utf-8")
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium)
            page = browser.new_page(viewport={"width": 660, "height": 1000})
            page.set_default_timeout(300_000)
            page.goto(page_file.as_uri(), wait_until="load")
            if faults := page.evaluate(FIT):
                sys.exit(f"{faults} equations or images of the book cannot be shown")
            page.pdf(
                path=target,
                format="A4",
                margin=dict.fromkeys(("top", "bottom", "left", "right"), "18mm"),
                display_header_footer=True,
                header_template="<div></div>",
                footer_template=FOOTER,
                print_background=True,
                outline=True,
                tagged=True,
            )
            browser.close()
    finally:
        page_file.unlink()


def write_epub(html: str, site: Path, target: Path) -> None:
    """Let pandoc write the book; whatever it cannot set stops it."""
    soup = BeautifulSoup(html, "html.parser")
    soup.select_one(".contents").decompose()  # readers have their own
    pypandoc.convert_text(
        str(soup),
        "epub3",
        format="html+tex_math_single_backslash",
        outputfile=str(target),
        extra_args=[
            "--mathml",
            "--toc",
            "--toc-depth=2",
            "--split-level=1",
            f"--css={STYLE}",
            f"--resource-path={site}",
            "--metadata=author:the DQN course contributors",
            "--fail-if-warnings",
        ],
    )


def link_files(site: Path) -> None:
    """Let the first page of the site lead to the files that are there, and to no other."""
    page = site / "book/index.html"
    soup = BeautifulSoup(page.read_text("utf-8"), "html.parser")
    for old in soup.select(".whole-book"):
        old.decompose()
    links = [
        f'<a href="../{name}">{kind.upper()} ({(site / name).stat().st_size / 1e6:.0f} MB)</a>'
        for kind, name in FILES.items()
        if (site / name).is_file()
    ]
    if links:
        text = f'<p class="whole-book">The whole book in one file: {" or ".join(links)}.</p>'
        table = soup.select_one("#the-chapters table")
        (table.find_parent("div") or table).insert_after(BeautifulSoup(text, "html.parser"))
    page.write_text(str(soup), encoding="utf-8")


def main(kind: str, site: Path) -> None:
    """Write the file, and link to it."""
    target = site / FILES[kind]
    {"pdf": write_pdf, "epub": write_epub}[kind](whole(site), site, target)
    link_files(site)
    print("Open", target.resolve().as_uri())


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in FILES:
        sys.exit("usage: python book/tools/whole.py pdf|epub")
    main(sys.argv[1], ROOT / "_build" / "html")
