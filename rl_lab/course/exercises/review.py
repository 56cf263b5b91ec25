"""`review` looks at an answer and says in a sentence what it found."""

from difflib import get_close_matches

from rl_lab.course.exercises import (
    ablation,
    better_memory,
    cartpole,
    debugging,
    distributional,
    double_dqn,
    dueling,
    luck,
    lunar_lander,
    naive_network,
    noisy_networks,
    pixels,
    rainbow,
    replay,
    tabular_limits,
    takeaways,
    target_network,
    time_limits,
    write_dqn,
    your_environment,
)
from rl_lab.course.exercises.answers import EMPTY, EXERCISES, Wrong, said

CHAPTERS = (  # each registers its exercises in EXERCISES
    tabular_limits,
    naive_network,
    replay,
    time_limits,
    target_network,
    cartpole,
    write_dqn,
    debugging,
    your_environment,
    luck,
    lunar_lander,
    ablation,
    takeaways,
    double_dqn,
    dueling,
    better_memory,
    distributional,
    noisy_networks,
    rainbow,
    pixels,
)


class Verdict(str):
    """A sentence on an answer, shown without quotes.

    Attributes:
        passed: whether the answer is right.
    """

    passed: bool

    def __new__(cls, sentence: str, passed: bool):
        """The sentence is the string itself."""
        verdict = super().__new__(cls, sentence)
        verdict.passed = passed
        return verdict

    def __repr__(self) -> str:
        return str(self)


def review(name: str, *answers) -> Verdict:
    """Return a sentence on the answers to an exercise, and whether they are right.

    The same answers get the same sentence every time. A mistake in the learner's code raises
    nothing here: an error in it, a wrong type or shape is part of the sentence. A loop without end
    is stopped as in any cell, by the learner or by the time limit of whoever executes the notebook.

    Args:
        name: the exercise, such as ``"replay.twins"``.
        answers: what the exercise asks for: numbers, lists, functions or classes.
    """
    if name not in EXERCISES:
        near = get_close_matches(str(name), EXERCISES, n=1, cutoff=0)
        return Verdict(f"Not yet: there is no exercise {name!r}. Is it {near[0]!r}?", False)
    asks, check = EXERCISES[name]
    try:
        _require_complete(name, asks, answers)
        return Verdict(f"Right: {check(*answers)}", True)
    except Wrong as wrong:
        return Verdict(f"Not yet: {wrong}", False)
    except Exception as error:  # an answer of a kind that no check thought of
        return Verdict(f"Not yet: your answer could not be used; {said(error)}.", False)


def _require_complete(name: str, asks: tuple[str, ...], answers: tuple) -> None:
    """Raise `Wrong` where an answer is missing, left out or of the wrong kind."""
    if len(answers) != len(asks):
        raise Wrong(
            f"{name} asks for {len(asks)} answer{'s' * (len(asks) > 1)} ({', '.join(asks)}), "
            f"and was given {len(answers)}."
        )
    for ask, answer in zip(asks, answers, strict=True):
        if answer is None or answer is ...:
            raise Wrong(f"`{ask.removesuffix('()')}` {EMPTY}.")
        if ask.endswith("()") and not callable(answer):
            raise Wrong(
                f"`{ask.removesuffix('()')}` should be a function, and it is {answer!r:.60}. "
                "Pass its name alone, without parentheses behind it."
            )
