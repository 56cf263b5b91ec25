"""Adam with little around it: torch's own arithmetic, called directly.

For one vector of some ten thousand weights, `torch.optim.Adam` spends as long on
hooks and bookkeeping as on the weights. What is left here has the same interface
where this book uses it, and the bits of ``torch.optim.Adam(fused=True)``: a test
compares the two.
"""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.optim.adam import adam


class Adam:
    r"""The Adam optimiser, with the usual constants.

    .. math::

        m \leftarrow \beta_1 m + (1 - \beta_1) g, \qquad
        v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \qquad
        \theta \leftarrow \theta - \alpha \,
        \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \varepsilon}

    with :math:`\beta_1 = 0.9`, :math:`\beta_2 = 0.999`, :math:`\varepsilon = 10^{-8}`.

    Args:
        parameters: what is optimised.
        lr: the step size alpha; ``param_groups[0]["lr"]`` changes it, as in torch.

    Source: Kingma and Ba (2015), Algorithm 1.
    """

    def __init__(self, parameters: Iterable[Tensor], lr: float) -> None:
        parameters = list(parameters)
        self.param_groups = [{"params": parameters, "lr": lr}]
        self.first_moments = [torch.zeros_like(p, requires_grad=False) for p in parameters]
        self.second_moments = [torch.zeros_like(p, requires_grad=False) for p in parameters]
        self._steps = [torch.zeros((), device=p.device) for p in parameters]

    @torch.no_grad()
    def step(self) -> None:
        """Take one step, with every parameter that has a gradient."""
        (group,) = self.param_groups
        rows = zip(
            group["params"], self.first_moments, self.second_moments, self._steps, strict=True
        )
        moving = [(p, p.grad, *moments) for p, *moments in rows if p.grad is not None]
        if not moving:
            return
        params, grads, first_moments, second_moments, steps = zip(*moving, strict=True)
        adam(
            params,
            grads,
            first_moments,
            second_moments,
            [],
            steps,
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=group["lr"],
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.param_groups[0]["params"]:
            parameter.grad = None
