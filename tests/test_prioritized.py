"""Prioritized replay: the sum tree, how often what is sampled, and the weights."""

import io

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from rl_lab.prioritized import PrioritizedReplay, SumTree
from rl_lab.replay import Transition


def filled(n, capacity=None, **settings):
    replay = PrioritizedReplay(capacity or n, **{"seed": 0} | settings)
    for i in range(n):
        replay.add(Transition(np.array([i]), 0, 0.0, np.array([i + 1]), False, 0.9))
    return replay


def frequencies(replay, batch_size, n_samples=2000):
    drawn = [replay.sample(batch_size).indices for _ in range(n_samples)]
    return np.bincount(np.concatenate(drawn), minlength=replay.capacity)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13])
def test_sum_tree_finds_what_a_running_sum_finds(size):
    rng = np.random.default_rng(size)
    tree, values = SumTree(size), np.zeros(size)
    for _ in range(20):
        indices = rng.integers(size, size=3)
        values[indices] = tree[indices] = rng.integers(1, 9, size=3)
        tree[0] = values[0] = 2.0
        assert tree.total == values.sum()
        assert tree[np.arange(size)].tolist() == values.tolist()
        sums = np.arange(0, values.sum(), 0.5)  # hits every boundary exactly
        expected = np.searchsorted(np.cumsum(values), sums, side="right")
        assert tree.find(sums).tolist() == expected.tolist()


def test_transitions_are_sampled_by_their_priorities():
    replay = filled(5, capacity=8, alpha=0.5, epsilon=1e-9)
    replay.update_priorities(np.arange(5), np.array([0.0, 1, -4, 9, 16]))  # signs do not matter
    counts = frequencies(replay, 3)
    assert counts[5:].sum() == 0
    assert counts[0] <= 10  # 1e-9**0.5 of about 10: one in 300,000
    expected = np.array([1, 2, 3, 4]) / 10 * counts[1:5].sum()
    assert chisquare(counts[1:5], expected).pvalue > 1e-6


def test_without_alpha_sampling_is_uniform():
    replay = filled(6, alpha=0.0)
    replay.update_priorities(np.arange(6), 10.0 ** np.arange(6))
    assert chisquare(frequencies(replay, 2)).pvalue > 1e-6
    assert replay.sample(2).weights.tolist() == [1, 1]


def test_a_minibatch_takes_one_from_each_equal_part():
    replay = filled(4)  # all as new: the quarters are the transitions themselves
    for _ in range(50):
        assert replay.sample(4).indices.tolist() == [0, 1, 2, 3]


def test_importance_weights_by_hand():
    # priorities 1 and 3 of a sum of 4: P = 1/4 and 3/4, N P = 1/2 and 3/2;
    # beta = 1: 2 and 2/3, over the largest 1 and 1/3
    replay = filled(2, alpha=1.0, beta=1.0, epsilon=1e-12)
    replay.update_priorities(np.array([0, 1]), np.array([1.0, 3.0]))
    samples = [replay.sample(2) for _ in range(30)]
    assert {tuple(sample.indices) for sample in samples} == {(0, 1), (1, 1)}
    for sample in samples:
        # alone in its minibatch, a weight is the largest
        expected = [1, 1 / 3] if 0 in sample.indices else [1, 1]
        assert sample.weights.tolist() == pytest.approx(expected)
        assert sample.weights.dtype == torch.float32
        assert sample.batch.observations.flatten().tolist() == sample.indices.tolist()


def test_beta_grows_to_one_over_the_samples_taken():
    replay = filled(2, alpha=1.0, beta=0.4, beta_steps=4, epsilon=1e-12)
    replay.update_priorities(np.array([0, 1]), np.array([1.0, 3.0]))
    for beta in (0.4, 0.55, 0.7, 0.85, 1.0, 1.0):
        assert replay.beta == pytest.approx(beta)
        sample = replay.sample(2)
        if set(sample.indices) == {0, 1}:
            assert min(sample.weights) == pytest.approx(3**-beta)


def test_new_transitions_have_the_largest_priority_so_far():
    replay = filled(3, capacity=4, alpha=1.0, epsilon=1e-12)
    replay.update_priorities(np.array([0, 1, 2]), np.array([7.0, 1.0, 1.0]))
    replay.update_priorities(np.array([0]), np.array([1.0]))  # 7 is past, and still the largest
    replay.add(Transition(np.array([3]), 0, 0.0, np.array([4]), False, 0.9))
    expected = np.array([0.1, 0.1, 0.1, 0.7]) * 4000
    assert chisquare(frequencies(replay, 2), expected).pvalue > 1e-6
    # the next one overwrites the oldest, and its priority
    assert replay.add(Transition(np.array([4]), 0, 0.0, np.array([5]), False, 0.9)) == 0
    expected = np.array([7, 1, 1, 7]) / 16 * 4000
    assert chisquare(frequencies(replay, 2), expected).pvalue > 1e-6


def test_it_resumes_from_a_file():
    replay, file = filled(5, capacity=8, beta_steps=10), io.BytesIO()
    replay.update_priorities(np.arange(5), np.array([9.0, 1, 2, 3, 4]))
    replay.sample(2)
    torch.save(replay.state_dict(), file)
    file.seek(0)
    again = PrioritizedReplay(8, beta_steps=10)
    again.load_state_dict(torch.load(file, weights_only=True))
    for one in (replay, again):
        one.add(Transition(np.array([5]), 0, 0.0, np.array([6]), False, 0.9))
    for _ in range(5):
        expected, given = replay.sample(4), again.sample(4)
        assert given.indices.tolist() == expected.indices.tolist()
        assert torch.equal(given.weights, expected.weights)


def test_two_seeds_sample_differently():
    a, b = (filled(50, seed=seed).sample(20).indices.tolist() for seed in (0, 1))
    assert a != b


@pytest.mark.parametrize(
    ("name", "value"),
    [("alpha", -0.1), ("alpha", 1.1), ("beta", 2.0), ("beta_steps", 0), ("epsilon", 0.0)],
)
def test_settings_out_of_range(name, value):
    with pytest.raises(ValueError, match=rf"{name} must .* got {value}"):
        PrioritizedReplay(4, **{name: value})


def test_bad_priorities_change_nothing():
    replay = filled(3)
    with pytest.raises(ValueError, match="nan"):
        replay.update_priorities(np.array([0, 1]), np.array([5.0, np.nan]))
    assert chisquare(frequencies(replay, 2)).pvalue > 1e-6
    with pytest.raises(ValueError, match="3 transitions stored"):
        replay.sample(4)
