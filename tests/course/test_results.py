"""Stored results: damage is found, named and mended; large tables are compressed."""

import gzip
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rl_lab.course import results
from rl_lab.course.results import load_study, write_checksums
from rl_lab.course.studies import Study, run_study

CALLS = []


def double(seed, *, plus=0):
    CALLS.append(seed)
    return {"points": pd.DataFrame({"step": [1, 2, 3], "twice": [np.nan, 2 * seed + plus, 7.25]})}


STUDY = Study("doubles", "?", double, {"one": {}}, seeds=(11, 22))


def run(folder):
    return run_study(STUDY, folder, jobs=1)


def part_of(folder, seed):
    (path,) = (folder / ".parts" / "doubles").glob(f"*-{seed}.json")
    return path


@pytest.fixture
def stored(tmp_path):
    """The folder of a small stored study, and its parts."""
    run(tmp_path)
    CALLS.clear()
    return tmp_path


def files(folder):
    """The tables as they are stored."""
    return {path.name: path.read_bytes() for path in folder.glob("*.csv*")}


def without_a_row(text):
    part = json.loads(text)
    part["tables"]["points"]["data"].pop()
    return json.dumps(part)


DAMAGES = {
    "truncated": lambda text: text[:-20],
    "empty": lambda text: "",
    "null": lambda text: "null",
    "a list": lambda text: "[]",
    "null for a table": lambda text: re.sub(r'"points": \{.*?\}', '"points": null', text),
    "a missing row": without_a_row,
    "a changed digit": lambda text: text.replace("7.25", "7.26"),
    "another date": lambda text: re.sub(r'"date": "....', '"date": "1999', text),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_part_is_named_and_run_again(stored, capsys, damage):
    before, path = files(stored), part_of(stored, 22)
    whole = path.read_text()
    path.write_text(DAMAGES[damage](whole))
    assert path.read_text() != whole
    run(stored)
    assert CALLS == [22] and files(stored) == before
    assert capsys.readouterr().out == f"{path} is damaged, and is run again\n"
    run(stored)
    assert CALLS == [22]


OLD = ("seconds", "date", "machine", "code", "tables")


def test_a_part_without_a_checksum_is_taken_if_it_has_its_shape(stored):
    before = files(stored)
    for seed in STUDY.seeds:
        part = json.loads(part_of(stored, seed).read_text())
        part_of(stored, seed).write_text(json.dumps({name: part[name] for name in OLD}))
    run(stored)
    assert CALLS == [] and files(stored) == before
    for change in (
        lambda part: part.pop("machine"),
        lambda part: part.pop("seconds"),
        lambda part: part["machine"].pop("processor"),
        lambda part: part["tables"]["points"]["data"][1].pop(),
        lambda part: part["tables"]["points"]["data"].append(None),
        lambda part: part.update(tables=None),
    ):
        CALLS.clear()
        part = {name: value for name, value in json.loads(text_of(stored)).items() if name in OLD}
        change(part)
        part_of(stored, 22).write_text(json.dumps(part))
        run(stored)
        assert CALLS == [22] and files(stored) == before


def text_of(folder):
    return part_of(folder, 22).read_text()


@pytest.mark.parametrize(
    "field, value",
    [("processor", "a faster one"), ("date", "1999-12-31"), ("seconds", 1), ("question", "Why?")],
)
def test_an_edited_manifest_is_named(stored, field, value):
    manifest = stored / "doubles.json"
    content = json.loads(manifest.read_text())
    assert content[field] != value
    manifest.write_text(json.dumps(content | {field: value}))
    with pytest.raises(ValueError, match=r"doubles\.json is not the file.*git checkout"):
        load_study(stored / "doubles")
    write_checksums(stored / "doubles")  # on purpose, then
    assert load_study(stored / "doubles").manifest[field] == value


@pytest.mark.parametrize("text", ["null", "[]", "{}"])
def test_a_manifest_that_is_none_is_named(stored, text):
    (stored / "doubles.json").write_text(text)
    with pytest.raises(ValueError, match=r"doubles\.json is damaged"):
        load_study(stored / "doubles")


def test_checksums_change_nothing_else(stored):
    before = (stored / "doubles.json").read_text()
    content = json.loads(before)
    del content["checksum"], content["sha256"]["doubles.points.csv"]
    (stored / "doubles.json").write_text(json.dumps(content, indent=1) + "\n")
    write_checksums(str(stored / "doubles"))
    assert (stored / "doubles.json").read_text() == before


def test_a_table_of_an_earlier_run_is_not_loaded(stored):
    (stored / "doubles.earlier.csv").write_text("arm,seed\n")
    (stored / "doubles.points.csv.bak").write_text("a copy of somebody")
    assert [*load_study(stored / "doubles").tables] == ["points"]
    run(stored)
    assert not (stored / "doubles.earlier.csv").exists()
    assert (stored / "doubles.points.csv.bak").exists()


def test_a_large_table_is_compressed_always_in_the_same_bytes(stored, monkeypatch):
    small, tables = files(stored), load_study(stored / "doubles").tables
    monkeypatch.setattr(results, "LARGE", len(small["doubles.points.csv"]) - 1)
    monkeypatch.setattr("time.time", lambda: 1e9)
    run(stored)
    large = files(stored)
    assert [*large] == ["doubles.points.csv.gz"]
    assert gzip.decompress(large["doubles.points.csv.gz"]) == small["doubles.points.csv"]
    pd.testing.assert_frame_equal(load_study(stored / "doubles").tables["points"], tables["points"])
    monkeypatch.setattr("time.time", lambda: 2e9)
    run(stored)
    assert files(stored) == large
    write_checksums(stored / "doubles")
    (stored / "doubles.points.csv.gz").write_bytes(large["doubles.points.csv.gz"][:-1])
    with pytest.raises(ValueError, match=r"doubles\.points\.csv\.gz is not the file"):
        load_study(stored / "doubles")
    monkeypatch.setattr(results, "LARGE", len(small["doubles.points.csv"]))
    run(stored)
    assert files(stored) == small


def test_the_command_line_writes_the_checksums_of_a_folder(stored, monkeypatch, capsys):
    before = (stored / "doubles.json").read_text()
    (stored / "doubles.json").write_text(before.replace('"question": "?"', '"question": "Why?"'))
    results.main([str(stored)])
    assert load_study(stored / "doubles").manifest["question"] == "Why?"
    assert capsys.readouterr().out == f"{stored}: 1 studies\n"


def test_a_path_may_hold_dots(tmp_path):
    folder = Path(tmp_path, "version 1.2")
    run(folder)
    assert [*load_study(folder / "doubles").tables] == ["points"]
