"""Controls that run a chapter's own code, where a kernel runs; a sentence where none does."""

from collections.abc import Callable
from html import escape

import ipywidgets


class Interactive:
    """`ipywidgets.interactive` with a button, and HTML that stands in for it on a static page.

    Nothing is computed before the button is pressed.

    Args:
        function: called with the values of the controls; what it prints or draws is shown.
        what: says what the controls do; completes "With a running kernel you can ...".
        controls: as `ipywidgets.interact` takes them: ``k=(1, 30)``, ``arm=["a", "b"]``.

    Raises:
        ValueError: if an argument of `function` has no control that ipywidgets knows.
    """

    def __init__(self, function: Callable, what: str, **controls) -> None:
        self.what = what
        options = {"manual": True, "manual_name": "Run"}
        self.box = ipywidgets.interactive(function, options, **controls)

    def __repr__(self) -> str:
        return f"With a running kernel you can {self.what}."

    def _repr_mimebundle_(self, **kwargs) -> dict[str, str]:
        return {
            **self.box._repr_mimebundle_(**kwargs),
            "text/plain": repr(self),
            # The site puts links in the place of what is in `rl-launch`.
            "text/html": (
                f'<div class="rl-live"><p><strong>Live.</strong> {escape(repr(self))} '
                'This page has no kernel: <span class="rl-launch">start one with the rocket button '
                "at the top of the page on the course's site</span>, or open the chapter's "
                "notebook on your own machine and run it.</p></div>"
            ),
        }
