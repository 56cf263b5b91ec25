"""Losses of the DQN family: pure functions of a batch, and the objectives that agents take.

Shapes: B minibatch size, A actions. Nothing here keeps state, draws random numbers or knows what an
agent is, and every axis is counted from the right: the same functions serve one agent (``[B]``)
and a stack of independent agents (``[N, B]``).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from rl_lab.replay import Batch

QFunction = Callable[[Tensor], Tensor]  # observations [..., *S] -> a network's output


class Errors(NamedTuple):
    """What an objective finds in a batch."""

    losses: Tensor  # [B], differentiable
    td_errors: Tensor  # [B], how wrong each estimate was; no gradient
    q: Tensor  # [B], Q(s, a) of the actions taken; no gradient


class Objective(Protocol):
    """What is minimised, and how action values are read from a network's output."""

    def loss(self, online: QFunction, target: QFunction, batch: Batch) -> Errors:
        """Return the loss of every transition in `batch`; no gradient goes into `target`."""
        ...

    def q_values(self, output: Tensor) -> Tensor:
        """Return the action values ``[..., A]`` that a network's output stands for."""
        ...


def td_targets(
    online: QFunction, target: QFunction, batch: Batch, *, double: bool = False
) -> Tensor:
    r"""Return the number that each Q(s, a) in `batch` is pulled towards.

    .. math::

        y = r + \gamma^k (1 - d) \max_{a'} Q(s', a'; \theta^-)

    With ``double=True`` the online network picks the action and the target
    network values it:

    .. math::

        y = r + \gamma^k (1 - d) \, Q(s', \arg\max_{a'} Q(s', a'; \theta); \theta^-)

    Args:
        online: :math:`Q(\cdot\,; \theta)`; used only with ``double=True``.
        target: :math:`Q(\cdot\,; \theta^-)`.
        batch: B transitions; ``batch.discounts`` is :math:`\gamma^k`, and ``batch.dones`` is 1
            only at terminal states.
        double: use the Double DQN target.

    Returns:
        y, ``[B]``, in units of discounted reward; no gradient flows through it.

    Source: Mnih et al. (2015), Algorithm 1; van Hasselt, Guez and Silver (2016),
    section "Double DQN".
    """
    with torch.no_grad():
        next_q = target(batch.next_observations)
        if double:
            best = online(batch.next_observations).argmax(-1, keepdim=True)
            bootstrap = next_q.gather(-1, best).squeeze(-1)
        else:
            bootstrap = next_q.amax(-1)
        return batch.rewards + batch.discounts * (1 - batch.dones) * bootstrap


def q_learning_loss(
    online: QFunction,
    target: QFunction,
    batch: Batch,
    *,
    double: bool = False,
    huber: bool = False,
) -> Errors:
    r"""Return the Q-learning loss of every transition in `batch`.

    .. math::

        \delta = y - Q(s, a; \theta), \qquad \ell = \delta^2

    with y from :func:`td_targets`. With ``huber=True`` the loss grows linearly
    beyond an error of 1, which is what clipping the error does to the gradient:

    .. math::

        \ell = \tfrac12 \delta^2 \ \text{if}\ |\delta| \le 1, \quad
        |\delta| - \tfrac12 \ \text{otherwise}

    Args:
        online: :math:`Q(\cdot\,; \theta)`, differentiated.
        target: :math:`Q(\cdot\,; \theta^-)`, never differentiated.
        batch: B transitions; ``batch.dones`` is 1 only at terminal states.
        double: use the Double DQN target.
        huber: use the Huber loss in place of the square.

    Returns:
        ``(losses, td_errors, q)``, each ``[B]``. TD errors are in units of reward and
        carry the sign of delta above; like ``q`` they are detached.

    Raises:
        ValueError: if Q-values and targets have different shapes.

    Source: Mnih et al. (2015), Algorithm 1 and, for the clipped error, Methods,
    "Training algorithm for deep Q-networks".
    """
    q = online(batch.observations).gather(-1, batch.actions.unsqueeze(-1)).squeeze(-1)
    y = td_targets(online, target, batch, double=double)
    if q.shape != y.shape:  # [B, 1] against [B] would broadcast to [B, B] unseen
        raise ValueError(f"Q-values {tuple(q.shape)} and targets {tuple(y.shape)} differ in shape")
    td_errors = y - q
    losses = F.huber_loss(q, y, reduction="none") if huber else td_errors.square()
    return Errors(losses, td_errors.detach(), q.detach())


def q_learning_grad(td_errors: Tensor, *, huber: bool = False) -> Tensor:
    r"""Return the derivative of :func:`q_learning_loss` in Q(s, a), the target held fixed.

    .. math::

        \frac{\partial \ell}{\partial Q(s, a)} = -2 \delta, \qquad \text{with huber}\quad
        -\mathrm{clip}(\delta, -1, 1)

    Args:
        td_errors: delta, ``[B]``.
        huber: as in the loss.

    Returns:
        ``[B]``.
    """
    return -td_errors.clamp(-1, 1) if huber else -2 * td_errors


@dataclass(frozen=True)
class QLearning:
    """The objective of DQN: `q_learning_loss` of a network whose output is the action values.

    Args:
        double: use the Double DQN target.
        huber: use the Huber loss in place of the square.
    """

    double: bool = False
    huber: bool = False

    def loss(self, online: QFunction, target: QFunction, batch: Batch) -> Errors:
        """Return `q_learning_loss` of a batch."""
        return q_learning_loss(online, target, batch, double=self.double, huber=self.huber)

    def q_values(self, output: Tensor) -> Tensor:
        """Return `output`: it is the action values."""
        return output
