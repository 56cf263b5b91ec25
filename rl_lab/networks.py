"""Networks that map observations to one value per action.

Shapes: B minibatch size, S observation size, A actions, H hidden units.
"""

import torch
from torch import Tensor, nn


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

    Source: Mnih et al. (2015), who put convolutions in front.
    """

    def __init__(self, obs_dim: int, n_actions: int, hidden_dim: int = 128) -> None:
        super().__init__()
        self.first = nn.Linear(obs_dim, hidden_dim)
        self.second = nn.Linear(hidden_dim, hidden_dim)
        self.values = nn.Linear(hidden_dim, n_actions)

    def forward(self, states: Tensor) -> Tensor:
        """Return action values ``[..., A]`` of observations ``[..., S]``."""
        return self.values(self.second(self.first(states).relu()).relu())


def seeded(build, seed: int) -> nn.Module:
    """Return ``build()`` with its initial weights drawn from `seed`.

    Torch draws initial weights from one global generator; it is put back
    afterwards, so that nothing else in the program notices.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()
