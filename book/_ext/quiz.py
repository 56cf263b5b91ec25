"""Questions in the page: ``:::{quiz}``.

What stands in the fence is plain Markdown, so that it reads well in Jupyter, where no Sphinx is:

    :::{quiz}

    How many slots has a ring of capacity 3?

    - **(a)** Two.
    - **(b)** Three.

    <details><summary>Answers</summary>

    - **(a)** No. And why this might have seemed right.
    - **(b)** Yes. And why it is right.

    </details>

    :::

Exactly one answer begins with *Yes*, and all others with *No*. The site shows radio buttons in a
fieldset whose legend is the question; quiz.js shows the chosen option's answer in a live region.
Without JavaScript the answers are there to be unfolded, as in Jupyter.
"""

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.util import logging

logger = logging.getLogger(__name__)

SHAPE = (
    "a quiz holds a question, a list of options, and between <details> and </details> a list with "
    "an answer for each; see book/_ext/quiz.py"
)


class tag(nodes.General, nodes.TextElement):
    """An HTML element: its name, its attributes, and whether it holds anything."""


def make(element_name: str, /, *children, **attributes) -> tag:
    """An element with children; an attribute that ends in an underscore is written without it."""
    element = tag("", "", *children, name=element_name)
    element["html"] = {key.rstrip("_").replace("_", "-"): v for key, v in attributes.items()}
    return element


def inline(item: nodes.Element) -> list[nodes.Node]:
    """The words of a paragraph, or of a list item that holds one, without the block around it."""
    paragraph = item if isinstance(item, nodes.paragraph) else item[0]
    return paragraph.deepcopy().children


def parts(directive: Directive) -> tuple[list[nodes.Node], list[nodes.Node]]:
    """The paragraphs and the lists that a directive holds."""
    parsed = nodes.container()
    directive.state.nested_parse(directive.content, directive.content_offset, parsed)
    paragraphs = [node for node in parsed if isinstance(node, nodes.paragraph)]
    return paragraphs, [node for node in parsed if isinstance(node, nodes.bullet_list)]


class Quiz(Directive):
    """One question."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Turn the question and its two lists into a form."""
        legends, lists = parts(self)
        if len(lists) != 2 or len(lists[0]) != len(lists[1]) or len(legends) != 1:
            raise self.error(f"{SHAPE} (found {len(legends)} questions and {len(lists)} lists)")
        answers = [item.astext().split(" ", 1)[-1].strip() for item in lists[1]]
        right = [text.startswith("Yes") for text in answers]
        wrong = [text.startswith("No") for text in answers]
        if sum(right) != 1 or sum(wrong) != len(answers) - 1:
            raise self.error("one answer of a quiz begins with Yes, and each other one with No")
        env = self.state.document.settings.env
        name = f"quiz-{env.new_serialno('quiz') + 1}"
        return [self.form(name, legends[0], *lists, right.index(True))]

    def form(self, name, question, options, answers, right: int) -> tag:
        """The form: a group of radio buttons, a button, a place for the result, all answers."""
        rows = []
        for number, (option, answer) in enumerate(zip(options, answers, strict=True)):
            key = f"{name}-{number + 1}"
            button = make("input", type="radio", name=name, id=key, value=str(number + 1))
            rows.append(
                make("div", button, make("label", *inline(option), for_=key), class_="quiz-option")
            )
            grade = {"data_right": ""} if number == right else {}
            answer.replace_self(make("li", *inline(answer), id=f"{key}-answer", **grade))
        return make(
            "form",
            make("fieldset", make("legend", *inline(question)), *rows),
            make("button", nodes.Text("Check my answer"), type="button", hidden=""),
            make("div", class_="quiz-result", aria_live="polite"),
            make(
                "details",
                make("summary", nodes.Text("All answers, with reasons")),
                make("ul", *answers.children),
            ),
            class_="quiz",
            autocomplete="off",
        )


def visit(translator, node) -> None:
    """Open the element."""
    attributes = "".join(f' {key}="{value}"' for key, value in node["html"].items())
    translator.body.append(f"<{node['name']}{attributes}>")


def depart(translator, node) -> None:
    """Close it, unless it is one that has no end."""
    if node["name"] != "input":
        translator.body.append(f"</{node['name']}>")


def skip(translator, node) -> None:
    """Other formats show the words alone."""


def add_script(app, pagename, templatename, context, doctree) -> None:
    """Send the script to pages that have a question."""
    if doctree is not None and any(node["name"] == "form" for node in doctree.findall(tag)):
        app.add_js_file("quiz.js", loading_method="defer")


def setup(app):
    """Called by Sphinx."""
    app.add_node(tag, html=(visit, depart), latex=(skip, skip), text=(skip, skip))
    app.add_directive("quiz", Quiz)
    app.add_css_file("quiz.css")
    app.connect("html-page-context", add_script)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
