"""Run what a change can have broken: ``python tests/changed.py [REF]``, or ``make changed``.

Compared are the files as they are now, committed or not, with where this branch left REF. A chapter
runs when it was touched, when a module of this repository that it imports was, itself or by way of
another, or when a stored result or video that it names was; a test file likewise. What every check
stands on, such as the versions in requirements.txt, lets everything run.
"""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
EVERYTHING = {
    "Makefile",
    "book/conftest.py",
    "book/nbval_sanitize.cfg",
    "book/tools/record.py",
    "book/tools/report.py",
    "pyproject.toml",
    "requirements.txt",
    "tests/conftest.py",
}
# Beginnings of paths, and the tests that look at such files without importing them.
LOOKED_AT = {
    ".binder/": ["tests/tools/test_launch.py"],
    "_config.yml": ["tests/tools/test_site.py", "tests/browser"],
    "CONTRIBUTING.md": ["tests/test_imports.py"],
    "_toc.yml": ["tests/tools/test_book.py", "tests/browser"],
    "book/api.md": ["tests/test_imports.py"],
    "book/_ext/": ["tests/tools/test_site.py", "tests/browser"],
    "book/": [
        "tests/course/test_claims.py",
        "tests/tools/test_bind.py",
        "tests/tools/test_book.py",
        "tests/tools/test_launch.py",
        "tests/tools/test_instructors.py",
        "tests/tools/test_handout.py",
        "tests/tools/test_live.py",
        "tests/tools/test_solutions.py",
        "tests/tools/test_whole.py",
        "tests/course/test_exercises.py",
    ],
    "book/tools/slides.py": ["tests/browser"],
    "book/tools/whole.py": ["tests/browser"],
    "book/template/": ["tests/tools/test_new_chapter.py"],
    "book/template/exam.md": ["tests/tools/test_exam.py"],
    "book/template/slides/": ["tests/tools/test_slides.py", "tests/browser"],
    "book/data/": [
        "tests/course/test_stored.py",
        "tests/course/test_sums.py",
        "tests/tools/test_data_dictionary.py",
    ],
    "book/data_dictionary.md": ["tests/tools/test_data_dictionary.py"],
    "book/videos/": ["tests/course/test_videos.py", "tests/course/test_sums.py"],
    "book/studies/": ["tests/course/test_stored.py", "tests/tools/test_instructors.py"],
    "book/studies/lander_questions.py": ["tests/course/test_lander_endings.py"],
    "rl_lab/course/experiments/": ["tests/course/test_experiments.py", "tests/browser"],
    ".github/": ["tests/tools/test_ci.py"],
    "README.md": ["tests/tools/test_ci.py"],
}


def git(root: Path, *arguments: str) -> list[str]:
    """The lines that a git command prints.

    Raises:
        ValueError: if git refuses; its own words are in the message.
    """
    command = ["git", "-C", str(root), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.splitlines()


def changed_files(root: Path, ref: str) -> list[str]:
    """Paths below `root` that differ from where this branch left `ref`, new files included."""
    tracked = git(root, "diff", "--name-only", "--no-renames", "--merge-base", ref)
    untracked = git(root, "ls-files", "--others", "--exclude-standard")
    return sorted({*tracked, *untracked})


def default_ref(root: Path) -> str:
    """The main branch as it was last fetched, or the one of this clone."""
    known = git(root, "for-each-ref", "--format=%(refname:short)")
    return "origin/main" if "origin/main" in known else "main"


def program(path: Path) -> str:
    """The Python of a module or, joined, of a notebook's cells."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    cells = json.loads(text)["cells"]
    return "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")


def imports(path: Path) -> set[str]:
    """Full names of what a module or a notebook imports, with members as if they were modules."""
    names = set()
    for node in ast.walk(ast.parse(program(path))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def modules_used(path: Path, modules: dict[str, Path]) -> set[str]:
    """Names of all `modules` that a file needs, those that they need included."""
    found, waiting = set(), [path]
    while waiting:
        names = imports(waiting.pop())
        new = {m for m in modules if any(f"{name}.".startswith(f"{m}.") for name in names)} - found
        found |= new
        waiting += [modules[module] for module in new]
    return found


def library(root: Path) -> dict[str, Path]:
    """Every module of `rl_lab` by its full name, and those of the book and the tests by theirs."""
    files = [path for path in (root / "rl_lab").rglob("*.py") if path.name != "__init__.py"]
    found = {".".join(path.relative_to(root).with_suffix("").parts): path for path in files}
    others = ("book/_ext/*.py", "book/tools/*.py", "tests/*.py", "tests/browser/*.py")
    return found | {path.stem: path for pattern in others for path in root.glob(pattern)}


def stands_on(path: Path, changed: list[str], modules: dict[str, Path], root: Path) -> list[str]:
    """Those of the `changed` files that the chapter or test at `path` depends on."""
    # What lies beside a module, a style or a script, is a part of it.
    used = {modules[name].relative_to(root) for name in modules_used(path, modules)}
    folders = {file.parent for file in used}
    text = path.read_text(encoding="utf-8")
    return [
        name
        for name in changed
        if name == path.relative_to(root).as_posix()
        or (name.endswith(".py") and Path(name) in used)
        or (
            name.startswith("rl_lab/") and not name.endswith(".py") and Path(name).parent in folders
        )
        or (name.startswith(("book/data/", "book/videos/")) and names(text, name))
    ]


def names(text: str, file: str) -> bool:
    """Whether a text names a stored file by the word before its first dot."""
    return re.search(rf"\b{re.escape(Path(file).name.partition('.')[0])}\b", text) is not None


def selection(root: Path, changed: list[str]) -> dict[str, list[str]]:
    """What pytest has to run, each with the changed files that ask for it."""
    if whole := [name for name in changed if name in EVERYTHING]:
        return {"tests": whole, "book": whole}
    modules = library(root)
    files = [*(root / "book").rglob("*.ipynb"), *(root / "tests").rglob("test_*.py")]
    found = {
        path.relative_to(root).as_posix(): reasons
        for path in sorted(files)
        if (reasons := stands_on(path, changed, modules, root))
    }
    for beginning, tests in LOOKED_AT.items():
        reasons = [name for name in changed if name.startswith(beginning)]
        for test in tests:
            if reasons and (root / test).exists():
                found[test] = sorted({*found.get(test, []), *reasons})
    # A folder that is run anyway brings its files.
    return {
        p: r for p, r in found.items() if not any(q.as_posix() in found for q in Path(p).parents)
    }


def main(arguments: list[str]) -> int:
    """Say what runs and why, and run it."""
    ref = next(iter(arguments), "") or default_ref(ROOT)
    chosen = selection(ROOT, changed_files(ROOT, ref))
    if not chosen:
        print(f"Nothing that changed since {ref} concerns a chapter or a test.")
        return 0
    for path, reasons in chosen.items():
        more = f" and {len(reasons) - 2} more" if len(reasons) > 2 else ""
        print(f"{path:<40} {', '.join(reasons[:2])}{more}")
    options = ["--nbval", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, *chosen], cwd=ROOT, check=False
    ).returncode


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ValueError as error:
        sys.exit(str(error))
