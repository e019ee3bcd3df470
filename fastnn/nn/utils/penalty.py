"""Penalties on the weights, added to gradients."""

from __future__ import annotations

from functools import partial

import numpy as np

from fastnn import _core
from fastnn.nn.utils.parameters import Parameters, in_place, magnitude, tensors

__all__ = ["add_l1_grad_"]


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
    penalty = 0.0
    for p in tensors("add_l1_grad_", parameters):
        if not p.requires_grad:
            continue
        if p.grad is None:
            p._accumulate(np.zeros_like(p._array))
        assert p.grad is not None
        penalty += in_place(partial(_core.l1_gradient, w=p._array, l1=l1), p.grad._array)
    return penalty
