"""Slides of the chapters: ``make slides``, or ``python book/slides.py replay``.

A deck is made of the chapter's notebook alone, by rule. Every heading begins a slide, and so does
whatever no longer fits. A slide shows the first sentence of a paragraph (a short one as a whole),
lists, formulas, tables, the code that the page shows unfolded, and what cells put out; a figure is
as large as it can be. Questions and exercises have a slide each, answers one below. The rest of the
prose and the worked solutions are in the speaker's notes: press S.

nbconvert writes the decks to ``_build/slides`` with the template in ``template/slides``. They ask
for nothing outside of this folder: reveal.js and MathJax come from the packages that are installed.
"""

import base64
import io
import math
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from html import escape, unescape
from importlib.metadata import distribution
from pathlib import Path

import nbformat
import yaml
from markdown_it import MarkdownIt
from mdit_py_plugins.colon_fence import colon_fence_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from nbconvert.exporters import SlidesExporter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image
from pybtex.database import parse_file
from pygments.formatters import HtmlFormatter
from traitlets.config import Config

BOOK = Path(__file__).parent
TEMPLATE = BOOK / "template" / "slides"
BUILD = BOOK.parent / "_build" / "slides"
COURSE = "Deep Q-Networks, Proved Line by Line"
sys.path.insert(0, str(BOOK / "_ext"))
from vendored import copy_mathjax  # noqa: E402

REVEAL = "sphinx-revealjs"
REVEAL_FILES = (
    "LICENSE",
    "dist/reset.css",
    "dist/reveal.css",
    "dist/reveal.js",
    "plugin/notes/notes.js",
)

# Measures in pixels, of a slide of 1280 x 720 as slides.css sets it; a little more than they are.
ROOM = 580  # below one line of title
WIDTH = 1160
TITLE_LINE = 44
SHORT = 170  # characters of a paragraph that is shown as a whole
TERSE = 80  # of a sentence that does not stand alone
LONG_LIST = 420
LISTING = 20  # lines
LARGEST = 1.4  # of a figure, in its own pixels
SMALLEST = 300

BOXES = {"admonition", "note", "tip", "hint", "important", "warning", "caution", "seealso"}
MARKDOWN = (
    MarkdownIt("commonmark")
    .enable("table")
    .use(dollarmath_plugin, allow_labels=True)
    .use(colon_fence_plugin)
)
ROLE = re.compile(r"\{([\w:]+)\}`([^`]+)`")
LINK = re.compile(r"\[([^\]]*)\]\(([\w-]+)\.(?:ipynb|md)(?:#[\w-]*)?\)")
OPTION = re.compile(r"^:([\w-]+):[ \t]*(.*)\n?", re.M)


# A chapter as one stream of blocks


@dataclass
class Block:
    """One piece of a chapter: a heading, a paragraph, a list, a directive, a cell of code."""

    kind: str
    text: str = ""
    title: str = ""
    label: str = ""
    level: int = 0
    cell: object = None


def options(content: str) -> tuple[dict[str, str], str]:
    """The options at the head of a directive, and its content without them."""
    found, rest = {}, content
    while (first := OPTION.match(rest)) is not None:
        found[first[1]] = first[2]
        rest = rest[first.end() :]
    return found, rest.strip("\n")


def directive(info: str, content: str) -> Block:
    """A fence that MyST reads as a directive; anything else is a listing."""
    head = re.match(r"\{([\w-]+)\}\s*(.*)", info)
    if head is None:
        return Block("listing", content, title=info)
    name, title = head.groups()
    found, content = options(content)
    label = found.get("label") or found.get("name", "")
    if name in BOXES:
        return Block("box", content, title if name == "admonition" else title or name.capitalize())
    if name in {"table", "list-table"}:
        text = content if name == "table" else from_list_table(content)
        return Block("table", text, title, label)
    if name in {"math", "quiz"} or re.fullmatch("(exercise|solution)-(start|end)", name):
        return Block(name, content, title, label)
    raise ValueError(f"slides know no directive {{{name}}}: teach it to `directive` in slides.py")


def from_list_table(content: str) -> str:
    """A list of lists as a Markdown table."""
    rows = [
        re.split(r"^ *- ", row, flags=re.M)[1:] for row in re.split(r"^\* ", content, flags=re.M)
    ]
    lines = ["| " + " | ".join(" ".join(c.split()) for c in row) + " |" for row in rows if row]
    lines.insert(1, "|" + " --- |" * (len(rows[-1])))
    return "\n".join(lines)


def blocks(source: str) -> Iterator[Block]:
    """The blocks of a Markdown text."""
    lines = source.split("\n")
    for token in MARKDOWN.parse(source):
        if token.level == 0 and token.map is not None and token.type != "html_block":
            yield block_of(token, "\n".join(lines[slice(*token.map)]).strip())


def block_of(token, text: str) -> Block:
    """The block that begins with this token of the parser."""
    kind = token.type.removesuffix("_open")
    if kind in {"fence", "colon_fence"}:
        return directive(token.info.strip(), token.content)
    if kind == "heading":
        return Block("heading", text.lstrip("#").strip(), level=int(token.tag[1]))
    if kind.startswith("math_block"):
        return Block("math", token.content.strip(), label=token.info)
    if kind in {"bullet_list", "ordered_list"}:
        return Block("list", text)
    return Block("table", text) if kind == "table" else Block("prose", " ".join(text.split()))


def stream(notebook) -> Iterator[Block]:
    """The blocks of a chapter, cells of code among them."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            yield Block("code", cell.source, cell=cell)
        else:
            yield from blocks(cell.source)


def list_items(text: str) -> list[str]:
    """The items of a list, each still with its mark."""
    lines = text.split("\n")
    return [
        "\n".join(lines[slice(*token.map)]).strip()
        for token in MARKDOWN.parse(text)
        if token.type == "list_item_open" and token.level == 1
    ]


# Sentences

KEPT = re.compile(r"\$[^$]+\$|\{[\w:]+\}`[^`]+`|`[^`]+`|\*\*.+?\*\*|\*[^*]+\*|\[[^\]]*\]\([^)]*\)")
END = re.compile(r"(?<=[.!?\"”)])(?<!e\.g\.)(?<!i\.e\.)(?<!al\.)\s+(?=[\"“(]?[A-Z\ue000-\uf8ff])")
HIDDEN = re.compile("[\ue000-\uf8ff]")
ENDS = (".", "!", "?", '"', "”", ")", "*")


def sentences(paragraph: str) -> list[str]:
    """The sentences of a paragraph; a run-in heading belongs to the first."""
    spans: list[str] = []

    def hide(found) -> str:
        spans.append(found[0])
        return chr(0xE000 + len(spans) - 1)

    parts = END.split(KEPT.sub(hide, paragraph))
    return [HIDDEN.sub(lambda found: spans[ord(found[0]) - 0xE000], part) for part in parts]


def plain(text: str) -> str:
    """About the characters that are seen of a text, to measure it."""
    text = ROLE.sub(r"\2", text)
    text = re.sub(r"\]\([^)]*\)", "", text)
    text = re.sub(r"\\[a-zA-Z]+", "m", text)
    return re.sub(r"[*`$\[{}_^]", "", text)


def shortened(paragraph: str) -> str:
    """What a slide shows of a paragraph: all if it is short, else its first sentences.

    A paragraph that leads into what follows keeps its last sentence, too.
    """
    if len(plain(paragraph)) <= SHORT:
        return paragraph
    shown, *rest = sentences(paragraph)
    while rest and len(plain(shown)) < TERSE:
        shown = f"{shown} {rest.pop(0)}"
    return f"{shown} {rest[-1]}" if rest and not paragraph.endswith(ENDS) else shown


# References from one place of the book to another


@dataclass
class Words:
    """What roles stand for: titles of pages, numbers of figures, authors and years."""

    titles: dict[str, str]
    chapters: dict[str, int]
    labels: dict[str, str]

    def plain_roles(self, text: str) -> str:
        """The text in plain Markdown."""
        text = LINK.sub(lambda found: self.page(found[2], found[1]), text)
        return ROLE.sub(self.role, text)

    def role(self, found) -> str:
        """The Markdown of one role."""
        name, content = found.groups()
        if name == "math":
            return f"${content}$"
        if name in {"doc", "ref", "term"}:
            named = re.fullmatch(r"(.+?)\s*<(.+)>", content)
            target, words = (named[2], named[1]) if named else (content, "")
            return self.page(target, words) if name == "doc" else words or target
        if name in {"numref", "eq"}:
            if content not in self.labels:
                raise ValueError(f"no figure, table or equation is called {content!r}")
            return self.labels[content]
        if name.startswith("cite"):
            return cite(name, content.split(","))
        raise ValueError(f"slides know no role {{{name}}}: teach it to `Words.role` in slides.py")

    def page(self, target: str, words: str) -> str:
        """A link to another deck, or the title of a page that is none."""
        words = words or self.titles.get(target, target)
        return f"[{words}]({target}.html)" if target in self.chapters else f"*{words}*"


def cite(kind: str, keys: list[str]) -> str:
    """Authors and years, in parentheses or as part of the sentence."""
    works = [work(key.strip()) for key in keys]
    if kind == "cite:t":
        return ", ".join(f"{authors} ({year})" for authors, year in works)
    return "(" + "; ".join(f"{authors}, {year}" for authors, year in works) + ")"


def work(key: str) -> tuple[str, str]:
    """Authors and year of a work."""
    entries = bibliography()
    if key not in entries:
        raise ValueError(f"references.bib has no work {key!r}")
    names = [
        " ".join([*person.prelast_names, *person.last_names]).strip("{}")
        for person in entries[key].persons["author"]
    ]
    authors = " and ".join(names) if len(names) < 3 else f"{names[0]} et al."
    return authors, entries[key].fields["year"]


@cache
def bibliography():
    """The works that the book cites."""
    return parse_file(BOOK / "references.bib").entries


def read(path: Path):
    """A notebook."""
    return nbformat.read(path, as_version=4)


def chapter_names() -> list[str]:
    """The chapters in the order of the book."""
    parts = yaml.safe_load((BOOK.parent / "_toc.yml").read_text(encoding="utf-8"))["parts"]
    files = [Path(entry["file"]).name for part in parts for entry in part["chapters"]]
    return [name for name in files if (BOOK / f"{name}.ipynb").is_file()]


def learn_words() -> Words:
    """Read in all chapters what the roles of one may name."""
    words = Words({}, {}, {})
    for page in BOOK.glob("*.md"):
        head = re.search(r"^# (.+)$", page.read_text(encoding="utf-8"), re.M)
        words.titles[page.stem] = head[1] if head else page.stem
    for number, name in enumerate(chapter_names(), 1):
        words.chapters[name] = number
        counts = dict.fromkeys(("Figure", "Table", "Equation"), 0)
        for block in stream(read(BOOK / f"{name}.ipynb")):
            if block.kind == "heading" and block.level == 1:
                words.titles[name] = block.text
            enter(block, number, counts, words.labels)
    return words


def enter(block: Block, number: int, counts: dict[str, int], labels: dict[str, str]) -> None:
    """Number a figure, a table or an equation as the site does."""
    kind, label = "", block.label
    if block.kind == "math" and label:
        kind = "Equation"
    elif block.kind == "table" and block.title:
        kind = "Table"
    elif block.kind == "code" and (figure := block.cell.metadata.get("mystnb", {}).get("figure")):
        kind, label = "Figure", figure.get("name", "")
    if kind:
        counts[kind] += 1
        place = f"{number}.{counts[kind]}"
        labels[label] = f"({place})" if kind == "Equation" else f"{kind} {place}"


# What stands on a slide


@dataclass
class Item:
    """A cell of the deck and the height that it takes."""

    cell: object
    height: float
    is_prose: bool = False
    note: str = ""

    @property
    def begins(self) -> bool:
        """Whether this begins a thought, rather than going on with a sentence."""
        return self.is_prose and not self.cell.source[0].islower()


@dataclass
class Slide:
    """A slide: its title, its items and what the speaker says."""

    title: str
    kind: str = "subslide"
    items: list[Item] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def room(self) -> float:
        """The height that is left."""
        lines = math.ceil(len(plain(self.title)) / 56)
        return ROOM - TITLE_LINE * (lines - 1) - sum(item.height for item in self.items)

    def cells(self) -> Iterator:
        """The cells of nbconvert's notebook."""
        if self.title:
            yield markdown(f"## {self.title}", "title")
        yield from (item.cell for item in self.items)
        notes = [*(item.note for item in self.items if item.note), *self.notes]
        if notes:
            cell = markdown("\n\n".join(notes), "speaker")
            cell.metadata.slideshow = {"slide_type": "notes"}
            yield cell


def markdown(source: str, kind: str):
    """A cell of text; the kind is its class in slides.css."""
    return new_markdown_cell(source, metadata={"kind": kind})


def rows_of(text: str, characters: int) -> int:
    """The lines that a text takes at so many characters a line."""
    return sum(max(1, math.ceil(len(line) / characters)) for line in text.split("\n"))


def text_item(text: str, kind: str = "prose", *, line: int = 38, characters: int = 78) -> Item:
    """A paragraph, or an item of a list."""
    return Item(markdown(text, kind), rows_of(plain(text), characters) * line + 12, True)


def math_item(block: Block, number: str) -> Item:
    """A formula on lines of its own."""
    tag = f" \\tag{{{number.strip('()')}}}" if number else ""
    tall = any(name in block.text for name in ("frac", "sum", "int", "prod", "big"))
    rows = 1 + block.text.count("\\\\")
    return Item(markdown(f"$$\n{block.text}{tag}\n$$", "formula"), rows * (80 if tall else 52) + 20)


def code_item(source: str) -> Item:
    """A cell's code."""
    cell = new_code_cell(source, metadata={"kind": "code"})
    return Item(cell, rows_of(source, 100) * 24.5 + 34)


def output_item(output, height: float, kind: str = "output") -> Item:
    """One output without its code."""
    data = {"kind": kind, "transient": {"remove_source": True}}
    return Item(new_code_cell("", outputs=[output], metadata=data), height)


def printed(text: str) -> Iterator[Item]:
    """What a cell prints: checked sentences as a list, everything else as it is."""
    for is_checked, lines in runs(text.rstrip().split("\n")):
        if is_checked:
            for line in lines:
                said = escape(line.removeprefix("Checked: "), quote=False).replace("*", "\\*")
                yield Item(
                    markdown(f"- {said.replace('_', chr(92) + '_')}", "checked"),
                    rows_of(said, 96) * 30 + 8,
                )
        else:
            shown = "\n".join(cut(lines))
            output = new_output("stream", name="stdout", text=shown)
            yield output_item(output, rows_of(shown, 100) * 24.5 + 14)


def runs(lines: list[str]) -> Iterator[tuple[bool, list[str]]]:
    """Neighbouring lines of one kind: those of checks, and others."""
    run: list[str] = []
    for line in lines:
        checked = line.startswith("Checked: ")
        if run and checked != run[0].startswith("Checked: "):
            yield not checked, run
            run = []
        run.append(line)
    yield run[0].startswith("Checked: "), run


def html_items(text: str) -> Iterator[Item]:
    """A table or a film; what needs a kernel is left out, an experiment is named."""
    if 'class="rl-experiment"' in text:
        title = re.search(r"<strong>(.+?)</strong>", text)[1]
        summary = re.search(r'rl-summary">(.+?)</span>', text, re.S)[1]
        said = unescape(f"**{title}** {summary}")
        yield text_item(f"{said} *It runs on the chapter's page.*", "aside")
    elif 'class="rl-film"' in text:
        tall = int(re.search(r'height="(\d+)"', text)[1])
        caption = re.search(r"<figcaption>(.*?)</figcaption>", text, re.S)
        height = min(tall, 400) + (rows_of(caption[1], 100) * 27 + 20 if caption else 0)
        yield output_item(display({"text/html": text}), height + 12)
    elif text.count("<tr") > LISTING:
        yield text_item("A table that is too long for a slide is in the chapter.", "aside")
    elif "<table" in text:
        text = re.sub(r"<style.*?</style>", "", text, flags=re.S)
        rows = text.count("<tr")
        kind = "output" if rows < 14 else "output long"
        yield output_item(display({"text/html": text}), rows * (36 if rows < 14 else 30) + 16, kind)


def display(data: dict, **metadata):
    """An output that shows something."""
    return new_output("display_data", data=data, metadata=metadata)


def output_items(cell) -> Iterator[Item]:
    """What a cell has put out, figures excepted."""
    for output in cell.outputs:
        data = output.get("data", {})
        if output.output_type == "stream":
            yield from printed(output.text)
        elif "image/png" in data:
            continue
        elif "text/html" in data:
            yield from html_items(data["text/html"])
        elif "text/markdown" in data:
            for block in blocks(data["text/markdown"]):
                yield code_item(abridged(block.text.rstrip()))
        elif "text/plain" in data:
            yield from printed(data["text/plain"])


def abridged(listing: str) -> str:
    """A listing of the library without the docstring, and no longer than a slide."""
    if listing.count("\n") >= LISTING:
        listing = re.sub(r'\n *r?"""(?:.*?)"""', "", listing, count=1, flags=re.S)
    return "\n".join(cut(listing.split("\n")))


def cut(lines: list[str]) -> list[str]:
    """No more lines than a slide can hold; the chapter has the others."""
    return lines if len(lines) <= LISTING else [*lines[:LISTING], "... and so on"]


def table_items(text: str, room: float) -> Iterator[Item]:
    """A Markdown table, in as many pieces as slides are needed."""
    head, rule, *rows = text.split("\n")
    columns = head.count("|") - 1

    def tall(row: str) -> float:
        longest = max(len(plain(cell)) for cell in row.strip("|").split("|"))
        return max(rows_of(plain(row), 100), math.ceil(longest / (150 / columns))) * 26 + 10

    piece, used = [], tall(head)
    for row in rows:
        if piece and used + tall(row) > room - 12:
            yield Item(markdown("\n".join([head, rule, *piece]), "table"), used + 12)
            piece, used = [], tall(head)
        piece.append(row)
        used += tall(row)
    yield Item(markdown("\n".join([head, rule, *piece]), "table"), used + 12)


# The deck


class Deck:
    """The slides of one chapter, in the order in which they are shown."""

    def __init__(self, name: str, words: Words):
        self.words, self.number = words, words.chapters[name]
        self.title, self.kind = "", "slide"
        self.slides: list[Slide] = []
        self.is_open = False
        self.solution: list[str] | None = None  # of an exercise, while it is read
        self.preamble = True
        for block in stream(read(BOOK / f"{name}.ipynb")):
            self.add(block)

    # Slides

    def turn(self, title: str, kind: str = "subslide") -> None:
        """The next item begins a slide."""
        self.title, self.kind, self.is_open = title, kind, False

    def slide(self) -> Slide:
        """The slide that takes the next item."""
        if not self.is_open:
            self.slides.append(Slide(self.title, self.kind))
            self.kind, self.is_open = "subslide", True
        return self.slides[-1]

    def put(self, item: Item) -> None:
        """Place an item where there is room for it."""
        slide = self.slide()
        last = slide.items[-1] if slide.items else None
        full = last is not None and slide.room < item.height
        if full or (last and item.begins and not last.is_prose and slide.room < ROOM * 0.55):
            slide = self.following(slide, item.height if full else ROOM)
        slide.items.append(item)

    def following(self, slide: Slide, height: float) -> Slide:
        """The next slide; the last thought of this one moves there if all of it has room."""
        moved: list[Item] = []
        for start in range(len(slide.items) - 1, 0, -1):
            first, before = slide.items[start], slide.items[start - 1]
            if sum(item.height for item in slide.items[start:]) + height > ROOM - TITLE_LINE:
                break
            if first.begins and not before.is_prose:
                slide.items, moved = slide.items[:start], slide.items[start:]
                break
        self.is_open = False
        following = self.slide()
        following.items.extend(moved)
        return following

    def note(self, text: str) -> None:
        """Something for the speaker."""
        self.slide().notes.append(self.words.plain_roles(text))

    # Blocks

    def add(self, block: Block) -> None:
        """Place one block of the chapter."""
        if block.kind.startswith(("exercise", "solution")):
            self.exercise(block.kind)
        elif self.solution is not None:
            self.worked(block)
        else:
            getattr(self, f"add_{block.kind}")(block)

    def exercise(self, mark: str) -> None:
        """An exercise begins or ends, or its solution does."""
        if mark == "exercise-start":
            self.section = self.title
            self.turn("Exercise")
        elif mark == "exercise-end":
            self.turn(self.section)
        elif mark == "solution-start":
            self.solution = ["**Solution.**"]
        elif mark == "solution-end":
            self.slides[-1].notes.append(self.words.plain_roles("\n\n".join(self.solution)))
            self.solution = None

    def worked(self, block: Block) -> None:
        """Part of a solution: for the speaker alone."""
        text = block.text
        if block.kind == "code":
            text = f"```python\n{text}\n```"
        elif block.kind == "math":
            text = f"$$\n{text}\n$$"
        self.solution.append(text)

    def add_heading(self, block: Block) -> None:
        if block.level == 1:
            self.turn("", "slide")
            words = f"{COURSE}: chapter {self.number}"
            self.put(text_item(words, "course"))
            self.put(Item(markdown(f"# {block.text}", "first"), 290, True))
            self.top = block.text
        else:
            self.preamble = False
            self.turn(
                self.words.plain_roles(block.text), "slide" if block.level == 2 else "subslide"
            )

    def add_prose(self, block: Block) -> None:
        if self.title == "Summary" and block.text.startswith("**References"):
            self.note(block.text)
        elif self.title == "Summary":
            for sentence in sentences(block.text):
                self.put(self.point(f"- {sentence}"))
        elif self.preamble and len(self.slides[0].items) > 2:
            self.note(block.text)
        else:
            whole = self.preamble or self.title == "Exercise"
            short = block.text if whole else shortened(block.text)
            item = self.point(short)
            item.note = "" if short == block.text else self.words.plain_roles(block.text)
            self.put(item)

    def point(self, text: str, kind: str = "prose") -> Item:
        return text_item(self.words.plain_roles(text), kind)

    def add_list(self, block: Block) -> None:
        if self.preamble:
            self.note(block.text)
            return
        items = list_items(block.text)
        if len(plain(block.text)) > LONG_LIST:
            self.note(block.text)
            items = [f"- {shortened(' '.join(unmark(item).split()))}" for item in items]
        for item in items:
            self.put(self.point(item))

    def add_math(self, block: Block) -> None:
        self.put(math_item(block, self.words.labels.get(block.label, "") if block.label else ""))

    def add_table(self, block: Block) -> None:
        items = []
        if block.title:
            name = self.words.labels.get(block.label, "Table")
            words = self.words.plain_roles(f"**{name}:** {block.title}")
            items = [text_item(words, "caption", line=29, characters=100)]
        room = ROOM - sum(item.height for item in items)
        items += table_items(self.words.plain_roles(block.text), room)
        if self.slide().items and self.slide().room < sum(item.height for item in items[:2]):
            self.is_open = False
        for item in items:
            self.slide().items.append(item)
            self.is_open = item is items[-1] or item.is_prose

    def add_listing(self, block: Block) -> None:
        self.put(code_item(block.text.rstrip()))

    def add_box(self, block: Block) -> None:
        title, preamble, self.preamble = self.title, self.preamble, False
        self.turn(block.title)
        for inner in blocks(block.text):
            if inner.kind == "prose":
                self.put(self.point(inner.text))
            else:
                self.add(inner)
        self.turn(title or self.top)
        self.preamble = preamble

    def add_quiz(self, block: Block) -> None:
        asked, _, answers = block.text.partition("<details>")
        self.turn("Question")
        for inner in blocks(asked):
            if inner.kind == "prose":
                self.put(self.point(inner.text))
            for item in list_items(inner.text) if inner.kind == "list" else ():
                self.put(self.point(item, "choice"))
        self.turn("Answer")
        for inner in blocks(answers.partition("</summary>")[2].partition("</details>")[0]):
            for item in list_items(inner.text):
                self.put(self.point(item, "choice"))

    def add_code(self, block: Block) -> None:
        cell, tags = block.cell, block.cell.metadata.get("tags", [])
        graded = cell.metadata.get("nbgrader", {}).get("grade", False)
        if "remove-cell" in tags or graded:
            return
        shows = "".join(output.get("data", {}).get("text/html", "") for output in cell.outputs)
        elsewhere = "rl-experiment" in shows or "rl-live" in shows or "getsource(" in cell.source
        if not elsewhere and not {"hide-input", "remove-input"} & set(tags):
            self.put(code_item(cell.source))
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                self.figure(cell, output.data["image/png"])
        for item in output_items(cell):
            self.put(item)

    def figure(self, cell, png: str) -> None:
        """A figure as large as the slide allows, its number and the first words of its caption."""
        shown = cell.metadata.get("mystnb", {})
        caption = shown.get("figure", {}).get("caption", "")
        label = self.words.labels.get(shown.get("figure", {}).get("name", ""), "")
        short = " ".join(sentences(caption)[:1])
        words = text_item(
            self.words.plain_roles(f"**{label}:** {short}" if label else short),
            "caption",
            line=29,
            characters=100,
        )
        words.is_prose = False
        words.note = "" if short == caption else self.words.plain_roles(caption)
        wide, tall = Image.open(io.BytesIO(base64.b64decode(png))).size
        largest = min(LARGEST, WIDTH / wide, (ROOM - words.height - 60) / tall)
        slide = self.slide()
        scale = min(largest, (slide.room - words.height - 12) / tall)
        if scale * tall < min(SMALLEST, largest * tall):
            scale = largest
            slide = self.following(slide, SMALLEST + words.height) if slide.items else slide
            scale = min(largest, (slide.room - words.height - 12) / tall)
        size = {"width": round(wide * scale), "height": round(tall * scale)}
        alt = shown.get("image", {}).get("alt", "")
        slide.items.append(
            output_item(display({"image/png": png}, alt=alt, **size), tall * scale + 12, "figure")
        )
        if short:
            slide.items.append(words)

    def notebook(self):
        """What nbconvert is given."""
        made = new_notebook(metadata={"title": self.top})
        for slide in self.slides:
            enlarge(slide)
            cells = list(slide.cells())
            cells[0].metadata.setdefault("slideshow", {})["slide_type"] = slide.kind
            made.cells += cells
        return made


def enlarge(slide: Slide) -> None:
    """Set code, tables and what was printed, or a slide of words, in larger type if it has room."""
    words = [item for item in slide.items if item.cell.metadata.kind in {"prose", "choice"}]
    if len(words) == len(slide.items) and slide.room > 0.6 * sum(item.height for item in words):
        for item in words:
            item.cell.metadata.kind += " large"
    small = [item for item in slide.items if item.cell.metadata.kind in {"code", "output"}]
    longest = max((len(line) for item in small for line in text_lines(item.cell)), default=0)
    if longest <= 78 and slide.room > 0.3 * sum(item.height for item in small):
        for item in small:
            item.cell.metadata.kind += " large"


def text_lines(cell) -> list[str]:
    """The lines of code or text that a cell of the deck shows."""
    texts = [cell.source, *(output.get("text", "") for output in cell.outputs)]
    return "\n".join(texts).split("\n")


def unmark(item: str) -> str:
    """An item of a list without its mark."""
    return re.sub(r"^(?:[-*+]|\d+[.)])\s+", "", item)


# The files


def export(notebook) -> str:
    """The deck as one page."""
    config = Config()
    config.HTMLExporter.exclude_input_prompt = config.HTMLExporter.exclude_output_prompt = True
    config.HTMLExporter.exclude_anchor_links = True
    exporter = SlidesExporter(
        config=config,
        template_name=TEMPLATE.name,
        extra_template_basedirs=[str(TEMPLATE.parent)],
    )
    return exporter.from_notebook_node(notebook)[0]


def copy_files(folder: Path) -> None:
    """Put beside the decks what they load."""
    packaged = Path(distribution(REVEAL).locate_file("sphinx_revealjs/_static/revealjs"))
    for name in REVEAL_FILES:
        target = folder / "reveal" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(packaged / name, target)
    copy_mathjax(folder / "mathjax")
    shutil.copy(TEMPLATE / "slides.js", folder)
    shutil.copy(BOOK / "_ext" / "static" / "favicon.svg", folder)
    colours = HtmlFormatter(style="github-light").get_style_defs(".highlight")
    style = (TEMPLATE / "slides.css").read_text(encoding="utf-8")
    (folder / "slides.css").write_text(f"{colours}\n{style}", encoding="utf-8")
    films = ("*.mp4", "*.png")
    for film in (path for kind in films for path in (BOOK / "films").glob(kind)):
        (folder / "films").mkdir(exist_ok=True)
        shutil.copy(film, folder / "films")


def contents(words: Words, folder: Path) -> str:
    """A page with a link to every deck that is there."""
    links = "\n".join(
        f'<li><a href="{name}.html">{escape(words.titles[name])}</a></li>'
        for name in words.chapters
        if (folder / f"{name}.html").is_file()
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{COURSE}: slides'
        '</title><link rel="icon" href="favicon.svg"></head><body><main style="font: 1.2rem/1.6 '
        f'system-ui, sans-serif; max-width: 40rem; margin: 3rem auto"><h1>{COURSE}</h1>'
        f"<p>Slides of the chapters. In a deck, S opens the speaker's notes, O shows all "
        f"slides, and Space goes on.</p><ol>\n{links}\n</ol></main></body></html>\n"
    )


def main(names: list[str], folder: Path = BUILD) -> None:
    """Write the decks of the named chapters, or of all."""
    words = learn_words()
    if missing := [name for name in names if name not in words.chapters]:
        sys.exit(f"no such chapter: {', '.join(missing)}; there are {', '.join(words.chapters)}")
    folder.mkdir(parents=True, exist_ok=True)
    copy_files(folder)
    for name in names or words.chapters:
        deck = Deck(name, words)
        (folder / f"{name}.html").write_text(export(deck.notebook()), encoding="utf-8")
        print(f"{name:<16} {len(deck.slides):3d} slides")
    (folder / "index.html").write_text(contents(words, folder), encoding="utf-8")
    print("Open", (folder / "index.html").resolve().as_uri())


if __name__ == "__main__":
    main(sys.argv[1:])
