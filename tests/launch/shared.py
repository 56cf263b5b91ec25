"""What the proofs of launching share: folders, environments and processes of their own."""

import hashlib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYTHON = Path("Scripts" if os.name == "nt" else "bin", "python")
# What a developer's machine may set and a hosted one does not.
OURS = re.compile(r"OMP_|MKL_|MPL|SDL_|PYTHON|JUPYTER|IPYTHON|TQDM|BOOK_|VIRTUAL_ENV$|DISPLAY$")


def chapters(names: list[str]) -> list[str]:
    """The chapters asked for, or all in the order of the book."""
    listed = re.findall(r"file: book/(\w+)", (ROOT / "_toc.yml").read_text(encoding="utf-8"))
    known = [name for name in listed if (ROOT / "book" / f"{name}.ipynb").is_file()]
    if unknown := set(names) - set(known):
        sys.exit(f"no such chapter: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return names or known


def workshop(kind: str) -> Path:
    """A folder for a proof: that of the variable ``PROOFS``, which is kept, or a new one."""
    base = os.environ.get("PROOFS") or tempfile.mkdtemp(prefix="proofs-")
    folder = Path(base, kind).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def hosted(folder: Path, **more: str) -> dict[str, str]:
    """The environment of a hosted machine: an empty home, no window, none of our settings."""
    env = {name: text for name, text in os.environ.items() if not OURS.match(name)}
    for name in ("HOME", "TMPDIR"):
        env[name] = str(folder / name.lower())
        Path(env[name]).mkdir(exist_ok=True)
    return env | more


def run(*command: object, **options) -> str:
    """Run a command and return what it prints; it ends the proof with its words if it fails."""
    done = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        **options,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))} failed:\n{done.stdout[-3000:]}")
    return done.stdout


def new_venv(folder: Path) -> Path:
    """Make a virtual environment and return its Python."""
    run(sys.executable, "-m", "venv", "--clear", folder)
    return folder / PYTHON


def fingerprint(folder: Path) -> dict[str, str]:
    """A hash of every file below `folder`, git's own apart."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".git" not in path.relative_to(folder).parts
    }
