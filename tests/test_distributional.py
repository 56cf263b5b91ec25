"""Distributional objectives, on numbers small enough for a pencil."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch.func import vmap

from rl_lab.distributional import Categorical, QuantileRegression, project
from rl_lab.losses import q_learning_loss
from rl_lab.replay import Batch

TWO, FIVE = torch.tensor([0.0, 1.0]), torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0])


def projected(p, reward, discount, support):
    return project(torch.tensor(p), torch.tensor(reward), torch.tensor(discount), support).tolist()


@pytest.mark.parametrize(
    ("p", "reward", "discount", "expected"),
    [
        ([0.5, 0.5], 0.0, 0.5, [0.75, 0.25]),  # 0 and 0.5: half of the latter's half goes to each
        ([0.5, 0.5], 0.25, 0.5, [0.5, 0.5]),  # 0.25 and 0.75
        ([0.5, 0.5], 0.0, 1.0, [0.5, 0.5]),  # nothing moves
        ([0.2, 0.8], 0.25, 0.0, [0.75, 0.25]),  # terminal: the reward alone
        ([0.2, 0.8], 1.0, 0.0, [0.0, 1.0]),  # exactly on the last atom
        ([0.2, 0.8], 0.0, 0.0, [1.0, 0.0]),
        ([0.2, 0.8], 5.0, 1.0, [0.0, 1.0]),  # above the end
        ([0.2, 0.8], -5.0, 1.0, [1.0, 0.0]),  # below it
    ],
)
def test_projection_on_two_atoms(p, reward, discount, expected):
    assert projected(p, reward, discount, TWO) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("reward", "discount", "expected"),
    [
        (0.0, 1.0, [0.1, 0.2, 0.4, 0.2, 0.1]),
        (1.0, 1.0, [0.0, 0.1, 0.2, 0.4, 0.3]),  # one up; 2 and 3 both end at 2
        (-2.0, 1.0, [0.7, 0.2, 0.1, 0.0, 0.0]),  # two down; -4, -3 and -2 all end at -2
        # -1 -0.5 0 0.5 1, then half a unit up: -0.5 0 0.5 1 1.5
        (0.5, 0.5, [0.0, 0.05, 0.45, 0.45, 0.05]),
        (-0.5, 0.0, [0.0, 0.5, 0.5, 0.0, 0.0]),  # terminal
        (1.0, 0.0, [0.0, 0.0, 0.0, 1.0, 0.0]),  # terminal, exactly on an atom
    ],
)
def test_projection_on_five_atoms(reward, discount, expected):
    p = [0.1, 0.2, 0.4, 0.2, 0.1]
    assert projected(p, reward, discount, FIVE) == pytest.approx(expected, abs=1e-7)


def test_projection_keeps_the_sum_and_the_mean_and_takes_a_stack():
    torch.manual_seed(0)
    support = torch.linspace(-10, 10, 51)
    p = torch.rand(3, 8, 51).pow(4).softmax(-1)
    rewards, discounts = 2 * torch.rand(3, 8) - 1, 0.9 * torch.rand(3, 8)
    moved = project(p, rewards, discounts, support)
    assert (moved >= 0).all()
    torch.testing.assert_close(moved.sum(-1), torch.ones(3, 8))
    torch.testing.assert_close(
        moved @ support, rewards + discounts * (p @ support), atol=1e-5, rtol=1e-5
    )
    torch.testing.assert_close(project(p[1], rewards[1], discounts[1], support), moved[1])
    stacked = vmap(project, in_dims=(0, 0, 0, None))(p, rewards, discounts, support)
    torch.testing.assert_close(stacked, moved)


def table(outputs):
    """A network that looks its output up by the number of the state."""
    return lambda states: outputs[states.squeeze(-1).long()]


def batch_of(states, actions, rewards, next_states, dones, discount=0.5):
    dones = torch.tensor(dones, dtype=torch.float32)
    return Batch(
        torch.tensor(states).float().unsqueeze(-1),
        torch.tensor(actions),
        torch.tensor(rewards, dtype=torch.float32),
        torch.tensor(next_states).float().unsqueeze(-1),
        dones,
        torch.full_like(dones, discount),
    )


STATES, ACTIONS, NEXT = [0, 2, 1, 3], [1, 0, 0, 2], [1, 0, 1, 2]
BATCH = batch_of(STATES, ACTIONS, [1, 3, -2, 0], NEXT, [0, 1, 0, 0])


def outputs(seed, n):
    return torch.randn(4, 3, n, generator=torch.Generator().manual_seed(seed)).requires_grad_()


@pytest.mark.parametrize("double", [False, True])
def test_c51_pulls_the_mean_as_one_step_of_q_learning_does(double):
    # The slope of the loss is p - p'; where nothing was clamped, the means of p and p' differ by
    # the TD error of Q-learning on the means.
    objective = Categorical(-20, 20, 41, double=double)
    # far from the ends, and narrow
    near = -(torch.arange(41.0) - 20).square() / 8
    online, target = (outputs(seed, 41) for seed in (0, 1))
    learned, frozen = near + 2 * online, near + 2 * target
    means = [objective.q_values(x.detach()) for x in (learned, frozen)]
    choices = [m.argmax(-1) for m in means]
    assert not torch.equal(choices[0][:3], choices[1][:3])  # or double would make no difference
    oracle = q_learning_loss(table(means[0]), table(means[1]), BATCH, double=double)
    errors = objective.loss(table(learned), table(frozen), BATCH)
    torch.testing.assert_close(errors.q, oracle.q)
    slopes, none = torch.autograd.grad(errors.losses.sum(), (online, target), allow_unused=True)
    assert none is None  # no gradient into the target network
    pulls = -slopes[STATES, ACTIONS] / 2 @ objective.support()
    torch.testing.assert_close(pulls, oracle.td_errors, atol=1e-3, rtol=1e-4)


def test_cross_entropy_and_divergence_by_hand():
    # an even prediction; from a terminal state reward 0.25 is 0 with 3/4 and 1 with 1/4
    even = torch.zeros(1, 1, 2, requires_grad=True)
    batch = batch_of([0], [0], [0.25], [0], [1])
    losses, divergences, q = Categorical(0, 1, 2).loss(table(even), table(even), batch)
    assert losses.item() == pytest.approx(math.log(2))
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert divergences.item() == pytest.approx(math.log(2) - entropy)
    assert q.item() == 0.5
    assert not divergences.requires_grad and not q.requires_grad
    # the prediction that is wanted: no divergence is left
    wanted = torch.tensor([[[0.75, 0.25]]]).log()
    _, divergences, q = Categorical(0, 1, 2).loss(table(wanted), table(wanted), batch)
    assert divergences.item() == pytest.approx(0, abs=1e-6)
    assert q.item() == pytest.approx(0.25)


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("kappa", [0.0, 1.0])
def test_quantiles_have_the_td_errors_of_their_means(double, kappa):
    objective = QuantileRegression(5, double=double, kappa=kappa)
    online, target = (outputs(seed, 5) for seed in (0, 1))
    oracle = q_learning_loss(table(online.mean(-1)), table(target.mean(-1)), BATCH, double=double)
    errors = objective.loss(table(online), table(target), BATCH)
    torch.testing.assert_close(errors.q, oracle.q)
    torch.testing.assert_close(errors.td_errors, oracle.td_errors)
    slopes, none = torch.autograd.grad(errors.losses.sum(), (online, target), allow_unused=True)
    assert none is None and slopes[STATES, ACTIONS].abs().sum() > 0


@pytest.mark.parametrize(
    ("reward", "kappa", "expected"),
    [
        # quantiles 0 and 2, tau 1/4 and 3/4; delta 1 and -1: both are on their lighter side
        (1.0, 0.0, 0.25 * 1 + 0.25 * 1),
        (1.0, 1.0, 0.25 * 0.5 + 0.25 * 0.5),
        # delta 4 and 2; huber 4 - 1/2 and 2 - 1/2, or with kappa 2 (2 * (4 - 1)) / 2 and (4/2) / 2
        (4.0, 1.0, 0.25 * 3.5 + 0.75 * 1.5),
        (4.0, 2.0, 0.25 * 3 + 0.75 * 1),
    ],
)
def test_quantile_loss_by_hand(reward, kappa, expected):
    theta = table(torch.tensor([[[0.0, 2.0]]]))
    batch = batch_of([0], [0], [reward], [0], [1])
    losses = QuantileRegression(2, kappa=kappa).loss(theta, theta, batch).losses
    assert losses.item() == pytest.approx(expected)


def quantile_targets(target):
    """Return what the quantiles of BATCH are pulled towards, ``[B, n]``."""
    best = target.mean(-1)[NEXT].argmax(-1)
    discounts = (BATCH.discounts * (1 - BATCH.dones)).unsqueeze(-1)
    return BATCH.rewards.unsqueeze(-1) + discounts * target[NEXT, best].detach()


@pytest.mark.parametrize("kappa", [0.0, 0.5, 2.0])
def test_the_gradient_of_quantiles_is_that_of_autograd(kappa):
    online, target = (outputs(seed, 5) for seed in (0, 1))
    objective, tau = QuantileRegression(5, kappa=kappa), (torch.arange(5) + 0.5) / 5
    losses = objective.loss(table(online), table(target), BATCH).losses
    theta = online[STATES, ACTIONS].unsqueeze(-1)
    y = quantile_targets(target).unsqueeze(-2)
    size = (y - theta).abs()
    if kappa:
        size = torch.where(size <= kappa, size**2 / (2 * kappa), size - kappa / 2)
    weights = (tau.unsqueeze(-1) - (y < theta).float()).abs()
    plain = (weights * size).sum((-1, -2)) / 5
    torch.testing.assert_close(losses, plain)
    gradient, expected = (torch.autograd.grad(x.sum(), online)[0] for x in (losses, plain))
    torch.testing.assert_close(gradient, expected)


def test_one_quantile_without_a_parabola_learns_the_median():
    # returns 0, 1 and 7 from the same state: the loss of their median is the least
    objective = QuantileRegression(1, kappa=0.0)
    batch = batch_of([0, 0, 0], [0, 0, 0], [0, 1, 7], [0, 0, 0], [1, 1, 1])
    losses = {}
    for theta in (0.0, 0.5, 1.0, 1.5, 8 / 3, 7.0):
        f = table(torch.tensor([[[theta]]]))
        losses[theta] = objective.loss(f, f, batch).losses.sum().item()
    assert min(losses, key=losses.get) == 1.0
    assert losses[1.0] == 0.5 * (1 + 0 + 6)


@pytest.mark.parametrize(
    "objective", [Categorical(-2, 2, 5, double=True), QuantileRegression(5, double=True)]
)
def test_a_stack_is_each_alone(objective):
    online, target = (torch.stack([outputs(s + i, 5) for i in range(3)]) for s in (0, 5))
    batches = Batch(*(torch.stack([field, field.flip(0), field]) for field in BATCH))

    def alone(online, target, batch):
        def q(table):  # [..., S, A, n], as a linear network of one-hot states
            def network(states):
                one_hot = F.one_hot(states.squeeze(-1).long(), 4).float()
                return (one_hot @ table.flatten(-2)).unflatten(-1, (3, 5))

            return network

        return objective.loss(q(online), q(target), batch)

    expected = [alone(online[i], target[i], Batch(*(f[i] for f in batches))) for i in range(3)]
    by_axis = alone(online, target, batches)
    by_vmap = vmap(alone)(online, target, batches)
    for stacked in (by_axis, by_vmap):
        for field, given in zip(zip(*expected, strict=True), stacked, strict=True):
            torch.testing.assert_close(given, torch.stack(field))


def test_a_network_with_other_atoms_is_refused():
    for objective in (Categorical(0, 1, 4), QuantileRegression(4)):
        with pytest.raises(ValueError, match="reads 4 numbers per action, the network gives 3"):
            objective.q_values(torch.zeros(2, 3))


@pytest.mark.parametrize(
    ("build", "value"),
    [
        (lambda: Categorical(1, 1), "1 and 1"),
        (lambda: Categorical(0, float("inf")), "0 and inf"),
        (lambda: Categorical(0, 1, 1), "1"),
        (lambda: QuantileRegression(0), "0"),
        (lambda: QuantileRegression(kappa=-1), "-1"),
    ],
)
def test_settings_out_of_range(build, value):
    with pytest.raises(ValueError, match=f"got {value}$"):
        build()
