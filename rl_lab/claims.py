"""Sentences of the book that are asserted by code."""


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
        TypeError: if `holds` is not one truth value (an array, say).
        ClaimFailed: if the claim does not hold.
    """
    try:
        true = bool(holds)
    except ValueError as error:
        raise TypeError(f"a claim needs one truth value, got {holds!r}; use .all()") from error
    if not true:
        values = "; ".join(f"{name} = {value}" for name, value in measured.items())
        raise ClaimFailed(f"{sentence} Measured: {values or 'nothing was passed'}")
    print(f"Checked: {sentence}")
