"""Modules point one way, and nothing reads a format that can run code."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "rl_lab"

# What each module may import from rl_lab: the diagram in CONTRIBUTING.md.
EXPERIMENTS = ["cartpole", "divergence", "landing", "learning", "seeds", "tabular"]
CHAPTERS = ["ablation", "cartpole", "debugging", "lunar_lander", "naive_network", "replay"]
CHAPTERS += ["tabular_limits", "takeaways", "target_network", "write_dqn"]
ALLOWED = {
    "utils.common": set(),
    "utils.stored": set(),
    "replay": set(),
    "networks": set(),
    "envs": set(),
    "optim": set(),
    "stats": set(),
    "claims": set(),
    "settings": set(),
    "training": set(),
    "films": {"utils.stored"},
    "agents.tabular": set(),
    "losses": {"replay"},
    "gradients": {"losses", "networks", "replay"},
    "agents.dqn": {
        "gradients",
        "losses",
        "networks",
        "optim",
        "replay",
        "utils.common",
    },
    "plotting": {"stats", "training"},
    "multiseed": {"agents.dqn", "gradients", "networks", "optim", "replay", "training"},
    "studies": {"agents.dqn", "envs", "losses", "multiseed", "replay", "training"},
    "exercises.answers": set(),
    "exercises.ablation": {"exercises.answers", "stats"},
    "exercises.cartpole": {"exercises.answers", "losses", "replay"},
    "exercises.short_dqn": {"networks"},
    "exercises.short_dqn_tests": set(),
    "exercises.debugging": {
        "envs",
        "exercises.answers",
        "exercises.short_dqn",
        "exercises.short_dqn_tests",
        "multiseed",
        "utils.common",
    },
    "exercises.lunar_lander": {"exercises.answers"},
    "exercises.naive_network": {"exercises.answers"},
    "exercises.replay": {"exercises.answers"},
    "exercises.tabular_limits": {"agents.tabular", "exercises.answers"},
    "exercises.takeaways": {"exercises.answers"},
    "exercises.target_network": {"agents.dqn", "exercises.answers"},
    "exercises.write_dqn": {
        "envs",
        "exercises.answers",
        "networks",
        "replay",
        "training",
        "utils.common",
    },
    "exercises.review": {"exercises.answers", *(f"exercises.{name}" for name in CHAPTERS)},
    "widgets.live": set(),
    "widgets.static": {"utils.stored"},
    "widgets.base": {"widgets.static"},
} | {f"widgets.{name}": {"widgets.base"} for name in EXPERIMENTS}
# Packages that only one module needs.
ONLY = {"matplotlib": {"plotting"}, "imageio": {"films"}, "joblib": {"studies"}}


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
    assert found <= ALLOWED.get(module, set())
    assert len(own) == 0 or found, f"{own} are no modules of rl_lab"
    for package, users in ONLY.items():
        uses = any(name.split(".")[0] == package for name in imported(MODULES[module]))
        assert not uses or module in users


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
    calls = {"torch.load", "torch.save", "joblib.load", "joblib.dump"}
    for name in imported(tree):
        if name.split(".")[0] in formats or name in calls:
            yield name
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            if node.attr in {"to_pickle", "read_pickle"} or ast.unparse(node) in calls:
                yield ast.unparse(node)
        elif isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            yield "allow_pickle"


def test_nothing_is_pickled():
    folders = ("rl_lab", "tests", "book")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    assert len(files) > 20
    found = {p.name: list(code_that_unpickles(ast.parse(p.read_text()))) for p in files}
    assert {name: uses for name, uses in found.items() if uses} == {}
    assert list(code_that_unpickles(ast.parse("import torch\ntorch.load('x')"))) == ["torch.load"]
