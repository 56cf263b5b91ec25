"""The list of planted bugs keeps up with the code."""

import mutants


def test_every_mutant_finds_its_line():
    assert mutants.misplaced(mutants.MUTANTS) == []
    names = [mutant.name for mutant in mutants.MUTANTS]
    assert len(set(names)) == len(names) > 100
