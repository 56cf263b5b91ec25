"""What a prediction may look like, and what is said of one that does not."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "book" / "_ext"))

from prediction import number_range

OPTIONS = "- **(a)** One.\n- **(b)** Two.\n\n"


def written(answer, options="", name="it", question="How many?\n\n"):
    fold = f"<details><summary>Answer</summary>\n\n{answer}\n\n</details>"
    return f":::{{prediction}} {name}\n\n{question}{options}{fold}\n\n:::\n\n"


@pytest.fixture
def built(built_page):
    """Build a page; returns its forms and what Sphinx complains of."""

    def build(text):
        page, said = built_page("prediction", text)
        return page.select("form.prediction"), said

    return build


def test_the_right_answer_goes_with_the_question(built):
    between = written("**Between \u22123 and 1,000.5**: it is 0.", name="there")
    forms, said = built(written("**(b)** Two.", OPTIONS) + written("**89**.", name="n") + between)
    assert [form["data-right"] for form in forms] == ["2", "89 89", "-3 1000.5"]
    assert said == ""


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (":::{prediction} it\n\nHow many?\n\n:::", "ends with one <details>"),
        (written("**3**").replace("</details>", "</details>\n\nMore."), "ends with one <details>"),
        (written("**3**", question=""), "begins with a question"),
        (written("Three."), "answer begins in bold"),
        (written("**(c)** Three.", OPTIONS), "0 options begin with '(c)'"),
        (written("**(a)** One.", OPTIONS + "- **(a)** Three.\n\n"), "2 options begin with '(a)'"),
        (written("**Many** of them."), "'Many' is neither a number"),
        (written("**3**") * 2, "'it' names two predictions of this page"),
    ],
)
def test_what_is_no_prediction_is_named(built, text, complaint):
    assert complaint in built(text)[1]


@pytest.mark.parametrize("text", ["26 of 30", "Between 30 and 20", "26 to 30", "", "1 2 3"])
def test_bold_words_that_are_no_range_are_refused(text):
    with pytest.raises(ValueError, match="is neither a number"):
        number_range(text)
