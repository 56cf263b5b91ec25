"""What an exercise asks for, and how a mistake becomes a sentence.

A check is a function of the learner's answers. It raises `Wrong` with a sentence that says what
is wrong and hints at why, never with the answer; or it returns a sentence on what was found.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

Mistakes = Sequence[tuple[float, str]]  # a wrong value, and what probably led to it

EMPTY = "is still empty: put your answer in place of the dots"


class Exercise(NamedTuple):
    """One exercise: the names of the answers, and the check that takes them in this order.

    A name that ends in ``()`` asks for a function.
    """

    asks: tuple[str, ...]
    check: Callable[..., str]


EXERCISES: dict[str, Exercise] = {}


def exercise(name: str, *asks: str):
    """Register the check that follows under ``chapter.name``."""

    def register(check):
        EXERCISES[name] = Exercise(asks, check)
        return check

    return register


class Wrong(Exception):
    """A sentence on what is wrong with an answer."""


def require(holds: bool, sentence: str) -> None:
    """Raise `Wrong` with `sentence` unless it holds."""
    if not holds:
        raise Wrong(sentence)


def name_of(function: Callable) -> str:
    """What the learner calls a function."""
    return getattr(function, "__name__", "your function")


def said(error: BaseException) -> str:
    """An error of the learner's code, as a part of a sentence."""
    text = " ".join(str(error).split())
    if isinstance(error, NotImplementedError) or "ellipsis" in text.lower():
        return "a line still holds the dots, or NotImplementedError: fill it in"
    return f"it stopped with {type(error).__name__}: {text}" if text else type(error).__name__


def run(function: Callable, *args, **kwargs):
    """Call the learner's function; an error in it becomes a sentence. Returns what it returns."""
    try:
        return function(*args, **kwargs)
    except Wrong:
        raise
    except (Exception, SystemExit) as error:
        raise Wrong(f"`{name_of(function)}` was called, and {said(error)}.") from error


def call(function: Callable, *args, **kwargs):
    """As `run`, for a function that must return something."""
    result = run(function, *args, **kwargs)
    require(
        result is not None and result is not ...,
        f"`{name_of(function)}` returned {'None' if result is None else 'the dots'}: is a line "
        "still to be filled in, or a `return` missing?",
    )
    return result


def call_for_array(function: Callable, *args) -> np.ndarray:
    """As `call`, for a function that must return an array of numbers."""
    result = call(function, *args)
    try:
        return np.asarray(result, float)
    except (TypeError, ValueError) as error:
        raise Wrong(
            f"`{name_of(function)}` should return an array, and it returned {result!r:.60}."
        ) from error


def number(value, name: str) -> float:
    """`value` as a finite float; a sentence where it is none."""
    require(value is not None and value is not ..., f"`{name}` {EMPTY}.")
    try:
        array = np.asarray(value.detach() if hasattr(value, "detach") else value)
        is_one = array.size == 1 and array.dtype.kind in "iuf"
    except (TypeError, ValueError, RuntimeError):
        is_one = False
    if not is_one:
        shape = getattr(value, "shape", None)
        kind = f"an array of shape {tuple(shape)}" if shape else f"{value!r:.60}"
        raise Wrong(f"`{name}` should be one number, and it is {kind}.")
    result = float(array.reshape(()) if array.ndim == 0 else array.ravel()[0])
    require(math.isfinite(result), f"`{name}` is {result}: no number can be compared with that.")
    return result


def expect(
    name: str,
    value,
    right: float,
    mistakes: Mistakes = (),
    otherwise: str = "",
    *,
    rel: float = 1e-3,
) -> None:
    """Raise `Wrong` unless `value` is `right`, with the hint of the mistake that it matches.

    Args:
        name: what the learner calls the value.
        value: the learner's number.
        right: the true one.
        mistakes: wrong values, each with a hint.
        otherwise: the hint for any other value.
        rel: tolerance, relative to the larger of the two.
    """
    value = number(value, name)
    if math.isclose(value, right, rel_tol=rel, abs_tol=1e-9):
        return
    for wrong, hint in mistakes:
        if math.isclose(value, wrong, rel_tol=rel, abs_tol=1e-9):
            raise Wrong(f"`{name}` is {value:.6g}. {hint}")
    side = "large" if value > right else "small"
    raise Wrong(f"`{name}` is {value:.6g}, which is too {side}. {otherwise}".rstrip())


def table(value, name: str, keys: Sequence) -> dict:
    """`value` as a dictionary with exactly these keys, each holding a number."""
    require(isinstance(value, dict), f"`{name}` should be a dictionary, and it is {value!r:.60}.")
    missing = [key for key in keys if key not in value]
    require(not missing, f"`{name}` has no entry for {', '.join(map(str, missing))}.")
    return {key: number(value[key], f"{name}[{key!r}]") for key in keys}
