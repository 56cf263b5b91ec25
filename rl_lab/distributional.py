r"""Objectives that learn the distribution of returns, not its mean alone.

Shapes: B minibatch size, A actions, n atoms or quantiles. Every axis is counted from the right:
``[B]`` for one agent, ``[N, B]`` for a stack of N.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rl_lab.losses import Errors, QFunction
from rl_lab.replay import Batch


def project(probabilities: Tensor, rewards: Tensor, discounts: Tensor, support: Tensor) -> Tensor:
    r"""Return the distribution of :math:`r + \gamma z`, on the atoms that z itself has.

    .. math::

        p'_i = \sum_j p_j \Big[ 1 - \frac{|[r + \gamma z_j]_{v_{min}}^{v_{max}} - z_i|}{\Delta z}
        \Big]_0^1

    Each shifted atom falls between two atoms of the support, or beyond its ends, where it is moved
    to the end; the two share its probability, the nearer one has more of it. If nothing was moved,
    the mean is that of :math:`r + \gamma z` exactly.

    Args:
        probabilities: p, of the values in `support`, ``[..., n]``.
        rewards: r, ``[...]``, in units of reward.
        discounts: gamma, ``[...]``; 0 where nothing follows.
        support: z, equally spaced and rising, ``[n]``, in units of discounted reward.

    Returns:
        p', ``[..., n]``.

    Source: Bellemare, Dabney and Munos (2017), Algorithm 1. There an atom that is hit exactly loses
    its probability, since lower and upper neighbour are the same; here they never are.
    """
    last = len(support) - 1
    spacing = (support[-1] - support[0]) / last
    shifted = rewards.unsqueeze(-1) + discounts.unsqueeze(-1) * support
    position = ((shifted - support[0]) / spacing).clamp(0, last)  # in atoms, 0 to n - 1
    lower = position.floor().clamp(max=last - 1)
    to_upper = probabilities * (position - lower)
    lower = lower.long()
    none = torch.zeros_like(probabilities)
    return none.scatter_add(-1, lower, probabilities - to_upper).scatter_add(
        -1, lower + 1, to_upper
    )


@dataclass(frozen=True)
class Categorical:
    r"""C51: a network's output is the logits of n values, equally spaced, for each action.

    .. math::

        Q(s, a) = \sum_i z_i p_i(s, a; \theta), \qquad
        \ell = -\sum_i p'_i \log p_i(s, a; \theta)

    with p' the `project` of the distribution that the target network gives the best next action.

    Args:
        v_min: the lowest return it can represent, in units of discounted reward.
        v_max: the highest.
        n_atoms: n, at least 2.
        double: the online network picks the next action.

    Raises:
        ValueError: if v_min is not below v_max, or `n_atoms` less than 2.

    Source: Bellemare, Dabney and Munos (2017), Algorithm 1.
    """

    v_min: float
    v_max: float
    n_atoms: int = 51
    double: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.v_min) and self.v_min < self.v_max < math.inf):
            raise ValueError(f"v_min must be below v_max, got {self.v_min} and {self.v_max}")
        if self.n_atoms < 2:
            raise ValueError(f"n_atoms must be at least 2, got {self.n_atoms}")

    def support(self, device: torch.device | None = None) -> Tensor:
        """Return the values z that returns can have, ``[n]``."""
        return torch.linspace(self.v_min, self.v_max, self.n_atoms, device=device)

    def q_values(self, output: Tensor) -> Tensor:
        """Return the action values ``[..., A]``, the means, of logits ``[..., A, n]``."""
        _require_atoms(output, self.n_atoms)
        return output.softmax(-1) @ self.support(output.device)

    def loss(self, online: QFunction, target: QFunction, batch: Batch) -> Errors:
        """Return the cross-entropy of every transition; no gradient goes into `target`.

        Its TD errors are the Kullback-Leibler divergences of the prediction from p': the losses
        less the entropy of p', which no prediction could avoid if p' were the only target. None is
        below 0.
        """
        log_p = _of(online(batch.observations), batch.actions).log_softmax(-1)
        support = self.support(log_p.device)
        with torch.no_grad():
            logits = target(batch.next_observations)
            chooser = online(batch.next_observations) if self.double else logits
            best = self.q_values(chooser).argmax(-1)
            discounts = batch.discounts * (1 - batch.dones)
            wanted = project(_of(logits, best).softmax(-1), batch.rewards, discounts, support)
        losses = -(wanted * log_p).sum(-1)
        divergences = losses.detach() - torch.special.entr(wanted).sum(-1)
        return Errors(losses, divergences.clamp(min=0), log_p.detach().exp() @ support)


@dataclass(frozen=True)
class QuantileRegression:
    r"""QR-DQN: a network's output is n quantiles of the return, for each action.

    .. math::

        Q(s, a) = \frac1n \sum_i \theta_i(s, a), \quad
        \delta_{ij} = r + \gamma^k (1 - d) \, \theta^-_j(s', a^*) - \theta_i(s, a), \quad
        \ell = \sum_i \frac1n \sum_j
        \big| \tau_i - 1_{\delta_{ij} < 0} \big| \frac{L_\kappa(\delta_{ij})}{\kappa}

    with :math:`\tau_i = (i - \frac12) / n` for i = 1 to n, and :math:`L_\kappa` the Huber loss, or
    with kappa = 0 the absolute value in place of :math:`L_\kappa / \kappa`. Unlike C51 it needs no
    bounds of the return.

    Args:
        n_quantiles: n; the paper has 200.
        double: the online network picks the next action.
        kappa: where the Huber loss turns from a parabola to a line, in units of reward.

    Raises:
        ValueError: if `n_quantiles` is less than 1 or kappa below 0.

    Source: Dabney et al. (2018), Algorithm 1.
    """

    n_quantiles: int = 51
    double: bool = False
    kappa: float = 1.0

    def __post_init__(self) -> None:
        if self.n_quantiles < 1:
            raise ValueError(f"n_quantiles must be at least 1, got {self.n_quantiles}")
        if not 0 <= self.kappa < math.inf:
            raise ValueError(f"kappa must be 0 or above and finite, got {self.kappa}")

    def q_values(self, output: Tensor) -> Tensor:
        """Return the action values ``[..., A]``, the means, of quantiles ``[..., A, n]``."""
        _require_atoms(output, self.n_quantiles)
        return output.mean(-1)

    def loss(self, online: QFunction, target: QFunction, batch: Batch) -> Errors:
        """Return the quantile loss of every transition; no gradient goes into `target`.

        Its TD errors are those of the means, in units of reward and with their signs.
        """
        theta = _of(online(batch.observations), batch.actions)
        with torch.no_grad():
            quantiles = target(batch.next_observations)
            chooser = online(batch.next_observations) if self.double else quantiles
            best = self.q_values(chooser).argmax(-1)
            discounts = batch.discounts * (1 - batch.dones)
            y = batch.rewards.unsqueeze(-1) + discounts.unsqueeze(-1) * _of(quantiles, best)
            tau = (torch.arange(self.n_quantiles, device=y.device) + 0.5) / self.n_quantiles
            delta = y.unsqueeze(-2) - theta.unsqueeze(-1)  # [B, i, j]
            slope = (delta / self.kappa).clamp(-1, 1) if self.kappa else delta.sign()
            pull = torch.where(delta < 0, 1 - tau.unsqueeze(-1), tau.unsqueeze(-1)).mul_(slope)
            sizes = delta.sub_(slope, alpha=self.kappa / 2).mul_(pull)
            losses = sizes.mean(-1).sum(-1)
        # The many pairs stay out of autograd: a zero with their gradient, which is -pull / n.
        losses = losses + (pull.mean(-1) * (theta.detach() - theta)).sum(-1)
        q = theta.detach().mean(-1)
        return Errors(losses, y.mean(-1) - q, q)


def _of(output: Tensor, actions: Tensor) -> Tensor:
    """Return what ``[..., A, n]`` says of `actions` ``[...]``: ``[..., n]``."""
    return output.take_along_dim(actions[..., None, None], -2).squeeze(-2)


def _require_atoms(output: Tensor, n: int) -> None:
    if output.shape[-1] != n:
        raise ValueError(
            f"the objective reads {n} numbers per action, the network gives {output.shape[-1]}; "
            f"build it with n_atoms={n}"
        )
