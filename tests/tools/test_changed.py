"""Which chapters and tests a change asks for, in a small repository."""

import shutil
import subprocess

import nbformat
import pytest
from changed import LOOKED_AT, ROOT, changed_files, default_ref, library, modules_used, selection


def git(root, *arguments):
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", root, *identity, *arguments], check=True, capture_output=True)


FILES = {
    "requirements.txt": "numpy",
    "README.md": "read me",
    "rl_lab/__init__.py": "",
    "rl_lab/replay.py": "",
    "rl_lab/losses.py": "from rl_lab.replay import Batch",
    "rl_lab/course/plotting.py": "",
    "rl_lab/course/book.mplstyle": "",
    "book/data/chain.errors.csv": "1",
    "book/_ext/course.py": "",
    "book/tools/exam.py": "",
    "book/tools/handout.py": "",
    "book/_ext/solutions.py": "def left_out():\n    from handout import without",
    "book/studies/lander_questions.py": "",
    "book/template/exam.md": "",
    "tests/fakes.py": "",
    "tests/test_robust.py": "from fakes import Fake",
    "tests/tools/test_exam.py": "from exam import draw",
    "tests/tools/test_solutions.py": "from solutions import left_out",
    "tests/course/test_lander_endings.py": "",
    "tests/test_losses.py": "from rl_lab.losses import loss",
    "tests/tools/test_book.py": "",
    "tests/tools/test_site.py": "",
    "tests/browser/test_pages.py": "",
}
BOOK = ["tests/tools/test_book.py", "tests/tools/test_solutions.py"]  # look at all of it
CELLS = {
    "replay": "from rl_lab.losses import loss",
    "figures": "import rl_lab.course.plotting as plotting\nload_study('data/chain')",
    "alone": "chains = 1",
}


@pytest.fixture
def root(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    for name, text in CELLS.items():
        cells = [nbformat.v4.new_code_cell(text)]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / f"book/{name}.ipynb")
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "all")
    return tmp_path


@pytest.mark.parametrize(
    ("changed", "chosen"),
    [
        ("README.md", []),
        ("book/alone.ipynb", ["book/alone.ipynb", *BOOK]),
        ("rl_lab/losses.py", ["book/replay.ipynb", "tests/test_losses.py"]),
        ("rl_lab/replay.py", ["book/replay.ipynb", "tests/test_losses.py"]),
        ("rl_lab/course/plotting.py", ["book/figures.ipynb"]),
        ("book/data/chain.errors.csv", ["book/figures.ipynb", *BOOK]),
        (
            "book/_ext/course.py",
            ["tests/browser", "tests/tools/test_site.py", *BOOK],
        ),
        ("book/tools/exam.py", ["tests/tools/test_exam.py", *BOOK]),
        ("book/template/exam.md", ["tests/tools/test_exam.py", *BOOK]),
        ("book/studies/lander_questions.py", ["tests/course/test_lander_endings.py", *BOOK]),
        ("tests/fakes.py", ["tests/test_robust.py"]),
        ("tests/test_losses.py", ["tests/test_losses.py"]),
        ("requirements.txt", ["book", "tests"]),
    ],
)
def test_what_a_change_asks_for(root, changed, chosen):
    (root / changed).write_text((root / changed).read_text() + " ")
    assert changed_files(root, "main") == [changed]
    assert sorted(selection(root, [changed])) == sorted(chosen)


def test_a_tool_that_a_test_imports_by_way_of_another(root):
    modules = library(root)
    used = modules_used(root / "tests/tools/test_solutions.py", modules)
    assert used == {"solutions", "handout"}


def test_every_test_that_is_named_is_there():
    named = {test for tests in LOOKED_AT.values() for test in tests}
    assert [test for test in named if not (ROOT / test).exists()] == []


def test_a_style_beside_a_module_belongs_to_it(root):
    chosen = selection(root, ["rl_lab/course/book.mplstyle"])
    assert "book/figures.ipynb" in chosen
    assert "book/replay.ipynb" not in chosen


def test_commits_new_files_and_deletions_count_and_the_other_branch_does_not(root):
    git(root, "switch", "-q", "-c", "mine")
    (root / "rl_lab/replay.py").unlink()
    git(root, "commit", "-q", "-a", "-m", "mine")
    git(root, "switch", "-q", "main")
    (root / "rl_lab/losses.py").write_text("theirs = 1")
    git(root, "commit", "-q", "-a", "-m", "theirs")
    git(root, "switch", "-q", "mine")
    (root / "new.txt").write_text("1")
    assert changed_files(root, default_ref(root)) == ["new.txt", "rl_lab/replay.py"]


def test_an_unknown_ref_is_named(root):
    with pytest.raises(ValueError, match="nowhere"):
        changed_files(root, "nowhere")


def test_the_library_as_it_is():
    modules = library(ROOT)
    used = modules_used(ROOT / "book" / "replay.ipynb", modules)
    assert "rl_lab.agents.dqn" in used and "rl_lab.losses" in used
    assert "rl_lab.course.experiments.static" in used  # by way of learning and base
    assert "rl_lab.course.videos" not in used


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize(
    ("chapter", "says"),
    [
        (
            "replay",
            "-k replay tests/tools/test_book.py tests/tools/test_bind.py book/replay.ipynb\n",
        ),
        ("", "no-loadscope-reorder tests book\n"),
        ("nowhere", "there is no book/nowhere.ipynb"),
    ],
)
def test_make_runs_one_chapter_or_all(chapter, says):
    command = ["make", "-n", "test", f"CHAPTER={chapter}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert says in done.stdout + done.stderr
