"""Sentences of the book that are asserted by code."""

import numpy as np


class ClaimFailed(AssertionError):
    """A sentence of the book is not true of this run."""


def check(sentence: str, holds: bool, **measured) -> None:
    """Print `sentence` if it holds, and raise with what was measured if it does not.

    The sentence is the same on every machine, so it may hold digits only where
    every processor gives the same ones. What was measured appears only in the
    error.

    Args:
        sentence: the claim, as the reader sees it.
        holds: whether it is true of the data at hand.
        measured: values to show where it is not, by name.

    Raises:
        TypeError: if `holds` is not a bool (an array, say, or a number, which would
            always hold).
        ClaimFailed: if the claim does not hold.
    """
    if not isinstance(holds, bool | np.bool_):
        raise TypeError(f"a claim needs True or False, got {holds!r}; compare it, or use .all()")
    if not holds:
        values = "; ".join(f"{name} = {value}" for name, value in measured.items())
        raise ClaimFailed(f"{sentence} Measured: {values or 'nothing was passed'}")
    print(f"Checked: {sentence}")
