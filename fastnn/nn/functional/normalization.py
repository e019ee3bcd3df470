"""Batch norm and layer norm: each calls its kernel and puts its gradient on the tape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn import _core
from fastnn.autograd import Array
from fastnn.nn.sizes import checked_shape
from fastnn.tensor import Tensor, as_tensor, record

__all__ = ["batch_norm", "layer_norm"]


def batch_norm(
    input: Any,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-05,
) -> Tensor:
    """Normalise each channel (`torch.nn.functional.batch_norm`).

    `y = (x - mean) / sqrt(var + eps) * weight + bias` with the mean and the variance over all but
    the channels: those of the batch in training, which also move the running statistics,
    `running = (1 - momentum) running + momentum batch`; else the running ones. The variance of
    the batch divides by the number of values, that which goes to `running_var` by one less.

    Args:
        input: `(N, C)` or `(N, C, *)`.
        running_mean: `(C,)`, or none in training; changed in place.
        running_var: `(C,)`, or none in training; changed in place.
        weight: `(C,)`, or none for 1.
        bias: `(C,)`, or none for 0.
        training: Whether the batch's statistics are used.
        momentum: The share of the batch in the running statistics.
        eps: Added to the variance.

    Returns:
        The shape of the input.

    Raises:
        ValueError: if a shape does not fit, if running statistics are missing out of training, or
            if a channel has fewer than two values in training.
        TypeError: if all are not float32 or all float64.

    >>> import fastnn
    >>> x = fastnn.tensor([[1.0], [3.0]])
    >>> fastnn.nn.functional.batch_norm(x, None, None, training=True, eps=0.0).tolist()
    [[-1.0], [1.0]]
    """
    x = as_tensor(input)
    _check_batch_norm(x, running_mean, running_var, weight, bias, training)
    w, b = _array_of(weight), _array_of(bias)
    y, channels = np.empty(x.shape, x.dtype), x.shape[1]
    if training:
        mean, variance = np.empty(channels, x.dtype), np.empty(channels, x.dtype)
        running = _array_of(running_mean), _array_of(running_var)
        _core.batch_norm_train(y, mean, variance, *running, x._array, w, b, eps, momentum)
    else:
        assert running_mean is not None
        assert running_var is not None
        mean, variance = running_mean._array, running_var._array
        _core.batch_norm_forward(y, x._array, mean, variance, w, b, eps)
    moving = [t for t in (running_mean, running_var) if t is not None]
    if training:
        for tensor in moving:
            tensor._version[0] += 1

    def backward(dy: Array) -> tuple[Array | None, ...]:
        dx = np.empty(y.shape, y.dtype) if x.requires_grad else None
        dw, db = _target(weight), _target(bias)
        _core.batch_norm_backward(dx, dw, db, dy, x._array, mean, variance, w, eps, training)
        return _given(weight, dw) + _given(bias, db) + (dx,)

    saved = (x, *_some(weight), *([] if training else moving))
    op = "batch_norm", weight, bias, running_mean, running_var, training, momentum, eps
    return record(y, "batch_norm", (*_some(weight), *_some(bias), x), backward, saved, op=op)


def layer_norm(
    input: Any,
    normalized_shape: int | Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-05,
) -> Tensor:
    """Normalise each sample over its last dimensions (`torch.nn.functional.layer_norm`).

    `y = (x - mean) / sqrt(var + eps) * weight + bias` with the mean and the variance (dividing by
    the number of values) over the last dimensions, of shape `normalized_shape`.

    Args:
        input: `(*, *normalized_shape)`.
        normalized_shape: The sizes of the last dimensions.
        weight: Of shape `normalized_shape`, or none for 1.
        bias: Of shape `normalized_shape`, or none for 0.
        eps: Added to the variance.

    Returns:
        The shape of the input.

    Raises:
        ValueError: if a shape does not fit.
        TypeError: if all are not float32 or all float64.

    >>> import fastnn
    >>> fastnn.nn.functional.layer_norm(fastnn.tensor([[1.0, 3.0]]), (2,), eps=0.0).tolist()
    [[-1.0, 1.0]]
    """
    x, sizes = as_tensor(input), checked_shape("LayerNorm", "normalized_shape", normalized_shape)
    _check_layer_norm(x, sizes, weight, bias)
    cols = math.prod(sizes)
    lead = x.shape[: x.ndim - len(sizes)]
    x_rows = x._array.reshape(math.prod(lead), cols)
    w, b = (None if t is None else t._array.reshape(cols) for t in (weight, bias))
    y = np.empty(x_rows.shape, x.dtype)
    mean, inverse = np.empty(len(y), x.dtype), np.empty(len(y), x.dtype)
    _core.layer_norm_forward(y, mean, inverse, x_rows, w, b, eps)

    def backward(dy: Array) -> tuple[Array | None, ...]:
        dx = np.empty(y.shape, y.dtype) if x.requires_grad else None
        dw, db = _target(weight), _target(bias)
        dw_row, db_row = (None if t is None else t.reshape(cols) for t in (dw, db))
        dy = dy.reshape(y.shape)
        _core.layer_norm_backward(dx, dw_row, db_row, dy, x_rows, mean, inverse, w)
        dx = None if dx is None else dx.reshape(x.shape)
        return _given(weight, dw) + _given(bias, db) + (dx,)

    inputs = (*_some(weight), *_some(bias), x)
    op = "layer_norm", weight, bias, cols, eps
    return record(y.reshape(x.shape), "layer_norm", inputs, backward, (x, *_some(weight)), op=op)


# --- what both need ---


def _array_of(tensor: Tensor | None) -> Array | None:
    return None if tensor is None else tensor._array


def _some(tensor: Tensor | None) -> tuple[Tensor, ...]:
    return () if tensor is None else (tensor,)


def _target(tensor: Tensor | None) -> Array | None:
    return None if tensor is None or not tensor.requires_grad else tensor._grad_target()


def _given(tensor: Tensor | None, gradient: Array | None) -> tuple[Array | None, ...]:
    return () if tensor is None else (gradient,)


def _check_batch_norm(
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    training: bool,
) -> None:
    named = {"running_mean": running_mean, "running_var": running_var,
             "weight": weight, "bias": bias}  # fmt: skip
    channels = next((t.shape[0] for t in named.values() if t is not None and t.ndim == 1), None)
    who = "BatchNorm1d" if channels is None else f"BatchNorm1d({channels})"
    size = "C" if channels is None else channels
    if x.ndim < 2 or (channels is not None and x.shape[1] != channels):
        raise ValueError(
            f"{who}: expected input of shape (N, {size}) or (N, {size}, L), got {x.shape}"
        )
    _check_fit(who, x, x.shape[1:2], named)
    if (running_mean is None) != (running_var is None):
        raise ValueError(f"{who}: expected both running_mean and running_var, or neither")
    if not training and running_mean is None:
        raise ValueError(f"{who}: expected running_mean and running_var where training=False")
    if training and x.shape[0] * math.prod(x.shape[2:]) < 2:
        raise ValueError(
            f"{who}: expected more than 1 value per channel when training, got input of shape "
            f"{x.shape}; use larger batches (drop_last=True leaves out a last one of one row), or "
            "eval() where it is not trained"
        )


def _check_layer_norm(
    x: Tensor, sizes: tuple[int, ...], weight: Tensor | None, bias: Tensor | None
) -> None:
    who = f"LayerNorm({sizes})"
    if x.shape[-len(sizes) :] != sizes:
        expected = ", ".join(["*", *map(str, sizes)])
        raise ValueError(f"{who}: expected input of shape ({expected}), got {x.shape}")
    _check_fit(who, x, sizes, {"weight": weight, "bias": bias})


def _check_fit(
    who: str, x: Tensor, shape: tuple[int, ...], named: dict[str, Tensor | None]
) -> None:
    """Raise unless each tensor has that shape and the input's type."""
    if x.dtype.kind != "f":
        raise TypeError(f"{who}: expected float32 or float64 input, got {x.dtype}; "
                        "convert it with .float()")  # fmt: skip
    for name, tensor in named.items():
        if tensor is None:
            continue
        if tensor.shape != shape:
            raise ValueError(f"{who}: expected {name} of shape {shape}, got {tensor.shape}")
        if tensor.dtype != x.dtype:
            method = {"float32": "float", "float64": "double"}.get(str(tensor.dtype), "float")
            raise TypeError(
                f"{who}: expected input of {tensor.dtype} as {name} is, got {x.dtype}; "
                f"convert it with .{method}()"
            )
