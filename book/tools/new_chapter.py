"""Begin a chapter: ``make new-chapter NAME=my_topic``.

Copies template/chapter.md to a notebook of that name, executes it, binds its numbers, and enters it
as the last chapter in the table of contents and in the table on the first page.
"""

import re
import sys
from pathlib import Path

import jupytext
import nbformat
from bind import bind
from record import record

BOOK = Path(__file__).parents[1]
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def enter_in_contents(text: str, name: str) -> str:
    """``_toc.yml`` with the chapter after the last numbered one."""
    parts = re.split(r"(?m)^(?=  - caption:)", text)
    last = max(n for n, part in enumerate(parts) if "    numbered:" in part)
    parts[last] = parts[last].rstrip("\n") + f"\n      - file: book/{name}\n"
    return "".join(parts)


def enter_on_first_page(text: str, name: str) -> str:
    """``index.md`` with a row for the chapter after the last one of the table of chapters."""
    rows = list(re.finditer(r"(?m)^\* - (\d+)\n  - \{doc\}`\w+`.*\\\n(.*\n){2}  - about.*\n", text))
    number = int(rows[-1][1]) + 1
    row = (
        f"* - {number}\n  - {{doc}}`{name}`\\\n    Its question?\n"
        f'  - <span data-minutes-of="{name}"></span>&nbsp;min\n  - about&nbsp;1&nbsp;min\n'
    )
    return text[: rows[-1].end()] + row + text[rows[-1].end() :]


def begin(name: str, book: Path) -> str:
    """Write the chapter, enter it, and return what `record` says.

    Raises:
        ValueError: if there is such a chapter, or if the name is none for a file and a label.
    """
    path, contents, first_page = book / f"{name}.ipynb", book.parent / "_toc.yml", book / "index.md"
    if not NAME.fullmatch(name):
        raise ValueError(f"NAME={name!r}: small letters, digits and single underscores, please")
    if any((book / f"{name}{suffix}").exists() for suffix in (".ipynb", ".md")):
        raise ValueError(f"NAME={name!r}: book/ has a page of that name")
    template = (book / "template" / "chapter.md").read_text(encoding="utf-8")
    notebook = jupytext.reads(template.replace("TEMPLATE", name), fmt="md:myst")
    path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8", newline="\n")
    for file, enter in ((contents, enter_in_contents), (first_page, enter_on_first_page)):
        text = enter(file.read_text(encoding="utf-8"), name)
        file.write_text(text, encoding="utf-8", newline="\n")
    told = record(path)
    bind(path, book / "bindings")
    return told


if __name__ == "__main__":
    try:
        name = next(iter(sys.argv[1:]), "")
        print(begin(name, BOOK))
    except ValueError as error:
        sys.exit(str(error))
    print(
        f"Now edit book/{name}.ipynb, its row in book/index.md, and perhaps its place in _toc.yml."
    )
