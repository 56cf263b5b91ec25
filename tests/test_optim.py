"""Adam is torch's Adam."""

import copy

import pytest
import torch

from rl_lab.optim import Adam


@pytest.mark.parametrize("shapes", [[(7,)], [(3, 4), (5,)]], ids=["vector", "two tensors"])
def test_it_takes_the_steps_of_torch(shapes):
    torch.manual_seed(0)
    own = [torch.nn.Parameter(torch.randn(shape)) for shape in shapes]
    other = copy.deepcopy(own)
    mine, reference = Adam(own, 0.1), torch.optim.Adam(other, lr=0.1, fused=True)
    for step in range(20):
        for optimizer in (mine, reference):
            optimizer.param_groups[0]["lr"] = 0.1 / (1 + step)
            optimizer.zero_grad()
        for one, two in zip(own, other, strict=True):
            one.grad = torch.randn_like(one)
            two.grad = one.grad.clone()
        mine.step()
        reference.step()
    assert all(torch.equal(one, two) for one, two in zip(own, other, strict=True))


def test_the_first_step_by_hand():
    # m / (1 - beta1) = g and v / (1 - beta2) = g^2: the first step is lr, whatever the gradient.
    weight = torch.nn.Parameter(torch.tensor([1.0, 1.0]))
    weight.grad = torch.tensor([4.0, -0.01])
    Adam([weight], lr=0.25).step()
    torch.testing.assert_close(weight.data, torch.tensor([0.75, 1.25]))


def test_a_copy_goes_on_by_itself():
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = Adam([weight], 0.1)
    weight.grad = torch.ones(2)
    optimizer.step()
    other = copy.deepcopy(optimizer)
    (twin,) = other.param_groups[0]["params"]
    twin.grad = torch.ones(2)
    other.step()
    torch.testing.assert_close(weight.data, torch.full((2,), 0.9))
    torch.testing.assert_close(twin.data, torch.full((2,), 0.8))
