"""Penalties on the weights, added to gradients."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from fastnn import _core
from fastnn.nn.utils.parameters import Parameters, in_place, magnitude, tensors

__all__ = ["add_l1_grad_", "add_l2_grad_"]


def add_l1_grad_(parameters: Parameters, l1: float) -> float:
    """Add the gradient of `l1 sum |w|` to the gradients, and return the penalty.

    `grad += l1 sign(w)` (Tibshirani, 1996), which is 0 at 0: what a loss with
    `l1 * sum(p.abs().sum() for p in model.parameters())` in it gives, without the tape. Call it
    between `backward` and `step`; L2 penalties are the optimizers' `weight_decay`.

    Args:
        parameters: One tensor or several; those that require no gradient are left out.
        l1: The weight of the penalty.

    Returns:
        The penalty's value, in float64.

    Raises:
        ValueError: if `l1` is negative or NaN.

    >>> import fastnn
    >>> w = fastnn.tensor([0.5, -2.0], requires_grad=True)
    >>> fastnn.nn.utils.add_l1_grad_(w, 0.25)
    0.625
    >>> w.grad
    tensor([ 0.2500, -0.2500])
    """
    l1 = magnitude("add_l1_grad_", "l1", l1)
    return _add("add_l1_grad_", parameters, partial(_core.l1_gradient, l1=l1))


def add_l2_grad_(parameters: Parameters, l2: float) -> float:
    """Add the gradient of `l2 / 2 sum w^2` to the gradients, and return the penalty.

    `grad += l2 w`, as an optimizer's `weight_decay` does: this one may change from step to step,
    and its value is known.

    Args:
        parameters: One tensor or several; those that require no gradient are left out.
        l2: The weight of the penalty.

    Returns:
        The penalty's value, in float64.

    Raises:
        ValueError: if `l2` is negative or NaN.

    >>> import fastnn
    >>> w = fastnn.tensor([0.5, -2.0], requires_grad=True)
    >>> fastnn.nn.utils.add_l2_grad_(w, 0.5)
    1.0625
    >>> w.grad
    tensor([ 0.2500, -1.0000])
    """
    l2 = magnitude("add_l2_grad_", "l2", l2)
    return _add("add_l2_grad_", parameters, partial(_core.l2_gradient, l2=l2))


def _add(who: str, parameters: Parameters, kernel: Callable[..., float]) -> float:
    penalty = 0.0
    for p in tensors(who, parameters):
        if not p.requires_grad:
            continue
        if p.grad is None:
            p._accumulate(np.zeros_like(p._array))
        assert p.grad is not None
        penalty += in_place(partial(kernel, w=p._array), p.grad._array)
    return penalty
