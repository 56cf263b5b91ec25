"""What continuous integration does, read from its files; the parts that run here are run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_notebook, new_output
from packaging.markers import Marker

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text()) for path in FOLDER.glob("*.yml")}
NEEDS_MAKE = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def steps(job):
    return job.get("steps", [])


def jobs():
    return {
        (name, key): job for name, file in WORKFLOWS.items() for key, job in file["jobs"].items()
    }


def test_actions_are_pinned_by_commit_and_say_their_version():
    lines = [line.strip("- ") for path in FOLDER.glob("*.yml") for line in lines_of(path)]
    used = [line for line in lines if line.startswith("uses:") and "uses: ./" not in line]
    assert used
    pinned = re.compile(r"uses: (actions/[\w-]+)@([0-9a-f]{40}) # v\d+\.\d+\.\d+")
    found = [pinned.fullmatch(line) for line in used]
    assert not [line for line, match in zip(used, found, strict=True) if match is None]
    assert len({match[1] for match in found}) == len({match[0] for match in found})


def lines_of(path):
    return [line.strip() for line in path.read_text().splitlines()]


def test_a_workflow_may_read_and_only_publishing_may_more():
    for workflow in WORKFLOWS.values():
        assert workflow["permissions"] == {"contents": "read"}
    more = {name: job["permissions"] for name, job in jobs().items() if "permissions" in job}
    assert more == {("pages", "publish"): {"pages": "write", "id-token": "write"}}
    checkouts = [
        s for job in jobs().values() for s in steps(job) if "checkout@" in s.get("uses", "")
    ]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_every_job_ends():
    assert all("timeout-minutes" in job for job in jobs().values() if "uses" not in job)


def test_the_oldest_and_the_newest_python_are_tried():
    oldest, newest = re.search(
        r"\((3, \d+)\) <= sys.version_info < \((3, \d+)\)", (ROOT / "Makefile").read_text()
    ).groups()
    minor = int(oldest[3:]), int(newest[3:]) - 1
    matrix = WORKFLOWS["ci"]["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert matrix == [f"3.{number}" for number in minor]
    assert f'requires-python = ">=3.{minor[0]}"' in (ROOT / "pyproject.toml").read_text()


def test_every_target_that_a_workflow_makes_exists():
    commands = [s["run"] for job in jobs().values() for s in steps(job) if "run" in s]
    lines = [line for command in commands for line in re.findall(r"^make (.+)", command, re.M)]
    made = {word for line in lines for word in re.match(r"[a-z -]*", line)[0].split()}
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert {"lint", "audit", "test", "linkcheck", "notebooks"} <= made <= targets


def test_once_a_week_packages_are_as_new_as_can_be():
    commands = [step.get("run") for step in steps(WORKFLOWS["ci"]["jobs"]["newest"])]
    assert "make test REQUIREMENTS=requirements.in" in commands
    named = [line.partition(" #")[0] for line in lines_of(ROOT / "requirements.in")]
    assert {".[course,cluster]", "nbval", "ruff"} <= set(named)
    pinned = {line.split("==")[0] for line in named if "==" in line}
    assert {"jupyter-book", "sphinx"} <= pinned and not pinned & {"torch", "numpy", "gymnasium"}


def test_every_package_has_one_exact_version_for_all_systems():
    """What `make requirements` writes: no host, no CUDA, and a marker where a system needs one."""
    lines = [line for line in lines_of(ROOT / "requirements.txt") if not line.startswith("#")]
    pins = [re.fullmatch(r"([\w.-]+)==([\w.]+)( ; .+)?", line) for line in lines]
    assert all(pins), "not resolved by `make requirements`"
    names = [pin[1] for pin in pins]
    assert len(set(names)) == len(names) > 150 and names == sorted(names)
    assert not [name for name in names if name.startswith(("cuda", "nvidia", "triton"))]
    markers = {pin[1]: pin[3] for pin in pins if pin[3]}
    assert "darwin" in markers["appnope"] and "win32" in markers["colorama"]
    box2d = Marker(markers["box2d"].removeprefix(" ; "))
    here = {"python_full_version": "3.11.0"}
    arm = here | {"platform_machine": "aarch64", "sys_platform": "linux"}
    assert not box2d.evaluate(arm)
    assert box2d.evaluate(arm | {"platform_machine": "x86_64"})
    assert box2d.evaluate(arm | {"platform_machine": "arm64", "sys_platform": "darwin"})
    for line in lines_of(ROOT / "requirements.in"):
        assert "==" not in line or line in lines, "run `make requirements`"


def test_dependabot_knows_every_list_of_packages_that_is_not_resolved():
    settings = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text())
    updates = {entry["package-ecosystem"]: entry for entry in settings["updates"]}
    assert updates.keys() == {"pip", "github-actions"}
    for folder in updates["pip"]["directories"]:
        assert (ROOT / folder.strip("/") / "requirements.txt").is_file()


def test_the_page_for_instructors_calls_the_workflow_in_five_lines():
    text = (ROOT / "book" / "instructors.md").read_text()
    shown = re.search(r"```yaml\\n(.*?)\\n```", text)[1].replace("\\n", "\n")
    assert len(shown.splitlines()) == 5
    caller = yaml.safe_load(shown.replace("%s", "owner/course"))
    (job,) = caller["jobs"].values()
    assert job["uses"] == "owner/course/.github/workflows/notebooks.yml@main"
    inputs = WORKFLOWS["notebooks"][True]["workflow_call"]["inputs"]  # YAML reads `on` as true
    for name in re.findall(r"with: \{ (\w+):", text):
        assert name in inputs


def test_nothing_is_pasted_into_a_shell():
    commands = [s["run"] for job in jobs().values() for s in steps(job) if "run" in s]
    assert not [command for command in commands if "${{" in command]


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_the_course_is_found_and_each_job_has_an_artifact_of_its_own(tmp_path):
    (first, *_) = steps(WORKFLOWS["notebooks"]["jobs"]["nbval"])

    def run(**known):
        output = tmp_path / "output"
        output.write_text("")
        env = dict.fromkeys(first["env"], "") | {"GITHUB_OUTPUT": str(output)} | known
        done = subprocess.run(
            ["bash", "-e", "-c", first["run"]],
            env=os.environ | env,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, output.read_text()

    for known in ({}, {"COURSE": "owner/course"}, {"COMMIT": "0123abc"}):
        code, said, _ = run(**known)
        assert code == 1 and said.startswith("::error::") and "make notebooks" in said
    known = dict(COURSE="owner/course", COMMIT="0123abc", NOTEBOOKS="week 3/a*", PYTHON="3.13")
    written = [run(**known) for _ in range(3)]
    assert [code for code, _, _ in written] == [0, 0, 0]
    names = {text.strip() for _, _, text in written}
    assert len(names) == 3
    assert all(re.fullmatch(r"artifact=report-week-3-a--3\.13-[0-9a-f]{8}", n) for n in names)
    assert first["id"] == "course"
    (upload,) = [s for s in steps(WORKFLOWS["notebooks"]["jobs"]["nbval"]) if "if" in s]
    assert upload["with"]["name"] == "${{ steps.course.outputs.artifact }}"


def test_forks_are_told_to_let_tags_publish():
    text = (FOLDER / "pages.yml").read_text()
    assert "Environments, github-pages" in text and "tags `v*`" in text


@pytest.fixture
def theirs(tmp_path):
    """Another repository, with a space in its path, a conftest and a test of its own."""
    folder = tmp_path / 'their "course" $(true)'
    folder.mkdir()
    (folder / "conftest.py").write_text("raise RuntimeError('theirs')")
    (folder / "test_theirs.py").write_text("def test_theirs():\n    assert False")
    source = "from rl_lab.envs import make_env\nmake_env('CartPole-v1').action_space.n.item()"
    outputs = [new_output("execute_result", {"text/plain": "2"}, execution_count=1)]
    cell = new_code_cell(source, execution_count=1, outputs=outputs)
    nbformat.write(new_notebook(cells=[cell]), folder / "week 1.ipynb")
    return folder


@NEEDS_MAKE
@pytest.mark.slow
@pytest.mark.parametrize(("stored", "code"), [("2", 0), ("3", 2)])
def test_notebooks_of_another_repository_are_checked(theirs, stored, code):
    path = theirs / "week 1.ipynb"
    path.write_text(path.read_text().replace('"2"', f'"{stored}"'))
    done = subprocess.run(
        ["make", "-o", ".venv/ready", f"PY={sys.executable}", "notebooks"],
        cwd=ROOT,
        env=os.environ | {"FOLDER": str(theirs), "NOTEBOOKS": "week 1.ipynb"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert ("1 passed" in done.stdout) == (code == 0)
    assert (theirs / "_build/report/index.html").is_file() == (code != 0)


def test_every_target_that_make_explains_is_in_the_readme():
    """A bare `make` lists these, and so does the table of commands."""
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.M))
    table = (ROOT / "README.md").read_text().partition("## All targets")[2].partition("\n## ")[0]
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `make")]
    told = {name for row in rows for name in re.findall(r"`make ([a-z-]+)", row)}
    assert "| `make` | list the targets |" in table
    assert told == targets - {"help"}


@NEEDS_MAKE
def test_a_bare_make_explains_itself():
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    said = re.findall(r"^make ([a-z-]+) +\S", done.stdout, re.M)
    phony = (ROOT / "Makefile").read_text().partition(".PHONY: ")[2].partition("\n.DEL")[0]
    assert sorted(said) == sorted(phony.replace("\\\n", " ").split())
