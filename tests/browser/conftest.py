"""A real browser before the built site, with everything outside of the site out of reach.

Chromium comes from the system; without it these tests are skipped, or fail where the variable
``REQUIRE_BROWSER`` is set. The site is built once for all of them, from the stored outputs. To try
tests on a site that was built before, set ``SITE`` to its folder.
"""

import gzip
import http.server
import os
import re
import shutil
import subprocess
import sys
import threading
from functools import lru_cache, partial
from pathlib import Path

import pytest
from filelock import FileLock
from places import REPOSITORY, ROOT, Log, Site
from playwright.sync_api import sync_playwright

from rl_lab.course.experiments import static

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
INSTALL = "no Chromium found: apt-get install chromium"
TEXT = {".html", ".css", ".js", ".svg", ".json", ".txt", ".md", ".xml", ".ipynb"}


@lru_cache(maxsize=256)
def read(path: Path) -> tuple[bytes, bool]:
    """The bytes that a server sends for a file, and whether they are compressed."""
    content = path.read_bytes()
    return (gzip.compress(content, 6), True) if path.suffix in TEXT else (content, False)


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder as a good host does: compressed, and in parts where a video asks for them."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *args, sent, **kwargs):
        self.sent = sent
        super().__init__(*args, **kwargs)

    def do_GET(self):
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        content, compressed = read(path)
        size, part = len(content), re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers["Range"] or "")
        if part and not compressed:
            first, last = int(part[1]), min(int(part[2] or size), size - 1)
            content = content[first : last + 1]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        else:
            self.send_response(200)
        if compressed:
            self.send_header("Content-Encoding", "gzip")
        else:
            self.send_header("Accept-Ranges", "bytes")
        kind = self.guess_type(path)
        self.send_header("Content-Type", f"{kind}; charset=utf-8" if compressed else kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.sent.append((self.path.partition("?")[0], len(content)))

    def log_message(self, *args):
        """Stay quiet."""


def find_chromium() -> str:
    """The system's Chromium; without it, skips, or fails where a browser is required."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        (pytest.fail if os.environ.get("REQUIRE_BROWSER") else pytest.skip)(INSTALL)
    return found


def build(output: Path) -> Path:
    """Build the site below `output` and return its folder; fails with Sphinx's words."""
    program = shutil.which("jupyter-book", path=Path(sys.executable).parent)
    strictly = ["-W", "-n", "--keep-going", "--all", "--quiet"]
    done = subprocess.run(
        [program, "build", str(ROOT), "--path-output", str(output), *strictly],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ
        | {"BOOK_REPOSITORY_URL": REPOSITORY, "BOOK_CACHE": str(ROOT / "_build" / ".cache")},
    )
    if done.returncode:
        pytest.fail(f"the site does not build:\n{done.stdout}\n{done.stderr}", pytrace=False)
    return output / "_build" / "html"


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the browser."""
    return find_chromium()


@pytest.fixture(scope="session")
def site_folder(chromium, tmp_path_factory, worker_id) -> Path:
    """The site, built once for all processes of a test run."""
    if os.environ.get("SITE"):
        return Path(os.environ["SITE"]).resolve()
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    with FileLock(shared / "site.lock"):
        finished, failed = shared / "site" / "finished", shared / "failed"
        if failed.exists():  # in another process: once is enough
            pytest.fail(failed.read_text(encoding="utf-8"), pytrace=False)
        if not finished.exists():
            try:
                build(shared / "site")
            except pytest.fail.Exception as failure:
                failed.write_text(str(failure), encoding="utf-8")
                raise
            finished.touch()
    return shared / "site" / "_build" / "html"


@pytest.fixture(scope="session")
def site(site_folder):
    """The site, served on this machine."""
    sent = []
    handler = partial(Handler, directory=str(site_folder), sent=sent)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Site(site_folder, f"http://127.0.0.1:{server.server_port}", sent)
        server.shutdown()


# For one module only: Playwright keeps an event loop running, in which no chapter can be executed.
@pytest.fixture(scope="module")
def browser(chromium):
    """Chromium, that finds no host but this machine."""
    with sync_playwright() as playwright:
        only_here = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
        found = playwright.chromium.launch(executable_path=chromium, args=[only_here])
        yield found
        found.close()


@pytest.fixture
def visit(site, browser):
    """Open a page of the site as a new reader does; returns the page and what went wrong there."""
    contexts = []

    def open_page(page_name, *, scheme="http", width=1280, **options):
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page, log = context.new_page(), Log()
        log.listen(page, site)
        page.goto(site.address(page_name, scheme), wait_until="load")
        return page, log

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def functions(browser):
    """Open a page that holds all functions of an experiment, by name, and no experiment."""
    pages = []

    def load(name):
        pages.append(page := browser.new_page())
        page.add_script_tag(content=static.EXPORT.sub("", static.module_source(name)))
        return page

    yield load
    for page in pages:
        page.close()


@pytest.fixture
def show(browser, tmp_path):
    """Open experiments in a page of their own, from a folder; returns the page."""
    contexts = []

    def open_page(*experiments, width=1280, **options):
        kinds = dict.fromkeys(type(e) for e in experiments)
        scripts = {f"data-{name}": static.asset_script(name) for e in kinds for name in e.ASSETS}
        scripts |= {e.NAME: static.classic_script(e.NAME) for e in kinds}
        scripts["loader"] = static.loader_script()
        for name, text in scripts.items():
            (tmp_path / f"{name}.js").write_text(text, encoding="utf-8")
        (tmp_path / "style.css").write_text(static.stylesheet(), encoding="utf-8")
        head = "".join(f'<script defer src="{name}.js"></script>' for name in scripts)
        (tmp_path / "page.html").write_text(
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Test</title>'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<link rel="stylesheet" href="style.css">{head}</head><body><main><h1>Test</h1>'
            f"{''.join(e.html() for e in experiments)}</main></body></html>",
            encoding="utf-8",
        )
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.complaints = []
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("console", lambda m: m.type == "error" and page.complaints.append(m.text))
        page.goto((tmp_path / "page.html").as_uri())
        for place in page.locator(".rl-experiment").all():  # each starts when it comes near
            place.scroll_into_view_if_needed()
            place.locator(".rl-status").wait_for(state="attached")
        page.evaluate("window.scrollTo(0, 0)")
        return page

    yield open_page
    for context in contexts:
        for page in context.pages:
            assert page.complaints == []
        context.close()
