"""Live code: a reader edits and runs the cells of a chapter on its page.

The menu of launch buttons of every quick chapter has an entry more. Nothing is fetched before it
is chosen; then Thebe turns the cells into editors, and a Jupyter kernel at Binder runs them.

Thebe comes with the site where npm can be asked while it is built: its package, whose checksum
is compared. Elsewhere the page fetches it from a public copy, and the build says so in one line.
"""

import base64
import csv
import hashlib
import json
import shutil
import subprocess
import tarfile
from pathlib import Path
from urllib.parse import urlsplit

from launch import is_chapter
from sphinx.util import logging

logger = logging.getLogger(__name__)

THEBE = "thebe@0.9.3"
SHA512 = "Rb/7kVhtlffXra3kIe7OuIGE7awsm2/fGWxw21DiNfnWLnUQiDl9AWqYdshPwZPG/5DzLpsJRPix2xtCPtJmQQ=="
PUBLIC = f"https://cdn.jsdelivr.net/npm/{THEBE}/lib"
SECONDS = 20  # no cell of a live chapter takes longer when the chapters are recorded
COSTS = Path("book", "performance", "chapters.csv")


def find_thebe(app, config) -> None:
    """Find out where this build has Thebe: with the site, or at the public copy."""
    app.thebe = fetch(Path(app.outdir).parent / ".cache")
    if app.thebe is None:
        logger.info("no %s from npm: live code will fetch it from %s", THEBE, PUBLIC)


def fetch(cache: Path) -> Path | None:
    """The package of Thebe, asked of npm once; None where there is no npm, or no network.

    Raises:
        ValueError: if the file that came is not the one that was pinned.
    """
    package = cache / f"{THEBE.replace('@', '-')}.tgz"
    if not package.exists():
        npm = shutil.which("npm")
        if npm is None:
            return None
        cache.mkdir(parents=True, exist_ok=True)
        try:
            done = subprocess.run(
                [npm, "pack", THEBE, "--silent", "--pack-destination", str(cache)],
                capture_output=True,
                check=False,
                timeout=60,
            )
        except subprocess.TimeoutExpired:
            return None
        if done.returncode or not package.exists():
            return None
    found = base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
    if found != SHA512:
        package.unlink()
        raise ValueError(f"{THEBE} came with the SHA-512 {found}, not {SHA512}; build again")
    return package


def unpack(app, error) -> None:
    """Put Thebe's scripts beside the pages, without the maps for its developers."""
    if error is not None or app.builder.format != "html" or app.thebe is None:
        return
    target = Path(app.outdir, "_static", "thebe")
    target.mkdir(parents=True, exist_ok=True)
    with tarfile.open(app.thebe) as archive:
        for member in archive:
            path = Path(member.name)
            if path.parent == Path("package/lib") and path.suffix in {".js", ".css"}:
                (target / path.name).write_bytes(archive.extractfile(member).read())


def quick_chapters(srcdir: Path) -> set[str]:
    """The chapters without a long cell, by the stored costs."""
    with (srcdir / COSTS).open(encoding="utf-8") as file:
        return {
            row["chapter"] for row in csv.DictReader(file) if int(row["longest cell"]) <= SECONDS
        }


def offer_live_code(app, pagename, templatename, context, doctree) -> None:
    """Put live code into the menu of launch buttons of a quick chapter, with what it needs."""
    name = Path(pagename).name
    if not is_chapter(app, pagename) or name not in quick_chapters(Path(app.srcdir)):
        return
    options = app.config.html_theme_options
    settings = {
        "thebe": f"{context['pathto']('_static', 1)}/thebe" if app.thebe else PUBLIC,
        "binderOptions": {
            "repo": urlsplit(options["repository_url"]).path.strip("/"),
            "ref": options["repository_branch"],
        },
        "kernelOptions": {"kernelName": "python3", "path": f"{pagename}.ipynb"},
    }
    app.add_js_file("live.js", loading_method="defer", **{"data-live": json.dumps(settings)})
    button = {
        "type": "javascript",
        "javascript": "startLiveCode()",
        "text": "Live code",
        "tooltip": "Edit and run the cells on this page",
        "icon": "fas fa-play",
        "label": "launch-live",
    }
    for group in context["header_buttons"]:
        if group.get("label") == "launch-buttons":
            group["buttons"].append(button)


def setup(app):
    """Called by Sphinx."""
    app.connect("config-inited", find_thebe)
    app.connect("html-page-context", offer_live_code, priority=600)  # after the theme
    app.connect("build-finished", unpack)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
