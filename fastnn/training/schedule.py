"""A learning-rate schedule beside its optimizer: when it moves on, and with what."""

from __future__ import annotations

import inspect
from typing import Any

from fastnn.optim import Optimizer
from fastnn.options import one_of

__all__ = ["checked_interval", "checked_scheduler", "learning_rates", "step_scheduler"]


def learning_rates(optimizer: Optimizer) -> list[float]:
    """The rate of each parameter group."""
    return [float(group["lr"]) for group in optimizer.param_groups]


def step_scheduler(scheduler: Any, loss: float) -> None:
    """Move a schedule on; one that looks at how the training goes is given the loss."""
    if "metrics" in inspect.signature(scheduler.step).parameters:
        scheduler.step(loss)
    else:
        scheduler.step()


def checked_scheduler(scheduler: Any, optimizer: Optimizer) -> Any:
    """The schedule, if it is one and of this optimizer."""
    if scheduler is None:
        return None
    if not callable(getattr(scheduler, "step", None)) or isinstance(scheduler, type | Optimizer):
        raise TypeError(f"Trainer: expected a learning-rate schedule, got {scheduler!r:.80}")
    if getattr(scheduler, "optimizer", optimizer) is not optimizer:
        raise ValueError("Trainer: expected a schedule of the optimizer given here, got one of "
                         f"another {type(scheduler.optimizer).__name__}")  # fmt: skip
    return scheduler


def checked_interval(scheduler: Any, given: str | None) -> str | None:
    """When the schedule moves: "epoch", "step", or None without one."""
    interval = getattr(scheduler, "interval", "epoch") if given is None else given
    one_of("Trainer", "scheduler_interval", interval, "epoch", "step")
    return None if scheduler is None else interval
