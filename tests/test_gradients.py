"""Gradients written by hand are those of autograd, and copies of an agent stand alone."""

import copy
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from rl_lab.agents.dqn import DQNAgent
from rl_lab.gradients import ByAutograd, ByHand, gradient_rule, known_settings, views
from rl_lab.losses import q_learning_loss, q_learning_slope
from rl_lab.networks import QNetwork, seeded
from rl_lab.replay import Batch

LOSSES = [
    q_learning_loss,
    partial(q_learning_loss, double=True),
    partial(q_learning_loss, huber=True),
    partial(q_learning_loss, double=True, huber=True),
]


def random_batch(seed, size=9):
    rng = np.random.default_rng(seed)
    return Batch(
        torch.tensor(rng.normal(size=(size, 3)), dtype=torch.float32),
        torch.tensor(rng.integers(4, size=size)),
        torch.tensor(3 * rng.normal(size=size), dtype=torch.float32),
        torch.tensor(rng.normal(size=(size, 3)), dtype=torch.float32),
        torch.tensor(rng.random(size) < 0.3, dtype=torch.float32),
        torch.tensor(rng.integers(1, 4, size=size), dtype=torch.float32),
    )


@pytest.mark.parametrize("loss", LOSSES, ids=["plain", "double", "huber", "both"])
@pytest.mark.parametrize("seed", range(3))
def test_the_gradient_by_hand_is_the_one_of_autograd(loss, seed):
    network = seeded(lambda: QNetwork(3, 4, hidden_dim=16), seed)
    target = seeded(lambda: QNetwork(3, 4, hidden_dim=16), seed + 10)
    other, batch = copy.deepcopy(network), random_batch(seed)
    weights = torch.rand(9, generator=torch.Generator().manual_seed(seed)) + 0.5
    by_hand, by_autograd = ByHand(network, loss), ByAutograd(other, loss)
    for _ in range(2):  # the second call must not add to the first
        mean, errors = by_hand.gradient(target, batch, weights, 0.9)
        expected_mean, expected_errors = by_autograd.gradient(target, batch, weights, 0.9)
    expected = torch.cat([p.grad.reshape(-1) for p in other.parameters()])
    torch.testing.assert_close(mean, expected_mean)
    torch.testing.assert_close(errors, expected_errors)
    torch.testing.assert_close(by_hand.parameters[0].grad, expected, rtol=1e-4, atol=1e-6)
    assert (expected != 0).float().mean() > 0.5


def test_minibatches_may_change_their_size():
    network, target = QNetwork(3, 4, hidden_dim=16), QNetwork(3, 4, hidden_dim=16)
    rule = ByHand(network, q_learning_loss)
    for size in (9, 5, 12):
        plan = target, random_batch(size, size), torch.ones(size), 0.9
        mean, _ = rule.gradient(*plan)
        fresh = ByHand(copy.deepcopy(network), q_learning_loss)
        torch.testing.assert_close(mean, fresh.gradient(*plan)[0])
        torch.testing.assert_close(rule.parameters[0].grad, fresh.parameters[0].grad)


def test_slopes_of_the_loss_by_hand():
    errors = torch.tensor([-3.0, -0.5, 0.0, 0.25, 2.0])
    assert q_learning_slope(errors).tolist() == [6.0, 1.0, 0.0, -0.5, -4.0]
    assert q_learning_slope(errors, huber=True).tolist() == [1.0, 0.5, 0.0, -0.25, -1.0]


def test_hand_written_gradients_are_only_for_what_they_are_written_for():
    network = QNetwork(3, 4, hidden_dim=4)
    for loss in LOSSES:
        assert type(gradient_rule(network, loss)) is ByHand
    for loss in (lambda *a: q_learning_loss(*a), partial(q_learning_loss, gamma=0.5)):
        assert type(gradient_rule(network, loss)) is ByAutograd

    class Other(QNetwork):
        """Might have another forward pass."""

    for other in (Other(3, 4, 4), nn.Linear(3, 4)):
        assert type(gradient_rule(other, q_learning_loss)) is ByAutograd
    assert known_settings(LOSSES[2]) == {"double": False, "huber": True}


def test_views_share_the_memory_of_their_row():
    flat = torch.arange(12.0).view(2, 6)
    matrix, bias = views(flat, [(2, 2), (2,)])
    assert matrix.tolist() == [[[0, 1], [2, 3]], [[6, 7], [8, 9]]]
    assert bias.tolist() == [[4, 5], [10, 11]]
    bias.zero_()
    assert flat[:, 4:].sum() == 0


def learn(agent, n=30):
    rng = np.random.default_rng(0)
    for _ in range(n):
        state, next_state = rng.normal(size=(2, 3))
        agent.update(state, int(rng.integers(2)), 1.0, next_state, False)
    return nn.utils.parameters_to_vector(agent.online.parameters()).detach().clone()


def make_agent(**changes):
    return DQNAgent(3, 2, hidden_dim=8, batch_size=4, lr=1e-2, device="cpu", seed=0, **changes)


def test_a_copy_of_an_agent_learns_like_the_agent_and_leaves_it_alone():
    agent = make_agent()
    before = learn(agent)
    twin = copy.deepcopy(agent)
    learned = learn(twin)
    assert torch.equal(nn.utils.parameters_to_vector(agent.online.parameters()), before)
    assert not torch.equal(learned, before)
    assert torch.equal(learn(agent), learned)
    state = np.ones(3)
    np.testing.assert_array_equal(agent.q_values(state), twin.q_values(state))


def test_another_network_learns_through_autograd():
    network = seeded(lambda: nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2)), 0)
    agent = make_agent(network=network)
    before = nn.utils.parameters_to_vector(network.parameters()).detach().clone()
    assert not torch.allclose(learn(agent), before)
    state = np.ones(3, np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(state))
    np.testing.assert_allclose(agent.q_values(state), expected)


def test_weights_loaded_into_the_network_are_those_the_agent_acts_by():
    agent, other = make_agent(), seeded(lambda: QNetwork(3, 2, hidden_dim=8), 5)
    agent.online.load_state_dict(other.state_dict())
    with torch.no_grad():
        expected = other(torch.ones(3))
    np.testing.assert_allclose(agent.q_values(np.ones(3)), expected, rtol=1e-6)


def test_zero_grad_does_not_stop_the_learning():
    agent, other = make_agent(), make_agent()
    agent.optimizer.zero_grad()
    assert torch.equal(learn(agent), learn(other))


def test_weights_that_were_replaced_are_noticed():
    agent = make_agent()
    with pytest.raises(AttributeError):
        agent.online = QNetwork(3, 2, hidden_dim=8)
    agent.online.second.weight.data = torch.zeros(8, 8)
    with pytest.raises(RuntimeError, match="were replaced by other tensors"):
        agent.q_values(np.ones(3))


def test_frozen_layers_stay_frozen():
    network = seeded(lambda: QNetwork(3, 2, hidden_dim=8), 0)
    network.first.requires_grad_(False)
    before = network.first.weight.clone()
    agent = make_agent(network=network)
    learn(agent)
    assert torch.equal(network.first.weight, before)
