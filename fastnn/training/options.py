"""Checks of what `Trainer` is given."""

from __future__ import annotations

from collections.abc import Sequence

from fastnn.callbacks import Callback
from fastnn.options import above_zero

__all__ = ["checked_callbacks", "checked_limit"]


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


def checked_limit(name: str, value: float | None) -> float | None:
    """A finite number above zero, or None for no limit."""
    return None if value is None else above_zero("Trainer", name, value)
