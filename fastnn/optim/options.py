"""Checks of optimizer options: a bad one is an error where it is given, not a NaN much later."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["at_least_zero", "fraction"]


def at_least_zero(who: str, **options: Any) -> None:
    """Raise unless each option is a finite number >= 0."""
    for name, value in options.items():
        if not (0 <= _number(who, name, value) < math.inf):
            raise ValueError(f"{who}: expected a finite {name} >= 0, got {value!r}")


def fraction(who: str, **options: Any) -> None:
    """Raise unless each option lies in [0, 1)."""
    for name, value in options.items():
        if not (0 <= _number(who, name, value) < 1):
            raise ValueError(f"{who}: expected 0 <= {name} < 1, got {value!r}")


def _number(who: str, name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise TypeError(f"{who}: expected {name} to be a number, got {value!r}")
    return float(value)
