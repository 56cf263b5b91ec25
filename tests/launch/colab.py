"""Prove Colab without Colab: ``make proofs``, or ``python tests/launch/colab.py replay``.

An environment gets a stub of ``google.colab`` and the families of packages that Colab brings, of
other versions than this book's where that is cheap. Each chapter is then executed alone in an
empty folder, with ``file://`` for the repository: its first cell has to bring the rest, leave what
was there as it was, and need no restart. What it brought is removed again before the next one.
"""

import importlib.metadata
import shutil
import sys
from pathlib import Path

from shared import ROOT, chapters, fingerprint, hosted, new_venv, run, workshop

HERE = ["torch", "pandas", "matplotlib", "ipywidgets", "ipykernel", "nbclient", "nbformat"]
STUB = '''"""Stands for Colab's own package in the proof."""
from types import SimpleNamespace
_widgets = SimpleNamespace(_installed_url="")
def enable_custom_widget_manager():
    """Colab's switch for widgets of others."""
'''
EXECUTE = """
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
for cell in notebook.cells:
    if cell.cell_type == "code":
        cell.outputs, cell.execution_count = [], None
NotebookClient(notebook, timeout=1800).execute()
"""


def machine(folder: Path) -> Path:
    """An environment like Colab's; returns its Python."""
    ready = folder / "machine"
    if not ready.exists():
        python = new_venv(folder / "venv")
        packages = [f"{name}=={importlib.metadata.version(name).split('+')[0]}" for name in HERE]
        # An older NumPy than the book's: one that is kept, not one that happens to be the same.
        run(python, "-m", "pip", "install", "-q", *packages, "numpy<2.4")
        (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
        (site / "google" / "colab").mkdir(parents=True)
        (site / "google" / "colab" / "__init__.py").touch()
        (site / "google" / "colab" / "output.py").write_text(STUB, encoding="utf-8")
        (site / "colab.pth").write_text("import google.colab.output\n", encoding="utf-8")
        ready.touch()
    return folder / "venv" / "bin" / "python"


def installed(python: Path) -> set[str]:
    """Every package of an environment, as ``name==version``."""
    listed = run(python, "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check")
    return {line for line in listed.splitlines() if "==" in line and " " not in line}


def play(name: str, python: Path, folder: Path) -> set[str]:
    """Execute a chapter in an empty folder; returns the packages it brought."""
    alone, temporary = folder / name, folder / "tmpdir"
    for old in (alone, temporary):
        shutil.rmtree(old, ignore_errors=True)
    alone.mkdir()
    notebook = alone / f"{name}.ipynb"
    notebook.write_text(run("git", "-C", ROOT, "show", f"HEAD:book/{name}.ipynb"))
    here, files = installed(python), fingerprint(alone)
    env = hosted(folder, BOOK_REPOSITORY_URL=ROOT.as_uri(), BOOK_REF="HEAD")
    run(python, "-c", EXECUTE, notebook, cwd=alone, env=env)
    after = installed(python)
    assert here <= after, f"{name} changed {sorted(here - after)}"
    assert fingerprint(alone) == files, f"{name} wrote beside its notebook"
    return after - here


def main(names: list[str]) -> None:
    """Prepare the machine, and play the chapters on it."""
    folder = workshop("colab")
    python = machine(folder)
    for name in chapters(names):
        brought = play(name, python, folder)
        print(f"{name:<16} passed; its first cell brought {len(brought)} packages", flush=True)
        run(python, "-m", "pip", "uninstall", "-q", "-y", *(p.partition("==")[0] for p in brought))


if __name__ == "__main__":
    main(sys.argv[1:])
