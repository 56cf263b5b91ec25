"""Every stored table and column is described, on a page that is up to date."""

import sys
from pathlib import Path

import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "book" / "tools"))

import data_dictionary

from rl_lab.course.results import Result


def test_the_page_describes_every_column_that_is_stored():
    again = "run `python book/tools/data_dictionary.py`"
    assert data_dictionary.PAGE.read_text("utf-8") == data_dictionary.page(
        data_dictionary.stored()
    ), again


def test_what_is_not_described_is_refused():
    for name, column in (("final", "novelty"), ("novelties", "return")):
        result = Result({name: pd.DataFrame({column: [1]})}, {"question": "?"})
        with pytest.raises(KeyError, match="novelt"):
            data_dictionary.page({"study": result})


def test_a_description_of_one_table_goes_before_the_general_one():
    assert data_dictionary.describe("episodes", "return")[0] == "episodes.return"
    assert data_dictionary.describe("final", "return")[0] == "return"
