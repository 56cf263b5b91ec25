"""Rules that every chapter and the site keep, checked on what is stored in the notebooks."""

import ast
import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
BOOK = ROOT / "book"
CHAPTERS = sorted(BOOK.glob("*.ipynb"))
HIDDEN = {"hide-input", "hide-cell", "remove-input", "remove-cell"}
MACHINE_PATH = re.compile(r"(?<![\w.~])/(?:work|root|home/\w+|Users/\w+)/|[A-Z]:[\\]+Users")
# Hosts of package registries: where packages come from is the reader's own setting.
HOSTS = {"pypi": "org", "pythonhosted": "org", "download.pytorch": "org", "npmjs": "org"}
HOST = re.compile("|".join(rf"{re.escape(name)}\.{top}\b" for name, top in HOSTS.items()))


class Chapter:
    """A notebook, and its parts that are looked at most."""

    def __init__(self, path):
        self.path = path
        self.notebook = json.loads(path.read_text(encoding="utf-8"))
        self.cells = self.notebook["cells"]
        self.code = [cell for cell in self.cells if cell["cell_type"] == "code"]
        self.markdown = [cell for cell in self.cells if cell["cell_type"] == "markdown"]
        self.prose = "\n\n".join(source(cell) for cell in self.markdown)
        self.program = "\n\n".join(source(cell) for cell in self.code)


def joined(text) -> str:
    return text if isinstance(text, str) else "".join(text)


def source(cell) -> str:
    return joined(cell["source"])


def tags(cell) -> set:
    return set(cell["metadata"].get("tags", []))


def images(cell):
    return [
        kind
        for output in cell["outputs"]
        for kind in output.get("data", {})
        if kind.startswith("image/")
    ]


@pytest.fixture(params=CHAPTERS, ids=lambda path: path.stem)
def chapter(request):
    return Chapter(request.param)


# How it was run


def test_cells_ran_in_order_on_a_fresh_kernel(chapter):
    counts = [cell["execution_count"] for cell in chapter.code if source(cell).strip()]
    assert counts == list(range(1, len(counts) + 1))
    assert chapter.notebook["metadata"]["kernelspec"]["name"] == "python3"


def test_no_cell_failed_or_complained(chapter):
    outputs = [output for cell in chapter.code for output in cell["outputs"]]
    assert not [o for o in outputs if o["output_type"] == "error" or o.get("name") == "stderr"]


def test_the_file_is_small(chapter):
    assert chapter.path.stat().st_size < 500_000


# What it shows


def test_visible_cells_have_at_most_15_lines(chapter):
    visible = [source(cell) for cell in chapter.code if not tags(cell) & HIDDEN]
    assert not [text for text in visible if len(text.splitlines()) > 15]


def test_every_figure_has_a_caption_and_a_description(chapter):
    bare = []
    for cell in chapter.code:
        if images(cell) and not tags(cell) & {"remove-output", "remove-cell"}:
            rendered = cell["metadata"].get("mystnb", {})
            caption = rendered.get("figure", {}).get("caption", "")
            alt = rendered.get("image", {}).get("alt", "")
            if not (caption.strip() and alt.strip()) or caption == alt or len(images(cell)) > 1:
                bare.append(source(cell))
    assert not bare


def test_exercises_have_folded_solutions(chapter):
    labels = re.findall(r"^`{3,}\{exercise-start\}[^`]*?^:label: *(\S+)", chapter.prose, re.M)
    labels += re.findall(r"^`{3,}\{exercise\}[^`]*?^:label: *(\S+)", chapter.prose, re.M)
    solutions = re.findall(
        r"^`{3,}\{solution(?:-start)?\} *(\S+)\n((?::.*\n)*)", chapter.prose + "\n", re.M
    )
    assert len(labels) >= 2
    assert sorted(labels) == sorted(label for label, _ in solutions)
    assert all("dropdown" in options for _, options in solutions)


def test_no_cell_ends_in_a_semicolon(chapter):
    """Which hides a figure's last value in Jupyter, and not from nbval without our conftest."""
    assert not [source(cell) for cell in chapter.code if source(cell).rstrip().endswith(";")]


def test_claims_are_checked(chapter):
    nodes = ast.walk(ast.parse(chapter.program))
    calls = [node.func for node in nodes if isinstance(node, ast.Call)]
    assert sum(getattr(function, "id", "") == "check" for function in calls) >= 3


def test_no_magic_and_no_global_seed(chapter):
    lines = chapter.program.splitlines()
    assert not [line for line in lines if line.lstrip().startswith(("%", "!"))]
    nodes = ast.walk(ast.parse(chapter.program))
    names = {ast.unparse(node) for node in nodes if isinstance(node, ast.Attribute)}
    assert not names & {"np.random.seed", "numpy.random.seed", "torch.manual_seed", "random.seed"}


# The site


def test_the_table_of_contents_lists_exactly_the_pages():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    listed = [toc["root"]] + [page["file"] for part in toc["parts"] for page in part["chapters"]]
    assert len(listed) == len(set(listed))
    pages = [path for kind in ("*.ipynb", "*.md") for path in BOOK.glob(kind)]
    assert set(listed) == {path.relative_to(ROOT).with_suffix("").as_posix() for path in pages}
    chapters = [name for name in listed if (ROOT / f"{name}.ipynb").exists()]
    first_page = (BOOK / "index.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\* - \d+\n  - \{doc\}`(\w+)`", first_page, re.M)
    assert chapters == [f"book/{name}" for name in rows]


def tracked_texts():
    """Name and text of every text file in the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.is_file() and path.suffix not in {".gz", ".mp4", ".png", ".safetensors"}:
            yield name, path.read_text(encoding="utf-8")


@pytest.mark.parametrize("pattern", [MACHINE_PATH, HOST], ids=["machine path", "registry host"])
def test_no_file_names_a_machine_or_a_registry(pattern):
    found = {name: match[0] for name, text in tracked_texts() if (match := pattern.search(text))}
    assert not found


def test_no_chapter_names_a_machine(chapter):
    text = chapter.path.read_text(encoding="utf-8")
    assert not MACHINE_PATH.search(text) and "/tmp/" not in text


def test_no_letter_of_a_prediction_is_worth_guessing():
    texts = [page.read_text(encoding="utf-8") for page in BOOK.glob("*.md")]
    texts += [Chapter(path).prose for path in CHAPTERS]
    letters = []
    for asked in re.findall(r"^:{3,}\{prediction\}.*?</details>", "\n".join(texts), re.M | re.S):
        options, answer = asked.split("<details>")
        if re.findall(r"^- \*\*\((.)\)", options, re.M) == ["a", "b", "c"]:
            letters.append(re.search(r"\*\*\((.)\)\*\*", answer)[1])
    counts = {letter: letters.count(letter) for letter in "abc"}
    assert len(letters) > 50, counts
    assert max(counts.values()) <= len(letters) / 2, counts
    assert counts["a"] >= len(letters) / 5, counts
