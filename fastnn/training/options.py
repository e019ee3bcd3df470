"""Checks of what `Trainer` is given."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from fastnn.callbacks import Callback

__all__ = ["checked_callbacks", "checked_positive"]


def checked_callbacks(callbacks: Sequence[Callback]) -> list[Callback]:
    """The callbacks, if that is what they are."""
    if not isinstance(callbacks, list | tuple):
        raise TypeError(f"Trainer: expected a list of callbacks, got {callbacks!r}")
    for callback in callbacks:
        if not isinstance(callback, Callback):
            hint = "; call it" if isinstance(callback, type) else ""
            raise TypeError(f"Trainer: expected fastnn.callbacks.Callback objects as callbacks, "
                            f"got {callback!r}{hint}")  # fmt: skip
    return list(callbacks)


def checked_positive(name: str, value: float | None) -> float | None:
    """A finite number above zero, or None."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise TypeError(f"Trainer: expected {name} to be a number, got {value!r}")
    if not 0 < value < math.inf:
        raise ValueError(f"Trainer: expected a finite {name} > 0, got {value!r}")
    return float(value)
