"""Results of studies: stored whole, each file with its checksum, and loaded by the chapters.

A study is stored as one table per kind of observation, ``NAME.TABLE.csv`` (compressed, as
``NAME.TABLE.csv.gz``, where it is large), and a manifest ``NAME.json`` that says how the tables
came about. What is edited by intention gets new checksums by
``python -m rl_lab.course.results FOLDER``.
"""

import gzip
import hashlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

Tables = dict[str, pd.DataFrame]
Run = tuple[str, tuple[int, ...]]  # an arm, and the seeds that were trained together

LARGE = 1_000_000  # bytes; a larger table is stored compressed


class Result(NamedTuple):
    """A stored study."""

    tables: Tables
    manifest: dict

    @property
    def credits(self) -> str:
        """Say in one line how many runs there are and what they took on their machine."""
        m = self.manifest
        runs = len(m["definition"]["arms"]) * len(m["definition"]["seeds"])
        seconds = m["seconds"]
        took = f"{seconds} seconds" if seconds < 100 else f"{seconds / 60:.0f} minutes"
        return (
            f"{runs} runs ({len(m['definition']['arms'])} arms x "
            f"{len(m['definition']['seeds'])} seeds), {took} of running, {m['date']}, "
            f"torch {m['versions']['torch']}"
        )


def load_study(path: Path | str) -> Result:
    """Load the stored study at `path`, e.g. ``"data/cartpole"``.

    Raises:
        FileNotFoundError: if it was never run; the message says how to run it.
        ValueError: if a file is not the one that was stored; the message names it.
    """
    manifest = _manifest(path)
    if not manifest.exists():
        raise FileNotFoundError(f"no stored study at {path}; `make studies` runs what is missing")
    content = _read_manifest(manifest)
    if not _has_its_checksum(content):
        raise _refuse(manifest, "is not the file that was stored: its checksum is of other content")
    for name, stored in content["sha256"].items():
        table = manifest.with_name(name)
        found = _checksum(table) if table.exists() else "missing"
        if found != stored:
            why = f"its SHA-256 is {found}, and {manifest.name} says {stored}"
            raise _refuse(table, f"is not the file that was stored: {why}")
    tables = {
        name.removesuffix(".gz").split(".")[-2]: pd.read_csv(manifest.with_name(name))
        for name in sorted(content["sha256"])
    }
    return Result(tables, content)


def curves(table: pd.DataFrame, column: str, x: str = "env_steps") -> dict[str, pd.DataFrame]:
    """Return for each arm a table with `x` as its index and a column per seed."""
    return {
        arm: rows.pivot(index=x, columns="seed", values=column)
        for arm, rows in table.groupby("arm", sort=False)
    }


def store(data: Path, name: str, about: dict, parts: Mapping[Run, dict]) -> Result:
    """Join the parts of a study into its tables, write them and their manifest, and load them.

    Args:
        data: folder of the stored results.
        name: of the study.
        about: what the manifest says first.
        parts: what was stored of each run, in the order of the tables' rows.
    """
    frames: dict[str, list[pd.DataFrame]] = {}
    for (arm, group), part in parts.items():
        for label, content in part["tables"].items():
            table = pd.DataFrame(content["data"], columns=content["columns"])
            table.insert(0, "arm", arm)
            if "seed" not in table:
                table.insert(1, "seed", group[0])
            frames.setdefault(label, []).append(table)
    all_parts = list(parts.values())
    files = dict(
        _table_file(f"{name}.{label}", pd.concat(frames[label])) for label in sorted(frames)
    )
    manifest = about | {
        "seconds": round(sum(part["seconds"] for part in all_parts)),
        "date": max(part["date"] for part in all_parts),
        "versions": all_parts[0]["machine"]["versions"],
        "processor": " and ".join(sorted({part["machine"]["processor"] for part in all_parts})),
        "code": sorted({part.get("code", "unknown") for part in all_parts}),
        "sha256": {file: _digest(file, content) for file, content in files.items()},
    }
    files[f"{name}.json"] = _manifest_text(manifest)
    write({data / file: content for file, content in files.items()})
    for table in _tables(data / name):
        if table.name not in files:
            table.unlink()  # of a run that returned more, or had larger tables
    return load_study(data / name)


def _table_file(stem: str, table: pd.DataFrame) -> tuple[str, bytes]:
    """The name and the content of a table's file."""
    text = table.to_csv(index=False, float_format="%.7g", lineterminator="\n").encode()
    if len(text) <= LARGE:
        return f"{stem}.csv", text
    return f"{stem}.csv.gz", gzip.compress(text, mtime=0)  # with the time, no two would be equal


def write_checksums(path: Path | str) -> None:
    """Write into the manifest of the study at `path` the checksums of its tables and its own.

    `load_study` compares them. Whoever changes a table or a manifest by intention calls this.
    """
    manifest = _manifest(path)
    content = _read_manifest(manifest)
    content["sha256"] = {t.name: _checksum(t) for t in _tables(Path(path))}
    write({manifest: _manifest_text(content)})


def read_part(path: Path) -> dict | None:
    """Return what was stored of a run; None if there is nothing, or if it is damaged.

    A damaged file is named on the screen. One without a checksum, as they were first written, is
    taken if its tables have their shape.
    """
    if not path.exists():
        return None
    try:
        part = json.loads(path.read_bytes())
        whole = _has_its_checksum(part) and _has_its_shape(part)
    except (AttributeError, KeyError, TypeError, ValueError):
        whole = False
    if not whole:
        print(f"{path} is damaged, and is run again")
        return None
    return part


def write_part(path: Path, part: dict) -> None:
    """Store what came of a run, with a checksum."""
    write({path: json.dumps(_with_checksum(part)).encode()})


def write(files: Mapping[Path, bytes]) -> None:
    """Write files whole, and all of them or none: where the disk is full, the old ones stay."""
    unfinished = {path: path.with_suffix(f".{os.getpid()}.tmp") for path in files}
    try:
        for path, content in files.items():
            unfinished[path].write_bytes(content)
    except OSError as error:
        for file in unfinished.values():
            file.unlink(missing_ok=True)
        error.add_note(
            "What was stored before is untouched, and finished parts are kept: make room, or make "
            "the folder writable, and run the study again; it goes on from there."
        )
        raise
    for path, file in unfinished.items():
        os.replace(file, path)


def _manifest(path: Path | str) -> Path:
    """The manifest of the study at `path`."""
    return Path(f"{path}.json")


def _tables(path: Path) -> list[Path]:
    """The files of tables of the study at `path`."""
    files = sorted(path.parent.glob(f"{path.name}.*"))
    return [file for file in files if file.name.endswith((".csv", ".csv.gz"))]


def _read_manifest(path: Path) -> dict:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict) or "sha256" not in content:
            raise ValueError("it names no tables")
    except ValueError as error:  # of JSON, or of UTF-8
        raise _refuse(path, f"is damaged (SHA-256 {_checksum(path)}): {error}") from error
    return content


def _manifest_text(content: dict) -> bytes:
    return (json.dumps(_with_checksum(content), indent=1) + "\n").encode()


def _refuse(path: Path, what: str) -> ValueError:
    again = f"fetch it again, for example with `git checkout -- {path.name}` beside it"
    return ValueError(f"{path} {what}; {again}")


def _has_its_shape(part: dict) -> bool:
    """Whether a part has all of its fields, and its tables a value per row and column."""
    tables = part["tables"].values()
    return (
        part.keys() >= {"seconds", "date"}
        and part["machine"].keys() >= {"versions", "processor"}
        and all(len(row) == len(t["columns"]) for t in tables for row in t["data"])
    )


def _with_checksum(content: dict) -> dict:
    """The content of a JSON file, with a checksum over all else as its last field."""
    rest = {name: value for name, value in content.items() if name != "checksum"}
    text = json.dumps(rest, sort_keys=True)
    return rest | {"checksum": hashlib.sha256(text.encode()).hexdigest()}


def _has_its_checksum(content: dict) -> bool:
    """Whether what was read is what was written, as far as it has a checksum at all."""
    return "checksum" not in content or content == _with_checksum(content)


def _checksum(path: Path) -> str:
    return _digest(path.name, path.read_bytes())


def _digest(name: str, content: bytes) -> str:
    """SHA-256 of a file, whatever the ends of lines are that git writes into a text here."""
    if not name.endswith(".gz"):
        content = content.replace(b"\r\n", b"\n")
    return hashlib.sha256(content).hexdigest()


def main(folders: Sequence[str]) -> None:
    """Write the checksums of every study in the folders."""
    for folder in folders:
        manifests = sorted(Path(folder).glob("*.json"))
        for manifest in manifests:
            write_checksums(manifest.with_suffix(""))
        print(f"{folder}: {len(manifests)} studies")


if __name__ == "__main__":
    main(sys.argv[1:])
