"""What the site needs beyond Jupyter Book's settings.

* `rl_lab` can be imported by autodoc from this checkout;
* launch buttons and links follow the repository that the site is built from;
* equations are set by the site's own copy of MathJax;
* ``films/NAME.mp4`` in a page's HTML finds its film, as it does in the notebook;
* every finished page is lightened, named for screen readers and given its experiments (pages.py);
* each page is there as plain text, too, with what search engines ask for (machines.py);
* the bibliography is sorted by author and year, as the text cites.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from machines import PREVIEW, pages_address, write_for_machines
from pages import mend_pages
from pybtex.plugin import register_plugin
from pybtex.style.formatting.plain import Style as PlainStyle
from pybtex.style.labels import BaseLabelStyle
from pybtex.style.sorting.author_year_title import SortingStyle
from sphinx.util import logging
from vendored import copy_mathjax

logger = logging.getLogger(__name__)


def github_url(address: str) -> str | None:
    """The https address of a GitHub repository, from any form git knows; None for others."""
    found = re.fullmatch(
        r"(?:https://(?:[^@/]+@)?|ssh://git@|git@)github\.com[/:]([\w.-]+/[\w.-]+?)(?:\.git)?/?",
        address.strip(),
    )
    return f"https://github.com/{found[1]}" if found else None


def repository_url(srcdir: Path) -> str | None:
    """Where this site comes from: a variable, GitHub's own, or the git remote."""
    remote = subprocess.run(
        ["git", "-C", str(srcdir), "remote", "get-url", "origin"],
        capture_output=True,
        text=True,
        check=False,
    )
    on_actions = os.environ.get("GITHUB_REPOSITORY", "")
    candidates = (
        os.environ.get("BOOK_REPOSITORY_URL", ""),
        f"https://github.com/{on_actions}" if on_actions else "",
        remote.stdout,
    )
    return next((url for address in candidates if (url := github_url(address))), None)


def follow_repository(app, config) -> None:
    """Point every button at the repository, and give pages ``{{ repository }}``."""
    options = config.html_theme_options
    url = repository_url(Path(app.srcdir))
    if url is None:
        logger.info(
            "no GitHub remote: the launch buttons hold the placeholder %s",
            options["repository_url"],
        )
    else:
        options["repository_url"] = url
    # Where the site is shown: a variable, or GitHub Pages; unknown where neither tells.
    base = os.environ.get("BOOK_URL", "") or pages_address(url)
    if base:
        config.html_baseurl = config.ogp_site_url = f"{base.rstrip('/')}/"
        config.ogp_image = f"{config.ogp_site_url}{PREVIEW.as_posix()}"
        config.ogp_image_alt = "A cart that balances a pole, beside the title of the course"
    config.myst_substitutions = {
        **config.myst_substitutions,
        "repository": options["repository_url"],
    }


def drop_idle_scripts(app, pagename, templatename, context, doctree) -> None:
    """Leave out the scripts of sphinx-thebe, which clash with themselves; see live.py."""
    context["script_files"] = [
        script
        for script in context["script_files"]
        if "live.js" in str(script) or "thebe" not in str(script).lower()
    ]


def forget_listings(app) -> None:
    """Write the library's source anew: Sphinx keeps listings of unchanged modules as they are."""
    shutil.rmtree(Path(app.outdir, "_modules"), ignore_errors=True)


def finish(app, error) -> None:
    """Complete the site that Sphinx has written."""
    if error is not None or app.builder.format != "html":
        return
    copy_files(app)
    mend_pages(Path(app.outdir))
    write_for_machines(app)


def copy_files(app) -> None:
    """Put the installed MathJax where `mathjax_path` says it is, and the films beside the pages."""
    copy_mathjax(Path(app.outdir, "_static", "mathjax"))
    films = Path(app.outdir, "book", "films")
    films.mkdir(parents=True, exist_ok=True)
    for film in Path(app.srcdir, "book", "films").glob("*.mp4"):
        shutil.copy(film, films)
        shutil.copy(film.with_suffix(".png"), films)  # its poster
    # The theme's icons, in whose place icons.css draws, and maps for its developers.
    static = Path(app.outdir, "_static")
    shutil.rmtree(static / "vendor" / "fontawesome", ignore_errors=True)
    for file in {*static.rglob("*.map"), *static.rglob("fontawesome.js*")}:
        file.unlink()


class NoLabels(BaseLabelStyle):
    """Keys as labels; course.css hides them, since the text cites by author and year."""

    def format_labels(self, sorted_entries):
        """Return one label an entry."""
        return (entry.key for entry in sorted_entries)


class CourseStyle(PlainStyle):
    """References ordered by author and year."""

    default_label_style = NoLabels
    default_sorting_style = SortingStyle


def setup(app):
    """Called by Sphinx."""
    sys.path.insert(0, str(app.srcdir))
    register_plugin("pybtex.style.formatting", "course_plain", CourseStyle)
    app.connect("config-inited", follow_repository)
    app.connect("html-page-context", drop_idle_scripts, priority=900)
    app.connect("builder-inited", forget_listings)
    app.connect("build-finished", finish, priority=900)  # the theme has its own last steps
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
