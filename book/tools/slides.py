"""Slides of the chapters: ``make slides``, or ``python book/tools/slides.py replay``.

A deck is made of the chapter's page in the site, where Sphinx has already resolved every role,
number and citation. A slide begins at a heading, a figure, a box, and where prose goes on after
code. It shows the first sentence of a long paragraph; the whole of it is in the speaker's notes
(press S), as are the solutions. A question has a slide, and its answers the one below.

Decks ask for nothing outside of their folder: reveal.js comes from an installed package, MathJax,
figures and videos from the site.
"""

import copy
import re
import shutil
import sys
from html import escape
from importlib.metadata import distribution
from pathlib import Path
from string import Template

from bs4 import BeautifulSoup, NavigableString, Tag

ROOT = Path(__file__).parents[2]
BOOK = ROOT / "book"
TEMPLATE = BOOK / "template" / "slides"
REVEAL = "sphinx_revealjs/_static/revealjs"
REVEAL_FILES = ("LICENSE", "dist/reset.css", "dist/reveal.css", "dist/reveal.js")
SHORT = 240  # characters of a paragraph that is shown as a whole
SENTENCE = re.compile(r"(?<!e\.g)(?<!i\.e)(?<!al)[.!?][”\")]?(?=\s+[A-Z“(]|\s+$)")

# Folded code, what needs the page or a kernel, marks for links.
LEFT_OUT = "details.above-input, details.below-input, .rl-experiment, .rl-live, .headerlink, script"


class Deck:
    """The slides of one chapter, each as [heading, parts, notes, whether it begins a column]."""

    def __init__(self, article: Tag):
        for tag in article.select(LEFT_OUT):
            tag.decompose()
        for cell in article.select("div.cell"):
            code = cell.select_one(".cell_input")
            if code and "review(" in code.get_text():  # a check of what nobody has answered yet
                cell.decompose()
        for link in article.select("a:not([href^=http])"):
            link.unwrap()
        for tag in article.select("[id]"):
            del tag["id"]
        self.slides: list[list] = []
        self.whole = True  # whether paragraphs are shown as a whole
        self.after_code = False
        self.walk(article)
        self.slides = [slide for slide in self.slides if slide[1]]

    def turn(self, heading: str, column: bool = False) -> None:
        """Begin a slide."""
        self.slides.append([heading, [], [], column])
        self.after_code = False

    def walk(self, parent: Tag) -> None:
        """Place what a section holds."""
        for tag in parent.find_all(recursive=False):
            kinds = set(tag.get("class", []))
            if tag.name in {"h1", "h2", "h3"}:
                self.whole = tag.name == "h1" or tag.get_text() == "Summary"
                self.turn(tag.decode_contents(), tag.name != "h3")
            elif tag.name == "section" or kinds & {"cell", "cell_output"}:
                self.walk(tag)
            elif "dropdown" in kinds:
                shown = next(slide for slide in reversed(self.slides) if slide[1])
                shown[2].append(str(tag))
            elif "admonition" in kinds:
                self.box(tag)
            elif kinds & {"quiz", "prediction"}:
                self.question(tag)
            elif tag.name == "p":
                self.paragraph(tag)
            else:
                self.show(tag)

    def show(self, tag: Tag) -> None:
        """Place a figure on a slide of its own, code and output below what leads to them."""
        code = tag.name == "div" and "math" not in tag.get("class", [])
        if (tag.name == "figure" or tag.select_one("figure")) and self.slides[-1][1]:
            self.turn(self.slides[-1][0])
        self.slides[-1][1].append(str(tag))
        self.after_code = code or tag.name == "figure"

    def paragraph(self, tag: Tag) -> None:
        """Show a paragraph, or its first sentence if it is long and leads to nothing."""
        if self.after_code:
            self.turn(self.slides[-1][0])
        said = tag.get_text()
        if not self.whole and len(said) > SHORT and not said.rstrip().endswith(":"):
            self.slides[-1][2].append(str(tag))
            tag = first_sentence(tag)
        self.slides[-1][1].append(str(tag))

    def box(self, tag: Tag) -> None:
        """Give a remark, a prediction or an exercise slides of its own, as a whole."""
        heading, whole = self.slides[-1][0], self.whole
        self.whole = True
        self.turn(tag.select_one(".admonition-title").extract().decode_contents())
        self.walk(tag)
        self.whole = whole
        self.turn(heading)

    def question(self, tag: Tag) -> None:
        """Put a question or a prediction, and its answer on the next slide."""
        heading = self.slides[-1][0]
        guess = tag.select_one(".prediction-answer")
        self.turn("Predict" if guess else "Question")
        options = "".join(f"<p>{it.decode_contents()}</p>" for it in tag.select("label"))
        before = tag.fieldset.find_previous_siblings(class_=lambda it: it != "prediction-title")
        self.slides[-1][1] += map(str, reversed(before))
        self.slides[-1][1].append(f"<p>{tag.legend.decode_contents()}</p>{options}")
        self.turn("Answer")
        self.slides[-1][1].append(guess.decode_contents() if guess else str(tag.details.ul))
        self.turn(heading)

    def html(self) -> str:
        """The slides as reveal.js wants them: columns of sections."""
        text = ""
        for number, (heading, parts, notes, column) in enumerate(self.slides):
            if column or not number:
                text += "</section>\n<section>\n" if number else "<section>\n"
            level = "h2" if number else "h1"
            aside = f'<aside class="notes">{"".join(notes)}</aside>' if notes else ""
            body = "\n".join(parts)
            text += f"<section><{level}>{heading}</{level}>\n{body}{aside}</section>\n"
        return f"{text}</section>\n"


def first_sentence(paragraph: Tag) -> Tag:
    """A copy of a paragraph that ends where its first sentence does."""
    paragraph = copy.copy(paragraph)
    for node in paragraph.find_all(string=True, recursive=False):
        if end := SENTENCE.search(node):
            for later in list(node.next_siblings):
                later.extract()
            node.replace_with(NavigableString(node[: end.end()]))
            break
    return paragraph


def write_deck(page: Path, target: Path) -> None:
    """Write the deck of a chapter's page."""
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    slides = Deck(soup.article).html().replace('src="../_images/', 'src="_images/')
    title = escape(soup.article.h1.get_text())
    frame = Template((TEMPLATE / "deck.html").read_text(encoding="utf-8"))
    target.write_text(frame.substitute(title=title, slides=slides), encoding="utf-8")


def copy_files(site: Path, folder: Path) -> None:
    """Put beside the decks what they load."""
    packaged = Path(distribution("sphinx-revealjs").locate_file(REVEAL))
    for name in (*REVEAL_FILES, "plugin/notes/notes.js"):
        (folder / "reveal" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(packaged / name, folder / "reveal" / name)
    for source, name in (("_static/mathjax", "mathjax"), ("_images", "_images")):
        shutil.copytree(site / source, folder / name, dirs_exist_ok=True)
    for file in (TEMPLATE / "slides.css", TEMPLATE / "slides.js", site / "_static/pygments.css"):
        shutil.copy(file, folder)


def main(names: list[str], site: Path, folder: Path) -> None:
    """Write the decks of the named chapters, or of all, and a page that leads to them."""
    chapters = [path.stem for path in sorted(BOOK.glob("*.ipynb"))]
    if missing := set(names) - set(chapters):
        sys.exit(f"no such chapter: {', '.join(missing)}; there are {', '.join(chapters)}")
    folder.mkdir(parents=True, exist_ok=True)
    copy_files(site, folder)
    for name in names or chapters:
        write_deck(site / "book" / f"{name}.html", folder / f"{name}.html")
    decks = [path.stem for path in sorted(folder.glob("*.html")) if path.stem in chapters]
    links = "".join(f'<li><a href="{name}.html">{name}</a></li>' for name in decks)
    head = '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Slides</title>'
    (folder / "index.html").write_text(f"{head}<h1>Slides</h1><ul>{links}</ul>", encoding="utf-8")
    print("Open", (folder / "index.html").resolve().as_uri())


if __name__ == "__main__":
    main(sys.argv[1:], ROOT / "_build" / "html", ROOT / "_build" / "slides")
