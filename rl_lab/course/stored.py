"""Stored weights and videos, each with its checksum in the file ``SHA256SUMS`` beside it.

The list is in the form of ``sha256sum``, so that ``sha256sum --check SHA256SUMS`` reads it, too. A
study has its checksums in its manifest; see `rl_lab.course.results`.
"""

import hashlib
import sys
from pathlib import Path

SUMS = "SHA256SUMS"
KINDS = (".safetensors", ".mp4", ".png")


def verify_checksum(path: Path | str) -> Path:
    """Return the path of a stored file, if the file is the one that was stored.

    A file that no list names, such as one of your own, is not looked at.

    Raises:
        ValueError: if the file is missing, cut short or changed; the message names it, with its
            checksum and the one in the list.
    """
    path = Path(path)
    stored = read_sums(path.parent).get(path.name)
    if stored is None:
        return path
    found = checksum(path) if path.is_file() else "missing"
    if found != stored:
        raise ValueError(
            f"{path} is not the file that was stored: its SHA-256 is {found}, and {SUMS} beside it "
            f"says {stored}; fetch it again, for example with `git checkout -- {path.name}` there, "
            f"or, if you changed it on purpose, run `python -m rl_lab.course.stored {path.parent}`"
        )
    return path


def checksum(path: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_sums(folder: Path) -> dict[str, str]:
    """The checksums that a folder's list holds, by the name of the file.

    Raises:
        ValueError: if the list itself is damaged.
    """
    path = folder / SUMS
    if not path.is_file():
        return {}
    lines = [line.split() for line in path.read_text("utf-8", errors="replace").splitlines()]
    if any(len(line) != 2 or len(line[0]) != 64 for line in lines):
        raise ValueError(
            f"{path} is damaged (SHA-256 {checksum(path)}): each line holds a checksum and a name; "
            f"fetch it again, for example with `git checkout -- {SUMS}` there"
        )
    return {name: digest for digest, name in lines}


def write_checksums(folder: Path | str) -> list[str]:
    """Write the list of a folder anew; returns the names of the files that it holds.

    Raises:
        ValueError: if there is nothing of the kinds that are listed.
    """
    folder = Path(folder)
    files = sorted(path for path in folder.glob("*") if path.suffix in KINDS)
    if not files:
        raise ValueError(f"{folder} holds no file that ends in {', '.join(KINDS)}")
    lines = [f"{checksum(path)}  {path.name}\n" for path in files]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8", newline="\n")
    return [path.name for path in files]


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(f"{name}: {len(write_checksums(name))} files")
