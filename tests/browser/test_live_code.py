"""Live code on a page, with a Jupyter server of this machine in Binder's place."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from places import ROOT

pytestmark = pytest.mark.slow
TOKEN = secrets.token_hex(8)
MENU = "button[aria-label='Launch interactive content']"


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    """A Jupyter server whose kernels start in a copy of the chapters' folder; its address."""
    home = tmp_path_factory.mktemp("hub")
    shutil.copytree(ROOT / "book" / "data", home / "book" / "data")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyter_server", f"--port={port}", "--no-browser"]
    command += [f"--IdentityProvider.token={TOKEN}", "--ServerApp.allow_origin=*"]
    command += [f"--ServerApp.root_dir={home}", "--ServerApp.disable_check_xsrf=True"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    with (home / "log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(f"{address}/api/status?token={TOKEN}", home / "log")
        yield address
    finally:
        server.terminate()
        server.wait(20)


def _wait(url, log):
    for _ in range(240):
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.25)
    pytest.fail(f"the Jupyter server does not answer:\n{log.read_text()}")


def start(page, **connection):
    """Choose live code from the menu, with these settings besides the page's own."""
    page.evaluate(
        """more => {
          const script = document.querySelector("script[data-live]");
          const settings = { ...JSON.parse(script.dataset.live), ...more };
          script.dataset.live = JSON.stringify(settings);
        }""",
        connection,
    )
    page.locator(MENU).hover()
    page.get_by_role("button", name="Live code").click()


def wait_for(page, text, timeout=60_000):
    """Wait until the bar says `text`."""
    page.locator(".live-bar [role=status]", has_text=text).wait_for(timeout=timeout)


def has_thebe(site):
    return (site.folder / "_static" / "thebe" / "index.js").is_file()


def test_a_reader_changes_a_number_and_runs_the_cells_down_to_it(visit, site, kernels):
    if not has_thebe(site):
        pytest.skip("this site was built without npm; live code comes from a public copy")
    page, log = visit("book/naive_network")
    server = dict(baseUrl=kernels, token=TOKEN, appendToken=True)
    start(page, serverSettings=server, useBinder=False)
    wait_for(page, "Ready.")
    cell = page.locator("div.cell", has=page.locator(".thebe-cell")).nth(1)
    cell.locator(".CodeMirror").first.evaluate(
        "editor => editor.CodeMirror.setValue('import os; print(6 * 7, os.listdir(\"data\")[0])')"
    )
    cell.get_by_role("button", name="Run to here").click()
    wait_for(page, "Done.")
    assert "42 " in cell.locator(".thebe-output").first.inner_text(), (
        "and beside the chapter's data"
    )
    page.locator(".CodeMirror textarea").first.focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('.CodeMirror')") is None, "and out"
    outside = [url for url in log.outside if not url.startswith(kernels)]
    assert outside == [], "the editor is the site's own"


def test_without_the_editor_the_bar_says_what_to_do(visit):
    page, _ = visit("book/naive_network")
    start(page, thebe="missing")
    wait_for(page, "could not be fetched")
    start(page, thebe="missing")  # and it may be tried again
    wait_for(page, "could not be fetched")


def test_nothing_is_fetched_before_a_reader_asks(visit, site):
    site.sent.clear()
    page, log = visit("book/naive_network")
    page.wait_for_load_state("networkidle")
    assert not [path for path, _ in site.sent if "thebe" in path]
    log.assert_clean()


@pytest.mark.parametrize("name, live", [("replay", True), ("cartpole", False)])
def test_only_quick_chapters_are_live(site, name, live):
    page = (site.folder / "book" / f"{name}.html").read_text(encoding="utf-8")
    assert ("startLiveCode" in page) == live
    if live:
        settings = json.loads(page.partition("data-live='")[2].partition("'")[0])
        assert settings["binderOptions"]["repo"] == "example/course"
        assert settings["kernelOptions"]["path"] == "book/replay.ipynb"
