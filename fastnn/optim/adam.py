"""Adam."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from fastnn import _core
from fastnn.autograd import Array
from fastnn.optim.optimizer import Group, Optimizer
from fastnn.optim.options import at_least_zero, fraction

__all__ = ["Adam"]


class Adam(Optimizer):
    """Adam (Kingma and Ba, 2015; `torch.optim.Adam`).

    `g += weight_decay w`, `m = b1 m + (1 - b1) g`, `v = b2 v + (1 - b2) g^2`,
    `w -= lr / (1 - b1^t) * m / (sqrt(v / (1 - b2^t)) + eps)`.

    Args:
        params: Parameters or groups of them.
        lr: Learning rate.
        betas: b1 and b2, how long the two averages remember.
        eps: Keeps the division finite.
        weight_decay: L2 penalty.

    Raises:
        ValueError: if an option is negative or not finite, or a beta not in [0, 1).

    >>> import fastnn
    >>> w = fastnn.ones(1, requires_grad=True)
    >>> optimizer = fastnn.optim.Adam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> round(w.item(), 3)
    0.9
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})  # fmt: skip

    def check_options(self, group: Group) -> None:
        """Raise unless the formula makes sense."""
        at_least_zero("Adam", **{name: group[name] for name in ("lr", "eps", "weight_decay")})
        betas = group["betas"]
        if not isinstance(betas, tuple | list) or len(betas) != 2:
            raise ValueError(f"Adam: expected two betas, got {betas!r}")
        fraction("Adam", beta1=betas[0], beta2=betas[1])

    def init_state(self, values: Array) -> dict[str, Array]:
        """The averages of the gradient and of its square."""
        return {"exp_avg": np.zeros_like(values), "exp_avg_sq": np.zeros_like(values)}

    def update(
        self, values: Array, grads: Array, state: dict[str, Array], group: Group, step: int
    ) -> None:
        """One step of the formula above."""
        b1, b2 = group["betas"]
        _core.adam(values, state["exp_avg"], state["exp_avg_sq"], grads, group["lr"], b1, b2,
                   group["eps"], group["weight_decay"], 1 - b1**step, 1 - b2**step)  # fmt: skip
