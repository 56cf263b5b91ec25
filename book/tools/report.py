"""Old and new outputs of cells side by side, as one HTML page for people.

``make report`` compares the outputs stored in the chapters with those of the commit REF, the last
one by default: what did `make outputs` change?
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

import nbformat
from PIL import Image, ImageChops

ROOT = Path(__file__).parents[2]


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


def lines(outputs: list, kind: str = "text/plain") -> list[str]:
    """All text of a cell's outputs."""
    texts = []
    for output in outputs:
        if output["output_type"] == "stream":
            texts.append(output["text"])
        elif output["output_type"] == "error":
            texts.append(f"{output['ename']}: {output['evalue']}")
        elif "image/png" not in output["data"]:
            texts.append(output["data"].get(kind, ""))
    # nbformat joins texts as it reads; what conftest.py sends may still be lists of lines.
    joined = (text if isinstance(text, str) else "".join(text) for text in texts)
    return "\n".join(text.rstrip("\n") for text in joined).splitlines()


def pictures(outputs: list) -> list[bytes]:
    """The PNG files among a cell's outputs."""
    data = [output.get("data", {}).get("image/png") for output in outputs]
    return [base64.b64decode("".join(png)) for png in data if png]


def difference(old: bytes, new: bytes) -> bytes | None:
    """A picture that is dark where two of the same size differ, or None for other sizes."""
    a, b = (Image.open(io.BytesIO(png)).convert("RGB") for png in (old, new))
    if a.size != b.size:
        return None
    changed = ImageChops.difference(a, b).convert("L").point(lambda grey: 160 if grey else 0)
    file = io.BytesIO()
    ImageChops.invert(changed).save(file, "png")
    return file.getvalue()


def figure(png: bytes | None, caption: str, alt: str = "") -> str:
    """A picture inside of the page, or a word where there is none."""
    data = base64.b64encode(png or b"").decode()
    text = escape(f"{caption}: {alt}" if alt else caption)
    shown = f'<img src="data:image/png;base64,{data}" alt="{text}">' if png else "<p>none</p>"
    return f"<figure>{shown}<figcaption>{caption}</figcaption></figure>"


def section(change: Change) -> str:
    """One cell."""
    parts = [f"<section><h2>{escape(change.title)}</h2><p>{escape(change.says)}</p>"]
    parts.append(f"<details><summary>Code</summary><pre>{escape(change.source)}</pre></details>")
    old, new = lines(change.old), lines(change.new)
    if old == new:  # a table may differ in its HTML alone
        old, new = lines(change.old, "text/html"), lines(change.new, "text/html")
    if old or new:
        parts.append(difflib.HtmlDiff(wrapcolumn=70).make_table(old, new, "stored", "new"))
    for before, after in zip_longest(pictures(change.old), pictures(change.new)):
        row = figure(before, "stored", change.alt) + figure(after, "new", change.alt)
        if before and after and (changed := difference(before, after)):
            row += figure(changed, "where they differ")
        parts.append(f'<div class="figures">{row}</div>')
    return "\n".join([*parts, "</section>"])


STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0 auto; padding: 1rem 2rem; }
table.diff, pre { font-family: ui-monospace, monospace; font-size: .875rem; }
.diff_header, .diff_next { padding: 0 .5rem; }
.diff_add { background: #d3ecd6; }
.diff_chg { background: #fbeeb8; } .diff_sub { background: #f6d9d5; }
.figures { display: flex; gap: 1rem; }
figure { margin: 0; flex: 1; }
img { width: 100%; }
"""


def page(changes: list[Change], title: str) -> str:
    """The whole page."""
    sections = "\n".join(map(section, changes))
    return f"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style></head>
<body><main>
<h1>{escape(title)}</h1>
<p>Left what was stored, right what is new.</p>
{sections}
</main></body>
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
