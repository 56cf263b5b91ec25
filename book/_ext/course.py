"""What the site needs beyond Jupyter Book's settings.

* `rl_lab` can be imported by autodoc from this checkout;
* launch buttons and links follow the repository that the site is built from;
* equations are set by the site's own copy of MathJax;
* ``videos/NAME.mp4`` in a page's HTML finds its video, as it does in the notebook;
* every finished page is lightened, named for screen readers and given its experiments (pages.py);
* the bibliography is sorted by author and year, as the text cites.
"""

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

from pages import mend_pages
from pybtex.plugin import register_plugin
from pybtex.style.formatting.plain import Style as PlainStyle
from pybtex.style.labels import BaseLabelStyle
from pybtex.style.sorting.author_year_title import SortingStyle

MATHJAX = "sphinx-mathjax-offline"


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


def pages_address(repository: str | None) -> str | None:
    """Where GitHub shows the site of a repository, with a slash at its end."""
    if repository is None:
        return None
    owner, name = repository.lower().removeprefix("https://github.com/").split("/")
    host = f"{owner}.github.io"
    return f"https://{host}/" if name == host else f"https://{host}/{name}/"


def follow_repository(app, config) -> None:
    """Point every button at the repository, and give pages ``{{ repository }}``."""
    options = config.html_theme_options
    url = repository_url(Path(app.srcdir))
    if url is not None:
        options["repository_url"] = url
    # Where the site is shown: a variable, or GitHub Pages; unknown where neither tells.
    base = os.environ.get("BOOK_URL", "") or pages_address(url)
    if base:
        config.html_baseurl = config.ogp_site_url = f"{base.rstrip('/')}/"
    config.myst_substitutions = {
        **config.myst_substitutions,
        "repository": options["repository_url"],
    }


def drop_idle_scripts(app, pagename, templatename, context, doctree) -> None:
    """Leave out scripts and styles of sphinx-thebe: they clash with themselves; see live.py."""
    context["css_files"] = [
        sheet for sheet in context["css_files"] if "sphinx-thebe" not in str(sheet.filename)
    ]
    context["script_files"] = [
        script
        for script in context["script_files"]
        if "live.js" in str(script) or "thebe" not in str(script).lower()
    ]


def forget_old(app) -> None:
    """Remove what Sphinx would leave as it was: the whole book in one file, which may hold
    solutions that this site must not, and listings of the library's unchanged modules."""
    shutil.rmtree(Path(app.outdir, "_modules"), ignore_errors=True)
    for file in Path(app.outdir).glob("deep-q-networks.*"):  # by book/tools/whole.py
        file.unlink()


def finish(app, error) -> None:
    """Complete the site that Sphinx has written."""
    if error is not None or app.builder.format != "html":
        return
    copy_files(app)
    mend_pages(Path(app.outdir))


def copy_files(app) -> None:
    """Put MathJax where `mathjax_path` says it is, and the videos beside the pages."""
    source = Path(distribution(MATHJAX).locate_file(f"{MATHJAX}/static/mathjax"))
    target, fonts = Path(app.outdir, "_static", "mathjax"), "output/chtml/fonts/woff-v2"
    shutil.copytree(source / fonts, target / fonts, dirs_exist_ok=True)
    shutil.copy(source / "tex-chtml.js", target)
    videos = Path(app.outdir, "book", "videos")
    videos.mkdir(parents=True, exist_ok=True)
    for video in Path(app.srcdir, "book", "videos").glob("*.mp4"):
        shutil.copy(video, videos)
        shutil.copy(video.with_suffix(".png"), videos)  # its poster
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
    app.connect("builder-inited", forget_old)
    app.connect("build-finished", finish, priority=900)  # the theme has its own last steps
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
