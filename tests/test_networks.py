"""The networks: shapes, initial weights, and what dueling and noise promise."""

import copy

import pytest
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from rl_lab.networks import (
    ConvQNetwork,
    DuelingQNetwork,
    NoisyLinear,
    QNetwork,
    resample_noise,
    seeded,
)

ONE, PICTURE, SCREEN = (5,), (4, 10, 10), (4, 84, 84)
KINDS = {
    "plain": (ONE, lambda **given: QNetwork(5, 3, 8, **given)),
    "dueling": (ONE, lambda **given: DuelingQNetwork(5, 3, 8, **given)),
    "small pictures": (PICTURE, lambda **given: ConvQNetwork(PICTURE, 3, 8, **given)),
    "screens": (SCREEN, lambda **given: ConvQNetwork(SCREEN, 3, 8, **given)),
    "dueling pictures": (
        PICTURE,
        lambda **given: ConvQNetwork(PICTURE, 3, 8, dueling=True, **given),
    ),
}
kinds = pytest.mark.parametrize("kind", KINDS)


@kinds
@pytest.mark.parametrize("linear", [nn.Linear, NoisyLinear])
@pytest.mark.parametrize(("n_atoms", "last"), [(None, (3,)), (1, (3, 1)), (7, (3, 7))])
def test_values_per_action_whatever_stands_in_front(kind, linear, n_atoms, last):
    shape, build = KINDS[kind]
    network = build(n_atoms=n_atoms, linear=linear)
    resample_noise(network, torch.Generator())
    many = torch.rand(2, 3, *shape)
    values = network(many)
    assert values.shape == (2, 3, *last)
    torch.testing.assert_close(network(many[1]), values[1])
    torch.testing.assert_close(network(many[1, 2]), values[1, 2])


@kinds
@pytest.mark.parametrize("linear", [nn.Linear, NoisyLinear])
def test_a_stack_by_vmap_is_every_network_alone(kind, linear):
    shape, build = KINDS[kind]
    networks = [seeded(lambda: build(n_atoms=2, linear=linear), i) for i in range(3)]
    for i, network in enumerate(networks):
        resample_noise(network, torch.Generator().manual_seed(i))
    observations = torch.rand(3, 4, *shape)
    state = stack_module_state(networks)
    stacked = vmap(lambda params, buffers, x: functional_call(networks[0], (params, buffers), x))(
        *state, observations
    )
    alone = torch.stack([f(x) for f, x in zip(networks, observations, strict=True)])
    torch.testing.assert_close(stacked, alone)


def test_plain_network_by_hand():
    # two inputs, one hidden unit: relu(1 * 2 - 3 * 1) = 0, and relu(1 * 2 + 3 * 1 - 1) = 4
    network = QNetwork(2, 2, 1)
    for layer, weight, bias in (
        (network.first, [[1.0, 3.0]], [-1.0]),
        (network.second, [[-2.0]], [9.0]),
        (network.values, [[1.0], [2.0]], [0.5, 0.0]),
    ):
        layer.weight.data, layer.bias.data = torch.tensor(weight), torch.tensor(bias)
    # first: 4; second: relu(9 - 2 * 4) = 1; values: 1.5 and 2
    assert network(torch.tensor([2.0, 1.0])).tolist() == [1.5, 2.0]
    # first: relu(1 - 6 - 1) = 0; second: 9
    assert network(torch.tensor([1.0, -2.0])).tolist() == [9.5, 18.0]
    # second: relu(9 - 2 * 9) = 0; integers are taken, too
    assert network(torch.tensor([7, 1])).tolist() == [0.5, 0.0]


def test_bytes_are_divided_by_255_and_bits_are_not():
    network = ConvQNetwork(PICTURE, 3, 8)
    bits = torch.rand(2, *PICTURE) < 0.5
    torch.testing.assert_close(network(bits), network(bits.float()))
    torch.testing.assert_close(network(bits.to(torch.uint8) * 255), network(bits.float()))


def test_layers_suit_the_size_of_the_picture():
    def filters(shape):
        layers = ConvQNetwork(shape, 3).convolutions
        return [tuple(m.weight.shape) for m in layers if isinstance(m, nn.Conv2d)]

    assert filters(PICTURE) == [(16, 4, 3, 3)]
    assert filters(SCREEN) == [(32, 4, 8, 8), (64, 32, 4, 4), (64, 64, 3, 3)]
    assert ConvQNetwork(PICTURE, 3).hidden.in_features == 16 * 8 * 8
    assert ConvQNetwork(SCREEN, 3).hidden.in_features == 64 * 7 * 7  # as in the paper
    for shape in ((84, 84), (4, 2, 9)):
        with pytest.raises(ValueError, match=r"obs_shape .*got \(.*\)"):
            ConvQNetwork(shape, 3)


@pytest.mark.parametrize("n_atoms", [None, 3])
def test_dueling_mean_is_the_state_value_and_advantages_have_no_level(n_atoms):
    network = DuelingQNetwork(5, 4, 8, n_atoms=n_atoms)
    observations = torch.randn(6, 5)
    hidden = network.second(network.first(observations).relu()).relu()
    before = network(observations)
    value = network.values.value(hidden[:, :4])  # [B, n]
    mean = before.mean(1) if n_atoms else before.mean(1, keepdim=True)
    torch.testing.assert_close(mean, value)
    network.values.advantages.bias.data += 10
    torch.testing.assert_close(network(observations), before)
    network.values.value.bias.data += 10
    torch.testing.assert_close(network(observations), before + 10)


def test_dueling_streams_are_equal_halves():
    with pytest.raises(ValueError, match="got 7"):
        DuelingQNetwork(5, 4, 7)


def test_noisy_layer_starts_at_the_scale_of_the_paper():
    layer = NoisyLinear(16, 3)
    # sigma 0.5 and 16 inputs: 0.5 / 4; means within 1 / 4
    assert layer.weight_sigma.unique().tolist() == layer.bias_sigma.unique().tolist() == [0.125]
    means = torch.cat([NoisyLinear(16, 50).weight.flatten(), NoisyLinear(16, 50).bias])
    assert 0.24 < means.abs().max() <= 0.25
    assert abs(means.mean()) < 0.03


def test_noise_is_an_outer_product_of_squashed_normal_numbers():
    layer = NoisyLinear(4, 3)
    layer.resample(torch.Generator().manual_seed(0))
    normal = torch.randn(7, generator=torch.Generator().manual_seed(0))
    into, out = (normal.sign() * normal.abs().sqrt()).split([4, 3])
    weight = layer.weight + 0.25 * out[:, None] * into  # 0.5 / sqrt(4)
    x = torch.randn(5, 4)
    torch.testing.assert_close(layer(x), x @ weight.T + layer.bias + 0.25 * out)


def test_noise_is_silent_in_evaluation_and_before_it_is_drawn():
    layer = NoisyLinear(4, 3)
    x = torch.randn(5, 4)
    silent = layer(x)
    torch.testing.assert_close(silent, x @ layer.weight.T + layer.bias)
    layer.resample(torch.Generator())
    assert not torch.allclose(layer(x), silent)
    assert torch.equal(layer.eval()(x), silent)


def test_noise_is_drawn_in_place_from_the_generator_given():
    def noises(network):
        return [b.clone() for b in network.buffers()]

    network = QNetwork(4, 2, 8, linear=NoisyLinear)
    places = [b.data_ptr() for b in network.buffers()]
    state = torch.get_rng_state()
    resample_noise(network, torch.Generator().manual_seed(1))
    first = noises(network)
    assert [b.data_ptr() for b in network.buffers()] == places
    other = copy.deepcopy(network)
    resample_noise(other, torch.Generator().manual_seed(2))
    assert not any(torch.equal(a, b) for a, b in zip(first, other.buffers(), strict=True))
    resample_noise(other, torch.Generator().manual_seed(1))
    assert all(torch.equal(a, b) for a, b in zip(first, other.buffers(), strict=True))
    assert torch.equal(torch.get_rng_state(), state)
    # a copy of the weights, as into a target network, is no copy of the noise
    assert not [name for name in network.state_dict() if "noise" in name]


def test_noise_is_learned_about():
    layer = NoisyLinear(4, 3)
    layer.resample(torch.Generator())
    layer(torch.ones(2, 4)).sum().backward()
    # the slope of every output is the noise of its weight, twice: two rows of ones
    into, out = layer.noise.split([4, 3])
    torch.testing.assert_close(layer.weight_sigma.grad, 2 * torch.outer(out, into))
    torch.testing.assert_close(layer.bias_sigma.grad, 2 * out)


def test_initial_weights_come_from_the_seed_and_the_global_generator_is_left_alone():
    state = torch.get_rng_state()
    a, b, c = (seeded(lambda: QNetwork(4, 2), seed) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(a.first.weight, b.first.weight)
    assert not torch.equal(a.first.weight, c.first.weight)
    # the same draws, in the same order, as three layers made one after the other
    torch.random.manual_seed(0)
    layers = [nn.Linear(4, 128), nn.Linear(128, 128), nn.Linear(128, 2)]
    torch.set_rng_state(state)
    given = [p for layer in layers for p in layer.parameters()]
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), given, strict=True))
    assert 0.49 < a.first.weight.abs().max() < 0.5
