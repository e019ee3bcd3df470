"""Adagrad."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from fastnn import _core
from fastnn.autograd import Array
from fastnn.optim.compiled import CompiledRule
from fastnn.optim.optimizer import Group, Optimizer
from fastnn.options import at_least_zero

__all__ = ["Adagrad"]


class Adagrad(Optimizer):
    """Rates that shrink with the gradients seen (Duchi et al., 2011; `torch.optim.Adagrad`).

    `g += weight_decay w`, `s += g^2`,
    `w -= lr / (1 + (t - 1) lr_decay) * g / (sqrt(s) + eps)`.

    Args:
        params: Parameters or groups of them.
        lr: Learning rate.
        lr_decay: How fast the learning rate itself falls.
        weight_decay: L2 penalty.
        initial_accumulator_value: What s starts at.
        eps: Keeps the division finite.
        foreach, fused: Accepted, without effect.
        maximize: Go up instead of down.
        differentiable: Not supported.

    Raises:
        ValueError: if an option is negative or not finite.

    >>> import fastnn
    >>> w = fastnn.ones(1, requires_grad=True)
    >>> optimizer = fastnn.optim.Adagrad([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> round(w.item(), 3)
    0.9
    """

    state_from_start = True

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(params, {
            "lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "fused": fused})  # fmt: skip

    def check_options(self, group: Group) -> None:
        """Raise unless the formula makes sense."""
        super().check_options(group)
        for name in ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps"):
            at_least_zero("Adagrad", name, group[name])

    def init_state(self, values: Array, group: Group) -> dict[str, Array]:
        """The sum of squared gradients."""
        return {"sum": np.full(values.shape, group["initial_accumulator_value"], values.dtype)}

    def compiled(self, group: Group) -> CompiledRule:
        """As `update` calls the kernel."""
        names = ("lr", "lr_decay", "eps", "weight_decay", "maximize")
        return CompiledRule("adagrad", ("sum",), {name: group[name] for name in names})

    def update(
        self, values: Array, grads: Array, state: dict[str, Array], group: Group, step: int
    ) -> None:
        """One step of the formula above."""
        rate = group["lr"] / (1 + (step - 1) * group["lr_decay"])
        _core.adagrad(values, state["sum"], grads, rate, group["eps"], group["weight_decay"],
                      group["maximize"])  # fmt: skip
