"""Damaged files, a full disk, odd paths and poor machines: it works, or it says what to do."""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "book" / "tools"))

import record

from rl_lab.course.results import load_study, write_checksums
from rl_lab.course.studies import Study, run_study

ROOT = Path(__file__).parents[1]
DATA = ROOT / "book" / "data"


def add(seed, plus):
    return {"sums": pd.DataFrame({"sum": [seed + plus]})}


STUDY = Study("adding", "What is the sum?", add, {"one": {"plus": 1}}, seeds=(1, 2))


@pytest.fixture
def stored(tmp_path):
    """A small study, stored below a path with spaces and accents."""
    folder = tmp_path / "séance du 3 mai"
    run_study(STUDY, folder, jobs=1)
    return folder / "adding"


def test_a_path_with_spaces_and_accents(stored):
    assert load_study(stored).tables["sums"]["sum"].tolist() == [2, 3]


@pytest.mark.parametrize(
    "damage", [lambda text: text[:-3], lambda text: text.replace("2", "7"), lambda text: text + "x"]
)
def test_a_damaged_table_is_named(stored, damage):
    table = stored.with_name("adding.sums.csv")
    table.write_text(damage(table.read_text()))
    with pytest.raises(ValueError, match=r"adding\.sums\.csv is not .* SHA-256 is [0-9a-f]{64}"):
        load_study(stored)
    write_checksums(stored)  # on purpose, then
    load_study(stored)


def test_a_missing_table_is_named(stored):
    stored.with_name("adding.sums.csv").unlink()
    with pytest.raises(ValueError, match=r"adding\.sums\.csv is not .* missing"):
        load_study(stored)


def test_a_damaged_manifest_is_named(stored):
    manifest = stored.with_name("adding.json")
    manifest.write_text(manifest.read_text()[:-9])
    with pytest.raises(ValueError, match=r"adding\.json is damaged \(SHA-256 [0-9a-f]{64}\)"):
        load_study(stored)


def test_ends_of_lines_do_not_count(stored):
    table = stored.with_name("adding.sums.csv")
    table.write_bytes(table.read_bytes().replace(b"\n", b"\r\n"))
    load_study(stored)


@pytest.mark.parametrize("filled", [".parts", "adding.sums", "adding.more", "adding.json"])
def test_a_full_disk_leaves_what_was_there(stored, monkeypatch, filled):
    write = Path.write_bytes
    stem = filled.removesuffix(".json")  # as unfinished files are called

    def full(path, content):
        is_part = path.parent.name == "adding"
        if is_part if filled == ".parts" else path.name.startswith(f"{stem}.{os.getpid()}"):
            write(path, content[: len(content) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return write(path, content)

    def add_more(seed, plus):
        return {"sums": pd.DataFrame({"sum": [-seed]}), "more": pd.DataFrame({"x": [plus]})}

    def everything():
        return {p.name: p.read_bytes() for p in stored.parent.rglob("adding.*") if p.is_file()}

    before, other = everything(), replace(STUDY, run=add_more)
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left") as caught:
        run_study(other, stored.parent, jobs=1, fresh=True)
    assert any("make room" in note for note in caught.value.__notes__)
    assert everything() == before and not list(stored.parent.rglob("*.tmp"))
    assert load_study(stored).tables["sums"]["sum"].tolist() == [2, 3]
    monkeypatch.undo()
    result = run_study(other, stored.parent, jobs=1)  # goes on from there
    assert result.tables["sums"]["sum"].tolist() == [-1, -2]
    assert set(result.tables) == {"sums", "more"}


def test_a_full_disk_does_not_cost_a_chapter(tmp_path, monkeypatch):
    path = tmp_path / "chapter.ipynb"
    cell = nbformat.v4.new_code_cell("1 + 1", id="sum")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    before = path.read_bytes()

    def full(path, *_, **__):
        path.write_bytes(b"{")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(record, "make_client", lambda *_: SimpleNamespace(execute=lambda env: None))
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        record.record(path)
    assert path.read_bytes() == before


# Draw, format and read numbers as a chapter does, and leave the working folder as it was.
SCRIPT = """
import locale, sys
try:
    locale.setlocale(locale.LC_ALL, "")
except locale.Error:
    pass
import matplotlib.pyplot as plt
from rl_lab.course.plotting import learning_curves
from rl_lab.course.results import curves, load_study
plt.style.use("rl_lab.course.book")
result = load_study(sys.argv[1])
figure, axes = plt.subplots()
learning_curves(axes, curves(result.tables["evals"], "return"))
figure.canvas.draw()
print(result.tables["final"]["return"].dtype)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="a home folder is not called HOME there")
def test_no_home_a_locale_with_commas_and_a_folder_with_accents(tmp_path):
    data = tmp_path / "données du cours"
    data.mkdir()
    for file in DATA.glob("tabular_cartpole.*"):
        shutil.copy(file, data)
    empty = tmp_path / "empty"
    empty.mkdir()
    env = os.environ | {"HOME": "/nowhere", "LC_ALL": "de_DE.UTF-8", "MPLBACKEND": "agg"}
    env |= {"TMPDIR": str(tmp_path)}
    for name in ("MPLCONFIGDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        env.pop(name, None)
    before = sorted(data.iterdir())
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(data / "tabular_cartpole")],
        cwd=empty,
        env=env | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "float64\n"
    assert not list(empty.iterdir()) and sorted(data.iterdir()) == before


# The worst machine: no home, no network, a checkout that nobody can write to. One notebook after
# the other would hide what two do to each other, so both kernels of a test run at once.
NO_NETWORK = """
import socket

def nowhere(where, *_):
    raise OSError(101, "Network is unreachable", str(where))

def only_here(call):
    def connect(self, address):
        if self.family != socket.AF_UNIX and address[0] not in {"127.0.0.1", "::1", "localhost"}:
            nowhere(address)
        return call(self, address)
    return connect

lookup = socket.getaddrinfo
socket.getaddrinfo = lambda host, *a, **k: (
    lookup(host, *a, **k) if host in {None, "127.0.0.1", "::1", "localhost"} else nowhere(host)
)
socket.socket.connect = only_here(socket.socket.connect)
socket.socket.connect_ex = only_here(socket.socket.connect_ex)
"""
EXECUTE = """
import sys
import nbformat
from record import kernel_env, make_client
source, target = sys.argv[1:]
notebook = nbformat.read(source, as_version=4)
for cell in notebook.cells:
    if cell.cell_type == "code":
        cell.outputs, cell.execution_count = [], None
make_client(notebook, ".").execute(env=kernel_env())
nbformat.write(notebook, target)
"""
ASK = """
import socket
try:
    socket.create_connection(("example.org", 80), timeout=5)
except OSError as error:
    print(error.strerror)
try:
    open("written", "w")
except OSError as error:
    print("cannot write")
"""
MOUNT = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && cd "$PWD" && exec "$@"'


@pytest.fixture
def checkout():
    """A read-only copy of what a chapter needs, below a path with spaces and accents.

    Root may write wherever it likes, unless the disk itself is read-only: returns the folder, and
    what to put before a command.
    """
    with tempfile.TemporaryDirectory(prefix="élèves du ") as base:
        folder = Path(base, "cours n° 1")
        shutil.copytree(ROOT / "rl_lab", folder / "rl_lab")
        for name in ("data", "videos"):
            shutil.copytree(ROOT / "book" / name, folder / "book" / name)
        shutil.copytree(ROOT / "book" / "tools", folder / "book" / "tools")
        shutil.copy(ROOT / "book" / "naive_network.ipynb", folder / "book")
        before = []
        if os.geteuid() == 0:
            before = ["unshare", "--mount", "sh", "-c", MOUNT, str(folder)]
            if not shutil.which("unshare") or subprocess.run([*before, "true"]).returncode:
                pytest.skip("root can write everywhere, and may not mount a folder read-only here")
        paths = [folder, *folder.rglob("*")]
        for path in paths:
            path.chmod(path.stat().st_mode & ~0o222)
        yield folder, before
        for path in paths:
            path.chmod(path.stat().st_mode | 0o200)


def poor(folder, temporary):
    """The environment of the worst machine."""
    (temporary / "tmp").mkdir(parents=True)
    (temporary / "sitecustomize.py").write_text(NO_NETWORK)
    away = ("XDG_", "JUPYTER", "IPYTHON", "MPL", "PYTHON", "OMP_")
    env = {name: text for name, text in os.environ.items() if not name.startswith(away)}
    paths = [temporary, folder, folder / "book" / "tools"]
    return env | {
        "HOME": "/dev/null/nowhere",  # which nobody can make
        "JUPYTER_RUNTIME_DIR": str(temporary / "runtime"),
        "LC_ALL": "de_DE.UTF-8",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "PYTHONUTF8": "1",
        "TMPDIR": str(temporary / "tmp"),
    }


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="folders are made read-only in another way there")
def test_two_copies_at_once_without_home_network_or_a_place_to_write(checkout, tmp_path):
    folder, before = checkout
    files = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}

    def start(*command, **options):
        return subprocess.Popen(
            [*before, sys.executable, *command],
            cwd=folder / "book",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **options,
        )

    said, _ = start("-c", ASK, env=poor(folder, tmp_path / "asks")).communicate(timeout=60)
    assert said == "Network is unreachable\ncannot write\n"
    running = [
        start(
            "-c",
            EXECUTE,
            "naive_network.ipynb",
            tmp_path / name,
            env=poor(folder, tmp_path / f"{name}.d"),
        )
        for name in ("one.ipynb", "two.ipynb")
    ]
    for process in running:
        said, _ = process.communicate(timeout=900)
        assert process.returncode == 0, said[-3000:]
    stored, one, two = (
        [
            output.text
            for cell in nbformat.read(path, 4).cells
            for output in cell.get("outputs", ())
            if output.get("name") == "stdout" and output.text.startswith("Checked: ")
        ]
        for path in (
            folder / "book" / "naive_network.ipynb",
            tmp_path / "one.ipynb",
            tmp_path / "two.ipynb",
        )
    )
    assert one == two == stored and stored
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == files
