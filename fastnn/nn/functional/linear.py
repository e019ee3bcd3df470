"""The affine map."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastnn import _core
from fastnn.autograd import Array
from fastnn.tensor import Tensor, as_tensor, record

__all__ = ["linear"]


def linear(input: Any, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`y = x W^T + b` (`torch.nn.functional.linear`).

    Args:
        input: `(*, in_features)`.
        weight: `(out_features, in_features)`.
        bias: `(out_features,)`, or none.

    Returns:
        `(*, out_features)`.

    Raises:
        ValueError: if a shape does not fit.
        TypeError: if the three are not all float32 or all float64.

    >>> import fastnn
    >>> fastnn.nn.functional.linear(fastnn.ones(2, 3), fastnn.ones(4, 3)).shape
    (2, 4)
    """
    x, w = as_tensor(input), weight._array
    rows = _rows(x._array, w)
    y = np.empty((len(rows), len(w)), w.dtype)
    _core.linear_forward(y, rows, w, None if bias is None else bias._array)

    def backward(dy: Array) -> tuple[Array | None, ...]:
        dy = dy.reshape(y.shape)
        dx = dw = db = None
        if x.requires_grad:
            dx = np.empty(rows.shape, w.dtype)
            _core.linear_backward_input(dx, dy, w)
            dx = dx.reshape(x._array.shape)
        if weight.requires_grad:
            dw = weight._grad_target()
            _core.linear_backward_weight(dw, dy, rows)
        if bias is None:
            return dw, dx
        if bias.requires_grad:
            db = bias._grad_target()
            _core.column_sum(db, dy)
        return dw, db, dx

    # x last: if it is the weight or bias too, its gradient is added to theirs, not written over it
    inputs = (weight, x) if bias is None else (weight, bias, x)
    out = y if rows is x._array else y.reshape(*x.shape[:-1], len(w))
    return record(out, "linear", inputs, backward, (x, weight), op=("linear",))


def _rows(x: Array, w: Array) -> Array:
    """The input as `(N, in_features)`; an error unless it fits the weights."""
    if x.ndim == 2 and x.shape[1] == w.shape[1] and x.dtype == w.dtype:
        return x
    who = f"Linear({w.shape[1]} -> {w.shape[0]})"
    if x.ndim == 0 or x.shape[-1] != w.shape[1]:
        flat = x.ndim > 2 and math.prod(x.shape[1:]) == w.shape[1]
        hint = "; flatten(1) makes rows of it, as nn.Flatten does" if flat else ""
        raise ValueError(f"{who}: expected input of shape (N, {w.shape[1]}), got {x.shape}{hint}")
    if x.dtype != w.dtype:
        method = {"float32": "float", "float64": "double"}[str(w.dtype)]
        raise TypeError(
            f"{who}: expected input of {w.dtype} as the weights are, got {x.dtype}; "
            f"convert it with .{method}()"
        )
    return x.reshape(math.prod(x.shape[:-1]), w.shape[1])
