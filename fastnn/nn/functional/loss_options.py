"""Checks of what losses are given besides the predictions: each says who, what and what to do."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.autograd import Array
from fastnn.options import one_of
from fastnn.tensor import Tensor, as_array

__all__ = [
    "check_classes", "check_elements", "check_reduction", "class_weight", "element_weight",
    "label_error",
]  # fmt: skip


def check_reduction(who: str, reduction: Any, size_average: Any, reduce: Any) -> None:
    """Raise unless the reduction is one of PyTorch's; its old flags are errors that name it."""
    if size_average is not None or reduce is not None:
        flag = "size_average" if size_average is not None else "reduce"
        raise ValueError(
            f"{who}: {flag} is not supported; use reduction='mean', 'sum' or 'none' by keyword, "
            f"got {flag}={size_average if size_average is not None else reduce!r}"
        )
    one_of(who, "reduction", reduction, "mean", "sum", "none")


def check_classes(who: str, input: Tensor, target: Tensor, soft: bool) -> None:
    """Raise unless the input is `(N, C, ...)` or `(C,)` and the target has a label for each row.

    With `soft`, floating-point targets of the input's shape are right too.
    """
    shape, labels = input._array.shape, target._array
    if not shape or 0 in shape:
        raise ValueError(f"{who}: expected input of shape (N, classes) with N > 0, got {shape}")
    _check_floating(who, input)
    each = (shape[0], *shape[2:]) if len(shape) != 1 else ()
    if labels.dtype.kind != "f" and labels.shape == each:
        return
    if labels.dtype.kind == "f":
        if soft and labels.shape == shape:
            _check_same_type(who, input, target)
            return
        other = f", or give a probability for each class, of shape {shape}" if soft else ""
        raise TypeError(
            f"{who}: expected integer class labels, got {labels.dtype} of shape {labels.shape}; "
            f"convert them with .long(){other}"
        )
    hint = ""
    if soft and labels.shape == shape:
        hint = "; one-hot labels must be floating-point: convert them with .float()"
    elif labels.size == np.prod(each):
        hint = f"; reshape them to {each}"
    count = f"{shape[0]} labels" if len(shape) == 2 else "labels"
    raise ValueError(
        f"{who}: expected {count} of shape {each}, one for each row of the input "
        f"{shape}, got shape {labels.shape}{hint}"
    )


def label_error(who: str, error: IndexError) -> IndexError:
    """A label out of range, which a kernel found, as an error of the loss `who`."""
    found = str(error).rpartition("labels: ")[2]
    return IndexError(f"{who}: {found}; classes count from 0, and the input needs a column "
                      "for each")  # fmt: skip


def check_elements(who: str, input: Tensor, target: Tensor) -> None:
    """Raise unless both are floating-point, of one type and one shape, and not empty."""
    _check_floating(who, input)
    _check_same_type(who, input, target)
    if input.shape != target.shape:
        same = int(np.prod(input.shape)) == int(np.prod(target.shape))
        hint = f"; reshape the target to {input.shape}" if same else ""
        raise ValueError(
            f"{who}: expected a target of the input's shape {input.shape}, got {target.shape}{hint}"
        )
    if 0 in input.shape:
        raise ValueError(f"{who}: expected at least one element, got shape {input.shape}")


def class_weight(who: str, weight: Any, input: Tensor) -> Array | None:
    """The weights of the classes in the input's type, or None."""
    if weight is None:
        return None
    array = as_array(weight)
    classes = input.shape[1] if input.ndim > 1 else input.shape[0]
    if array.shape != (classes,):
        raise ValueError(
            f"{who}: expected a weight for each class, of shape ({classes},), got {array.shape}"
        )
    if not (array >= 0).all():
        raise ValueError(f"{who}: expected class weights >= 0, got {array.tolist()}")
    return array.astype(input.dtype, copy=False)


def element_weight(who: str, name: str, weight: Any, input: Tensor) -> Array | None:
    """Weights broadcast to the input's shape, in its type, or None."""
    if weight is None:
        return None
    array = as_array(weight)
    try:
        array = np.broadcast_to(array.astype(input.dtype, copy=False), input.shape)
    except ValueError:
        raise ValueError(
            f"{who}: expected a {name} that broadcasts to the input's shape {input.shape}, "
            f"got {array.shape}"
        ) from None
    return np.ascontiguousarray(array)


def _check_floating(who: str, input: Tensor) -> None:
    if input._array.dtype.kind != "f":
        raise TypeError(
            f"{who}: expected input of float32 or float64, got {input.dtype}; "
            "convert it with .float()"
        )


def _check_same_type(who: str, input: Tensor, target: Tensor) -> None:
    if target.dtype != input.dtype:
        method = {"float32": "float", "float64": "double"}[str(input.dtype)]
        raise TypeError(
            f"{who}: expected a target of {input.dtype} as the input is, got {target.dtype}; "
            f"convert it with .{method}()"
        )
