"""AdamW."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fastnn.optim.adam import Adam

__all__ = ["AdamW"]


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019; `torch.optim.AdamW`).

    `w -= lr weight_decay w` first, then Adam's step on the plain gradient: the decay does not
    enter the averages, so weights with large gradients decay as much as others.

    Args:
        params: Parameters or groups of them.
        lr: Learning rate.
        betas: b1 and b2, how long the two averages remember.
        eps: Keeps the division finite.
        weight_decay: Share of the weights, times lr, that a step takes away.
        amsgrad: Divide by the largest average so far (Reddi et al., 2018).
        maximize: Go up instead of down.
        foreach, capturable, fused: Accepted, without effect.
        differentiable: Not supported.

    Raises:
        ValueError: if an option is negative or not finite, or a beta not in [0, 1).

    >>> import fastnn
    >>> w = fastnn.ones(1, requires_grad=True)
    >>> optimizer = fastnn.optim.AdamW([w], lr=0.1, weight_decay=0.5)
    >>> (w * 0).sum().backward()
    >>> optimizer.step()
    >>> round(w.item(), 3)
    0.95
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach,
                         maximize=maximize, capturable=capturable, differentiable=differentiable,
                         fused=fused, decoupled_weight_decay=True)  # fmt: skip

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """As `Optimizer.load_state_dict`; the decay stays decoupled, whatever the state is of."""
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True
