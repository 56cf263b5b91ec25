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
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from launch import is_chapter

THEBE = "thebe@0.9.3"
SHA512 = "Rb/7kVhtlffXra3kIe7OuIGE7awsm2/fGWxw21DiNfnWLnUQiDl9AWqYdshPwZPG/5DzLpsJRPix2xtCPtJmQQ=="
PUBLIC = f"https://cdn.jsdelivr.net/npm/{THEBE}/lib"
# Of its first two files; what they fetch besides is not compared.
SUMS = {
    "index.js": "sha384-jD7u+icBMbuPUkzq2VCHol9Rd0VnPVjvTI8ZHQsQEZdbmH9gWMdD732B8Dli6Gej",
    "thebe.css": "sha384-/vmFaeKYqpCY10Pw3YHyNKd5UHb+SJbi1QVnaw8LLfVuYiT2noJEJ1uWmvwwRSRf",
}
SECONDS = 20  # no cell of a live chapter takes longer when the chapters are recorded
COSTS = Path("book", "performance", "chapters.csv")


def find_thebe(app, config) -> None:
    """Find out where this build has Thebe: with the site, or at the public copy."""
    app.thebe = fetch(Path(os.environ.get("BOOK_CACHE") or Path(app.outdir).parent / ".cache"))
    if app.thebe is None:  # no warning, with which a strict build would fail
        print(f"no {THEBE} from npm: live code will fetch it from {PUBLIC}", file=sys.stderr)


def fetch(cache: Path) -> Path | None:
    """The package of Thebe, asked of npm once; None where there is no npm, or no network.

    Raises:
        ValueError: if the file that came is not the one that was pinned.
    """
    package = cache / f"{THEBE.replace('@', '-')}.tgz"
    if package.exists() and sum_of(package) == SHA512:
        return package
    npm = shutil.which("npm")
    if npm is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", THEBE, "--silent", "--pack-destination", folder]
        try:
            done = subprocess.run(command, capture_output=True, check=False, timeout=60)
        except subprocess.TimeoutExpired:
            return None
        fetched = Path(folder, package.name)
        if done.returncode or not fetched.exists():
            return None
        if sum_of(fetched) != SHA512:
            raise ValueError(f"{THEBE} came with the SHA-512 {sum_of(fetched)}, not {SHA512}")
        cache.mkdir(parents=True, exist_ok=True)
        shutil.copy(fetched, package)
    return package


def sum_of(path: Path) -> str:
    """SHA-512 of a file, as npm writes it."""
    return base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()


def unpack(app, error) -> None:
    """Put Thebe beside the pages, with its licences, without the maps for its developers."""
    if error is not None or app.builder.format != "html" or app.thebe is None:
        return
    target = Path(app.outdir, "_static", "thebe")
    target.mkdir(parents=True, exist_ok=True)
    with tarfile.open(app.thebe) as archive:
        for member in archive:
            path = Path(member.name)
            if path.parent == Path("package/lib") and path.suffix in {".js", ".css", ".txt"}:
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
    if not options["launch_buttons"]:
        return
    settings = {
        **(
            {"thebe": f"{context['pathto']('_static', 1)}/thebe"}
            if app.thebe
            else {"thebe": PUBLIC, "sums": SUMS}
        ),
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
