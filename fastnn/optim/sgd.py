"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from fastnn import _core
from fastnn.autograd import Array
from fastnn.optim.compiled import CompiledRule
from fastnn.optim.optimizer import Group, Optimizer
from fastnn.options import at_least_zero, flag

__all__ = ["SGD"]


class SGD(Optimizer):
    """`w -= lr d`, with momentum where asked for (`torch.optim.SGD`).

    `g += weight_decay w`; with momentum `v = momentum v + (1 - dampening) g` (v = g at first) and
    `d = v`, or `d = g + momentum v` with `nesterov`; without it `d = g`. `dampening=momentum` is
    the textbook's moving average (Sutskever et al., 2013, compare the forms).

    Args:
        params: Parameters or groups of them.
        lr: Learning rate.
        momentum: Share of the last direction that is kept.
        dampening: What of the new gradient is left out.
        weight_decay: L2 penalty.
        nesterov: Look ahead; needs a momentum and no dampening.
        maximize: Go up instead of down.
        foreach, fused: Accepted, without effect.
        differentiable: Not supported.

    Raises:
        ValueError: if an option is negative or not finite, or `nesterov` lacks its momentum.

    >>> import fastnn
    >>> w = fastnn.ones(1, requires_grad=True)
    >>> optimizer = fastnn.optim.SGD([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> round(w.item(), 3)
    0.8
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(params, {
            "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay,
            "nesterov": nesterov, "maximize": maximize, "foreach": foreach,
            "differentiable": differentiable, "fused": fused})  # fmt: skip

    def check_options(self, group: Group) -> None:
        """Raise unless the formula makes sense."""
        super().check_options(group)
        flag("SGD", "nesterov", group["nesterov"])
        for name in ("lr", "momentum", "dampening", "weight_decay"):
            at_least_zero("SGD", name, group[name])
        momentum, dampening = group["momentum"], group["dampening"]
        if group["nesterov"] and (momentum <= 0 or dampening != 0):
            raise ValueError("SGD: nesterov needs momentum > 0 and dampening = 0, got "
                             f"momentum={momentum}, dampening={dampening}")  # fmt: skip

    def init_state(self, values: Array, group: Group) -> dict[str, Array]:
        """The velocity; pages of zeros that no momentum touches take no memory."""
        return {"momentum_buffer": np.zeros(values.shape, values.dtype)}

    def uses_state(self, group: Group) -> bool:
        """With momentum: its first step is the first that is counted."""
        return bool(group["momentum"])

    def state_names(self, group: Group) -> tuple[str, ...]:
        """The velocity; PyTorch saves no step."""
        return ("momentum_buffer",)

    def compiled(self, group: Group) -> CompiledRule:
        """As `update` calls the kernel."""
        names = ("lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize")
        velocity = "momentum_buffer" if group["momentum"] else None
        return CompiledRule("sgd", (velocity,), {name: group[name] for name in names})

    def update(
        self, values: Array, grads: Array, state: dict[str, Array], group: Group, step: int
    ) -> None:
        """One step of the formula above."""
        velocity = state["momentum_buffer"] if group["momentum"] else None
        _core.sgd(values, velocity, grads, group["lr"], group["momentum"], group["dampening"],
                  group["weight_decay"], group["nesterov"], step == 1,
                  group["maximize"])  # fmt: skip
