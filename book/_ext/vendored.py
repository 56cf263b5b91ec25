"""MathJax from its package, for the site and for the slides."""

import shutil
from importlib.metadata import distribution
from pathlib import Path

MATHJAX_PACKAGE = "sphinx-mathjax-offline"


def copy_mathjax(target: Path) -> None:
    """Copy the one script that sets formulas, and its fonts, to the folder `target`."""
    source = Path(distribution(MATHJAX_PACKAGE).locate_file(f"{MATHJAX_PACKAGE}/static/mathjax"))
    fonts = Path("output", "chtml", "fonts", "woff-v2")
    shutil.copytree(source / fonts, target / fonts, dirs_exist_ok=True)
    shutil.copy(source / "tex-chtml.js", target)
