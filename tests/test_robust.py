"""Damaged files, a full disk, odd paths and poor machines: it works, or it says what to do."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from rl_lab.studies import Study, load_study, run_study, seal

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
    seal(stored)  # on purpose, then
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


def test_a_full_disk_leaves_what_was_there(stored, monkeypatch):
    def full(path, *_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    before = {path.name: path.read_bytes() for path in stored.parent.glob("adding.*")}
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        run_study(STUDY, stored.parent, jobs=1, fresh=True)
    assert {path.name: path.read_bytes() for path in stored.parent.glob("adding.*")} == before


# Draw, format and read numbers as a chapter does, and leave the working folder as it was.
SCRIPT = """
import locale, sys
try:
    locale.setlocale(locale.LC_ALL, "")
except locale.Error:
    pass
import matplotlib.pyplot as plt
from rl_lab.plotting import learning_curves
from rl_lab.studies import curves, load_study
plt.style.use("rl_lab.book")
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
