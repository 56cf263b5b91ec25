"""What matching may look like, and what is said of one that does not."""

import json
import re
from pathlib import Path

import pytest

from rl_lab.course.exercises.debugging import PATIENTS

BOOK = Path(__file__).parents[2] / "book"

FOLD = "<details><summary>The pairs</summary>\n\n{}\n</details>"


def written(*pairs, question="Which is whose?\n\n"):
    items = "".join(f"- {pair}\n" for pair in pairs)
    return f":::{{matching}}\n\n{question}{FOLD.format(items)}\n\n:::\n"


def test_each_name_has_all_answers_in_the_order_of_the_alphabet(built_page):
    page, said = built_page(
        "matching", written("**A** no mask", "**B** All pairs", "**C** no mask")
    )
    menus = page.select("form.matching select")
    assert said == "" and len(menus) == 3
    for menu in menus:
        assert [option.text for option in menu.select("option")] == [
            "choose",
            "All pairs",
            "no mask",
        ]
    assert [menu["data-right"] for menu in menus] == ["2", "1", "2"]
    assert [page.select_one(f"label[for={menu['id']}]").text for menu in menus] == ["A", "B", "C"]
    assert [item.text for item in page.select("form.matching details li")] == [
        "A no mask", "B All pairs", "C no mask"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (written("**A** x", question=""), "found 0 questions and 1 lists"),
        (written(), "found 1 questions and 0 lists"),
        (written("A x"), "found 'A x'"),
        (written("**A**"), "found 'A'"),
    ],
)
def test_what_is_none_is_named(built_page, text, complaint):
    assert complaint in built_page("matching", text)[1]


def test_the_pairs_of_the_bug_lab_are_its_patients():
    text = (BOOK / "debugging.ipynb").read_text(encoding="utf-8")
    cells = ["".join(cell["source"]) for cell in json.loads(text)["cells"]]
    (asked,) = [source for source in cells if ":::{matching}" in source]
    assert dict(re.findall(r"- \*\*(\w)\*\* (.+)", asked)) == PATIENTS
