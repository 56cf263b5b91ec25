"""Gradients written by hand are those of autograd, and only where they are written for."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from rl_lab.distributional import Categorical
from rl_lab.fast_path import gradient_by_hand, is_plain, views, workspace
from rl_lab.losses import QLearning
from rl_lab.networks import NoisyLinear, QNetwork, seeded
from rl_lab.replay import Batch
from rl_lab.stack import StackedNetworks, gradient_by_vmap

OBJECTIVES = [QLearning(double, huber) for double in (False, True) for huber in (False, True)]


def random_batch(seed, n=2, size=9):
    rng = np.random.default_rng(seed)
    return Batch(
        torch.tensor(rng.normal(size=(n, size, 3)), dtype=torch.float32),
        torch.tensor(rng.integers(4, size=(n, size))),
        torch.tensor(3 * rng.normal(size=(n, size)), dtype=torch.float32),
        torch.tensor(rng.normal(size=(n, size, 3)), dtype=torch.float32),
        torch.tensor(rng.random((n, size)) < 0.3, dtype=torch.float32),
        torch.tensor(0.9 ** rng.integers(1, 4, size=(n, size)), dtype=torch.float32),
    )


def networks(*seeds):
    return [seeded(lambda: QNetwork(3, 4, hidden_dim=16), seed) for seed in seeds]


@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
def test_the_gradient_by_hand_and_by_vmap_are_those_of_autograd(objective):
    alone, frozen, batch = networks(0, 1), networks(10, 11), random_batch(0)
    weights = torch.rand(2, 9, generator=torch.Generator().manual_seed(0)) + 0.5
    online, target = (StackedNetworks(n, objective) for n in (alone, frozen))
    by_hand, by_vmap = ([torch.ones_like(layer) for layer in online.layers] for _ in range(2))
    found = gradient_by_hand(
        online.layers,
        by_hand,
        objective,
        target,
        batch,
        weights,
        [workspace(online.layers, 9) for _ in range(2)],
    )
    mapped = gradient_by_vmap(online, target, batch, weights, by_vmap)
    for i, (network, other) in enumerate(zip(alone, frozen, strict=True)):
        own = Batch(*(field[i] for field in batch))
        expected = objective.loss(network, other, own)
        (weights[i] * expected.losses).mean().backward()
        for errors in (found, mapped):
            for one, two in zip(errors, expected, strict=True):
                torch.testing.assert_close(one[i], two)
        for parameter, one, two in zip(network.parameters(), by_hand, by_vmap, strict=True):
            torch.testing.assert_close(one[i], parameter.grad, rtol=1e-4, atol=1e-6)
            torch.testing.assert_close(two[i], parameter.grad, rtol=1e-4, atol=1e-6)
            assert parameter.grad.any()


def test_it_is_only_for_what_it_is_written_for():
    class Other(QNetwork):
        """Might have another forward pass."""

    class Changed(QLearning):
        """Might have another loss."""

    plain = QNetwork(3, 4, 4)
    assert all(is_plain(plain, objective) for objective in OBJECTIVES)
    noisy = partial(QNetwork, linear=NoisyLinear)
    for other in (Other(3, 4, 4), nn.Linear(3, 4), QNetwork(3, 4, 4, n_atoms=2), noisy(3, 4, 4)):
        assert not is_plain(other, QLearning())
    for objective in (Changed(), Categorical(0, 1)):
        assert not is_plain(plain, objective)


def test_views_share_the_memory_of_their_row():
    flat = torch.arange(12.0).view(2, 6)
    matrix, bias = views(flat, [(2, 2), (2,)])
    assert matrix.tolist() == [[[0, 1], [2, 3]], [[6, 7], [8, 9]]]
    assert bias.tolist() == [[4, 5], [10, 11]]
    bias.zero_()
    assert flat[:, 4:].sum() == 0
