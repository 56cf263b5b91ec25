"""Where a page can be run, edited and taken from: all of it follows the place it is built from.

* The repository is that of course.py; the ref is the branch or tag that is built. Launch buttons,
  edit links, ``{{ ref }}``, ``{{ install }}`` and ``{{ bibtex }}`` in a page's text, and the first
  cell of the notebooks that readers download lead there. A fork changes no file. Where the
  repository is not known, the pages have no such buttons.
* Every chapter can be downloaded as a plain Python script, too.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import jupytext
import nbformat
from course import repository_url
from solutions import left_out, shown

PLACE = 'REPOSITORY, REF = "", ""'  # of the first cell, see book/tools/colab.py


BIBTEX = """\
@misc{{dqncourse,
  author  = {{{{{author}}}}},
  title   = {{Deep {{Q}}-Networks, Proved Line by Line}},
  year    = {{{year}}},
  note    = {{Version {version}}},
  url     = {{{url}}}
}}"""


def built_ref(srcdir: Path, default: str) -> str:
    """The branch or tag that is built: a variable, GitHub's own, git's, or `default`."""
    on_actions = re.match(r"refs/(?:heads|tags)/(.+)", os.environ.get("GITHUB_REF", ""))
    return (
        os.environ.get("BOOK_REF", "")
        or (on_actions[1] if on_actions else os.environ.get("GITHUB_BASE_REF", ""))
        or _git(srcdir, "symbolic-ref", "--quiet", "--short", "HEAD")
        or _git(srcdir, "describe", "--exact-match", "--tags", "HEAD")
        or default
    )


def _git(srcdir: Path, *arguments: str) -> str:
    """What git answers about the checkout; nothing where it cannot."""
    try:
        done = subprocess.run(
            ["git", "-C", str(srcdir), *arguments], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def follow_ref(app, config) -> None:
    """Point buttons and lines of text at the ref, once course.py has found the repository."""
    options = config.html_theme_options
    ref = built_ref(Path(app.srcdir), options.get("repository_branch") or "main")
    options["repository_branch"] = ref
    if os.environ.get("GITHUB_REF", "").startswith("refs/tags/"):
        options["use_edit_page_button"] = False  # only a branch can be edited
    if hub := os.environ.get("BOOK_HUB_URL", ""):
        options["launch_buttons"] = {**options["launch_buttons"], "jupyterhub_url": hub}
    repository = options["repository_url"]
    project = tomllib.loads(Path(app.srcdir, "pyproject.toml").read_text("utf-8"))["project"]
    config.myst_substitutions = {
        **config.myst_substitutions,
        "ref": ref,
        "install": f'pip install "git+{repository}@{ref}"',
        "bibtex": BIBTEX.format(
            author=config.author,
            year=config.copyright,
            version=project["version"],
            url=repository,
        ),
    }


def drop_buttons(app, config) -> None:
    """Leave out buttons that would lead nowhere, or to the solutions that this build leaves out."""
    known = repository_url(Path(app.srcdir)) is not None
    if known and shown():
        return
    buttons = ("use_repository_button", "use_edit_page_button", "use_source_button")
    config.html_theme_options |= {"launch_buttons": {}, **dict.fromkeys(buttons, False)}
    if not known:
        config.html_theme_options["use_issues_button"] = False
        print(
            f"no GitHub remote: the pages have no launch, edit or issue buttons, and say "
            f"{config.html_theme_options['repository_url']} where a command needs the repository; "
            "set BOOK_REPOSITORY_URL",
            file=sys.stderr,
        )


def offer_script(app, pagename, templatename, context, doctree) -> None:
    """Put the script into the menu of downloads of a chapter."""
    if not is_chapter(app, pagename):
        return
    for group in context["header_buttons"]:
        if group.get("label") == "download-buttons":
            script = {
                "type": "link",
                "url": f"{context['pathto']('_sources', 1)}/{pagename}.py",
                "text": ".py",
                "tooltip": "Download as a Python script",
                "icon": "fas fa-file-code",
                "label": "download-script-button",
            }
            group["buttons"].insert(1, script)


def is_chapter(app, pagename: str) -> bool:
    """Whether a page is a notebook."""
    return pagename in app.env.all_docs and str(app.env.doc2path(pagename)).endswith(".ipynb")


def write_downloads(app, error) -> None:
    """Complete the notebooks that readers download, and write the scripts beside them."""
    if error is not None or app.builder.format != "html":
        return
    options = app.config.html_theme_options
    for name in sorted(app.env.all_docs):
        if is_chapter(app, name):
            path = Path(app.outdir, "_sources", f"{name}.ipynb")
            text = left_out(Path(app.env.doc2path(name)).read_text(encoding="utf-8"))
            text = placed(text, options["repository_url"], options["repository_branch"])
            path.write_text(text, encoding="utf-8")
            path.with_suffix(".py").write_text(script(text), encoding="utf-8")


def placed(notebook: str, repository: str, ref: str) -> str:
    """The text of a notebook whose first cell knows where the course is."""
    here = f"REPOSITORY, REF = {json.dumps(repository)}, {json.dumps(ref)}"
    return notebook.replace(json.dumps(PLACE)[1:-1], json.dumps(here)[1:-1])


def script(notebook: str) -> str:
    """A notebook as a Python script in jupytext's percent format, without Colab's set-up."""
    book = nbformat.reads(notebook, as_version=4)
    if book.cells[0].get("id") == "colab":
        del book.cells[0]
    book.metadata["jupytext"] = {"notebook_metadata_filter": "-all", "cell_metadata_filter": "-all"}
    return jupytext.writes(book, fmt="py:percent")


def setup(app):
    """Called by Sphinx."""
    app.connect("config-inited", follow_ref, priority=600)  # after course.py
    app.connect("config-inited", drop_buttons, priority=700)
    app.connect("html-page-context", offer_script, priority=600)  # after the theme
    app.connect("build-finished", write_downloads)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
