"""The mean of rows that count differently."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastnn import _core
from fastnn.autograd import Array
from fastnn.options import above_zero
from fastnn.tensor import Tensor, as_array, as_tensor, record

__all__ = ["weighted_mean"]


def weighted_mean(
    input: Any, weight: Any = None, factor: float = 1.0, limit: float = math.inf
) -> Tensor:
    """The rows' sums, averaged by the rows' weights: what makes one loss of those of a batch.

    `factor sum_i w_i sum_j min(x_ij, limit) / sum_i w_i`, added in float64. Weights of 1 give the
    same bits as none.

    Args:
        input: `(N, ...)`, float32 or float64, such as a loss with `reduction="none"`.
        weight: How much each row counts, `(N,)`, at least 0; None counts all the same.
        factor: Times this, > 0.
        limit: No finite value counts for more than this, > 0. The gradient with respect to the
            input is that without a limit: it is for what is shown, not for what is learned.

    Raises:
        ValueError: if there is no row, a weight is negative, NaN or infinite, all are 0, or their
            number is not that of the rows; or if `factor` or `limit` is not above 0.
        TypeError: if the input is not floating-point.

    >>> import fastnn
    >>> x = fastnn.tensor([1.0, 5.0])
    >>> fastnn.nn.functional.weighted_mean(x, fastnn.tensor([3.0, 1.0]))
    tensor(2.)
    >>> fastnn.nn.functional.weighted_mean(x, limit=4.0)
    tensor(2.5000)
    """
    who = "weighted_mean"
    factor = above_zero(who, "factor", factor)
    limit = above_zero(who, "limit", limit, infinite=True)
    x = as_tensor(input)
    if not x.is_floating_point():
        raise TypeError(f"{who}: expected float32 or float64, got {x.dtype}")
    if x.ndim == 0 or x.numel() == 0:
        raise ValueError(f"{who}: expected shape (N, ...) with at least one row, got {x.shape}")
    w = None if weight is None else _checked(as_array(weight), x)
    values, mean = x._array, np.empty((), x.dtype)
    divisor = _core.weighted_mean_forward(mean, values, w, factor, limit)

    def backward(dmean: Array) -> tuple[Array | None, ...]:
        dx = np.empty(values.shape, values.dtype)
        _core.weighted_mean_backward(dx, dmean, w, divisor)
        if w is None:
            return (dx,)
        rows = np.minimum(values, limit).reshape(len(values), -1).sum(1)
        return dx, dmean * (rows - mean / values.dtype.type(factor)) / values.dtype.type(divisor)

    op = "weighted_mean", factor, limit
    if weight is None:
        return record(mean, who, (x,), backward, (x,), op=op)
    weights = as_tensor(weight)
    return record(mean, who, (x, weights), backward, (x, weights), op=op)


def _checked(weight: Array, x: Tensor) -> Array:
    if weight.shape != x.shape[:1]:
        raise ValueError(
            f"weighted_mean: expected a weight for each of {len(x)} rows, of shape "
            f"{x.shape[:1]}, got {weight.shape}"
        )
    bad = ~((weight >= 0) & (weight < np.inf))
    if bad.any():
        row = int(bad.argmax())
        raise ValueError(
            f"weighted_mean: expected finite weights >= 0, got {weight[row]} in row {row}"
        )
    if not weight.any():
        raise ValueError("weighted_mean: expected a weight above 0, got zeros alone")
    return np.ascontiguousarray(weight, x.dtype)
