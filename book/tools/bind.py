"""Bind the numbers of every page to where they come from: ``make bind``, or CHAPTER=replay.

`book/bindings/PAGE.txt` lists, for each sentence, caption, heading, option of a quiz, row of a
table and claim that holds numbers, each number and its source:

    A is bimodal: 12 of 30 seeds play perfectly
      12 <- profiles-check output 5 | 30 <- profiles-table output 0 | 300 <- profiles code 4

`check` compares page, file and sources. Sentences are found by their place among those of their
cell that hold numbers, so that other words need no new binding. Sources are the numbers of a cell's
text output or code, of a study's definition, or of one of the library's settings, from 0; `sum`, a
result worked out in the sentence; `figure`, read off a picture; `name`, as in CartPole-v1; and
`stated`, what is said and not measured: a supposition, a wrong answer of a quiz, a paper's value.
`?` is a number without a source, which fails: mend the sentence, or write its source in its place.
"""

import argparse
import ast
import difflib
import importlib.util
import io
import json
import keyword
import random
import re
import sys
import textwrap
import tokenize
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

BOOK = Path(__file__).parents[1]
SETTINGS = Path(importlib.util.find_spec("rl_lab.course.settings").origin)
STUDIES = {path.stem: path for path in (BOOK / "data").glob("*.json")}
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
WORDS = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
WORDS += " sixteen seventeen eighteen nineteen"
WORDS = {word: n for n, word in enumerate(WORDS.split(), 1)}
WORDS |= {word: 10 * n for n, word in enumerate(TENS, 2)}
WORD = rf"(?:{'|'.join(WORDS)})"
DIGITS = r"\d{1,3}(?:(?:,|\{,\})\d{3})+(?:\.\d+)?|\d[\d_]*(?:\.\d+)?(?:[eE][-+]?\d+)?|\.\d+"
FILLERS = set("the and for are all not one its out has was with that from this than".split())
# In words: a count of so many, so many times, and a round number.
IN_WORDS = rf"\b{WORD}(?= (?:of|in|out of|times|per cent)\b)|(?<=\bof )\b{WORD}\b"
IN_WORDS += rf"|(?<=\bof the )\b{WORD}\b|\b(?:{'|'.join(TENS)})\b"
SIGN = r"(?<![\w)\]}%.\-\u2212])[-\u2212]"  # not that of a difference, as in n-1
NUMBER = re.compile(rf"(?:{SIGN})?(?:{DIGITS})|{IN_WORDS}", re.I)
PERCENT = re.compile(r"\s*(?:\\?%|per cent)")
FENCE = re.compile(r"\s*(`{3,}|:{3,}|~{3,})(.*)")
LISTING = re.compile(r"(?!\{)|\{(?:code|code-block|code-cell|bibliography|toctree)\}")
NOT_READ = [
    r"^\s*:(?!alt|caption)[\w-]+:[^\n]*$",  # an option of a directive
    r"^\([\w-]+\)=$",
    r"\{[\w:-]+\}`[^`]*`",  # a role: a citation, a reference, a term
    r"(?<=\])\([^)\s]*\)",  # where a link leads
    r"</?[A-Za-z][^>]*>|<!--.*?-->",
    r"https?://[^\s)>]+",
    r"^\s*\d+\.(?= )",  # the mark of a list
]
NOT_READ = [re.compile(pattern, re.M | re.S) for pattern in NOT_READ]
SENTENCE = re.compile(r"(?<=[.!?:])(?:[*\"')]*)\s+(?=[*\"'(\[$`]*[A-Z\d])")
BLOCK = re.compile(r"\n\s*\n|\n(?=\s*(?:[-*|#]|\d+\.) ?)")


@dataclass
class Number:
    """A number as it is written, its place in its text, and what it may be read as."""

    text: str
    start: int
    value: float
    places: int
    percent: bool
    name: bool  # part of one, as in CartPole-v1
    fixed: bool  # in maths or code

    @property
    def is_count(self) -> bool:
        """Whether it is a small count, of which every page has many."""
        return self.places == 0 and abs(self.value) <= 12

    @property
    def is_level(self) -> bool:
        """Whether it is the level of an interval."""
        return self.value == 95 and self.percent

    def is_of(self, source: "Number") -> bool:
        """Whether the source, rounded as this one is, gives this one; also as per cent."""
        scales = {1.0}
        if self.percent != source.percent:
            scales.add(100.0 if self.percent else 0.01)
        room = 0 if self.is_count else 0.5 * 10**-self.places
        return any(abs(source.value * scale - self.value) <= room + 1e-9 for scale in scales)


def numbers(text: str) -> list[Number]:
    """All numbers of a text, in order."""
    spans = [m.span() for m in re.finditer(r"`[^`]*`|\$[^$]*\$", text)]
    found = []
    for match in NUMBER.finditer(text):
        written = match[0].replace("\u2212", "-")
        plain = re.sub(r"[,_{}]", "", written.lower())
        mantissa, _, exponent = plain.partition("e") if plain not in WORDS else (plain, "", "")
        places = len(mantissa.partition(".")[2]) - int(exponent or 0)
        name = bool(re.match(r"[A-Za-z]", text[match.start() - 1 : match.start()] or " "))
        name = name or bool(re.search(r"[A-Za-z]-v?$", text[: match.start()]))
        fixed = any(a <= match.start() < b for a, b in spans)
        value = float(WORDS.get(plain, 0) or plain)
        percent = bool(PERCENT.match(text, match.end()))
        found.append(Number(written, match.start(), value, max(places, 0), percent, name, fixed))
    return found


@dataclass
class Passage:
    """A sentence with numbers: its cell and place there, and the file's sources once bound."""

    cell: str
    index: int
    text: str
    claim: bool = False
    alt: bool = False  # describes a picture
    sources: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)

    def __post_init__(self):
        self.numbers = numbers(self.text)
        self.written = self.written or [number.text for number in self.numbers]

    @property
    def key(self):
        return (self.cell, *self.written)


def joined(text) -> str:
    return text if isinstance(text, str) else "".join(text)


def without_listings(text: str) -> str:
    """Markdown without its fences and without what stands in those of code."""
    kept, fences = [], []
    for line in text.splitlines():
        mark = FENCE.fullmatch(line)
        if mark and fences and not mark[2].strip() and mark[1] == fences[-1][0]:
            fences.pop()
        elif mark and not any(listing for _, listing in fences):
            fences.append((mark[1], bool(LISTING.match(mark[2].strip()))))
        if mark or any(listing for _, listing in fences):
            line = re.sub(r"^\s*[`:~]{3,}(\{[^}]*\})?", "", line) if mark and "{" in line else ""
        kept.append(line)
    return "\n".join(kept)


def sentences(text: str) -> list[str]:
    """The sentences of Markdown that hold numbers, without its marks."""
    text = without_listings(text)
    for pattern in NOT_READ:
        text = pattern.sub(" ", text)
    blocks = (" ".join(block.split()) for block in BLOCK.split(text))
    return [s for block in blocks for s in SENTENCE.split(block) if NUMBER.search(s)]


def claims(source: str) -> list[str]:
    """The sentences that a cell checks."""
    calls = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Call) and n.args]
    calls.sort(key=lambda call: call.lineno)
    said = [c.args[0] for c in calls if getattr(c.func, "id", "") == "check"]
    return [s.value for s in said if isinstance(s, ast.Constant) and NUMBER.search(str(s.value))]


def code_numbers(source: str) -> list[tuple[Number, str]]:
    """The numbers of code outside of strings and comments, each with its line."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    tokens = [t for t in tokens if t.type not in (tokenize.NL, tokenize.COMMENT)]
    strings = ["", "", *(t.string for t in tokens), ""]
    found = []
    for n, token in enumerate(tokens):
        if token.type == tokenize.NUMBER:
            before, sign, _, after = strings[n : n + 4]
            difference = re.search(r"[\w)\]}]$", before) and not keyword.iskeyword(before)
            counts = before == "[" and after == ":"  # from the end, as in returns[-20:]
            signed = sign == "-" and not difference and not counts
            found.append((numbers("-" * signed + token.string), token.line))
    return [(number[0], line) for number, line in found if number]


def study_numbers(path: Path) -> list[tuple[Number, str]]:
    """The numbers of a study's definition, each with its name."""
    definition = json.loads(path.read_text(encoding="utf-8"))["definition"]
    lines = json.dumps(definition, indent=1).splitlines()
    return [(number, line) for line in lines for number in numbers(line.rpartition('"')[2])]


class Page:
    """A page's passages, and the sources that it has."""

    def __init__(self, path: Path):
        self.name, self.passages, self.cells = path.stem, [], []
        self.sources: dict[tuple[str, str], list[Number]] = {}
        self.lines: dict[tuple[str, str], list[str]] = {}
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".md":
            self.passages = [Passage("page", 0, sentence) for sentence in sentences(text)]
            self.cells = ["page"]
        else:
            for index, cell in enumerate(json.loads(text)["cells"]):
                self._read(index, cell)
        settings = SETTINGS.read_text(encoding="utf-8")
        for node in ast.parse(settings).body:
            if isinstance(node, ast.Assign):
                code = ast.get_source_segment(settings, node)
                self._add(node.targets[0].id, "code", code_numbers(code))

    def _add(self, cell: str, kind: str, shown: list[tuple[Number, str]]) -> None:
        self.sources[cell, kind] = [number for number, _ in shown]
        self.lines[cell, kind] = [line for _, line in shown]

    def _read(self, index: int, cell: dict) -> None:
        name, source = cell["id"], joined(cell["source"])
        self.cells.append(name)
        if cell["cell_type"] != "code":
            self.passages += [Passage(name, index, text) for text in sentences(source)]
            return
        if "remove-cell" in cell["metadata"].get("tags", []):
            return
        rendered = cell["metadata"].get("mystnb", {})
        for kind, key in (("figure", "caption"), ("image", "alt")):
            told = sentences(rendered.get(kind, {}).get(key, ""))
            self.passages += [Passage(name, index, text, alt=key == "alt") for text in told]
        try:
            self.passages += [Passage(name, index, text, claim=True) for text in claims(source)]
            self._add(name, "code", code_numbers(source))
        except SyntaxError as error:
            line = (error.text or "").strip()
            raise ValueError(f"{self.name}, cell {name}: {line!r} is no Python") from error
        shown = []  # lines; those of a table with its header
        for output in cell["outputs"]:
            lines = joined(output.get("text", "")).splitlines()
            head, *rows = joined(output.get("data", {}).get("text/plain", "")).splitlines() or [""]
            shown += [(line, line) for line in lines]
            shown += [(row, f"{head} {row}" if rows else row) for row in [head, *rows]]
        shown = [(line, known) for line, known in shown if not line.startswith("<")]
        self._add(name, "output", [(n, known) for line, known in shown for n in numbers(line)])
        for study in set(re.findall(r"\w+", source)) & set(STUDIES):
            self._add(study, "study", study_numbers(STUDIES[study]))

    def source(self, said: str) -> Number | None:
        """The number that a source names, or None if there is none."""
        cell, kind, place = said.rsplit(" ", 2)
        shown = self.sources.get((cell, kind), [])
        return shown[int(place)] if place.isdigit() and int(place) < len(shown) else None

    def propose(self, passage: Passage, number: Number, before: str = "") -> str:
        """The nearest source of a number: beside its sentence's others, claims first, then output.

        Few digits agree by accident, so that the source of such a number has to be near, and to
        share a word or another number with the sentence. `before` is the source of the number
        before this one.
        """
        if sums(passage.text, number):
            return "sum"
        ranks = [
            (rank, f"{cell} {kind} {place}")
            for (cell, kind), shown in self.sources.items()
            for place, source in enumerate(shown)
            if number.is_of(source)
            and (rank := self._rank(passage, number, (cell, kind, place), before))
        ]
        if ranks:
            return min(ranks)[1]
        if number.name or passage.alt:
            return "name" if number.name else "figure"
        plain = number.is_count or (number.places == 0 and 1900 < number.value < 2030)
        return "stated" if plain or number.fixed or number.is_level else "?"

    def _rank(self, passage, number, found, before) -> tuple | None:
        """How well an equal number serves as the source, the lower the better; None: not at all."""
        cell, kind, place = found
        line = self.lines[cell, kind][place]
        claimed = line.startswith("Checked:")
        far = abs(self.cells.index(cell) - passage.index) if cell in self.cells else 4
        others = [n for n in passage.numbers if n is not number]
        beside = sum(any(o.is_of(n) for n in _numbers(line)) for o in others)
        shared = len(_words(passage.text) & _words(line))
        follows = before == f"{cell} {kind} {place - 1}"
        continued = before.startswith(f"{cell} {kind} ")
        own = passage.claim and cell == passage.cell and kind == "code"
        if number.is_count:
            near = far <= 4 and kind == "output" and shared > (0 if beside else 1)
        else:
            near = far <= 4 and (beside or shared or (kind == "code" and far <= 2))
            near = near or (beside and shared > 1)
        few = len(re.sub("[,.]", "", number.text.strip("-0."))) <= 2
        accident = not near and (few or far > 12)
        if (accident and not own) or claimed > (not passage.claim) or number.is_level > claimed:
            return None
        return (
            *(not own, far > 4, -min(beside, 2), not claimed, not continued, kind != "output"),
            *(far, not follows, -shared, place),
        )


_numbers = cache(numbers)


@cache
def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]{3,}", text.lower())) - FILLERS


OPERATORS = [
    (r"\\times|\\cdot|\u00d7|\u00b7|\bx\b", "*"),
    (r"\u2212|\\,?-", "-"),
    (r"[$`{}]|\\,|,(?=\d{3})", ""),
]


def sums(text: str, number: Number) -> bool:
    """Whether the number is the result of arithmetic in its own sentence, which is right."""
    marked = text[: number.start] + "@" + text[number.start :]
    if not re.search(r"=\s*\$?@", marked):
        return False
    for pattern, operator in OPERATORS:
        marked = re.sub(pattern, operator, marked)
    found = re.search(r"([\d.(][\d.\s+*/()-]*[+*/-][\d.\s+*/()-]*)=\s*@", marked)
    try:
        result = eval(found[1], {"__builtins__": {}}) if found else None
    except (SyntaxError, TypeError, ZeroDivisionError):
        return False
    return result is not None and abs(result - number.value) <= 0.5 * 10**-number.places + 1e-9


# The files

ENTRY = re.compile(r"(.+?) (?:<- )?(\S+ (?:output|code|study) \d+|sum|name|figure|stated|\?)")


def ledger(name: str, folder: Path) -> list[Passage]:
    """What a page's file has bound."""
    bound, cell, text = [], "", ""
    path = folder / f"{name}.txt"
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        if line.startswith("# "):
            cell = line[2:]
        elif line.startswith("  "):
            entries = [ENTRY.fullmatch(entry.strip()) for entry in line.split(" | ")]
            if None in entries:
                raise ValueError(f"{path.name}: {line.strip()!r} is no list of numbers and sources")
            written, sources = [e[1] for e in entries], [e[2] for e in entries]
            bound.append(Passage(cell, 0, text, sources=sources, written=written))
        else:
            text = line
    return bound


def write(page: Page, folder: Path) -> None:
    lines, cell = [], None
    for passage in page.passages:
        if passage.cell != cell:
            cell = passage.cell
            lines.append(f"# {cell}")
        lines.append(textwrap.shorten(passage.text, 90, placeholder=" ..."))
        pairs = zip(passage.written, passage.sources, strict=True)
        lines.append("  " + " | ".join(f"{number} <- {source}" for number, source in pairs))
    text = "\n".join(lines) + "\n"
    folder.mkdir(exist_ok=True)
    (folder / f"{page.name}.txt").write_text(text, encoding="utf-8", newline="\n")


def paired(old: list[Passage], new: list[Passage]):
    """Bound passages and those of the page, in pairs; None where there is no partner."""
    matcher = difflib.SequenceMatcher(None, [p.key for p in old], [p.key for p in new], False)
    for _, a, b, c, d in matcher.get_opcodes():
        for n in range(max(b - a, d - c)):
            yield (old[a + n] if a + n < b else None), (new[c + n] if c + n < d else None)


def check(page: Page, bound: list[Passage], passages: list[Passage] | None = None) -> list[str]:
    """What is wrong with the numbers of a page, or of some passages of it, a line each."""
    passages = page.passages if passages is None else passages
    return [line for old, new in paired(bound, passages) for line in _compared(page, old, new)]


def _compared(page: Page, old: Passage | None, new: Passage | None) -> list[str]:
    if old is None or new is None:
        return [
            f"{page.name}: {new.text!r} is new" if new else f"{page.name}: {old.text!r} is gone"
        ]
    where = f"{page.name}: {new.text!r}"
    shown = [page.source(source) if " " in source else None for source in old.sources]
    if old.key != new.key:
        says = [
            f"{number} <- {source}{f' ({value.text})' if value else ''}"
            for number, source, value in zip(old.written, old.sources, shown, strict=True)
        ]
        return [f"{where} says {', '.join(new.written)}; bound: {', '.join(says)}"]
    wrong = []
    for number, source, value in zip(new.numbers, old.sources, shown, strict=True):
        if source == "?":
            wrong.append(f"{where}: {number.text} has no source")
        elif " " in source and not (value and number.is_of(value)):
            wrong.append(f"{where}: {number.text}, but {source} says {value and value.text}")
        elif source == "sum" and not sums(new.text, number):
            wrong.append(f"{where}: {number.text} is not what the sentence works out")
    return wrong


def slip(page: Page, old: Passage | None, new: Passage) -> int | None:
    """The place of the one number that changed although its source says what it did."""
    if old is None or len(old.written) != len(new.written):
        return None
    changed = [
        n for n, pair in enumerate(zip(old.written, new.written, strict=True)) if len(set(pair)) > 1
    ]
    if len(changed) != 1 or " " not in (source := old.sources[changed[0]]):
        return None
    value = page.source(source)
    was = numbers(old.written[changed[0]])  # none where a word is a number in its sentence only
    still = value and was and was[0].is_of(value)
    return changed[0] if still and not new.numbers[changed[0]].is_of(value) else None


def bind(path: Path, folder: Path) -> list[str]:
    """Write a page's file, and return each proposal and each refusal."""
    page = Page(path)
    told = []
    for old, new in paired(ledger(page.name, folder), page.passages):
        if new is None:
            continue
        wrong = slip(page, old, new)
        for place, number in enumerate(new.numbers):
            kept = old.sources[place] if old and old.key == new.key else None
            before = new.sources[-1] if new.sources else ""
            if kept and " " in kept:
                value = page.source(kept)
                kept = kept if value and number.is_of(value) else None
            source = kept if kept not in (None, "?") else page.propose(new, number, before)
            source = "?" if place == wrong else source
            new.sources.append(source)
            if source != kept:
                value = page.source(source) if " " in source else None
                told.append(f"{page.name}: {new.text[:70]}: {number.text} <- {source}"
                            + (f" ({value.text})" if value else ""))  # fmt: skip
    write(page, folder)
    return told


# How much gets through


def changes(text: str) -> list[tuple[int, str]]:
    """Every place of a digit or a sign, and the text with it changed: the digit to the next."""
    places = [match.start() for match in re.finditer(r"\d", text)]
    made = [(n, text[:n] + str((int(text[n]) + 1) % 10) + text[n + 1 :]) for n in places]
    for start in (n.start for n in numbers(text)):
        signed = text[start] in "-\u2212"
        flipped = text[:start] + ("-" * (not signed)) + text[start + signed :]
        if signed or (text[start].isdigit() and re.compile(SIGN).match(flipped, start)):
            made.append((start, flipped))
    return made


def measure(page: Page, bound: list[Passage], share: float = 1.0) -> tuple[int, int, int]:
    """How many digits and signs were changed, how many of those the check passes, and how many
    `bind` would take if it were run after the change: those of numbers that have no source."""
    rng, made, passed, taken = random.Random(0), 0, 0, 0
    for old, new in zip(bound, page.passages, strict=True):
        sources = dict(zip((n.start for n in new.numbers), old.sources, strict=True))
        for place, said in changes(new.text):
            if rng.random() >= share:
                continue
            changed = Passage(new.cell, new.index, said)
            made += 1
            passed += not check(page, [old], [changed])
            source = sources[max(start for start in sources if start <= place)]
            taken += " " not in source and source != "sum"
    return made, passed, taken


def pages(name: str = "") -> list[Path]:
    """The chapters and the pages of text, or one of them."""
    found = [*sorted(BOOK.glob("*.ipynb")), *sorted(BOOK.glob("*.md"))]
    found = [path for path in found if path.stem not in ("api", "data_dictionary", "references")]
    return [path for path in found if path.stem == name or not name]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", nargs="?", default="", help="a page's name; all without one")
    parser.add_argument("--measure", action="store_true", help="count what is not protected")
    asked = parser.parse_args()
    if not (chosen := pages(asked.page)):
        sys.exit(f"there is no page {asked.page!r} in book/")
    folder, total = BOOK / "bindings", [0, 0, 0]
    for path in chosen:
        if asked.measure:
            counts = measure(Page(path), ledger(path.stem, folder))
            total = [a + b for a, b in zip(total, counts, strict=True)]
            print(report(path.stem, counts))
        else:
            print("".join(f"{line}\n" for line in bind(path, folder)), end="")
    if asked.measure:
        print(report("all", total))
    refused = [path.stem for path in chosen if "?" in _all_sources(path.stem, folder)]
    if refused:
        sys.exit(f"Numbers without a source, marked ? in book/bindings: {', '.join(refused)}")


def _all_sources(name: str, folder: Path) -> set[str]:
    return {source for passage in ledger(name, folder) for source in passage.sources}


def report(name: str, counts) -> str:
    made, passed, taken = counts
    return (
        f"{name:18}{made:6,} digits and signs, {passed / max(made, 1):6.1%} pass if changed; "
        f"{taken / max(made, 1):6.1%} are of numbers that are stated, not measured"
    )


if __name__ == "__main__":
    main()
