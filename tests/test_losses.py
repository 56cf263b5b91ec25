"""The losses, on numbers small enough for a pencil."""

import pytest
import torch
from torch import nn

from rl_lab.losses import QLearning, q_learning_grad, q_learning_loss, td_targets
from rl_lab.replay import Batch

GAMMA = 0.5
# A state is its own number, and Q-values are looked up in a table [S, A].
ONLINE = torch.tensor([[1.0, 2.0], [3.0, 9.0], [5.0, 6.0]])
TARGET = torch.tensor([[0.0, 1.0], [8.0, 4.0], [2.0, 6.0]])


def table(values):
    return lambda states: values[states.squeeze(-1).long()]


online, target = table(ONLINE), table(TARGET)


def make_batch(states, actions, rewards, next_states, dones, discounts=None):
    dones = torch.tensor(dones, dtype=torch.float32)
    return Batch(
        torch.tensor(states, dtype=torch.float32).unsqueeze(-1),
        torch.tensor(actions),
        torch.tensor(rewards, dtype=torch.float32),
        torch.tensor(next_states, dtype=torch.float32).unsqueeze(-1),
        dones,
        torch.full_like(dones, GAMMA) if discounts is None else torch.tensor(discounts),
    )


# state 0 -> 1 by action 1, reward 1; state 2 -> 0 by action 0, reward -1, terminal
TWO = make_batch([0, 2], [1, 0], [1, -1], [1, 0], [0, 1])


def test_target_takes_the_best_next_value_and_stops_at_the_end():
    # 1 + 0.5 * max(8, 4) = 5;  -1 + nothing, since state 0 was terminal there
    assert td_targets(online, target, TWO).tolist() == [5.0, -1.0]


def test_double_target_lets_the_online_network_choose():
    # online prefers action 1 in state 1 (9 > 3), the target network values it 4: 1 + 0.5 * 4
    assert td_targets(online, target, TWO, double=True).tolist() == [3.0, -1.0]


def test_each_transition_has_its_own_discount():
    # 1 + 0.5**3 * 8 = 2
    batch = make_batch([0], [1], [1], [1], [0], discounts=[0.5**3])
    assert td_targets(online, target, batch).tolist() == [2.0]


@pytest.mark.parametrize(("gamma", "y"), [(0.0, 1.0), (1.0, 9.0)])
def test_target_at_the_ends_of_gamma(gamma, y):
    batch = TWO._replace(discounts=torch.full((2,), gamma))
    assert td_targets(online, target, batch)[0].item() == y


def test_squared_loss_and_td_errors():
    # delta = y - Q(s, a): 5 - 2 = 3 and -1 - 5 = -6
    losses, td_errors, _ = q_learning_loss(online, target, TWO)
    assert td_errors.tolist() == [3.0, -6.0]
    assert losses.tolist() == [9.0, 36.0]


def test_huber_loss_is_a_parabola_inside_one_and_a_line_outside():
    # delta = 1.5 - 1 = 0.5 -> 0.5 * 0.25 = 0.125;  delta = -6 -> 6 - 0.5 = 5.5
    batch = make_batch([0, 2], [0, 0], [1.5, -1], [0, 0], [1, 1])
    losses, td_errors, _ = q_learning_loss(online, target, batch, huber=True)
    assert td_errors.tolist() == [0.5, -6.0]
    assert losses.tolist() == [0.125, 5.5]


def test_double_reaches_the_loss():
    # y = 3, Q(0, 1) = 2
    losses, _, _ = q_learning_loss(online, target, TWO, double=True)
    assert losses.tolist() == [1.0, 36.0]


@pytest.mark.parametrize("settings", [{}, {"double": True}, {"huber": True}])
def test_a_leading_axis_of_seeds_changes_nothing(settings):
    other = make_batch([1, 2], [0, 1], [0.25, 2], [2, 1], [0, 0])
    both = Batch(*(torch.stack(pair) for pair in zip(TWO, other, strict=True)))
    stacked = q_learning_loss(online, target, both, **settings)
    for row, batch in enumerate((TWO, other)):
        alone = q_learning_loss(online, target, batch, **settings)
        for one, of_stack in zip(alone, stacked, strict=True):
            assert torch.equal(of_stack[row], one)


def test_shapes_that_would_broadcast_are_refused():
    columns = TWO._replace(rewards=TWO.rewards.unsqueeze(-1), dones=TWO.dones.unsqueeze(-1))
    with pytest.raises(ValueError, match=r"\(2,\) and targets \(2, 2\)"):
        q_learning_loss(online, target, columns)


@pytest.mark.parametrize("double", [False, True])
def test_gradient_flows_through_q_of_the_action_taken_and_nowhere_else(double):
    weights, frozen = (values.clone().requires_grad_() for values in (ONLINE, TARGET))
    losses, td_errors, _ = q_learning_loss(table(weights), table(frozen), TWO, double=double)
    assert not td_errors.requires_grad
    losses.sum().backward()
    # d (y - Q)^2 / dQ = -2 delta at (0, 1) and (2, 0)
    expected = torch.zeros(3, 2)
    expected[0, 1], expected[2, 0] = -2 * td_errors
    assert torch.equal(weights.grad, expected)
    assert frozen.grad is None


def test_one_network_in_both_roles_gets_no_gradient_through_the_target():
    weights = nn.Parameter(ONLINE.clone())
    losses, td_errors, _ = q_learning_loss(table(weights), table(weights), TWO)
    losses.sum().backward()
    assert weights.grad[1].tolist() == [0.0, 0.0]  # the next state of the first transition
    assert weights.grad[0, 1] == -2 * td_errors[0]


def test_the_derivative_of_the_loss_by_hand():
    errors = torch.tensor([-3.0, -0.5, 0.0, 0.25, 2.0])
    assert q_learning_grad(errors).tolist() == [6.0, 1.0, 0.0, -0.5, -4.0]
    assert q_learning_grad(errors, huber=True).tolist() == [1.0, 0.5, 0.0, -0.25, -1.0]


@pytest.mark.parametrize("settings", [{}, {"double": True}, {"huber": True}])
def test_the_objective_is_the_loss_with_its_settings(settings):
    found = QLearning(**settings).loss(online, target, TWO)
    for one, other in zip(found, q_learning_loss(online, target, TWO, **settings), strict=True):
        assert torch.equal(one, other)
    assert found.q.tolist() == [2.0, 5.0]  # of the actions taken
    assert QLearning().q_values(ONLINE) is ONLINE
