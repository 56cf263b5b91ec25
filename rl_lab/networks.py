"""Networks that map observations to one value, or one distribution of values, per action.

Shapes: B minibatch size, S observation size, A actions, H hidden units, n atoms of a distribution.
Every network takes observations with any number of axes in front, one or several minibatches or a
single observation, and returns ``[..., A]``, or ``[..., A, n]`` where `n_atoms` is given: what
these numbers are (logits, quantiles) is up to the objective.
"""

import math
from collections.abc import Callable
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Built = TypeVar("Built")
Layer = Callable[[int, int], nn.Module]  # numbers in, numbers out: nn.Linear or NoisyLinear


class QNetwork(nn.Module):
    """Two hidden layers of ReLU units: observation in, all action values out.

    .. math::

        Q(s, \\cdot\\,; \\theta) = W_3 \\, \\mathrm{relu}(W_2 \\, \\mathrm{relu}(W_1 s + b_1) + b_2)
        + b_3

    One pass gives the values of every action, so that the maximum over actions
    costs no more than a single value.

    Args:
        obs_dim: S, numbers in one observation.
        n_actions: A.
        hidden_dim: H, units in each hidden layer.
        n_atoms: n, numbers per action; None for one value each, without an axis of its own.
        linear: what the layers are made of, `NoisyLinear` for a noisy network.

    Source: Mnih et al. (2015), who put convolutions in front.
    """

    def __init__(
        self,
        obs_dim: int,
        n_actions: int,
        hidden_dim: int = 128,
        *,
        n_atoms: int | None = None,
        linear: Layer = nn.Linear,
    ) -> None:
        super().__init__()
        self.n_atoms = n_atoms
        self.first = linear(obs_dim, hidden_dim)
        self.second = linear(hidden_dim, hidden_dim)
        self.values = linear(hidden_dim, n_actions * (n_atoms or 1))

    def forward(self, observations: Tensor) -> Tensor:
        """Return action values ``[..., A]`` or ``[..., A, n]`` of observations ``[..., S]``."""
        hidden = self.second(self.first(observations.float()).relu()).relu()
        return _per_atom(self.values(hidden), self.n_atoms)


class DuelingHead(nn.Module):
    """Action values as the value of the state plus the advantage of each action.

    .. math::

        Q(s, a) = V(s) + A(s, a) - \\frac1{|A|} \\sum_{a'} A(s, a')

    The mean is subtracted since V and A could otherwise trade any constant without a change in Q.
    Half of the hidden units feed V, the other half A. With atoms, the same sum for each of them.

    Args:
        hidden_dim: H, even.
        n_actions: A.
        n_atoms: n, numbers per action; None for one value each.
        linear: what the layers are made of.

    Raises:
        ValueError: if `hidden_dim` is odd.

    Source: Wang et al. (2016), section 3; per atom as in Hessel et al. (2018).
    """

    def __init__(
        self,
        hidden_dim: int,
        n_actions: int,
        *,
        n_atoms: int | None = None,
        linear: Layer = nn.Linear,
    ) -> None:
        super().__init__()
        if hidden_dim % 2:
            raise ValueError(f"hidden_dim must be even, half for each stream, got {hidden_dim}")
        self.n_atoms = n_atoms
        self.value = linear(hidden_dim // 2, n_atoms or 1)
        self.advantages = linear(hidden_dim // 2, n_actions * (n_atoms or 1))

    def forward(self, hidden: Tensor) -> Tensor:
        """Return action values ``[..., A]`` or ``[..., A, n]`` of hidden units ``[..., H]``."""
        of_value, of_advantages = hidden.chunk(2, -1)
        value = self.value(of_value).unsqueeze(-2)  # [..., 1, n]
        advantages = _per_atom(self.advantages(of_advantages), self.n_atoms or 1)  # [..., A, n]
        q = value + advantages - advantages.mean(-2, keepdim=True)
        return q.squeeze(-1) if self.n_atoms is None else q


class DuelingQNetwork(nn.Module):
    """`QNetwork` whose second layer parts into two streams, one for V and one for A.

    Each stream has H/2 units there, so that the network is about as large as a `QNetwork`.

    Args: as of `QNetwork`, with an even `hidden_dim`.

    Source: Wang et al. (2016), section 3, and their corridor for the halves.
    """

    def __init__(
        self,
        obs_dim: int,
        n_actions: int,
        hidden_dim: int = 128,
        *,
        n_atoms: int | None = None,
        linear: Layer = nn.Linear,
    ) -> None:
        super().__init__()
        self.first = linear(obs_dim, hidden_dim)
        self.second = linear(hidden_dim, hidden_dim)
        self.values = DuelingHead(hidden_dim, n_actions, n_atoms=n_atoms, linear=linear)

    def forward(self, observations: Tensor) -> Tensor:
        """Return action values ``[..., A]`` or ``[..., A, n]`` of observations ``[..., S]``."""
        return self.values(self.second(self.first(observations.float()).relu()).relu())


class ConvQNetwork(nn.Module):
    """Convolutions over a picture, one hidden layer, all action values out.

    Pictures of 36 x 36 and more pass the three layers of Mnih et al. (2015), made for 84 x 84;
    smaller ones pass 16 filters of 3 x 3, made for 10 x 10 (Young and Tian, 2019). Bytes are
    divided by 255 here, so that they can be stored as bytes.

    Args:
        obs_shape: (C, H, W): channels, height and width of a picture, at least 3 x 3.
        n_actions: A.
        hidden_dim: units in the layer after the convolutions.
        n_atoms: n, numbers per action; None for one value each, without an axis of its own.
        linear: what the layers after the convolutions are made of.
        dueling: end in a `DuelingHead`.

    Raises:
        ValueError: if `obs_shape` is not the shape of such a picture.
    """

    def __init__(
        self,
        obs_shape: tuple[int, int, int],
        n_actions: int,
        hidden_dim: int = 128,
        *,
        n_atoms: int | None = None,
        linear: Layer = nn.Linear,
        dueling: bool = False,
    ) -> None:
        super().__init__()
        if len(obs_shape) != 3 or min(obs_shape[1:]) < 3:
            raise ValueError(
                f"obs_shape must be (channels, height, width), at least 3 x 3, got {obs_shape}"
            )
        self.obs_shape, self.n_atoms, self.dueling = tuple(obs_shape), n_atoms, dueling
        channels, *size = obs_shape
        # filters, their size, the step from one to the next
        layers = [(32, 8, 4), (64, 4, 2), (64, 3, 1)] if min(size) >= 36 else [(16, 3, 1)]
        convolutions = []
        for filters, width, step in layers:
            convolutions += [nn.Conv2d(channels, filters, width, step), nn.ReLU()]
            channels, size = filters, [(length - width) // step + 1 for length in size]
        self.convolutions = nn.Sequential(*convolutions, nn.Flatten())
        self.hidden = linear(channels * math.prod(size), hidden_dim)
        self.values = (
            DuelingHead(hidden_dim, n_actions, n_atoms=n_atoms, linear=linear)
            if dueling
            else linear(hidden_dim, n_actions * (n_atoms or 1))
        )

    def forward(self, observations: Tensor) -> Tensor:
        """Return action values ``[..., A]`` or ``[..., A, n]`` of pictures ``[..., C, H, W]``."""
        pictures = observations.float()
        if observations.dtype == torch.uint8:
            pictures = pictures / 255
        features = self.convolutions(pictures.reshape(-1, *self.obs_shape))
        features = features.reshape(*observations.shape[:-3], -1)
        values = self.values(self.hidden(features).relu())
        return values if self.dueling else _per_atom(values, self.n_atoms)


class NoisyLinear(nn.Module):
    """A linear layer with noise on its weights, of a scale that is learned: for exploration.

    .. math::

        y = (\\mu^w + \\sigma^w \\odot \\varepsilon^w) x + \\mu^b + \\sigma^b \\odot \\varepsilon^b,
        \\qquad \\varepsilon^w = f(\\varepsilon^{out}) f(\\varepsilon^{in})^T, \\quad
        \\varepsilon^b = f(\\varepsilon^{out}), \\quad f(x) = \\mathrm{sgn}(x) \\sqrt{|x|}

    The noise is factorised: one standard normal number per input and per output in place of one per
    weight. There is none until `resample` draws it, and none in ``eval()``.

    Args:
        in_features: p, numbers in.
        out_features: q, numbers out.
        sigma: every :math:`\\sigma` starts at sigma / sqrt(p).

    Source: Fortunato et al. (2018), "Factorised Gaussian noise" and "Initialisation".
    """

    def __init__(self, in_features: int, out_features: int, sigma: float = 0.5) -> None:
        super().__init__()
        bound = 1 / math.sqrt(in_features)
        self.weight = nn.Parameter(torch.empty(out_features, in_features).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(out_features).uniform_(-bound, bound))
        self.weight_sigma = nn.Parameter(torch.full_like(self.weight, sigma * bound))
        self.bias_sigma = nn.Parameter(torch.full_like(self.bias, sigma * bound))
        # f of the noise of the inputs, then of the outputs. Not persistent: a target network that
        # is given the weights keeps noise of its own.
        self.noise: Tensor
        self.register_buffer("noise", torch.zeros(in_features + out_features), persistent=False)

    def extra_repr(self) -> str:
        """Say the sizes, as `torch.nn.Linear` does."""
        return f"in_features={self.weight.shape[1]}, out_features={self.weight.shape[0]}"

    def resample(self, generator: torch.Generator) -> None:
        """Draw new noise into the buffer."""
        normal = torch.randn(len(self.noise), generator=generator, device=generator.device)
        self.noise.copy_(factor_of(normal))

    def forward(self, x: Tensor) -> Tensor:
        """Return ``[..., q]`` of ``[..., p]``."""
        if not self.training:
            return F.linear(x, self.weight, self.bias)
        noise_in, noise_out = self.noise.split([x.shape[-1], len(self.bias)])
        weight = self.weight + self.weight_sigma * torch.outer(noise_out, noise_in)
        return F.linear(x, weight, self.bias + self.bias_sigma * noise_out)


def factor_of(normal: Tensor) -> Tensor:
    """Return f of standard normal numbers, the factors of which a noisy layer makes its noise."""
    return normal.sign() * normal.abs().sqrt()


def resample_noise(network: nn.Module, generator: torch.Generator) -> None:
    """Draw new noise for every `NoisyLinear` in `network`; without one, do nothing."""
    for module in network.modules():
        if isinstance(module, NoisyLinear):
            module.resample(generator)


def use_noise(network: nn.Module) -> None:
    """Let every `NoisyLinear` of a network in ``eval()`` use its noise all the same."""
    for module in network.modules():
        if isinstance(module, NoisyLinear):
            module.train()


def seeded(build: Callable[[], Built], seed: int) -> Built:
    """Return ``build()`` with its initial weights drawn from `seed`.

    Torch draws initial weights from one global generator; it is put back
    afterwards, so that nothing else in the program notices.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def _per_atom(values: Tensor, n_atoms: int | None) -> Tensor:
    """Return ``[..., A * n]`` as ``[..., A, n]``, or as it is if there are no atoms."""
    return values if n_atoms is None else values.unflatten(-1, (-1, n_atoms))
