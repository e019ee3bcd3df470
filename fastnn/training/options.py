"""Checks of what `Trainer` is given."""

from __future__ import annotations

from collections.abc import Sequence

from fastnn.callbacks import Callback
from fastnn.nn.module import Module
from fastnn.optim import Optimizer
from fastnn.options import above_zero

__all__ = ["checked_callbacks", "checked_limit", "checked_optimizer"]


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


def checked_optimizer(optimizer: Optimizer, model: Module) -> Optimizer:
    """The optimizer, if it is one that can change the model."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"Trainer: expected an Optimizer, got {type(optimizer).__name__}")
    moved = {id(p) for group in optimizer.param_groups for p in group["params"]}
    parameters = list(model.parameters())
    if parameters and not any(id(p) in moved for p in parameters):
        raise ValueError(
            "Trainer: expected an optimizer over parameters of the model, got one "
            "over other tensors; make it with parameters() of this very model"
        )
    return optimizer


def checked_limit(name: str, value: float | None) -> float | None:
    """A finite number above zero, or None for no limit."""
    return None if value is None else above_zero("Trainer", name, value)
