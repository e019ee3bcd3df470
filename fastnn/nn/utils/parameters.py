"""What the functions of this folder take: one tensor or several, and memory to write to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from fastnn.autograd import Array
from fastnn.tensor import Tensor

__all__ = ["in_place", "number", "tensors"]

Parameters = Tensor | Iterable[Tensor]


def tensors(who: str, given: Parameters) -> list[Tensor]:
    """A list of the tensors given."""
    listed = [given] if isinstance(given, Tensor) else list(given)
    for t in listed:
        if not isinstance(t, Tensor):
            raise TypeError(f"{who}: expected tensors, got {t!r:.80}")
    return listed


def number(who: str, name: str, value: Any) -> float:
    """The option as a float, if it is a number >= 0 (infinity too)."""
    try:
        result = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{who}: expected {name} as a number, got {value!r}") from None
    if not result >= 0:
        raise ValueError(f"{who}: expected {name} >= 0, got {value!r}")
    return result


def in_place(kernel: Callable[[Array], Any], array: Array) -> Any:
    """Call a kernel that changes an array of any layout, by way of a copy where it must be."""
    work = np.require(array, requirements=["C", "A", "W"])
    result = kernel(work)
    if work is not array:
        array[...] = work
    return result
