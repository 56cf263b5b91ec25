"""The gradient of a loss in the weights: by autograd, or written by hand.

Autograd differentiates any network and any loss. For networks as small as this
book's its bookkeeping costs more than the arithmetic, so the one combination that
every chapter uses, a `QNetwork` with `q_learning_loss`, is also differentiated by
hand, in a third of the time. A test compares the two.

Shapes: B minibatch size, S observation size, A actions, H hidden units, P weights
of one network. ``...`` is nothing for one network and N for N side by side.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from rl_lab.losses import QFunction, q_learning_loss, q_learning_slope
from rl_lab.networks import QNetwork
from rl_lab.replay import Batch

Layers = Sequence[Tensor]  # w1 [..., H, S], b1 [..., H], w2, b2, w3 [..., A, H], b3 [..., A]


def views(flat: Tensor, shapes: Sequence[torch.Size]) -> list[Tensor]:
    """Return the pieces of `flat` ([..., P] or longer), one of each shape, sharing its memory."""
    sizes = [math.prod(shape) for shape in shapes]
    pieces = flat[..., : sum(sizes)].split(sizes, dim=-1)
    return [
        piece.view(*flat.shape[:-1], *shape) for piece, shape in zip(pieces, shapes, strict=True)
    ]


Room = tuple[Tensor, Tensor, Tensor]  # two of the hidden layers' shape, one of the values'


def room(layers: Layers, batch_size: int) -> Room:
    """Return tensors that hold `activations` of `batch_size` states, to be used again and again.

    Large tensors that are made and dropped at every update leave holes between the small
    objects of an environment, and a long run would fill the memory with them.
    """
    return tuple(b.new_empty(*b.shape[:-1], batch_size, b.shape[-1]) for b in layers[1::2])


def activations(layers: Layers, states: Tensor, out: Room | None = None) -> Room:
    """Return both hidden layers ``[..., B, H]`` and the action values ``[..., B, A]``."""
    w1, b1, w2, b2, w3, b3 = layers
    one, two, three = out or (None, None, None)
    first = _affine(states, w1, b1, one).relu_()
    second = _affine(first, w2, b2, two).relu_()
    return first, second, _affine(second, w3, b3, three)


def _affine(inputs: Tensor, weight: Tensor, bias: Tensor, out: Tensor | None) -> Tensor:
    if weight.ndim == 3:
        return torch.baddbmm(bias.unsqueeze(-2), inputs, weight.mT, out=out)
    if inputs.ndim == 1:
        return torch.addmv(bias, weight, inputs)
    return torch.addmm(bias, inputs, weight.mT, out=out)


def known_settings(loss: Callable) -> dict[str, bool] | None:
    """Return `double` and `huber` of a `q_learning_loss`, or None for any other loss.

    ``partial(q_learning_loss, double=True)`` is one, too.
    """
    function, settings = (
        (loss.func, loss.keywords) if isinstance(loss, partial) and not loss.args else (loss, {})
    )
    known = {"double": False, "huber": False}
    if function is not q_learning_loss or not settings.keys() <= known.keys():
        return None
    return known | settings


@torch.no_grad()
def gradient_by_hand(
    layers: Layers,
    slopes: Layers,
    loss: Callable,
    target: QFunction,
    batch: Batch,
    weights: Tensor,
    gamma: float | Tensor,
    rooms: Sequence[Room],
) -> tuple[Tensor, Tensor]:
    r"""Write the gradient of the weighted mean loss into `slopes`.

    With :math:`g_3 = \partial L / \partial Q`, zero except at the actions taken,
    the chain rule gives, layer by layer from the last to the first,

    .. math::

        \frac{\partial L}{\partial W_i} = g_i^\top h_{i-1}, \quad
        \frac{\partial L}{\partial b_i} = \textstyle\sum_B g_i, \quad
        g_{i-1} = (g_i W_i) \odot [h_{i-1} > 0]

    Args:
        layers: the weights that are differentiated.
        slopes: tensors of the same shapes; overwritten.
        loss: a loss with `known_settings`.
        target: the frozen action values.
        batch: transitions ``[..., B]``.
        weights: of the transitions, ``[..., B]``.
        gamma: discount per environment step; ``[N, 1]`` for one of each network.
        rooms: two of `room`, overwritten.

    Returns:
        The mean weighted loss ``[...]``, and the TD errors ``[..., B]``.
    """
    huber = known_settings(loss)["huber"]
    own, other = rooms

    def online(states: Tensor) -> Tensor:
        return activations(layers, states, own if states is batch.states else other)[-1]

    losses, td_errors = loss(online, target, batch, gamma)
    first, second, _ = own
    _, _, w2, _, w3, _ = layers
    dw1, db1, dw2, db2, dw3, db3 = slopes
    g1, g2, g3 = other
    product = torch.mm if w2.ndim == 2 else torch.bmm

    at_actions = q_learning_slope(td_errors, huber=huber).mul_(weights).div_(weights.shape[-1])
    g3.zero_().scatter_(-1, batch.actions.unsqueeze(-1), at_actions.unsqueeze(-1))
    product(g3.mT, second, out=dw3)
    torch.sum(g3, -2, out=db3)
    product(g3, w3, out=g2).mul_(second.sign_())  # the sign of a ReLU's output is its slope
    product(g2.mT, first, out=dw2)
    torch.sum(g2, -2, out=db2)
    product(g2, w2, out=g1).mul_(first.sign_())
    dw1.copy_(product(batch.states.mT, g1).mT)  # ten times as quick as g1.mT times the states
    torch.sum(g1, -2, out=db1)
    return (losses * weights).mean(-1), td_errors


def _layers_of(network: QNetwork) -> Layers:
    first, second, values = network.first, network.second, network.values
    return first.weight, first.bias, second.weight, second.bias, values.weight, values.bias


class ByHand:
    """A `QNetwork` whose weights lie in one vector, differentiated by hand.

    The network stays in use: its parameters become pieces of the vector. One vector
    is one parameter to the optimiser, which then needs a single call.

    Attributes:
        parameters: the vector ``[P]`` with its gradient, in a list.
    """

    def __init__(self, network: QNetwork, loss: Callable) -> None:
        flat = nn.utils.parameters_to_vector(network.parameters()).detach()
        self._bind(network, loss, nn.Parameter(flat))

    def _bind(self, network: QNetwork, loss: Callable, flat: nn.Parameter) -> None:
        self.network, self.loss, self.parameters = network, loss, [flat]
        shapes = [p.shape for p in network.parameters()]
        self._gradient = torch.zeros_like(flat.data)
        self._layers, self._slopes = views(flat.data, shapes), views(self._gradient, shapes)
        self._rooms: tuple[Room, ...] | None = None
        for parameter, piece in zip(network.parameters(), self._layers, strict=True):
            parameter.data = piece

    def __getstate__(self) -> tuple:  # a copy must tie its own network to its own vector
        return self.network, self.loss, *self.parameters

    def __setstate__(self, state: tuple) -> None:
        self._bind(*state)

    def _tied(self) -> list[Tensor]:
        """Return the pieces of the vector, and see that they still are the network's weights.

        Raises:
            RuntimeError: if somebody put other tensors in their place.
        """
        for parameter, piece in zip(_layers_of(self.network), self._layers, strict=True):
            if parameter.data_ptr() != piece.data_ptr():
                raise RuntimeError(
                    "the network's parameters were replaced by other tensors; copy values into "
                    "them (load_state_dict, copy_) or build a new agent"
                )
        return self._layers

    def q_values(self, state: np.ndarray) -> np.ndarray:
        """Return the action values ``[A]`` at `state` ([S])."""
        layers = self._tied()
        with torch.inference_mode():
            inputs = torch.from_numpy(state).to(layers[0].device)
            return activations(layers, inputs)[-1].cpu().numpy()

    def gradient(
        self, target: QFunction, batch: Batch, weights: Tensor, gamma: float
    ) -> tuple[Tensor, Tensor]:
        """Set the gradient; returns the mean weighted loss and the TD errors ``[B]``."""
        layers = self._tied()
        self.parameters[0].grad = self._gradient  # zero_grad() would have taken it away
        if self._rooms is None or len(weights) != self._rooms[0][0].shape[0]:
            self._rooms = tuple(room(layers, len(weights)) for _ in range(3))
        *rooms, frozen_room = self._rooms
        if type(target) is QNetwork:  # the same values, without a module's overhead
            frozen = _layers_of(target)

            def target(states: Tensor) -> Tensor:
                return activations(frozen, states, frozen_room)[-1]

        return gradient_by_hand(
            layers, self._slopes, self.loss, target, batch, weights, gamma, rooms
        )


class ByAutograd:
    """Any network and any loss, differentiated by autograd.

    Attributes:
        parameters: the network's parameters, in a list.
    """

    def __init__(self, network: nn.Module, loss: Callable) -> None:
        self.network, self.loss = network, loss
        self.parameters = list(network.parameters())

    def q_values(self, state: np.ndarray) -> np.ndarray:
        """Return the action values ``[A]`` at `state` ([S])."""
        return values_of(self.network, state)

    def gradient(
        self, target: QFunction, batch: Batch, weights: Tensor, gamma: float
    ) -> tuple[Tensor, Tensor]:
        """Set the gradient; returns the mean weighted loss and the TD errors ``[B]``."""
        losses, td_errors = self.loss(self.network, target, batch, gamma)
        mean = (losses * weights).mean()
        for parameter in self.parameters:
            parameter.grad = None
        mean.backward()
        return mean.detach(), td_errors


def is_known(network: nn.Module, loss: Callable) -> bool:
    """Whether the gradient of `loss` in the weights of `network` is written by hand here."""
    return (
        type(network) is QNetwork
        and known_settings(loss) is not None
        and all(p.requires_grad for p in network.parameters())
        and not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())
    )


def gradient_rule(network: nn.Module, loss: Callable) -> ByHand | ByAutograd:
    """Return the quickest rule that differentiates `loss` in the weights of `network`."""
    return (ByHand if is_known(network, loss) else ByAutograd)(network, loss)


def values_of(network: nn.Module, state: np.ndarray) -> np.ndarray:
    """Return the action values ``[A]`` of a network at `state` ([S]) on its own device."""
    with torch.inference_mode():
        device = next(network.parameters()).device
        return network(torch.from_numpy(state).to(device)).cpu().numpy()
