"""What the functions of this folder take: one tensor or several, and memory to write to."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from fastnn.autograd import Array
from fastnn.options import at_least_zero
from fastnn.tensor import Tensor

__all__ = ["in_place", "magnitude", "tensors"]

Parameters = Tensor | Iterable[Tensor]


def tensors(who: str, given: Parameters) -> list[Tensor]:
    """A list of the tensors given."""
    listed = [given] if isinstance(given, Tensor) else list(given)
    for t in listed:
        if not isinstance(t, Tensor):
            raise TypeError(f"{who}: expected tensors, got {t!r:.80}")
    return listed


def magnitude(who: str, name: str, value: Any) -> float:
    """A number >= 0 or infinity; as in PyTorch it may be "inf" or a tensor of one element."""
    if isinstance(value, Tensor) and value.numel() == 1:
        value = value.item()
    infinity = isinstance(value, str) and value == "inf"
    return at_least_zero(who, name, math.inf if infinity else value, infinite=True)


def in_place(kernel: Callable[[Array], Any], array: Array) -> Any:
    """Call a kernel that changes an array of any layout, by way of a copy where it must be."""
    work = np.require(array, requirements=["C", "A", "W"])
    result = kernel(work)
    if work is not array:
        array[...] = work
    return result
