"""Checks of the shapes a layer is made with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn.autograd import Array
from fastnn.creation import get_default_dtype
from fastnn.devices import real_dtype
from fastnn.options import integer

__all__ = ["checked_shape", "new_weights"]


def checked_shape(who: str, name: str, value: int | Sequence[int]) -> tuple[int, ...]:
    """`value`, one size or several, as a tuple.

    Raises:
        TypeError: if it is not an integer or a sequence of them.
        ValueError: if there is none, or one is less than 1.

    >>> checked_shape("LayerNorm", "normalized_shape", 3)
    (3,)
    """
    given: Any = value if isinstance(value, tuple | list) else (value,)
    try:
        sizes = tuple(integer(who, name, n) for n in given)
    except TypeError:
        raise TypeError(
            f"{who}: expected {name} to be an integer or a sequence of integers, got {value!r}"
        ) from None
    if not sizes or min(sizes) < 1:
        raise ValueError(
            f"{who}: expected {name} to hold at least one size, each at least 1, got {value!r}"
        )
    return sizes


def new_weights(who: str, shape: tuple[int, ...], dtype: Any) -> Array:
    """Memory for weights, which are still to be drawn.

    Args:
        who: Whose they are.
        shape: Their sizes.
        dtype: float32, float64, or `None` for `get_default_dtype()`.

    Raises:
        TypeError: if it is another dtype.
        ValueError: if no memory could ever hold so many.
        MemoryError: if there is not enough.

    >>> new_weights("Linear", (3, 2), np.float32).shape
    (3, 2)
    """
    kind = get_default_dtype() if dtype is None else real_dtype(who, dtype)
    if kind.kind != "f":
        raise TypeError(f"{who}: expected dtype to be float32 or float64, got {kind}")
    try:
        return np.empty(shape, kind)
    except ValueError:
        raise ValueError(f"{who}: expected sizes that memory can hold, got {shape}") from None
