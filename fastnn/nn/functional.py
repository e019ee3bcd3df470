"""Layers and losses as functions: each calls its kernel and puts its gradient on the tape."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastnn import _core
from fastnn.autograd import Array
from fastnn.tensor import Tensor, as_tensor, record

__all__ = ["cross_entropy", "linear", "relu"]


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
    _check_linear(x, w)
    rows = x._array.reshape(math.prod(x.shape[:-1]), w.shape[1])
    y = np.empty((rows.shape[0], w.shape[0]), w.dtype)
    _core.linear_forward(y, rows, w, None if bias is None else bias._array)

    def backward(dy: Array) -> tuple[Array | None, ...]:
        dy = dy.reshape(y.shape)
        dx = dw = db = None
        if x.requires_grad:
            dx = np.empty(rows.shape, w.dtype)
            _core.linear_backward_input(dx, dy, w)
            dx = dx.reshape(x.shape)
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
    out = y if x.ndim == 2 else y.reshape(*x.shape[:-1], w.shape[0])
    return record(out, "linear", inputs, backward, (x, weight))


def _check_linear(x: Tensor, w: Array) -> None:
    who = f"Linear({w.shape[1]} -> {w.shape[0]})"
    if x.ndim == 0 or x.shape[-1] != w.shape[1]:
        raise ValueError(f"{who}: expected input of shape (N, {w.shape[1]}), got {x.shape}")
    if x.dtype != w.dtype:
        method = {"float32": "float", "float64": "double"}[str(w.dtype)]
        raise TypeError(
            f"{who}: expected input of {w.dtype} as the weights are, got {x.dtype}; "
            f"convert it with .{method}()"
        )


def relu(input: Any) -> Tensor:
    """`max(x, 0)`, element by element (`torch.nn.functional.relu`); the gradient at 0 is 0.

    Args:
        input: Any shape, float32 or float64.

    Raises:
        TypeError: if the input is not floating-point.

    >>> import fastnn
    >>> fastnn.nn.functional.relu(fastnn.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    x = as_tensor(input)
    y = np.empty(x.shape, x.dtype)
    _core.relu_forward(y, x._array)

    def backward(dy: Array) -> tuple[Array]:
        dx = np.empty(y.shape, y.dtype)
        _core.relu_backward(dx, dy, y)
        return (dx,)

    return record(y, "relu", (x,), backward, saves_output=True)


def cross_entropy(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """Softmax cross-entropy on logits (`torch.nn.functional.cross_entropy`).

    `loss_i = log(sum_j exp(z_ij)) - z_i,target_i`, then the mean or the sum over i, or all of them.

    Args:
        input: Logits `(N, classes)`.
        target: Integer classes `(N,)`, each in `0 .. classes - 1`.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: for another reduction, a shape that does not fit, or an empty batch.
        TypeError: if the logits are not floating-point or the classes not integers.
        IndexError: if a class lies outside `0 .. classes - 1`; it names the first such row.

    >>> import fastnn
    >>> logits = fastnn.tensor([[0.0, 0.0]])
    >>> round(fastnn.nn.functional.cross_entropy(logits, fastnn.tensor([1])).item(), 4)
    0.6931
    """
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(
            f"cross_entropy: expected reduction 'mean', 'sum' or 'none', got {reduction!r}"
        )
    logits, labels = as_tensor(input), as_tensor(target)._array
    _check_cross_entropy(logits, labels)
    z = logits._array
    losses, probabilities = np.empty(z.shape[0], z.dtype), np.empty(z.shape, z.dtype)
    _core.softmax_cross_entropy_forward(losses, probabilities, z, labels)
    scale = 1 / z.shape[0] if reduction == "mean" else 1.0

    def backward(dloss: Array) -> tuple[Array]:
        dz = np.empty(z.shape, z.dtype)
        dlosses = np.atleast_1d(dloss * z.dtype.type(scale))
        _core.softmax_cross_entropy_backward(dz, dlosses, probabilities, labels)
        return (dz,)

    if reduction == "none":
        return record(losses, "cross_entropy", (logits,), backward)
    # summed in float64: a long batch loses no digits, and the order is always the same
    total = np.asarray(losses.sum(dtype=np.float64) * scale, dtype=z.dtype)
    return record(total, "cross_entropy", (logits,), backward)


def _check_cross_entropy(logits: Tensor, labels: Array) -> None:
    who = "CrossEntropyLoss"
    if logits.ndim != 2 or 0 in logits.shape:
        raise ValueError(
            f"{who}: expected logits of shape (N, classes) with N > 0, got {logits.shape}"
        )
    if labels.dtype.kind not in "iub":
        raise TypeError(
            f"{who}: expected integer class labels, got {labels.dtype}; convert them with .long()"
        )
    if labels.shape != logits.shape[:1]:
        raise ValueError(
            f"{who}: expected {logits.shape[0]} labels of shape ({logits.shape[0]},), one for "
            f"each row of the logits, got shape {labels.shape}"
        )
