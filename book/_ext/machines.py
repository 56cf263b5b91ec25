"""What is for machines, and for those who have pages read to them.

Each page of the book also as plain Markdown, with what it prints and with words in place of its
figures; a list of these, ``llms.txt``; and, where the site's address is known, a sitemap. A
picture stands for the site where somebody links to it.
"""

import re
from pathlib import Path
from xml.sax.saxutils import escape

from bs4 import BeautifulSoup
from markdownify import MarkdownConverter
from PIL import Image, ImageDraw, ImageFont

PREVIEW = Path("_static", "preview.png")
NOT_TEXT = "script, style, .headerlink, .above-input > summary, .prev-next-footer, .onlyprint"


def pages_address(repository: str | None) -> str | None:
    """Where GitHub shows the site of a repository, with a slash at its end."""
    if repository is None:
        return None
    owner, name = repository.lower().removeprefix("https://github.com/").split("/")
    host = f"{owner}.github.io"
    return f"https://{host}/" if name == host else f"https://{host}/{name}/"


def write_for_machines(app) -> None:
    """Write all of the above into the site; `app` is Sphinx, done with its own work."""
    site, root = Path(app.outdir), app.config.root_doc
    order = [root, *app.env.toctree_includes[root]]
    entries = []
    for name in order:
        soup = BeautifulSoup((site / f"{name}.html").read_text(encoding="utf-8"), "html.parser")
        (site / f"{name}.md").write_text(plain_text(soup), encoding="utf-8")
        about = soup.select_one("meta[name=description]")
        entries.append((app.env.titles[name].astext(), f"{name}.md", about["content"]))
    (site / "llms.txt").write_text(summary(entries), encoding="utf-8")
    draw_preview(site / PREVIEW)
    if app.config.html_baseurl:
        addresses = [f"{app.config.html_baseurl}{name}.html" for name in order]
        (site / "sitemap.xml").write_text(sitemap(addresses), encoding="utf-8")


def summary(entries: list[tuple[str, str, str]]) -> str:
    """``llms.txt``: titles, addresses and first words; the first entry is the whole site's."""
    title, _, about = entries[0]
    lines = [f"- [{name}]({address}): {words}" for name, address, words in entries]
    return f"# {title}\n\n> {about}\n\n## Pages\n\n" + "\n".join(lines) + "\n"


def sitemap(addresses: list[str]) -> str:
    """All pages of the book, for search engines."""
    lines = [f"<url><loc>{escape(address)}</loc></url>" for address in addresses]
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    space = "http://www.sitemaps.org/schemas/sitemap/0.9"
    return f'{head}<urlset xmlns="{space}">\n' + "\n".join(lines) + "\n</urlset>\n"


# Plain text


class PlainText(MarkdownConverter):
    """Markdown of an article: words for pictures and films, LaTeX for equations."""

    def convert_img(self, el, text, parent_tags):
        """What a figure shows."""
        return f"[Figure: {el.get('alt', '')}]"

    def convert_video(self, el, text, parent_tags):
        """What a film shows."""
        return f"[Film: {el.get('aria-label', '')}]"

    def convert_span(self, el, text, parent_tags):
        """Inline LaTeX between dollars; any other span is its text."""
        formula = re.fullmatch(r"\\\((.*)\\\)", el.get_text().strip(), re.DOTALL)
        return f"${formula[1]}$" if formula and "math" in el.get("class", []) else text

    def convert_div(self, el, text, parent_tags):
        """Displayed LaTeX between double dollars; any other block is its text."""
        formula = re.search(r"\\\[(.*)\\\]", el.get_text(), re.DOTALL)
        if formula and "math" in el.get("class", []):
            return f"\n\n$$\n{formula[1].strip()}\n$$\n\n"
        return super().convert_div(el, text, parent_tags)


def language(block) -> str:
    """The language of a listing, as Markdown names it; output has none."""
    names = " ".join(name for parent in block.parents for name in parent.get("class", []))
    found = re.search(r"highlight-(ipython3|python|bash|bibtex)", names)
    return {"ipython3": "python"}.get(found[1], found[1]) if found else ""


def plain_text(soup: BeautifulSoup) -> str:
    """The article of a page as Markdown; takes from `soup` what is not text."""
    for tag in soup.article.select(NOT_TEXT):
        tag.decompose()
    for link in soup.article.select("a[title]"):
        del link["title"]  # the whole reference, behind each citation
    converter = PlainText(
        heading_style="ATX",
        bullets="-",
        code_language_callback=language,
        escape_asterisks=False,
        escape_underscores=False,
    )
    text = converter.convert_soup(soup.article)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


# The picture


def draw_preview(path: Path) -> None:
    """Draw the logo's cart and pole beside the title, 1200 by 630 pixels."""
    picture = Image.new("RGB", (2400, 1260), "#1d5b73")  # twice the size, for smooth edges
    draw = ImageDraw.Draw(picture)
    draw.line([(140, 1000), (1000, 1000)], fill="#9cc9d6", width=16)
    draw.line([(570, 800), (720, 250)], fill="#f2b35c", width=46)
    draw.ellipse([(697, 227), (743, 273)], fill="#f2b35c")
    draw.rounded_rectangle([(350, 740), (790, 930)], radius=40, fill="#ffffff")
    for centre in (450, 690):
        draw.ellipse([(centre - 55, 890), (centre + 55, 1000)], fill="#ffffff")
    draw.ellipse([(544, 774), (596, 826)], fill="#1d5b73")
    write = {"fill": "#ffffff", "spacing": 36}
    draw.text((1100, 430), "Deep\nQ-Networks", font=ImageFont.load_default(190), **write)
    draw.text((1100, 900), "Proved line by line", font=ImageFont.load_default(90), fill="#f2b35c")
    picture.resize((1200, 630), Image.Resampling.LANCZOS).save(path, optimize=True)
