"""An exam and its key, apart: ``make exam SEED=7``.

The questions stand in book/template/exam.md. Each has a function here that draws its numbers from
the seed and computes the answers, with the library where it has what is asked. The same seed gives
the same exam; another one the same questions with other numbers.
"""

import random
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from jinja2 import Environment, StrictUndefined

from rl_lab.losses import td_targets
from rl_lab.replay import Batch
from rl_lab.stats import iqm, share_ci

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "book" / "template" / "exam.md"
USAGE = "say which exam: make exam SEED=7, or with fewer questions SEED=7 QUESTIONS=8"
RUBRIC = """\
- A right result without the way to it: half of its points. A slip in arithmetic costs one point, \
once; what follows from the wrong number is right if it follows.
- Two decimals are enough.
- A sentence that is asked for earns its points by its reason, not by the word in the key.
"""


@dataclass
class Question:
    """A question: its title, its chapter, its points, and the two texts with places for numbers."""

    title: str
    chapter: str
    points: int
    text: str
    key: str


def questions() -> list[Question]:
    """The questions in the order of the chapters."""
    found = []
    for block in re.split(r"^## ", TEMPLATES.read_text("utf-8"), flags=re.M)[1:]:
        head, _, body = block.partition("\n")
        title, chapter, points = (part.strip() for part in head.split("|"))
        text, key = body.split("\n---\n")
        found.append(Question(title, chapter, int(points), text.strip(), key.strip()))
    return found


def targets(rewards, gamma, next_values, dones, online=None) -> list[float]:
    """The library's targets; `next_values` are those of the target network, a row each."""
    rows, zeros = torch.tensor(next_values), torch.zeros(len(rewards))
    batch = Batch(
        zeros,
        zeros,
        torch.tensor(rewards),
        rows,
        torch.tensor(dones),
        torch.full_like(zeros, gamma),
    )
    chooser = torch.tensor(online if online else next_values)
    y = td_targets(lambda _: chooser, lambda values: values, batch, double=online is not None)
    return [round(value, 4) for value in y.tolist()]


def counting_a_table(rng):
    b, d, a = rng.randint(4, 9), rng.randint(3, 5), rng.randint(2, 4)
    big = f"{(2 * b) ** d * a:,}"
    return {"b": b, "d": d, "a": a, "b2": 2 * b, "entries": f"{b**d * a:,}", "entries2": big}


def one_q_learning_update(rng):
    q, r = float(rng.randint(2, 9)), float(rng.randint(-3, 3))
    alpha, gamma = rng.choice([0.1, 0.2, 0.5]), rng.choice([0.8, 0.9])
    values = [float(rng.randint(-5, 12)) for _ in range(3)]
    y, end = targets([r, r], gamma, [values, values], [0.0, 1.0])
    new, new_end = (round(q + alpha * (target - q), 4) for target in (y, end))
    words = {"q": q, "r": r, "alpha": alpha, "gamma": gamma, "next": values}
    return words | {"y": y, "error": round(y - q, 4), "new": new, "new_end": new_end}


def two_states(rng):
    eps = rng.choice([0.05, 0.1, 0.15, 0.2])
    threshold = 5 / (6 - 4 * eps)
    gamma = round(threshold + rng.choice([-0.03, 0.03]), 3)
    verdict = "it diverges" if gamma > threshold else "it does not diverge"
    return {"eps": eps, "gamma": gamma, "threshold": f"{threshold:.3f}", "verdict": verdict}


def the_memory_of_a_replay_buffer(rng):
    n, d = 10_000 * rng.randint(1, 20), rng.randint(3, 12)
    small, large = n * (8 * d + 17), n * (2 * 84 * 84 * 4 + 17)
    return {"n": f"{n:,}", "d": d, "small": f"{small:,}", "large": f"{large:,}"}


def what_the_ring_keeps(rng):
    n = rng.randint(5, 40)
    k = n * rng.randint(2, 5) + rng.randint(1, n - 1)
    return {"n": n, "k": k, "slot": (k - 1) % n, "oldest": k - n, "age": (n - 1) / 2}


def three_endings(rng):
    gamma, r = rng.choice([0.9, 0.95, 0.99]), float(rng.randint(1, 3))
    values = [float(rng.randint(5, 40)) for _ in range(2)]
    on, end, cut = targets([r] * 3, gamma, [values] * 3, [0.0, 1.0, 0.0])
    words = {"gamma": gamma, "r": r, "next": values}
    return words | {"y_on": on, "y_end": end, "y_cut": cut}


def refreshing_a_target_network(rng):
    every, warm = rng.choice([2, 4, 5]), 1_000 * rng.randint(1, 4)
    updates, period = 1_000 * rng.randint(5, 20), rng.choice([50, 100, 250, 500])
    return {
        "steps": f"{warm + every * updates:,}",
        "warm": f"{warm:,}",
        "every": every,
        "period": period,
        "updates": f"{updates:,}",
        "copies": updates // period,
        "between": f"{every * period:,}",
    }


def an_exploration_schedule(rng):
    end, rate = rng.choice([0.02, 0.05, 0.1]), rng.choice([0.98, 0.99, 0.995])
    n = 1_000 * rng.randint(5, 20)
    t = n * rng.randint(1, 9) // 10
    epsilon, episodes = 1.0, 0
    while epsilon > end:
        epsilon, episodes = epsilon * rate, episodes + 1
    words = {"end": end, "rate": rate, "n": f"{n:,}", "t": f"{t:,}"}
    linear = round(1 + (end - 1) * t / n, 4)
    return words | {"linear": linear, "episodes": episodes, "against": round(end / 2, 4)}


def the_size_of_values(rng):
    gamma, k = rng.choice([0.9, 0.95, 0.98, 0.99]), rng.choice([5, 10, 20, 50])
    cut = sum(gamma**step for step in range(k))
    half = next(step for step in range(100) if gamma**step < 0.5)
    forever = round(1 / (1 - gamma), 2)
    return {"gamma": gamma, "k": k, "forever": forever, "cut": round(cut, 2), "half": half}


def double_dqn(rng):
    gamma, r = rng.choice([0.9, 0.99]), float(rng.randint(-2, 2))
    online, target = (rng.sample([float(i) for i in range(1, 20)], 3) for _ in range(2))
    (y,) = targets([r], gamma, [target], [0.0])
    (y_double,) = targets([r], gamma, [target], [0.0], [online])
    words = {"gamma": gamma, "r": r, "online": online, "target": target}
    return words | {"y": y, "y_double": y_double}


def a_return_of_n_steps(rng):
    gamma, rewards = rng.choice([0.5, 0.8, 0.9]), [rng.randint(-2, 4) for _ in range(3)]
    value, value2 = rng.randint(5, 20), rng.randint(5, 20)
    end = rewards[0] + gamma * rewards[1]
    y = end + gamma**2 * rewards[2] + gamma**3 * value
    words = {"gamma": gamma, "rewards": rewards, "value": value, "value2": value2}
    results = {"y": y, "y_end": end, "y_cut": end + gamma**2 * value2}
    return words | {name: round(number, 4) for name, number in results.items()}


def the_maximum_of_noise(rng):
    m, w = rng.randint(2, 10), rng.randint(1, 5)
    return {"m": m, "w": w, "mean": round(w * (m - 1) / (m + 1), 3)}


def a_share_and_its_interval(rng):
    n = rng.choice([10, 20, 30])
    k, k2 = sorted(rng.sample(range(1, n), 2), reverse=True)
    (low, high), (low2, high2) = (
        share_ci([True] * hits + [False] * (n - hits)) for hits in (k, k2)
    )
    shown = {"low": low, "high": high, "low2": low2, "high2": high2, "share": k / n}
    overlap = "overlap" if low <= high2 else "do not overlap"
    words = {name: f"{number:.2f}" for name, number in shown.items()}
    return words | {"n": n, "k": k, "k2": k2, "overlap": overlap}


def means_of_seeds(rng):
    returns = [500, 500, *(rng.randint(20, 499) for _ in range(6))]
    rng.shuffle(returns)
    return {
        "returns": returns,
        "mean": round(sum(returns) / 8, 2),
        "iqm": round(float(iqm(returns)), 2),
    }


def two_effects_and_an_interaction(rng):
    neither, replay, target, both = (2 * rng.randint(50, 250) for _ in range(4))
    with_, without = both - replay, target - neither
    return {
        "neither": neither,
        "replay": replay,
        "target": target,
        "both": both,
        "effect_replay": (replay - neither + both - target) / 2,
        "effect_target": (with_ + without) / 2,
        "interaction": with_ - without,
        "with": with_,
        "without": without,
    }


def reading_a_curve(rng):
    scores = [rng.randint(-250, -100), *(rng.randint(-50, 280) for _ in range(7))]
    final, mean = scores[-1], round(sum(scores) / len(scores), 2)
    return {"scores": scores, "best": max(scores), "final": final, "mean": mean}


SYMPTOMS = [
    (
        "Values climb by a constant factor at every copy of the target, far above the largest "
        "possible return, and the return stays that of a random player.",
        "The terminal mask is missing: the bootstrap is kept at the end of an episode",
        "One terminal transition through the loss: its target must be the reward alone",
    ),
    (
        "Values stay below 40 on CartPole with a discount of 0.99, although episodes reach the "
        "limit of 50 steps that the wrapper sets.",
        "A time limit is stored as terminal",
        "An environment that is truncated after three steps: no stored flag may be 1",
    ),
    (
        "The loss falls to almost 0 within 200 updates, and the return never leaves that of a "
        "random player. The buffer holds one distinct reward, 0.",
        "Exploration never meets the reward, so that 0 is the right value for all that is stored",
        "Count the rewards in a buffer of random play; then a start next to the goal",
    ),
    (
        "With the learning rate at its usual value the output of the network is the same for all "
        "states, to six digits, after the first thousand updates.",
        "Dead units, from inputs or a learning rate far out of scale",
        "The standard deviation of each input, and the share of units that are 0 for a whole batch",
    ),
]


def a_symptom(rng):
    symptom, suspect, proof = rng.choice(SYMPTOMS)
    return {"symptom": symptom, "suspect": suspect, "proof": proof}


# What a question asks to tell apart. Numbers that make two of these equal are drawn again.
APART = {
    "one_q_learning_update": lambda v: (v["q"], v["y"], v["r"]),
    "double_dqn": lambda v: (v["y"], v["y_double"]),
    "a_return_of_n_steps": lambda v: (v["y"], v["y_end"], v["y_cut"]),
    "means_of_seeds": lambda v: (v["mean"], v["iqm"]),
    "two_effects_and_an_interaction": lambda v: (v["with"], v["without"], 0),
    "reading_a_curve": lambda v: (v["best"], v["final"], v["mean"]),
}


def draw(question: Question, seed: int) -> dict:
    """The numbers of a question in the exam of a seed, and its answers."""
    name = re.sub(r"\W+", "_", question.title.lower())
    rng = random.Random(f"{seed} {name}")
    while True:
        numbers = globals()[name](rng)
        apart = APART[name](numbers) if name in APART else ()
        if len(set(apart)) == len(apart):
            return numbers


def exam(seed: int, count: int | None = None) -> tuple[str, str]:
    """The exam and the key of a seed, in Markdown; `count` questions, or all."""
    pool = questions()
    if count is not None and not 1 <= count <= len(pool):
        raise ValueError(f"QUESTIONS is {count}; there are {len(pool)}, so take 1 to {len(pool)}")
    picked = random.Random(f"{seed}").sample(range(len(pool)), count) if count else range(len(pool))
    asked = [pool[index] for index in sorted(picked)]
    total = sum(question.points for question in asked)
    paper = [f"# Deep Q-networks: exam {seed}", f"{total} points. Show how you get your results."]
    key = [f"# Deep Q-networks: key to exam {seed}", f"{total} points.", RUBRIC.strip()]
    words = Environment(undefined=StrictUndefined, autoescape=False)
    for number, question in enumerate(asked, start=1):
        numbers = draw(question, seed)
        head = f"## {number}. {question.title} ({question.points} points)"
        paper += [head, words.from_string(question.text).render(numbers)]
        answer = words.from_string(question.key).render(numbers)
        key += [head, f"Chapter: `{question.chapter}`.", answer]
    return "\n\n".join(paper) + "\n", "\n\n".join(key) + "\n"


def main(arguments: list[str], folder: Path) -> None:
    """Write both."""
    if not 1 <= len(arguments) <= 2 or not all(word.isdecimal() for word in arguments):
        sys.exit(USAGE)
    try:
        paper, key = exam(*map(int, arguments))
    except ValueError as error:
        sys.exit(str(error))
    folder.mkdir(parents=True, exist_ok=True)
    for kind, text in (("exam", paper), ("key", key)):
        (folder / f"{kind}-{arguments[0]}.md").write_text(text, encoding="utf-8")
    print(f"{folder}: exam-{arguments[0]}.md for the class, key-{arguments[0]}.md for you")


if __name__ == "__main__":
    main(sys.argv[1:], ROOT / "_build" / "exam")
