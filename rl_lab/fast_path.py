"""The gradient of DQN's loss written by hand, for stacks of the book's plain network.

`DQNAgent.learn` is the plain way, by autograd, and the one to read. For networks as small as this
book's the bookkeeping of autograd costs more than the arithmetic, so where many agents of the
plain kind learn together (`rl_lab.stack`), the chain rule is written out. Tests compare the two.

Shapes: N agents, B minibatch size, S observation size, A actions, H hidden units.
"""

import math
from collections.abc import Collection, Sequence

import torch
from torch import Tensor, nn

from rl_lab.losses import Errors, Objective, QFunction, QLearning, q_learning_grad
from rl_lab.networks import QNetwork
from rl_lab.replay import Batch

Layers = Sequence[Tensor]  # w1 [N, H, S], b1 [N, H], w2, b2, w3 [N, A, H], b3 [N, A]
Workspace = tuple[Tensor, ...]  # two of the hidden layers' shape, one of the values'


def is_plain(network: nn.Module, objective: Objective) -> bool:
    """Whether the gradient of `objective` in the weights of `network` is written by hand here."""
    return (
        type(network) is QNetwork
        and network.n_atoms is None
        and len([*network.children()]) == 3
        and all(type(layer) is nn.Linear and layer.bias is not None for layer in network.children())
        and type(objective) is QLearning
    )


def views(flat: Tensor, shapes: Collection[torch.Size]) -> list[Tensor]:
    """Return the pieces of `flat` ([N, P] or longer), one of each shape, sharing its memory."""
    sizes = [math.prod(shape) for shape in shapes]
    pieces = flat[..., : sum(sizes)].split(sizes, dim=-1)
    return [
        piece.view(*flat.shape[:-1], *shape) for piece, shape in zip(pieces, shapes, strict=True)
    ]


def workspace(layers: Layers, batch_size: int) -> Workspace:
    """Return tensors that hold `activations` of `batch_size` observations, to be used repeatedly.

    Large tensors that are made and dropped at every update leave holes between the small
    objects of an environment, and a long run would fill the memory with them.
    """
    return tuple(b.new_empty(*b.shape[:-1], batch_size, b.shape[-1]) for b in layers[1::2])


def activations(layers: Layers, observations: Tensor, out: Workspace | None = None) -> Workspace:
    """Return both hidden layers ``[N, B, H]`` and the action values ``[N, B, A]``."""
    w1, b1, w2, b2, w3, b3 = layers
    one, two, three = out or (None, None, None)
    first = torch.baddbmm(b1.unsqueeze(-2), observations, w1.mT, out=one).relu_()
    second = torch.baddbmm(b2.unsqueeze(-2), first, w2.mT, out=two).relu_()
    return first, second, torch.baddbmm(b3.unsqueeze(-2), second, w3.mT, out=three)


@torch.no_grad()
def gradient_by_hand(
    layers: Layers,
    grads: Layers,
    objective: QLearning,
    target: QFunction,
    batch: Batch,
    weights: Tensor,
    workspaces: Sequence[Workspace],
) -> Errors:
    r"""Write the gradient of each agent's weighted mean loss into `grads`.

    With :math:`g_3 = \partial L / \partial Q`, zero except at the actions taken,
    the chain rule gives, layer by layer from the last to the first,

    .. math::

        \frac{\partial L}{\partial W_i} = g_i^\top h_{i-1}, \quad
        \frac{\partial L}{\partial b_i} = \textstyle\sum_B g_i, \quad
        g_{i-1} = (g_i W_i) \odot [h_{i-1} > 0]

    Args:
        layers: the weights that are differentiated.
        grads: tensors of the same shapes; overwritten.
        objective: what is minimised.
        target: the frozen action values.
        batch: transitions ``[N, B]``.
        weights: of the transitions, ``[N, B]``.
        workspaces: two of `workspace`, overwritten.

    Returns:
        What `objective` found in the batch, each ``[N, B]``.
    """
    own, other = workspaces

    def online(observations: Tensor) -> Tensor:
        return activations(layers, observations, own if observations is here else other)[-1]

    here = batch.observations
    errors = objective.loss(online, target, batch)
    first, second, _ = own
    _, _, w2, _, w3, _ = layers
    dw1, db1, dw2, db2, dw3, db3 = grads
    g1, g2, g3 = other

    at_actions = q_learning_grad(errors.td_errors, huber=objective.huber)
    at_actions.mul_(weights).div_(weights.shape[-1])
    g3.zero_().scatter_(-1, batch.actions.unsqueeze(-1), at_actions.unsqueeze(-1))
    torch.bmm(g3.mT, second, out=dw3)
    torch.sum(g3, -2, out=db3)
    torch.bmm(g3, w3, out=g2).mul_(second.sign_())  # the sign of a ReLU's output is its derivative
    torch.bmm(g2.mT, first, out=dw2)
    torch.sum(g2, -2, out=db2)
    torch.bmm(g2, w2, out=g1).mul_(first.sign_())
    dw1.copy_(torch.bmm(here.mT, g1).mT)  # ten times as quick as g1.mT times the observations
    torch.sum(g1, -2, out=db1)
    return errors
