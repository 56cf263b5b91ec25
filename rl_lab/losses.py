"""Losses of the DQN family, as pure functions of a batch.

Shapes: B minibatch size, A actions. Nothing here keeps state, draws random
numbers or knows what an agent is, and every axis is counted from the right: the
same functions serve one agent (``[B]``) and a stack of independent seeds
(``[seeds, B]``).
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from rl_lab.replay import Batch

QFunction = Callable[[Tensor], Tensor]  # observations [..., S] -> action values [..., A]


def td_targets(
    online: QFunction, target: QFunction, batch: Batch, gamma: float, *, double: bool = False
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
        batch: B transitions; ``batch.dones`` is 1 only at terminal states.
        gamma: discount per environment step, in [0, 1].
        double: use the Double DQN target.

    Returns:
        y, ``[B]``, in units of discounted reward; no gradient flows through it.

    Source: Mnih et al. (2015), Algorithm 1; van Hasselt, Guez and Silver (2016),
    section "Double DQN".
    """
    with torch.no_grad():
        next_q = target(batch.next_states)
        if double:
            best = online(batch.next_states).argmax(-1, keepdim=True)
            bootstrap = next_q.gather(-1, best).squeeze(-1)
        else:
            bootstrap = next_q.amax(-1)
        return batch.rewards + gamma**batch.horizons * (1 - batch.dones) * bootstrap


def q_learning_loss(
    online: QFunction,
    target: QFunction,
    batch: Batch,
    gamma: float,
    *,
    double: bool = False,
    huber: bool = False,
) -> tuple[Tensor, Tensor]:
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
        gamma: discount per environment step, in [0, 1].
        double: use the Double DQN target.
        huber: use the Huber loss in place of the square.

    Returns:
        ``(losses, td_errors)``, each ``[B]``. TD errors are detached, in units
        of reward, and carry the sign of delta above.

    Raises:
        ValueError: if Q-values and targets have different shapes.

    Source: Mnih et al. (2015), Algorithm 1 and, for the clipped error, Methods,
    "Training algorithm for deep Q-networks".
    """
    q = online(batch.states).gather(-1, batch.actions.unsqueeze(-1)).squeeze(-1)
    y = td_targets(online, target, batch, gamma, double=double)
    if q.shape != y.shape:  # [B, 1] against [B] would broadcast to [B, B] unseen
        raise ValueError(f"Q-values {tuple(q.shape)} and targets {tuple(y.shape)} differ in shape")
    td_errors = y - q
    losses = F.huber_loss(q, y, reduction="none") if huber else td_errors.square()
    return losses, td_errors.detach()


def q_learning_slope(td_errors: Tensor, *, huber: bool = False) -> Tensor:
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
