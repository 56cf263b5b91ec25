"""Rules that every chapter and the site keep, checked on what is stored in the notebooks."""

import ast
import json
import re
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
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


# Numbers in prose

NUMBER = re.compile(r"(?<![\w.])(?:\d{1,3}(?:,\d{3})+|\d[\d_]*)(?:\.\d+)?(?:[eE][-+]?\d+)?(?!\w)")
IN_CODE = re.compile(r"(?:\d{1,3}(?:,\d{3})+|\d[\d_]*)(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+")
PERCENT = re.compile(r"\s*(?:%|\\%|per cent)")
NOT_PROSE = [
    r"^(`{3,}|~{3,})(?!\{)[^\n]*\n.*?^\1[^\n]*$",  # a listing
    r"^(`{3,}|:{3,})\{admonition\} Predict.*?^\1\s*$",  # answers to choose from, some wrong
    r"^`{3,}\{(?:code|code-block|math|figure|image|raw|bibliography)\}.*?^`{3,}\s*$",
    r"\$\$.*?\$\$",
    r"\\begin\{(\w+\*?)\}.*?\\end\{\1\}",
    r"\$[^$\n]+\$",
    r"\{[\w:-]+\}`[^`]*`",  # a role: a citation, a reference, a term
    r"`+[^`\n]+`+",
    r"^\s*:[\w-]+:[^\n]*$",  # an option of a directive
    r"^[`:]{3,}[^\n]*$",
    r"^#+ [^\n]*$",  # a heading
    r"(?<=\])\([^)\s]*\)",  # where a link leads
    r"<[^>\n]+>",
    r"https?://\S+",
    r"(?<=[\s(])\(?(?:19|20)\d\d[a-z]?(?=\))",  # a year, ending a parenthesis
    r"\((?:19|20)\d\d[a-z]?\)",
    r"\bNature (?:19|20)\d\d",
    r"\b(?:Python|Torch|PyTorch|Gymnasium|NumPy|Algorithm|[Ss]ection|[Cc]hapter) v?\d[\d.]*",
    r"\b\d+ (?:seconds?|minutes?)\b",  # how long a chapter runs, which no cell may print
    r"(?<![\w.,])95(?: | )?(?:%|\\%|per cent)",  # the level of every interval
]
NOT_PROSE = [re.compile(pattern, re.M | re.S) for pattern in NOT_PROSE]


def value(text: str) -> Decimal:
    return Decimal(text.replace(",", "").replace("_", "")).normalize()


def numbers_shown(chapter) -> set[Decimal]:
    """All numbers in the chapter's code and in the text that it printed."""
    texts = [chapter.program]
    for cell in chapter.code:
        for output in cell["outputs"]:
            texts.append(joined(output.get("text", "")))
            texts.append(joined(output.get("data", {}).get("text/plain", "")))
    return {value(found) for text in texts for found in IN_CODE.findall(text)}


def unbacked(text: str, shown: set[Decimal]) -> list[str]:
    """Numbers in a text that no cell shows, each with the words around it."""
    for pattern in NOT_PROSE:
        text = pattern.sub(" ", text)
    found = []
    for match in NUMBER.finditer(text):
        number = value(match[0])
        forms = {number}
        if PERCENT.match(text, match.end()):
            forms.add((number / 100).normalize())
        small = number == number.to_integral_value() and number <= 12
        if not small and not forms & shown:
            around = text[max(0, match.start() - 40) : match.end() + 25]
            found.append(f"{match[0]!r} in ... {' '.join(around.split())} ...")
    return found


def test_every_number_in_prose_is_shown_by_a_cell(chapter):
    shown = numbers_shown(chapter)
    offenders = [line for cell in chapter.markdown for line in unbacked(source(cell), shown)]
    assert not offenders, "no cell shows\n" + "\n".join(offenders)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("A budget of 50,000 steps, 0.50 and 97.5 % of it.", []),
        ("It takes 60,000 steps and 0.3.", ["60,000", "0.3"]),
        ("# 99 problems\n\nTwo of 12, `x = 77`, $y = 88$ and {cite:t}`mnih2015`.", []),
        ("# 99\n\n88 and\n\n```{note}\n:class: tip\n77\n```\n\n66", ["88", "77", "66"]),
        ("CartPole-v1 after [66](page66.html) (Mnih et al., 2015).", ["66"]),
        ("In 2015, a 500-step episode; 95 % intervals.", ["2015", "500"]),
        (":::{admonition} Predict first\n:class: tip\nIs it 33 or 13?\n:::\n\n44", ["44"]),
        ("```{note}\n:class: tip-55\n33 or 13\n```\n", ["33", "13"]),
        ("```python\n55\n```\n\n$$\n66\n$$\n\nabout 90 seconds", []),
    ],
)
def test_the_prose_rule_itself(text, numbers):
    shown = {value(number) for number in ("50_000", "0.5", "0.975")}
    assert [line.split("'")[1] for line in unbacked(text, shown)] == numbers


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
        if path.is_file() and path.suffix not in {".mp4", ".png", ".safetensors"}:
            yield name, path.read_text(encoding="utf-8")


@pytest.mark.parametrize("pattern", [MACHINE_PATH, HOST], ids=["machine path", "registry host"])
def test_no_file_names_a_machine_or_a_registry(pattern):
    found = {name: match[0] for name, text in tracked_texts() if (match := pattern.search(text))}
    assert not found


def test_no_chapter_names_a_machine(chapter):
    text = chapter.path.read_text(encoding="utf-8")
    assert not MACHINE_PATH.search(text) and "/tmp/" not in text
