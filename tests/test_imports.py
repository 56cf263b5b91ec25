"""Modules point one way, and nothing reads a format that can run code.

``python tests/test_imports.py`` writes the diagrams of the documents anew.
"""

import ast
import functools
import itertools
import re
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "rl_lab"

# What each module imports from rl_lab; the diagrams in CONTRIBUTING.md and book/api.md show it.
EXPERIMENTS = ["cartpole", "divergence", "double", "lander_distribution", "landing", "learning"]
EXPERIMENTS += ["memory", "pixels", "seeds", "tabular", "traps"]
CHAPTERS = [
    "ablation",
    "better_memory",
    "cartpole",
    "debugging",
    "distributional",
    "double_dqn",
    "dueling",
    "luck",
    "lunar_lander",
    "naive_network",
]
CHAPTERS += [
    "noisy_networks",
    "pixels",
    "rainbow",
    "replay",
    "tabular_limits",
    "takeaways",
    "target_network",
    "write_dqn",
]
CHAPTERS += ["time_limits", "your_environment"]
ALLOWED = {
    "utils.common": set(),
    "course.stored": set(),
    "replay": set(),
    "networks": set(),
    "envs": set(),
    "bricks": set(),
    "probes": set(),
    "stats": set(),
    "course.claims": set(),
    "course.settings": set(),
    "checks": set(),
    "training": {"checks"},
    "course.videos": {"course.stored"},
    "agents.tabular": set(),
    "losses": {"replay"},
    "n_step": {"replay"},
    "prioritized": {"replay"},
    "distributional": {"losses", "replay"},
    "fast_path": {"losses", "networks", "replay"},
    "agents.dqn": {"losses", "n_step", "networks", "replay", "utils.common"},
    "course.plotting": {"stats", "training"},
    "stack": {"agents.dqn", "checks", "fast_path", "losses", "networks", "replay", "training"},
    "course.machine": set(),
    "course.results": set(),
    "course.studies": {
        "agents.dqn",
        "course.machine",
        "course.results",
        "distributional",
        "envs",
        "losses",
        "networks",
        "prioritized",
        "replay",
        "stack",
        "training",
    },
    "course.exercises.answers": set(),
    "course.exercises.ablation": {"course.exercises.answers", "stats"},
    "course.exercises.cartpole": {"course.exercises.answers", "losses", "replay"},
    "course.exercises.luck": {"course.exercises.answers"},
    "course.exercises.short_dqn": {"networks"},
    "course.exercises.short_dqn_tests": set(),
    "course.exercises.family_bugs": {
        "agents.dqn",
        "distributional",
        "n_step",
        "networks",
        "prioritized",
        "training",
    },
    "course.exercises.debugging": {
        "envs",
        "course.exercises.answers",
        "course.exercises.short_dqn",
        "course.exercises.short_dqn_tests",
        "stack",
        "utils.common",
    },
    "course.exercises.lunar_lander": {"course.exercises.answers"},
    "course.exercises.naive_network": {"course.exercises.answers"},
    "course.exercises.pixels": {"course.exercises.answers"},
    "course.exercises.noisy_networks": {"course.exercises.answers"},
    "course.exercises.rainbow": {
        "agents.dqn",
        "course.exercises.answers",
        "distributional",
        "networks",
        "prioritized",
    },
    "course.exercises.replay": {"course.exercises.answers"},
    "course.exercises.tabular_limits": {"agents.tabular", "course.exercises.answers"},
    "course.exercises.takeaways": {"course.exercises.answers"},
    "course.exercises.better_memory": {"course.exercises.answers"},
    "course.exercises.distributional": {"course.exercises.answers"},
    "course.exercises.double_dqn": {"course.exercises.answers"},
    "course.exercises.dueling": {"course.exercises.answers"},
    "course.exercises.target_network": {"agents.dqn", "course.exercises.answers"},
    "course.exercises.time_limits": {"course.exercises.answers"},
    "course.exercises.write_dqn": {
        "envs",
        "course.exercises.answers",
        "course.exercises.debugging",
        "course.exercises.short_dqn_tests",
        "networks",
        "probes",
        "replay",
        "training",
        "utils.common",
    },
    "course.exercises.your_environment": {
        "agents.dqn",
        "course.exercises.answers",
        "stack",
        "training",
    },
    "course.your_environment": {"agents.dqn", "checks", "stack", "stats", "training"},
    "course.exercises.review": {
        "course.exercises.answers",
        *(f"course.exercises.{name}" for name in CHAPTERS),
    },
    "course.experiments.interactive": set(),
    "course.experiments.static": {"course.stored"},
    "course.experiments.base": {"course.experiments.static"},
} | {f"course.experiments.{name}": {"course.experiments.base"} for name in EXPERIMENTS}
# Packages that only one module needs.
ONLY = {
    "matplotlib": {"course.plotting"},
    "imageio": {"course.videos"},
    "filelock": {"course.studies"},
    "joblib": {"course.studies"},
}


def module_name(path):
    return ".".join(path.relative_to(LIBRARY).with_suffix("").parts)


def imported(tree):
    """The full names of all imported modules, or members of modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: write imports in full"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


SOURCES = {module_name(path): ast.parse(path.read_text()) for path in LIBRARY.rglob("*.py")}
MODULES = {name: tree for name, tree in SOURCES.items() if not name.endswith("__init__")}


def test_every_module_has_its_place():
    assert MODULES.keys() == ALLOWED.keys()


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_one_way(module):
    own = {name for name in imported(MODULES[module]) if name.split(".")[0] == "rl_lab"}
    found = {m for m in ALLOWED for name in own if f"{name}.".startswith(f"rl_lab.{m}.")}
    assert found == ALLOWED.get(module)
    assert len(own) == 0 or found, f"{own} are no modules of rl_lab"
    for package, users in ONLY.items():
        uses = any(name.split(".")[0] == package for name in imported(MODULES[module]))
        assert not uses or module in users


def test_the_core_needs_neither_the_course_nor_its_packages():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {re.match(r"[\w-]+", line)[0] for line in project["dependencies"]}
    core = [name for name in MODULES if not name.startswith("course.")]
    used = {name for module in core for name in imported(MODULES[module])}
    assert not {name for name in used if f"{name}.".startswith("rl_lab.course.")}
    packages = {name.split(".")[0] for name in used} - sys.stdlib_module_names - {"rl_lab"}
    assert packages == needed


# A document, what stands before its diagram, and what comes next.
DIAGRAMS = {
    "CONTRIBUTING.md": re.compile(r"(?s)(## Architecture\n\n```text\n)(.*?)(```\n)"),
    "book/api.md": re.compile(r"(?s)(:name: api-imports\n:caption: [^\n]+\n\n)(.*?)(```\n)"),
}


def without_members(modules):
    """The dictionary with one entry for all exercises, and one for all experiments."""

    def short(name):
        return re.sub(r"^(course\.(?:exercises|experiments))\..*", r"\1", name)

    merged = {}
    for name, needs in modules.items():
        merged.setdefault(short(name), set()).update(map(short, needs))
    return {name: needs - {name} for name, needs in merged.items()}


def diagram(modules):
    """The dictionary as text: each module stands above all that it imports."""
    modules = without_members(modules)

    @functools.cache
    def floor(name):
        return 1 + max(map(floor, modules[name]), default=-1)

    def place(name):
        return "course" if name.startswith("course.") else f"floor {floor(name)}"

    names = sorted(modules, key=lambda m: (place(m) != "course", -floor(m), m))
    width = max(map(len, names))
    lines = []
    for heading, members in itertools.groupby(names, place):
        members = list(members)
        rows = [(f"{name:<{width}}  -->  ", sorted(modules[name])) for name in members]
        rows = [(name, needs) for name, needs in rows if needs]
        rows.append(("", [name for name in members if not modules[name]]))
        for name, words in rows:
            indent = f"{heading:<9}"
            texts = textwrap.wrap("  ".join(words), 88 - len(indent + name))
            lines += [f"{indent}{name}{texts[0]}"] if texts else []
            lines += [" " * len(indent + name) + text for text in texts[1:]]
            heading = "" if texts else heading
        lines.append("")
    return "\n".join(lines[:-1]) + "\n"


@pytest.mark.parametrize("document", DIAGRAMS)
def test_a_diagram_shows_what_is_imported(document):
    (shown,) = DIAGRAMS[document].findall((ROOT / document).read_text(encoding="utf-8"))
    assert shown[1] == diagram(ALLOWED), "run `python tests/test_imports.py`"


def test_whatever_a_module_imports_stands_below_it():
    text = diagram({"b": {"a"}, "course.exercises.c": {"b"}, "a": set()})
    assert [line.split() for line in text.splitlines() if line] == [
        ["course", "course.exercises", "-->", "b"],
        ["floor", "1", "b", "-->", "a"],
        ["floor", "0", "a"],
    ]


def draw():
    """Write the diagram into the documents."""
    for document, place in DIAGRAMS.items():
        text = (ROOT / document).read_text(encoding="utf-8")
        text = place.sub(lambda found: found[1] + diagram(ALLOWED) + found[3], text)
        (ROOT / document).write_text(text, encoding="utf-8", newline="\n")


@pytest.mark.parametrize("module", MODULES)
def test_imports_stand_at_the_top(module):
    functions = [n for n in ast.walk(MODULES[module]) if isinstance(n, ast.FunctionDef)]
    assert not [name for function in functions for name in imported(function)]


def test_packages_hold_a_docstring_and_nothing_else():
    for name in SOURCES.keys() - MODULES.keys():
        (docstring,) = SOURCES[name].body
        assert isinstance(docstring.value, ast.Constant)


def code_that_unpickles(tree):
    """Whatever stores or loads Python objects in a form that runs code when it is read."""
    formats = {"pickle", "cloudpickle", "dill", "shelve", "marshal"}
    calls = {"torch.load", "joblib.load", "joblib.dump"}
    safe = {
        ast.unparse(node.func)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and any(k.arg == "weights_only" and k.value.value is True for k in node.keywords)
    }
    for name in imported(tree):
        if name.split(".")[0] in formats or name in calls:
            yield name
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            if node.attr in {"to_pickle", "read_pickle"} or ast.unparse(node) in calls - safe:
                yield ast.unparse(node)
        elif isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            yield "allow_pickle"


def test_nothing_is_pickled():
    folders = ("rl_lab", "tests", "book")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    found = {p.name: list(code_that_unpickles(ast.parse(p.read_text()))) for p in files}
    assert {name: uses for name, uses in found.items() if uses} == {}
    assert list(code_that_unpickles(ast.parse("torch.load('x')"))) == ["torch.load"]
    assert not list(code_that_unpickles(ast.parse("torch.load('x', weights_only=True)")))


if __name__ == "__main__":
    draw()
