"""How long a page takes to read."""

import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

sys.path.insert(0, str(Path(__file__).parents[2] / "book" / "_ext"))

from reading import Reading, measure, tell

CODE = '<div class="cell_input"><div class="highlight"><pre>a = 1\nb = 2\n</pre></div></div>'
PAGE = f"""<main><article><section><h1>Rings <a class="headerlink">#</a></h1>
<p><strong>The question.</strong> What is kept?</p>
{CODE}<details>{CODE}</details>
<img src="ring.png"><form class="prediction"><p>Guess it.</p></form>
<section id="questions"><h2>Questions</h2><p>not counted at all</p></section>
<section id="exercises"><h2>Exercises</h2><p>nor this</p></section></section></article></main>"""


def test_what_stands_before_the_questions_is_counted_and_what_is_folded_is_not():
    found = measure(BeautifulSoup(PAGE, "html.parser"))
    assert found == Reading(words=8, code_lines=2, pictures=1, equations=0, predictions=1)
    assert Reading(1_000, 60, 3, 2, 1).minutes == 12  # 5 + 4 + 3


def test_only_chapters_are_measured():
    assert measure(BeautifulSoup("<article><h1>Notation</h1></article>", "html.parser")) is None


def test_a_page_says_its_own_minutes_once_and_those_of_others_where_asked():
    html = PAGE + '<article><span data-minutes-of="rings time"></span></article>'
    soup = BeautifulSoup(html, "html.parser")
    for _ in range(2):
        tell(soup, {"rings": 5, "time": 7}, "rings")
    assert [line.text for line in soup.select(".rl-reading")] == [
        "5 minutes to read, and the exercises"
    ]
    assert soup.select_one("[data-minutes-of]").text == "12"
    assert measure(soup).words == 8  # what was told is not counted
    with pytest.raises(ValueError, match="tides"):
        tell(BeautifulSoup('<p data-minutes-of="tides"></p>', "html.parser"), {}, "index")
