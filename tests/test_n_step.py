"""n-step transitions, by hand, over both ends of an episode."""

import io

import numpy as np
import pytest
import torch

from rl_lab.n_step import NStep


def play(n_step, first, rewards, end=None):
    """Walk from state `first`, one up at each reward; `end` names how the last step ends."""
    given = []
    for i, reward in enumerate(rewards):
        last = i == len(rewards) - 1
        given += n_step.step(
            np.array([first + i]),
            10 + first + i,
            reward,
            np.array([first + i + 1]),
            last and end == "terminal",
            last and end == "time limit",
        )
    return [
        (t.observation.item(), t.action, t.reward, t.next_observation.item(), t.done, t.discount)
        for t in given
    ]


def test_one_step_is_passed_on_at_once():
    n_step = NStep(1, 0.5)
    assert play(n_step, 0, [3.0]) == [(0, 10, 3.0, 1, False, 0.5)]
    assert play(n_step, 1, [4.0], "terminal") == [(1, 11, 4.0, 2, True, 0.5)]
    assert play(n_step, 7, [5.0], "time limit") == [(7, 17, 5.0, 8, False, 0.5)]


@pytest.mark.parametrize(("end", "done"), [("terminal", True), ("time limit", False)])
def test_three_steps_and_the_tails_of_an_episode(end, done):
    # gamma = 0.5: 1 + 2/2 + 4/4 = 3 from state 0, 2 + 4/2 + 8/4 = 6 from state 1;
    # then 4 + 8/2 = 8 over two steps, and 8 over one
    expected = [
        (0, 10, 3.0, 3, False, 0.125),
        (1, 11, 6.0, 4, done, 0.125),
        (2, 12, 8.0, 4, done, 0.25),
        (3, 13, 8.0, 4, done, 0.5),
    ]
    n_step = NStep(3, 0.5)
    assert play(n_step, 0, [1, 2, 4, 8], end) == expected
    # the next episode holds nothing of the last one
    assert play(n_step, 100, [1, 2, 4]) == [(100, 110, 3.0, 103, False, 0.125)]


@pytest.mark.parametrize(("end", "done"), [("terminal", True), ("time limit", False)])
def test_an_episode_shorter_than_n(end, done):
    n_step = NStep(5, 0.5)
    assert play(n_step, 0, [1.0]) == []
    assert play(n_step, 1, [2.0], end) == [(0, 10, 2.0, 2, done, 0.25), (1, 11, 2.0, 2, done, 0.5)]


def test_terminal_and_time_limit_at_once_is_terminal():
    assert NStep(2, 0.5).step([0], 0, 1.0, [1], True, True)[0].done is True


def test_arrays_that_the_environment_writes_again():
    n_step, observation = NStep(2, 0.5), np.zeros(1)
    n_step.step(observation, 0, 1.0, np.ones(1), False, False)
    observation[:] = 99  # its next observation, in the same array
    (transition,) = n_step.step(observation, 0, 1.0, np.ones(1), False, False)
    assert transition.observation.tolist() == [0]


def test_rewards_are_summed_in_double_precision():
    n_step = NStep(2, 1.0)
    n_step.step([0], 0, np.float32(1), [1], False, False)
    (transition,) = n_step.step([1], 0, 1e-9, [2], False, False)
    assert transition.reward == 1 + 1e-9


def test_a_bad_reward_is_refused_and_not_kept():
    n_step = NStep(2, 0.5)
    with pytest.raises(ValueError, match="nan"):
        n_step.step([0], 0, float("nan"), [1], False, False)
    assert play(n_step, 0, [1.0]) == []
    assert play(n_step, 1, [1.0]) == [(0, 10, 1.5, 2, False, 0.25)]


def test_what_is_held_back_survives_a_file():
    n_step, file = NStep(3, 0.5), io.BytesIO()
    play(n_step, 0, [1, 2])
    torch.save(n_step.state_dict(), file)
    file.seek(0)
    again = NStep(3, 0.5)
    again.load_state_dict(torch.load(file, weights_only=True))
    assert play(again, 2, [4]) == play(n_step, 2, [4]) == [(0, 10, 3.0, 3, False, 0.125)]
    with pytest.raises(ValueError, match="n=3 and gamma"):
        NStep(4, 0.5).load_state_dict(n_step.state_dict())


@pytest.mark.parametrize(("n", "gamma"), [(0, 0.9), (1.5, 0.9), (3, 1.1), (3, -0.1)])
def test_settings_out_of_range(n, gamma):
    with pytest.raises(ValueError, match=rf"got {n if gamma == 0.9 else gamma}"):
        NStep(n, gamma)


def test_an_episode_that_was_broken_off_does_not_run_into_the_next():
    window = NStep(3, 0.5)
    assert window.step([0.0], 0, 1.0, [1.0], False, False) == []
    assert window.step([1.0], 0, 1.0, [2.0], False, False) == []
    # nobody said that it was over, and the next step begins elsewhere
    broken = window.step([7.0], 1, 1.0, [8.0], True, False)
    assert [t.observation.tolist() for t in broken] == [[0.0], [1.0], [7.0]]
    assert [np.asarray(t.next_observation).tolist() for t in broken] == [[2.0], [2.0], [8.0]]
    assert [(t.reward, t.discount, t.done) for t in broken] == [
        (1.5, 0.25, False),
        (1.0, 0.5, False),
        (1.0, 0.5, True),
    ]
