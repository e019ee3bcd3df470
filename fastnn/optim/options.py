"""Checks of optimizer options: a bad one is an error where it is given, not a NaN much later."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastnn.tensor import Tensor

__all__ = ["above_zero", "at_least_zero", "flag", "fraction", "hint", "share", "whole"]


def at_least_zero(who: str, **options: Any) -> None:
    """Raise unless each option is a finite number >= 0."""
    for name, value in options.items():
        if not (0 <= _number(who, name, value) < math.inf):
            raise ValueError(f"{who}: expected a finite {name} >= 0, got {value!r}")


def above_zero(who: str, **options: Any) -> None:
    """Raise unless each option is a finite number > 0."""
    for name, value in options.items():
        if not (0 < _number(who, name, value) < math.inf):
            raise ValueError(f"{who}: expected a finite {name} > 0, got {value!r}")


def fraction(who: str, **options: Any) -> None:
    """Raise unless each option lies in [0, 1)."""
    for name, value in options.items():
        if not (0 <= _number(who, name, value) < 1):
            raise ValueError(f"{who}: expected 0 <= {name} < 1, got {value!r}")


def share(who: str, zero: bool, **options: Any) -> None:
    """Raise unless each option lies in [0, 1], or in (0, 1] where `zero` is False."""
    for name, value in options.items():
        if not (0 <= _number(who, name, value) <= 1) or (value == 0 and not zero):
            bound = "0 <=" if zero else "0 <"
            raise ValueError(f"{who}: expected {bound} {name} <= 1, got {value!r}")


def whole(who: str, least: int, **options: Any) -> None:
    """Raise unless each option is an integer >= `least`."""
    for name, value in options.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise TypeError(f"{who}: expected {name} to be an integer, got {value!r}")
        if value < least:
            raise ValueError(f"{who}: expected {name} >= {least}, got {value!r}")


def flag(who: str, **options: Any) -> None:
    """Raise unless each option is True or False."""
    for name, value in options.items():
        if not isinstance(value, bool | np.bool_):
            raise TypeError(f"{who}: expected {name} to be True or False, got {value!r}")


def hint(who: str, group: dict[str, Any]) -> None:
    """Raise unless PyTorch's choices of an implementation are ones that need no other here."""
    for name in ("foreach", "fused", "capturable"):
        if group.get(name) is not None:
            flag(who, **{name: group[name]})
    flag(who, differentiable=group["differentiable"])
    if group["differentiable"]:
        raise ValueError(f"{who}: differentiable=True is not supported, a step is not recorded; "
                         "write the update with tensor operations instead")  # fmt: skip


def _number(who: str, name: str, value: Any) -> float:
    if isinstance(value, Tensor):
        raise TypeError(f"{who}: expected {name} to be a number, got {value!r}; pass "
                        f"{name}.item(), and change it later in param_groups")  # fmt: skip
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise TypeError(f"{who}: expected {name} to be a number, got {value!r}")
    return float(value)
