"""The list of planted bugs keeps up with the code."""

import subprocess
import sys

import mutants
import pytest


def test_every_mutant_finds_its_line():
    assert mutants.misplaced(mutants.MUTANTS) == []
    names = [mutant.name for mutant in mutants.MUTANTS]
    assert len(set(names)) == len(names)


@pytest.mark.slow
def test_a_copy_holds_what_the_guarding_tests_need(tmp_path):
    copy = mutants.copy_of_repository(tmp_path)
    files = sorted({path for file in mutants.GUARDS for path in mutants.guards(file)})
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    collected = subprocess.run([*command, *files], cwd=copy, capture_output=True, text=True)
    assert collected.returncode == 0, collected.stdout
