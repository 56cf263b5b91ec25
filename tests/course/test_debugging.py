"""The planted-bug lab: ten bugs of one line, ten tests, and what each test finds."""

import random

import numpy as np
import pytest
import torch

from rl_lab.course.exercises.debugging import BUGS, PATIENTS, SOURCE, diff, examine, fails, program
from rl_lab.course.exercises.short_dqn_tests import TESTS
from rl_lab.envs import make_env
from rl_lab.losses import q_learning_loss
from rl_lab.replay import Batch


def test_ten_bugs_each_in_a_line_of_its_own_and_silent():
    assert len(BUGS) == 10 and sorted(PATIENTS.values()) == sorted(BUGS)
    assert "".join(PATIENTS) == "ABCDEFGHIJ"
    for name, bug in BUGS.items():
        assert SOURCE.count(bug.line) == 1
        assert len(bug.planted.splitlines()) <= 1
        dqn = program(name)
        agent = dqn.Agent(learning_starts=64)
        steps = list(dqn.train(agent, make_env("CartPole-v1"), 80, seed=0))
        assert len(steps) == 80 and all(np.isfinite(loss) for *_, loss in steps[63:])


@pytest.mark.parametrize("name", BUGS)
def test_each_test_passes_on_the_healthy_program_and_finds_its_bug(name):
    TESTS[name](program())
    assert fails(TESTS[name], name)


def test_tests_and_bugs_have_the_same_names():
    assert TESTS.keys() == BUGS.keys()


def test_the_loss_of_the_healthy_program_is_the_librarys():
    dqn = program()
    online, target = (dqn.Agent(n_inputs=3, n_actions=2, seed=seed).online for seed in (0, 1))
    rng = torch.Generator().manual_seed(0)
    states, after = torch.randn(2, 64, 3, generator=rng)
    actions, dones = torch.randint(2, (2, 64), generator=rng)
    batch = Batch(
        states, actions, torch.randn(64, generator=rng), after, 1.0 * dones, torch.full((64,), 0.9)
    )
    losses, *_ = q_learning_loss(online, target, batch)
    torch.testing.assert_close(dqn.dqn_loss(online, target, batch[:5], 0.9), losses.mean())


def test_the_healthy_buffer_is_a_ring():
    buffer = program().Buffer(3, 1, seed=0)
    for number in range(5):
        buffer.push([number], number, number, [number + 1], False)
    assert buffer.states[:, 0].tolist() == [3, 4, 2]
    assert buffer.actions.tolist() == buffer.rewards.tolist() == [3, 4, 2]
    assert {*buffer.sample(200)[1].tolist()} == {2, 3, 4}


def test_programs_share_nothing():
    one = program()
    one.targets = None
    assert program().targets is not None


def test_a_bug_has_a_name_a_letter_and_a_diff():
    for letter, name in PATIENTS.items():
        assert diff(letter) == diff(name)
    assert diff("no mask").splitlines() == [
        "- return rewards + gamma * (1 - dones) * best",
        "+ return rewards + gamma * best",
    ]
    assert diff("stale gradient") == "- self.optimizer.zero_grad()"
    with pytest.raises(
        ValueError, match="no bug 'K'; take a letter from A to J, or one of no mask"
    ):
        program("K")


def test_an_examination_names_the_patients():
    letter = {name: letter for letter, name in PATIENTS.items()}["slow clock"]
    told = examine(TESTS["slow clock"])
    assert told == f"The healthy program passes. Patients that fail: {letter}."
    assert examine(lambda dqn: None).endswith("fail: none.")
    assert "The healthy program fails your test: " in examine(lambda dqn: dqn.missing)
    told = examine(lambda dqn: random.Random(0).choice([]))
    assert "IndexError" in told
