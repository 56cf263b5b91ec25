"""One quiet line for the claims of a cell, and one for the plumbing of a section.

A notebook prints a line for each claim (``Checked: ...``) and the theme folds each hidden cell by
itself. On a finished page the claims of a cell are one line that opens, and the first fold of
hidden code in a section opens all of them (folds.js; without it each cell has its own).
"""

from bs4 import BeautifulSoup, Tag

CHECKED = "Checked: "


def fold_claims(soup: BeautifulSoup) -> None:
    """Fold what a cell has checked, and leave what else it printed."""
    for cell in soup.select(".cell_output"):
        printed = [it for it in cell.select(".output.stream pre") if claims_of(it)]
        if not printed:
            continue
        claims = [claim for it in printed for claim in claims_of(it)]
        last = printed[-1].find_parent(class_="output")
        fold = cell.find_parent("details", class_="above-input")
        items = make(soup, "ul", *(make(soup, "li", claim) for claim in claims))
        said = f"{len(claims)} claim{'s'[: len(claims) > 1]} checked"
        if fold:  # code and claims stand in one fold
            fold["class"] = [*fold["class"], "claims"]
            fold.summary.replace_with(make(soup, "summary", said))
            last.insert_after(items)
        else:
            last.insert_after(make(soup, "details", make(soup, "summary", said), items))
            last.next_sibling["class"] = "claims"
        for it in printed:
            lines = it.get_text().splitlines()
            others = [line for line in lines if not line.startswith(CHECKED)]
            it.string = "\n".join([*others, ""])
            if not any(others):
                it.find_parent(class_="output").decompose()


def claims_of(printed: Tag) -> list[str]:
    """The claims among what was printed."""
    lines = printed.get_text().splitlines()
    return [line.removeprefix(CHECKED) for line in lines if line.startswith(CHECKED)]


def join_code(soup: BeautifulSoup) -> None:
    """Let the first fold of code in a section stand for all."""
    for section in soup.select("article section"):
        folds = [
            fold
            for fold in section.select("details.above-input:not(.claims)")
            if fold.find_parent("section") is section
        ]
        if len(folds) < 2:
            continue
        said = f"Show the code of this section ({len(folds)} cells)"
        for fold in folds:
            fold["class"] = [*dict.fromkeys([*fold["class"], "follows"])]
        folds[0]["class"].remove("follows")
        folds[0]["class"] = [*dict.fromkeys([*folds[0]["class"], "leads"])]
        folds[0].select_one("summary .collapsed").string = said
        folds[0].select_one("summary .expanded").string = said.replace("Show", "Hide")


def make(soup: BeautifulSoup, name: str, *children: Tag | str) -> Tag:
    """An element with children."""
    made = soup.new_tag(name)
    made.extend(children)
    return made


def setup(app):
    """Called by Sphinx."""
    app.add_css_file("folds.css")
    app.add_js_file("folds.js", loading_method="defer")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
