"""Adam."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from fastnn import _core
from fastnn.autograd import Array
from fastnn.optim.compiled import CompiledRule
from fastnn.optim.optimizer import Group, Optimizer
from fastnn.options import at_least_zero, flag, fraction

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
        amsgrad: Divide by the largest v so far (Reddi et al., 2018).
        foreach, capturable, fused: Accepted, without effect.
        maximize: Go up instead of down.
        differentiable: Not supported.
        decoupled_weight_decay: `w -= lr weight_decay w` beside the rule, as `AdamW` does.

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
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        super().__init__(params, {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad,
            "maximize": maximize, "foreach": foreach, "capturable": capturable,
            "differentiable": differentiable, "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay})  # fmt: skip

    def check_options(self, group: Group) -> None:
        """Raise unless the formula makes sense."""
        who = type(self).__name__
        super().check_options(group)
        for name in ("lr", "eps", "weight_decay"):
            at_least_zero(who, name, group[name])
        for name in ("amsgrad", "decoupled_weight_decay"):
            flag(who, name, group[name])
        betas = group["betas"]
        if not isinstance(betas, tuple | list) or len(betas) != 2:
            raise ValueError(f"{who}: expected two betas, got {betas!r}")
        fraction(who, "beta1", betas[0])
        fraction(who, "beta2", betas[1])

    def init_state(self, values: Array, group: Group) -> dict[str, Array]:
        """The averages of the gradient and of its square; the largest takes no memory unused."""
        names = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")
        return {name: np.zeros(values.shape, values.dtype) for name in names}

    def state_names(self, group: Group) -> tuple[str, ...]:
        """Step and averages, and the largest average with amsgrad."""
        largest = ("max_exp_avg_sq",) if group["amsgrad"] else ()
        return ("step", "exp_avg", "exp_avg_sq", *largest)

    def compiled(self, group: Group) -> CompiledRule:
        """As `update` calls the kernel."""
        largest = "max_exp_avg_sq" if group["amsgrad"] else None
        beta1, beta2 = group["betas"]
        options = {name: group[name] for name in ("lr", "eps", "weight_decay", "maximize")}
        options |= {"beta1": beta1, "beta2": beta2, "decoupled": group["decoupled_weight_decay"],
                    "plain_root": False}  # fmt: skip
        return CompiledRule("adam", ("exp_avg", "exp_avg_sq", largest), options)

    def update(
        self, values: Array, grads: Array, state: dict[str, Array], group: Group, step: int
    ) -> None:
        """One step of the formula above."""
        b1, b2 = group["betas"]
        largest = state["max_exp_avg_sq"] if group["amsgrad"] else None
        _core.adam(values, state["exp_avg"], state["exp_avg_sq"], largest, grads, group["lr"],
                   b1, b2, group["eps"], group["weight_decay"], 1 - b1**step, 1 - b2**step,
                   group["decoupled_weight_decay"], group["maximize"])  # fmt: skip
