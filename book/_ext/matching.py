"""Pairs to be found in the page: ``:::{matching}``.

What stands in the fence is plain Markdown, so that it reads well in Jupyter, where no Sphinx is:

    :::{matching}

    Which capital has which country?

    <details><summary>The pairs</summary>

    - **Rome** Italy
    - **Oslo** Norway

    </details>

    :::

The site shows each name beside a menu of all answers, in alphabetical order; matching.js says how
many of the pairs are right and which to look at again, never what they should be. Without
JavaScript the pairs are there to be unfolded, as in Jupyter.
"""

from docutils import nodes
from docutils.parsers.rst import Directive
from quiz import inline, make, parts, tag

SHAPE = (
    "matching holds a question, and between <details> and </details> a list of pairs, as in "
    "'- **Rome** Italy'; see book/_ext/matching.py"
)


class Matching(Directive):
    """One question with several answers."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Turn the question and its pairs into a form."""
        legends, lists = parts(self)
        if len(lists) != 1 or len(legends) != 1:
            raise self.error(f"{SHAPE} (found {len(legends)} questions and {len(lists)} lists)")
        pairs = [self.pair(item) for item in lists[0]]
        env = self.state.document.settings.env
        key = f"matching-{env.new_serialno('matching') + 1}"
        menu = sorted({answer for _, answer in pairs}, key=str.lower)
        rows = [self.row(f"{key}-{n + 1}", *pair, menu) for n, pair in enumerate(pairs)]
        told = [
            make("li", make("strong", nodes.Text(name)), nodes.Text(f" {answer}"))
            for name, answer in pairs
        ]
        return [
            make(
                "form",
                make("fieldset", make("legend", *inline(legends[0])), *rows),
                make("button", nodes.Text("Check my pairs"), type="button", hidden=""),
                make("p", class_="matching-result", aria_live="polite"),
                make("details", make("summary", nodes.Text("The pairs")), make("ul", *told)),
                class_="matching",
                autocomplete="off",
            )
        ]

    def pair(self, item: nodes.list_item) -> tuple[str, str]:
        """The two halves of an item of the list."""
        name, *rest = [n for n in item[0].children if n.astext()]
        answer = "".join(node.astext() for node in rest).strip()
        if not isinstance(name, nodes.strong) or not answer:
            raise self.error(f"{SHAPE} (found {item.astext()!r})")
        return name.astext(), answer

    def row(self, key: str, name: str, answer: str, menu: list[str]) -> tag:
        """A name and its menu, which knows the number of the right answer."""
        options = [make("option", nodes.Text("choose"), value="")]
        options += [
            make("option", nodes.Text(text), value=str(n)) for n, text in enumerate(menu, 1)
        ]
        right = str(menu.index(answer) + 1)
        select = make("select", *options, id=key, data_right=right)
        return make(
            "div", make("label", nodes.Text(name), for_=key), select, class_="matching-pair"
        )


def add_script(app, pagename, templatename, context, doctree) -> None:
    """Send the script to pages that have pairs to find."""
    if doctree is not None and any(node["name"] == "select" for node in doctree.findall(tag)):
        app.add_js_file("matching.js", loading_method="defer")


def setup(app):
    """Called by Sphinx."""
    app.setup_extension("quiz")  # its nodes and its style
    app.add_directive("matching", Matching)
    app.connect("html-page-context", add_script)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
