"""RMSprop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from fastnn import _core
from fastnn.autograd import Array
from fastnn.optim.compiled import CompiledRule
from fastnn.optim.optimizer import Group, Optimizer
from fastnn.options import at_least_zero, flag, share

__all__ = ["RMSprop"]


class RMSprop(Optimizer):
    """Gradients over their recent size (Tieleman and Hinton, 2012; `torch.optim.RMSprop`).

    `g += weight_decay w`, `s = alpha s + (1 - alpha) g^2`, `d = g / (sqrt(s) + eps)`, `w -= lr d`;
    with momentum `u = momentum u + d` and `w -= lr u`. `centered` takes the square of the
    gradient's recent mean from s (Graves, 2013), which leaves a variance.

    Args:
        params: Parameters or groups of them.
        lr: Learning rate.
        alpha: How long the average remembers, in [0, 1].
        eps: Keeps the division finite.
        weight_decay: L2 penalty.
        momentum: Share of the last direction that is kept.
        centered: Divide by the standard deviation.
        capturable, foreach: Accepted, without effect.
        maximize: Go up instead of down.
        differentiable: Not supported.

    Raises:
        ValueError: if an option is negative or not finite, or alpha above 1.

    >>> import fastnn
    >>> w = fastnn.ones(1, requires_grad=True)
    >>> optimizer = fastnn.optim.RMSprop([w], lr=0.01)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> round(w.item(), 3)
    0.9
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        super().__init__(params, {
            "lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered,
            "weight_decay": weight_decay, "capturable": capturable, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable})  # fmt: skip

    def check_options(self, group: Group) -> None:
        """Raise unless the formula makes sense."""
        super().check_options(group)
        flag("RMSprop", "centered", group["centered"])
        share("RMSprop", "alpha", group["alpha"])
        for name in ("lr", "eps", "weight_decay", "momentum"):
            at_least_zero("RMSprop", name, group[name])

    def init_state(self, values: Array, group: Group) -> dict[str, Array]:
        """Averages and velocity; those that no option touches take no memory."""
        names = ("square_avg", "momentum_buffer", "grad_avg")
        return {name: np.zeros(values.shape, values.dtype) for name in names}

    def state_names(self, group: Group) -> tuple[str, ...]:
        """Step and average, and what momentum and centering use."""
        velocity = ("momentum_buffer",) if group["momentum"] else ()
        mean = ("grad_avg",) if group["centered"] else ()
        return ("step", "square_avg", *velocity, *mean)

    def compiled(self, group: Group) -> CompiledRule:
        """As `update` calls the kernel."""
        names = ("lr", "alpha", "eps", "weight_decay", "momentum", "maximize")
        mean = "grad_avg" if group["centered"] else None
        velocity = "momentum_buffer" if group["momentum"] else None
        options = {name: group[name] for name in names}
        return CompiledRule("rmsprop", ("square_avg", mean, velocity), options)

    def update(
        self, values: Array, grads: Array, state: dict[str, Array], group: Group, step: int
    ) -> None:
        """One step of the formula above."""
        mean = state["grad_avg"] if group["centered"] else None
        velocity = state["momentum_buffer"] if group["momentum"] else None
        _core.rmsprop(values, state["square_avg"], mean, velocity, grads, group["lr"],
                      group["alpha"], group["eps"], group["weight_decay"], group["momentum"],
                      group["maximize"])  # fmt: skip
