"""Keys are right by a computation of their own, for many seeds, and no answer is in the exam."""

import math
import re
import statistics
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "book" / "tools"))

from exam import draw, exam, main, questions

BOOK = Path(__file__).parents[2] / "book"
SEEDS = range(40)
POOL = {question.title: question for question in questions()}


def number(text) -> float:
    return float(str(text).replace(",", ""))


def wilson(k, n):
    """Wilson's interval from its formula."""
    z, p = 1.959964, k / n
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return middle - half, middle + half


def refreshes(v):
    """Count updates and copies step by step."""
    updates = copies = 0
    for step in range(1, int(number(v["steps"])) + 1):
        if step > number(v["warm"]) and (step - number(v["warm"])) % v["every"] == 0:
            updates += 1
            copies += updates % v["period"] == 0
    return {"updates": updates, "copies": copies, "between": v["every"] * v["period"]}


def ring(v):
    """Push into a list."""
    slots = [None] * v["n"]
    for index in range(v["k"]):
        slots[index % v["n"]] = index
    ages = [v["k"] - 1 - index for index in slots]
    newest = slots.index(v["k"] - 1)
    return {"slot": newest, "oldest": min(slots), "age": statistics.mean(ages)}


def update(v):
    y = v["r"] + v["gamma"] * max(v["next"])
    new = (1 - v["alpha"]) * v["q"] + v["alpha"] * y
    return {
        "y": y,
        "error": y - v["q"],
        "new": new,
        "new_end": (1 - v["alpha"]) * v["q"] + v["alpha"] * v["r"],
    }


def three(v):
    bootstrap = v["gamma"] * max(v["next"])
    return {"y_on": v["r"] + bootstrap, "y_end": v["r"], "y_cut": v["r"] + bootstrap}


def double(v):
    chosen = v["target"][v["online"].index(max(v["online"]))]
    return {"y": v["r"] + v["gamma"] * max(v["target"]), "y_double": v["r"] + v["gamma"] * chosen}


def backwards(v):
    """The return of n steps, from its end."""
    values = {}
    for name, steps, last in (("y", 3, v["value"]), ("y_end", 2, 0), ("y_cut", 2, v["value2"])):
        for reward in reversed(v["rewards"][:steps]):
            last = reward + v["gamma"] * last
        values[name] = last
    return values


def interval(v):
    (low, high), (low2, high2) = wilson(v["k"], v["n"]), wilson(v["k2"], v["n"])
    return {"low": low, "high": high, "low2": low2, "high2": high2, "share": v["k"] / v["n"]}


def factorial(v):
    """Main effects as differences of means, the interaction as a contrast."""
    a, b, c, d = v["neither"], v["replay"], v["target"], v["both"]
    return {
        "effect_replay": (b + d) / 2 - (a + c) / 2,
        "effect_target": (c + d) / 2 - (a + b) / 2,
        "interaction": a - b - c + d,
    }


def geometric(v):
    gamma = v["gamma"]
    return {
        "forever": sum(gamma**i for i in range(5_000)),
        "cut": (1 - gamma ** v["k"]) / (1 - gamma),
        "half": math.floor(math.log(0.5) / math.log(gamma)) + 1,
    }


def schedule(v):
    share = number(v["t"]) / number(v["n"])
    return {
        "linear": (1 - share) + share * v["end"],
        "episodes": math.ceil(math.log(v["end"]) / math.log(v["rate"])),
        "against": v["end"] / 2,
    }


INDEPENDENT = {
    "Counting a table": lambda v: {
        "entries": math.prod([v["b"]] * v["d"]) * v["a"],
        "entries2": 2 ** v["d"] * number(v["entries"]),
    },
    "One Q-learning update": update,
    "Two states": lambda v: {"threshold": 1 / (1.2 - 0.8 * v["eps"])},
    "The memory of a replay buffer": lambda v: {
        "small": number(v["n"]) * (4 * (v["d"] + v["d"] + 1 + 1) + 8 + 1),
        "large": number(v["n"]) * 56_465,
    },
    "What the ring keeps": ring,
    "Three endings": three,
    "Refreshing a target network": refreshes,
    "An exploration schedule": schedule,
    "The size of values": geometric,
    "Double DQN": double,
    "A return of n steps": backwards,
    "The maximum of noise": lambda v: {"mean": v["w"] * (1 - 2 / (v["m"] + 1))},
    "A share and its interval": interval,
    "Means of seeds": lambda v: {
        "mean": statistics.mean(v["returns"]),
        "iqm": statistics.mean(sorted(v["returns"])[2:6]),
    },
    "Two effects and an interaction": factorial,
    "Reading a curve": lambda v: {
        "best": sorted(v["scores"])[-1],
        "final": v["scores"][7],
        "mean": statistics.mean(v["scores"]),
    },
}


def test_every_question_with_numbers_is_computed_twice():
    assert POOL.keys() - INDEPENDENT.keys() == {"A symptom"}


@pytest.mark.parametrize("title", INDEPENDENT)
def test_the_key_is_right(title):
    shown = 0
    for seed in SEEDS:
        values = draw(POOL[title], seed)
        for name, expected in INDEPENDENT[title](values).items():
            assert number(values[name]) == pytest.approx(expected, rel=1e-4, abs=6e-3), (seed, name)
            shown += f"{{{{ {name} }}}}" in POOL[title].key
    assert shown  # and the key has what was computed


def top(values):
    """The place of the largest value, which has to be the only one."""
    assert values.count(max(values)) == 1
    return values.index(max(values))


# What makes a question one: different answers where it asks for two, and one right answer.
ASKS = {
    "One Q-learning update": lambda v: v["error"] and v["new"] != v["new_end"] != v["q"],
    "Two states": lambda v: 0 < v["gamma"] < 1 and abs(v["gamma"] - float(v["threshold"])) > 0.02,
    "Three endings": lambda v: v["y_on"] != v["y_end"],
    "The size of values": lambda v: v["forever"] > v["cut"],
    "Double DQN": lambda v: top(v["online"]) != top(v["target"]) and v["y"] > v["y_double"],
    "A return of n steps": lambda v: len({v["y"], v["y_end"], v["y_cut"]}) == 3,
    "A share and its interval": lambda v: v["k"] > v["k2"] > 0,
    "Means of seeds": lambda v: v["mean"] != v["iqm"],
    "Two effects and an interaction": lambda v: v["interaction"] and v["with"] and v["without"],
    "Reading a curve": lambda v: v["best"] != v["final"] and v["best"] > v["mean"],
}


@pytest.mark.parametrize("title", ASKS)
def test_no_seed_makes_a_question_pointless(title):
    assert [seed for seed in range(300) if not ASKS[title](draw(POOL[title], seed))] == []


def test_verdicts_follow_from_the_numbers():
    for seed in SEEDS:
        states = draw(POOL["Two states"], seed)
        diverges = states["gamma"] * (6 - 4 * states["eps"]) > 5
        assert states["verdict"] == ("it diverges" if diverges else "it does not diverge")
        shares = draw(POOL["A share and its interval"], seed)
        apart = wilson(shares["k"], shares["n"])[0] > wilson(shares["k2"], shares["n"])[1]
        assert shares["overlap"] == ("do not overlap" if apart else "overlap")


def test_a_seed_is_an_exam_and_points_add_up():
    assert exam(7) == exam(7) and exam(7) != exam(8)
    paper, key = exam(7)
    heads = re.findall(r"^## .*", paper, re.M)
    assert heads == re.findall(r"^## .*", key, re.M) and len(heads) == len(POOL)
    total = sum(int(re.search(r"\((\d+) points", head)[1]) for head in heads)
    assert f"{total} points." in paper and "**" not in paper
    assert len(re.findall(r"^## ", exam(7, 8)[0], re.M)) == 8


def test_the_points_of_a_key_are_those_of_its_question():
    for title, question in POOL.items():
        if title not in {"Three endings", "Double DQN"}:  # several in one pair of brackets
            given = re.findall(r"\((\d+) points?", question.key)
            assert sum(map(int, given)) == question.points, title


def test_a_number_that_is_none_is_refused(tmp_path):
    for wrong in ([], [""], ["seven"], ["7", "x"], ["7", "3", "2"]):
        with pytest.raises(SystemExit, match="make exam SEED=7"):
            main(wrong, tmp_path)
    for wrong in ("99", "0"):
        with pytest.raises(SystemExit, match=f"QUESTIONS is {wrong}; there are"):
            main(["7", wrong], tmp_path)
    main(["7", "3"], tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"exam-7.md", "key-7.md"}
    assert all(path.read_text().endswith("\n") for path in tmp_path.iterdir())
