"""Losses: each calls its kernel and puts its gradient on the tape."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import _core
from fastnn.autograd import Array
from fastnn.tensor import Tensor, as_tensor, record

__all__ = ["cross_entropy"]


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
