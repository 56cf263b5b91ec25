"""Where a page leads follows where it was built, and Colab's first cell finds the course."""

import base64
import hashlib
import http.server
import importlib
import json
import re
import runpy
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[2] / "book" / "_ext"))
sys.path.insert(0, str(Path(__file__).parents[2] / "book" / "tools"))

import course
import launch
import live
from record import set_up_first

ROOT = Path(__file__).parents[2]
BOOK = ROOT / "book"
CHAPTERS = sorted(BOOK.glob("*.ipynb"))
VARIABLES = ("BOOK_REPOSITORY_URL", "BOOK_REF", "BOOK_HUB_URL", "GITHUB_REPOSITORY", "GITHUB_REF")
VARIABLES += ("GITHUB_BASE_REF", "COLAB_JUPYTER_IP", "KMP_TARGET_PORT")


@pytest.fixture(autouse=True)
def nowhere(monkeypatch):
    """No variable says where the course is."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def git(folder, *arguments):
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "-C", folder, *who, *arguments], check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path):
    """A git repository with one commit on the branch `draft`."""
    git(tmp_path, "init", "-q", "-b", "draft")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "first")
    return tmp_path


# Repository and ref


def test_the_repository_comes_from_the_nearest_source(checkout, monkeypatch):
    assert course.repository_url(checkout) is None
    git(checkout, "remote", "add", "origin", "git@github.com:remote/course.git")
    assert course.repository_url(checkout) == "https://github.com/remote/course"
    monkeypatch.setenv("GITHUB_REPOSITORY", "actions/course")
    assert course.repository_url(checkout) == "https://github.com/actions/course"
    monkeypatch.setenv("BOOK_REPOSITORY_URL", "https://github.com/variable/course/")
    assert course.repository_url(checkout) == "https://github.com/variable/course"


def test_the_ref_comes_from_the_nearest_source(checkout, monkeypatch):
    assert launch.built_ref(checkout, "main") == "draft"
    git(checkout, "tag", "v1")
    git(checkout, "checkout", "-q", "--detach")
    assert launch.built_ref(checkout, "main") == "v1"
    git(checkout, "tag", "-d", "v1")
    assert launch.built_ref(checkout, "main") == "main"
    monkeypatch.setenv("GITHUB_BASE_REF", "trunk")  # a pull request
    monkeypatch.setenv("GITHUB_REF", "refs/pull/7/merge")
    assert launch.built_ref(checkout, "main") == "trunk"
    monkeypatch.setenv("GITHUB_REF", "refs/tags/v2")
    assert launch.built_ref(checkout, "main") == "v2"
    monkeypatch.setenv("BOOK_REF", "term/2")
    assert launch.built_ref(checkout, "main") == "term/2"


def test_a_folder_without_git_has_the_default(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert launch.built_ref(tmp_path, "main") == "main"
    monkeypatch.setenv("PATH", "")
    assert launch.built_ref(tmp_path, "main") == "main"


def test_buttons_and_lines_follow(monkeypatch):
    monkeypatch.setenv("BOOK_REF", "v2")
    monkeypatch.setenv("BOOK_HUB_URL", "https://hub.example.edu")
    options = {"repository_url": "https://github.com/some/fork", "launch_buttons": {"thebe": False}}
    config = SimpleNamespace(
        html_theme_options=options, myst_substitutions={"a": 1}, author="X", copyright="2026"
    )
    launch.follow_ref(SimpleNamespace(srcdir=ROOT), config)
    assert options["repository_branch"] == "v2"
    assert options["launch_buttons"]["jupyterhub_url"] == "https://hub.example.edu"
    words = config.myst_substitutions
    assert words["ref"] == "v2" and words["a"] == 1
    assert words["install"] == 'pip install "git+https://github.com/some/fork@v2"'
    assert "{{X}}" in words["bibtex"] and "https://github.com/some/fork" in words["bibtex"]


def test_no_file_has_to_be_edited_in_a_fork():
    listed = yaml.safe_load((ROOT / "_config.yml").read_text())["sphinx"]["local_extensions"]
    assert {"course", "launch"} <= listed.keys()
    assert "github.com" not in (BOOK / "index.md").read_text(encoding="utf-8")


# Downloads


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_downloads_of_a_chapter(path):
    text = launch.placed(path.read_text(encoding="utf-8"), "https://github.com/a/b", 'x"y')
    notebook = nbformat.reads(text, as_version=4)
    assert 'REPOSITORY, REF = "https://github.com/a/b", "x\\"y"' in notebook.cells[0].source
    written = launch.script(text)
    compile(written, path.name, "exec")
    assert written.startswith("# %%") and "fetch_course" not in written
    assert written.count("# %%") == len(notebook.cells) - 1


# Binder


def test_binder_takes_its_versions_from_the_book():
    binder = ROOT / ".binder"
    build = (binder / "postBuild").read_text()
    assert "--constraints requirements.txt" in build and "--no-cache" in build
    pinned = re.findall(r"^([\w.-]+)(?:\[.*\])?==", (ROOT / "requirements.txt").read_text(), re.M)
    lines = (binder / "packages.txt").read_text().splitlines()
    asked = {line for line in lines if line and not line.startswith("#")} - {".[course]"}
    assert asked <= set(pinned)
    # A file of this name would be installed before postBuild, and with CUDA.
    assert not (binder / "requirements.txt").exists()
    for name in ("postBuild", "start"):
        assert (binder / name).read_text().startswith("#!/bin/bash\n")
        assert (binder / name).stat().st_mode & 0o111
    assert (binder / "start").read_text().endswith('exec "$@"\n')


# Colab


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_begins_with_the_set_up(path):
    notebook = nbformat.read(path, as_version=4)
    before = notebook.cells[0].copy()
    set_up_first(notebook)
    assert dict(notebook.cells[0]) == dict(before)
    assert before.outputs == [] and launch.PLACE in before.source
    assert sum("fetch_course(" in cell.source for cell in notebook.cells) == 1


def test_set_up_is_put_first_once():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Title")])
    for _ in range(2):
        set_up_first(notebook)
        assert [cell.cell_type for cell in notebook.cells] == ["code", "markdown"]


def set_up():
    return runpy.run_path(str(BOOK / "tools" / "colab.py"))


def test_set_up_does_nothing_elsewhere(monkeypatch, tmp_path):
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("something was run"))
    monkeypatch.chdir(tmp_path)
    set_up()
    assert Path.cwd() == tmp_path and not list(tmp_path.iterdir())


@pytest.fixture
def colab(monkeypatch, tmp_path):
    """A machine that says it is Colab; returns the commands that set-up runs there."""
    package = tmp_path / "packages" / "google" / "colab"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    for name in [name for name in sys.modules if name.split(".")[0] == "google"]:
        monkeypatch.delitem(sys.modules, name)
    importlib.invalidate_caches()
    commands, run = [], subprocess.run

    def recorded(command, **options):
        commands.append(list(command))
        installs = command[0] == sys.executable
        return SimpleNamespace(returncode=0) if installs else run(command, **options)

    monkeypatch.setattr(subprocess, "run", recorded)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")  # restored afterwards
    monkeypatch.chdir(tmp_path)
    return commands


@pytest.fixture
def repository(tmp_path):
    """A course of one file, with a tag behind its branch."""
    folder = tmp_path / "origin"
    (folder / "book").mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    for text, name in (("old", "v1"), ("new", "later")):
        (folder / "book" / "page.txt").write_text(text)
        git(folder, "add", ".")
        git(folder, "commit", "-q", "-m", text)
        git(folder, "tag", name)
    return folder


@pytest.mark.parametrize(("ref", "text"), [("v1", "old"), ("main", "new"), ("", "new")])
def test_set_up_brings_the_ref_and_keeps_torch(colab, repository, monkeypatch, ref, text):
    monkeypatch.setenv("BOOK_REPOSITORY_URL", repository.as_uri())
    monkeypatch.setenv("BOOK_REF", ref)
    for _ in range(2):  # the second time on top of the first
        set_up()
        assert Path("page.txt").read_text() == text and Path.cwd().name == "book"
    (*_, install) = colab
    assert install[5].endswith("dqn-course[course]")
    kept = {part.partition("==")[0] for part in install if "==" in part}
    assert install[1:4] == ["-m", "pip", "install"] and kept == {"torch", "numpy"}


def sessions(path):
    """A server that answers as Colab's does about the notebook that is open."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps([{"path": path}] if self.path == "/api/sessions" else []).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Stay quiet."""

    return http.server.HTTPServer(("127.0.0.1", 0), Handler)


@pytest.mark.parametrize(
    ("opened", "place"),
    [
        (
            "fileId=https%3A%2F%2Fgithub.com%2Fsome%2Ffork%2Fblob%2Fterm%2F2%2Fbook%2Freplay.ipynb",
            ["https://github.com/some/fork", "term/2"],
        ),
        ("fileId=1a2b3c", None),  # a copy in Drive
    ],
)
def test_set_up_asks_colab_where_the_notebook_is_from(colab, monkeypatch, opened, place):
    asked = []

    def fake(command, **_):
        asked.append(list(command))
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(subprocess, "run", fake)
    monkeypatch.setattr("os.chdir", lambda folder: None)
    with sessions(opened) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        monkeypatch.setenv("COLAB_JUPYTER_IP", "127.0.0.1")
        monkeypatch.setenv("KMP_TARGET_PORT", str(server.server_port))
        if place:
            set_up()
            assert asked[1][-2:] == place
        else:
            with pytest.raises(RuntimeError, match="does not know where the course is"):
                set_up()
            assert not asked


def test_set_up_repeats_what_git_said(colab, tmp_path, monkeypatch):
    monkeypatch.setenv("BOOK_REPOSITORY_URL", (tmp_path / "nothing").as_uri())
    with pytest.raises(RuntimeError, match=r"git .* fetch(.|\n)*nothing"):
        set_up()
    shutil.rmtree(tmp_path / "dqn-course")


# Live code


class Npm:
    """What `npm pack` does, with a package of ours."""

    def __init__(self, content):
        self.content, self.asked = content, 0

    def __call__(self, command, **options):
        self.asked += 1
        if self.content is not None:
            folder = Path(command[command.index("--pack-destination") + 1])
            (folder / "thebe-0.9.3.tgz").write_bytes(self.content)
        return SimpleNamespace(returncode=0 if self.content is not None else 1)


@pytest.fixture
def npm(monkeypatch):
    """Put an npm in the place of the machine's; called with what it fetches."""

    def install(content):
        fake = Npm(content)
        monkeypatch.setattr(live.shutil, "which", lambda name: name)
        monkeypatch.setattr(live.subprocess, "run", fake)
        return fake

    return install


def test_thebe_is_asked_for_once(tmp_path, monkeypatch, npm):
    fake = npm(b"a package")
    sha512 = base64.b64encode(hashlib.sha512(b"a package").digest()).decode()
    monkeypatch.setattr(live, "SHA512", sha512)
    first = live.fetch(tmp_path / "cache")
    assert first.read_bytes() == b"a package" and live.fetch(tmp_path / "cache") == first
    assert fake.asked == 1
    first.write_bytes(b"half")  # an interrupted copy
    assert live.fetch(tmp_path / "cache").read_bytes() == b"a package"


def test_another_package_than_the_pinned_one_is_refused(tmp_path, npm):
    npm(b"something else")
    with pytest.raises(ValueError, match="SHA-512"):
        live.fetch(tmp_path)
    assert not list(tmp_path.iterdir()), "and nothing is kept for the next build"


def test_without_npm_or_network_the_public_copy_serves(tmp_path, monkeypatch, npm):
    npm(None)
    assert live.fetch(tmp_path) is None
    monkeypatch.setattr(live.shutil, "which", lambda name: None)
    assert live.fetch(tmp_path) is None


def test_a_chapter_with_a_long_cell_is_not_live(tmp_path):
    costs = tmp_path / live.COSTS
    costs.parent.mkdir(parents=True)
    costs.write_text("chapter,seconds,longest cell,MB\nquick,60,20,1\nslow,30,21,1\n")
    assert live.quick_chapters(tmp_path) == {"quick"}
