"""Old and new outputs of cells side by side, as one HTML page for people.

``python book/report.py [REF]``, or ``make report``, compares the outputs stored in the chapters
with those of the commit REF, the last one by default: what did `make outputs` change?
`conftest.py` writes the same page when a cell of a chapter fails under nbval.

The page holds everything it shows and needs no network.
"""

import base64
import difflib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape
from itertools import zip_longest
from pathlib import Path

import imageio.v3 as iio
import nbformat
import numpy as np

ROOT = Path(__file__).parents[1]


@dataclass
class Change:
    """A cell that shows something else than before.

    Attributes:
        path: the notebook, as it is to be named.
        number: of the cell among the code cells, from 0, as nbval counts.
        source: the cell's code.
        says: one line on what is wrong.
        old: outputs as stored, in nbformat's form.
        new: outputs as computed now.
        alt: what the figure shows, in the author's words.
        line: where the cell's code stands in the file of the notebook, from 1.
    """

    path: str
    number: int
    source: str
    says: str
    old: list = field(default_factory=list)
    new: list = field(default_factory=list)
    alt: str = ""
    line: int = 1

    @property
    def title(self) -> str:
        """Chapter and cell."""
        return f"{Path(self.path).stem}, code cell {self.number}"


def line_of(path: Path, cell_id: str) -> int:
    """The line of a notebook's file on which the cell with this id begins, or 1."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((n for n, line in enumerate(lines, 1) if f'"id": "{cell_id}"' in line), 1)


def annotation(change: Change) -> str:
    """The command by which GitHub Actions marks a line of a file.

    Percent signs and line ends are escaped as its runner asks for; in a property, colons and
    commas as well.
    """

    def value(text: str) -> str:
        return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")

    def part(text: str) -> str:
        return value(text).replace(":", "%3A").replace(",", "%2C")

    where = f"file={part(change.path)},line={change.line},title={part(change.title)}"
    return f"::error {where}::{value(change.says)}"


# What changed since a commit


def load(text: str) -> dict:
    """The code cells of a notebook by their id, each with its number."""
    cells = nbformat.reads(text, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    return {cell.id: (number, cell) for number, cell in enumerate(code)}


def alt_text(cell) -> str:
    """What a cell's figure shows, in the author's words."""
    return cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")


def changes_since(ref: str, root: Path) -> list[Change]:
    """Cells below ``book/`` whose stored outputs differ from those at the commit `ref`.

    Raises:
        ValueError: if git does not know `ref`.
    """
    check = ["git", "-C", str(root), "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}"]
    if subprocess.run(check, capture_output=True, check=False).returncode:
        raise ValueError(f"git knows no commit {ref!r}")
    return [
        change
        for path in sorted((root / "book").glob("*.ipynb"))
        for change in one(path, ref, root)
    ]


def one(path: Path, ref: str, root: Path) -> Iterable[Change]:
    """The changes of one chapter."""
    name = path.relative_to(root).as_posix()
    command = ["git", "-C", str(root), "show", f"{ref}:{name}"]
    shown = subprocess.run(command, capture_output=True, check=False)
    before = load(shown.stdout.decode()) if shown.returncode == 0 else {}
    after = load(path.read_text(encoding="utf-8"))
    for key, (number, cell) in after.items():
        old = before[key][1].outputs if key in before else []
        if old != cell.outputs:
            says = f"differs from {ref}" if key in before else f"is not in {ref}"
            line = line_of(path, key)
            yield Change(name, number, cell.source, says, old, cell.outputs, alt_text(cell), line)
    for key in before.keys() - after.keys():
        number, cell = before[key]
        if cell.outputs:
            yield Change(name, number, cell.source, f"is in {ref} only", cell.outputs, [])


# The page


def joined(text) -> str:
    """A text of nbformat, which may be a list of lines."""
    return text if isinstance(text, str) else "".join(text)


def lines(outputs: list, kind: str = "text/plain") -> list[str]:
    """All text of a cell's outputs."""
    texts = []
    for output in outputs:
        if output["output_type"] == "stream":
            texts.append(joined(output["text"]))
        elif output["output_type"] == "error":
            texts.append(f"{output['ename']}: {output['evalue']}")
        elif "image/png" not in output["data"]:
            texts.append(joined(output["data"].get(kind, "")))
    return "\n".join(text.rstrip("\n") for text in texts).splitlines()


def pictures(outputs: list) -> list[bytes]:
    """The PNG files among a cell's outputs."""
    data = [output.get("data", {}).get("image/png") for output in outputs]
    return [base64.b64decode(joined(png)) for png in data if png]


def marked(old: str, new: str) -> tuple[str, str]:
    """Two lines as HTML, with the words that differ in ``del`` and ``ins``."""
    words = [text.replace("\t", "    ").split(" ") for text in (old, new)]
    sides = [], []
    for same, a, b, c, d in difflib.SequenceMatcher(None, *words, autojunk=False).get_opcodes():
        for side, part, tag in ((0, words[0][a:b], "del"), (1, words[1][c:d], "ins")):
            text = escape(" ".join(part))
            if part:
                sides[side].append(text if same == "equal" else f"<{tag}>{text}</{tag}>")
    return " ".join(sides[0]), " ".join(sides[1])


def text_table(old: list[str], new: list[str]) -> str:
    """Lines side by side; equal ones stand beside each other."""
    rows = []
    for same, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        for left, right in zip_longest(old[a:b], new[c:d], fillvalue=""):
            cells = marked(left, right)
            changed = "" if same == "equal" else ' class="changed"'
            rows.append(f"<tr{changed}>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    head = '<tr><th scope="col">stored</th><th scope="col">new</th></tr>'
    return f"<table><thead>{head}</thead><tbody>\n" + "\n".join(rows) + "\n</tbody></table>"


def difference(old: bytes, new: bytes) -> bytes | None:
    """A picture that is dark where two of the same size differ, or None for other sizes."""
    a, b = (iio.imread(png, extension=".png")[..., :3].astype(int) for png in (old, new))
    if a.shape != b.shape:
        return None
    distance = np.abs(a - b).max(axis=-1)
    shade = np.where(distance > 0, 160 - distance * 160 // 255, 255).astype(np.uint8)
    file = io.BytesIO()
    iio.imwrite(file, shade, extension=".png")
    return file.getvalue()


def figure(png: bytes | None, caption: str, alt: str) -> str:
    """A picture inside of the page, or a sentence where there is none."""
    if png is None:
        return f'<figure><p class="none">none</p><figcaption>{caption}</figcaption></figure>'
    data = base64.b64encode(png).decode()
    text = escape(f"{caption}: {alt}" if alt else caption, quote=True)
    image = f'<img src="data:image/png;base64,{data}" alt="{text}">'
    return f"<figure>{image}<figcaption>{caption}</figcaption></figure>"


def section(change: Change, name: str) -> str:
    """One cell."""
    parts = [f'<section id="{name}"><h2>{escape(change.title)}</h2>']
    parts.append(f"<p>{escape(change.says)}</p>")
    parts.append(f"<details><summary>Code</summary><pre>{escape(change.source)}</pre></details>")
    old, new = lines(change.old), lines(change.new)
    if old == new:  # a table may differ in its HTML alone
        kinds = lines(change.old, "text/html"), lines(change.new, "text/html")
        old, new = kinds if kinds[0] != kinds[1] else (old, new)
    if old or new:
        parts.append(text_table(old, new))
    for before, after in zip_longest(pictures(change.old), pictures(change.new)):
        row = [figure(before, "stored", change.alt), figure(after, "new", change.alt)]
        if before and after and (changed := difference(before, after)):
            row.append(figure(changed, "where they differ", ""))
        parts.append('<div class="figures">' + "".join(row) + "</div>")
    if not (change.old or change.new):
        parts.append("<p>No output, neither stored nor new.</p>")
    return "\n".join([*parts, "</section>"])


STYLE = """
:root { color-scheme: light dark; --line: #8a949b; --old: #f6d9d5; --new: #d3ecd6; }
@media (prefers-color-scheme: dark) { :root { --old: #5c2b26; --new: #1f4a28; } }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 90rem; margin: 0 auto; padding: 1rem 2rem; }
section { border-top: 1px solid var(--line); margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; table-layout: fixed; }
th { text-align: left; }
td { font: .875rem/1.4 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere;
  vertical-align: top; padding: 0 .5rem; border-left: 3px solid transparent; }
.changed td { border-left-color: var(--line); }
del { background: var(--old); text-decoration: line-through; }
ins { background: var(--new); text-decoration: underline; }
pre { overflow: auto; }
.figures { display: flex; flex-wrap: wrap; gap: 1rem; margin-top: 1rem; }
figure { margin: 0; flex: 1 1 20rem; border: 1px solid var(--line); }
img { display: block; width: 100%; background: #fff; }
figcaption, .none { padding: .25rem .5rem; }
"""


def page(changes: list[Change], title: str) -> str:
    """The whole page."""
    names = [f"change-{number}" for number in range(len(changes))]
    links = "\n".join(
        f'<li><a href="#{name}">{escape(change.title)}</a>: {escape(change.says)}</li>'
        for name, change in zip(names, changes, strict=True)
    )
    sections = "\n".join(map(section, changes, names))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>{escape(title)}</h1>
<p>Left what was stored, right what is new. Words that differ are <del>struck through</del> or
<ins>underlined</ins>; equal lines stand beside each other.</p>
<nav aria-label="Cells"><ol>
{links}
</ol></nav>
{sections}
</main>
</body>
</html>
"""


def write_report(changes: list[Change], folder: Path, title: str) -> Path:
    """Write ``index.html`` into `folder`, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "index.html"
    target.write_text(page(changes, title), encoding="utf-8")
    return target


def from_failures(reports: Iterable, folder: Path) -> list[str]:
    """Write the page for the cells that failed, and return lines for the terminal.

    Args:
        reports: pytest's; those of chapters' cells carry a `Change` as JSON in `change`.
        folder: where the page goes.
    """
    changes = [
        Change(**json.loads(report.change)) for report in reports if hasattr(report, "change")
    ]
    if not changes:
        return []
    count = "1 cell shows" if len(changes) == 1 else f"{len(changes)} cells show"
    target = write_report(changes, folder, f"{count} something else than is stored")
    found = [f"old and new outputs side by side: {target}"]
    if os.environ.get("GITHUB_ACTIONS") == "true":
        found += map(annotation, changes)
    return found


def main(arguments: list[str]) -> int:
    """Write the page on what changed since a commit."""
    ref = next(iter(arguments), "") or "HEAD"
    try:
        changes = changes_since(ref, ROOT)
    except ValueError as error:
        sys.exit(str(error))
    if not changes:
        print(f"No stored output differs from {ref}.")
        return 0
    title = f"Outputs that changed since {ref}: {len(changes)}"
    print("Open", write_report(changes, ROOT / "_build" / "report", title).resolve().as_uri())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
