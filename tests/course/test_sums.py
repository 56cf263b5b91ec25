"""Weights and videos: whole, or refused by name and checksum; nothing stored runs code."""

import ast
import gzip
import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest
from safetensors import safe_open
from test_imports import code_that_unpickles

from rl_lab.course.experiments import static
from rl_lab.course.stored import KINDS, SUMS, read_sums, verify_checksum, write_checksums
from rl_lab.course.videos import show

BOOK = Path(__file__).parents[2] / "book"
FOLDERS = [BOOK / "data", BOOK / "videos"]
DAMAGES = {
    "truncated": lambda data: data[:-1],
    "empty": lambda data: b"",
    "corrupt": lambda data: data[:100] + bytes([data[100] ^ 1]) + data[101:],
}


@pytest.fixture
def stored(tmp_path):
    """A video with its poster and its weights, in a folder with a list."""
    for kind in KINDS:
        shutil.copy(BOOK / "videos" / f"cartpole_before{kind}", tmp_path / f"video{kind}")
    assert write_checksums(tmp_path) == ["video.mp4", "video.png", "video.safetensors"]
    return tmp_path


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_lists_hold_every_file_as_it_is(folder):
    files = {path.name for path in folder.iterdir() if path.suffix in KINDS}
    again = f"a file was made anew: run `python -m rl_lab.course.stored book/{folder.name}`"
    assert read_sums(folder).keys() == files, again
    for name, digest in read_sums(folder).items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, again


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_named_with_its_checksum(stored, kind, damage):
    path = stored / f"video{kind}"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert verify_checksum(path) == path
    path.write_bytes(data := DAMAGES[damage](path.read_bytes()))
    found = hashlib.sha256(data).hexdigest()
    message = rf"video\{kind} is not the file that was stored: its SHA-256 is {found}, .* {digest};"
    with pytest.raises(ValueError, match=f"{message}.*git checkout"):
        verify_checksum(path)
    write_checksums(stored)  # on purpose, then
    assert verify_checksum(str(path)) == path


def test_a_missing_file_and_a_damaged_list_are_named(stored):
    (stored / "video.safetensors").unlink()
    with pytest.raises(ValueError, match=r"video\.safetensors is not .* SHA-256 is missing"):
        verify_checksum(stored / "video.safetensors")
    (stored / SUMS).write_bytes(b"\xff" + (stored / SUMS).read_bytes()[:-20])
    with pytest.raises(ValueError, match=rf"{SUMS} is damaged \(SHA-256 [0-9a-f]{{64}}\)"):
        verify_checksum(stored / "video.mp4")


def test_a_file_of_your_own_is_not_looked_at(stored, tmp_path):
    (stored / "mine.safetensors").write_bytes(b"anything")
    assert verify_checksum(stored / "mine.safetensors").name == "mine.safetensors"
    with pytest.raises(ValueError, match=r"nothing holds no file that ends in \.safetensors"):
        (tmp_path / "nothing").mkdir()
        write_checksums(tmp_path / "nothing")


@pytest.mark.parametrize("kind", [".mp4", ".png"])
def test_a_player_refuses_a_damaged_video_or_poster(stored, kind):
    show(stored / "video.mp4", "a pole")
    path = stored / f"video{kind}"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=rf"video\{kind} is not the file that was stored"):
        show(stored / "video.mp4", "a pole")


def test_an_experiment_refuses_damaged_weights(tmp_path, monkeypatch):
    for name in ("checkpoints.safetensors", SUMS):
        shutil.copy(BOOK / "data" / name, tmp_path)
    monkeypatch.setattr(static, "DATA", tmp_path)
    path = static.asset_path("checkpoints")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"checkpoints\.safetensors is not the file"):
        static.asset_script("checkpoints")


CHAPTERS = sorted(BOOK.glob("*.ipynb"))


def code(path):
    """The code of a chapter's cells."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")


def test_no_chapter_reads_a_form_that_runs_code():
    found = {path.stem: list(code_that_unpickles(ast.parse(code(path)))) for path in CHAPTERS}
    assert {name: uses for name, uses in found.items() if uses} == {}


def test_what_is_stored_is_data_and_nothing_else():
    for folder in FOLDERS:
        for path in folder.iterdir():
            if path.suffix in {".csv", ".json"} or path.name == SUMS:
                path.read_text(encoding="utf-8")
            elif path.name.endswith(".csv.gz"):
                gzip.decompress(path.read_bytes()).decode("utf-8")
            elif path.suffix == ".safetensors":
                with safe_open(path, "numpy") as file:
                    assert len(list(file.keys())) > 0
            elif path.is_file():
                head = path.read_bytes()[:12]
                assert head.startswith(b"\x89PNG") or head[4:8] == b"ftyp", path.name


def test_chapters_check_the_weights_that_they_load():
    loads = re.compile(r"(?:load_file|safe_open)\((?!verify_checksum\()")
    found = {path.stem for path in CHAPTERS if loads.search(code(path))}
    assert found == set()
