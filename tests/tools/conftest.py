"""What the tests of directives share."""

import io
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parents[2] / "book" / "_ext"))


@pytest.fixture
def built_page(tmp_path):
    """Build a page with one extension of the book; returns it and what Sphinx complains of."""

    def build(extension, text):
        (tmp_path / "index.md").write_text(f"# Title\n\n{text}", encoding="utf-8")
        settings = {"extensions": ["myst_parser", extension]}
        settings["myst_enable_extensions"] = ["colon_fence"]
        # Not Sphinx's own default, a dictionary that other builds of this process have written to.
        settings["source_suffix"] = {".md": "markdown"}
        said = io.StringIO()
        site, trees = tmp_path / "site", tmp_path / "trees"
        Sphinx(tmp_path, None, site, trees, "html", settings, None, said).build()
        page = (site / "index.html").read_text(encoding="utf-8")
        # Sphinx says so of its own nodes where a process builds twice.
        about_us = [
            line for line in said.getvalue().splitlines() if "already registered" not in line
        ]
        return BeautifulSoup(page, "html.parser"), "\n".join(about_us)

    return build
