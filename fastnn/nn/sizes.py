"""Checks of the sizes a layer is made with."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

__all__ = ["checked_shape", "checked_size"]


def checked_size(who: str, name: str, value: Any) -> int:
    """`value` as an int.

    Raises:
        TypeError: if it is not an integer.
        ValueError: if it is negative.

    >>> checked_size("Linear", "in_features", 3)
    3
    """
    try:
        size = operator.index(value)
    except TypeError:
        raise TypeError(f"{who}: expected an integer {name}, got {value!r}") from None
    if size < 0:
        raise ValueError(f"{who}: expected {name} >= 0, got {size}")
    return size


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
        sizes = tuple(operator.index(n) for n in given)
    except TypeError:
        raise TypeError(
            f"{who}: expected {name} to be an integer or a sequence of integers, got {value!r}"
        ) from None
    if not sizes or min(sizes) < 1:
        raise ValueError(
            f"{who}: expected {name} to hold at least one size, each at least 1, got {value!r}"
        )
    return sizes
