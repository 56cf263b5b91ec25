"""What all experiments share: a live widget in a kernel, and HTML for every other reader."""

import html
import json

import anywidget
import traitlets

from rl_lab.course.experiments.static import asset_path, module_source, stylesheet


class Experiment(anywidget.AnyWidget):
    """An experiment that runs in the page.

    In a kernel it is a widget: its inputs can be set, and `state` says what the reader
    did. The notebook stores HTML that names the experiment and its inputs and tells in
    words what it shows; on the site a script puts the experiment in its place.

    A subclass sets the class attributes below and declares each input as a traitlet with
    ``.tag(sync=True)``; its value must have a JSON form. The drawing and the computing
    are in ``NAME.js`` (see `rl_lab.course.experiments.static`).

    Attributes:
        NAME: of the ES module.
        TITLE: a few words.
        SUMMARY: one or two sentences on what it shows and what to try: the text alternative.
        ASSETS: stored data sets that the experiment reads, by name.
        state: small dictionary that the page writes, for the kernel to read.
    """

    NAME = ""
    TITLE = ""
    SUMMARY = ""
    ASSETS: tuple[str, ...] = ()

    title = traitlets.Unicode().tag(sync=True)
    summary = traitlets.Unicode().tag(sync=True)
    assets = traitlets.Dict().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)

    def __init_subclass__(cls, **kwargs) -> None:
        if "NAME" in vars(cls):  # traitlets makes nameless subclasses of its own
            cls._esm, cls._css = module_source(cls.NAME), stylesheet()
        super().__init_subclass__(**kwargs)

    def __init__(self, **inputs) -> None:
        """Set inputs; the others keep their defaults.

        Raises:
            TypeError: if there is no such input.
            traitlets.TraitError: if a value is not one that the input takes.
        """
        known = self.input_names()
        if unknown := sorted(inputs.keys() - set(known)):
            raise TypeError(
                f"{type(self).__name__} has no input {unknown[0]!r}; "
                f"its inputs are: {', '.join(known) or 'none'}"
            )
        super().__init__(title=self.TITLE, summary=self.SUMMARY, **inputs)

    @traitlets.default("assets")
    def _read_assets(self) -> dict[str, bytes]:
        return {name: asset_path(name).read_bytes() for name in self.ASSETS}

    @classmethod
    def input_names(cls) -> list[str]:
        """Return the names of the inputs, in alphabetical order."""
        names = cls.class_traits(sync=True).keys() - Experiment.class_traits().keys()
        return sorted(name for name in names if not name.startswith("_"))

    def inputs(self) -> dict:
        """Return the inputs by name, in alphabetical order."""
        return {name: getattr(self, name) for name in self.input_names()}

    def html(self) -> str:
        """Return what the notebook stores: the same text for the same inputs."""
        attributes = {
            "class": "rl-experiment",
            "data-experiment": self.NAME,
            "data-title": self.TITLE,
            "data-assets": " ".join(self.ASSETS),
            "data-inputs": json.dumps(self.inputs(), sort_keys=True),
        }
        written = " ".join(f'{key}="{html.escape(text)}"' for key, text in attributes.items())
        return (
            f"<div {written}>\n"
            f"<p><strong>Experiment: {html.escape(self.TITLE)}.</strong> "
            f'<span class="rl-summary">{html.escape(self.SUMMARY)}</span></p>\n'
            "<p><em>It runs on this page of the course's site, and in a notebook whose cells "
            "have been run.</em></p>\n</div>"
        )

    def __repr__(self) -> str:
        listed = ", ".join(f"{name}={value!r}" for name, value in self.inputs().items())
        return f"{type(self).__name__}({listed})"

    def _repr_mimebundle_(self, **kwargs):
        data, metadata = super()._repr_mimebundle_(**kwargs)
        return data | {"text/html": self.html()}, metadata
