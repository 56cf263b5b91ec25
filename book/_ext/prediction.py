"""Predictions in the page: ``:::{prediction} name``, and how often they were right.

What stands in the fence is plain Markdown, so that it reads well in Jupyter, where no Sphinx is:

    :::{prediction} steps

    Four times as many throws: how far does their average stray?

    - **(a)** As far as before.
    - **(b)** Half as far.

    <details><summary>Answer</summary>

    **(b)** The variance falls to a quarter, and the standard deviation to a half.

    </details>

    :::

The answer begins with the right option in bold. Without a list of options the reader types a
number, which counts as right if it is the one that the bold words hold (``**89**``), or lies
between the two that they name (``**Between 200 and 400**``). The name is one of its own in the
page; the browser keeps the answer by it.

What would tell the answer has to wait: cells with the tag ``answer``, and admonitions with
``:class: answer``. They open once all predictions that stand directly before them are made.
Without JavaScript, and in print, everything is there. ``:::{prediction-score}`` is the place where
prediction.js shows the reader's score.
"""

import re

from docutils import nodes
from docutils.parsers.rst import Directive
from quiz import inline, make, tag

SHAPE = "%s; a prediction's shape is in book/_ext/prediction.py"
NUMBER = re.compile(r"(?:(?<!\w)[-\u2212])?\d[\d,]*(?:\.\d+)?")
# At once, so that no answer is seen before the script has come.
HIDE = "document.documentElement.classList.add('predicting');"


def number_range(text: str) -> tuple[str, str]:
    """The smallest and the largest number that count as right.

    Raises:
        ValueError: if this is neither one number nor *between* a number and one that is not
            smaller.
    """
    numbers = [found.replace(",", "").replace("\u2212", "-") for found in NUMBER.findall(text)]
    between = len(numbers) == 2 and text.lower().startswith("between ")
    if not (len(numbers) == 1 or between) or float(numbers[0]) > float(numbers[-1]):
        raise ValueError(
            f"{text!r} is neither a number, as in **89**, nor two, as in **Between 200 and 400**"
        )
    return numbers[0], numbers[-1]


class Prediction(Directive):
    """One question to answer before looking."""

    has_content = True
    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Turn the question, its options and its answer into a form."""
        parsed = nodes.container()
        self.state.nested_parse(self.content, self.content_offset, parsed)
        blocks = [node for node in parsed if not isinstance(node, nodes.system_message)]
        folds = [i for i, node in enumerate(blocks) if "<details>" in node.astext()]
        if len(folds) != 1 or blocks[-1].astext().strip() != "</details>":
            raise self.error(SHAPE % "it ends with one <details> and </details>")
        before, answer = blocks[: folds[0]], blocks[folds[0] + 1 : -1]
        options = before.pop() if before and isinstance(before[-1], nodes.bullet_list) else ()
        if not before or not isinstance(before[-1], nodes.paragraph):
            raise self.error(SHAPE % "it begins with a question, a paragraph")
        bold = next(iter(answer[0].findall(nodes.strong)), None) if answer else None
        if bold is None or not answer[0].astext().startswith(bold.astext()):
            raise self.error(SHAPE % "its answer begins in bold")
        name = f"prediction-{self.arguments[0]}"
        names = self.state.document.settings.env.temp_data.setdefault("predictions", set())
        if name in names:
            raise self.error(f"{self.arguments[0]!r} names two predictions of this page")
        names.add(name)
        rows, right = self.choose(name, options, bold) if options else self.type(name, bold)
        return [
            make(
                "form",
                make("p", nodes.Text("Predict"), class_="prediction-title", aria_hidden="true"),
                *before[:-1],
                make("fieldset", make("legend", *inline(before[-1])), *rows),
                make("button", nodes.Text("Show the answer"), type="button", hidden=""),
                make("p", class_="prediction-result", aria_live="polite"),
                make("div", *answer, class_="prediction-answer"),
                class_="prediction",
                id=name,
                autocomplete="off",
                data_right=right,
            )
        ]

    def choose(self, name, options, bold) -> tuple[list[tag], str]:
        """Radio buttons, and the number of the right one."""
        rows, right = [], []
        for number, option in enumerate(options, 1):
            key = f"{name}-{number}"
            button = make("input", type="radio", name=name, id=key, value=str(number))
            rows.append(
                make("div", button, make("label", *inline(option), for_=key), class_="quiz-option")
            )
            if option.astext().startswith(f"{bold.astext()} "):
                right.append(str(number))
        if len(right) != 1:
            raise self.error(
                f"{len(right)} options begin with {bold.astext()!r}, as the answer does"
            )
        return rows, right[0]

    def type(self, name, bold) -> tuple[list[tag], str]:
        """A field for a number, and which numbers are right."""
        try:
            low, high = number_range(bold.astext())
        except ValueError as error:
            raise self.error(str(error)) from error
        field = make(
            "input",
            type="text",
            inputmode="text" if low.startswith("-") else "decimal",  # some keypads have no minus
            name=name,
            id=f"{name}-1",
            aria_label="Your number",
        )
        return [make("div", field, class_="quiz-option")], f"{low} {high}"


class Score(Directive):
    """How often the reader was right; what stands in the fence is there without a script."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """A place that prediction.js fills."""
        parsed = nodes.container()
        self.state.nested_parse(self.content, self.content_offset, parsed)
        return [make("div", *parsed.children, class_="prediction-score")]


def is_used(node: tag) -> bool:
    """Whether an element needs the script."""
    return node["html"].get("class") in {"prediction", "prediction-score"}


def add_script(app, pagename, templatename, context, doctree) -> None:
    """Send the script to pages that have a prediction or the score."""
    if doctree is not None and any(map(is_used, doctree.findall(tag))):
        app.add_js_file(None, body=HIDE)
        app.add_js_file("prediction.js", loading_method="defer")


def setup(app):
    """Called by Sphinx."""
    app.setup_extension("quiz")  # its nodes
    app.add_directive("prediction", Prediction)
    app.add_directive("prediction-score", Score)
    app.add_css_file("prediction.css")
    app.connect("html-page-context", add_script)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
