"""`ReduceLROnPlateau`."""

from __future__ import annotations

import math
from typing import Any

from fastnn.optim.lr_scheduler.scheduler import LRScheduler, checked_optimizer, per_group
from fastnn.optim.optimizer import Optimizer
from fastnn.options import at_least_zero, fraction, one_of, whole

__all__ = ["ReduceLROnPlateau"]


class ReduceLROnPlateau(LRScheduler):
    """`lr = max(lr factor, min_lr)` when a measured value has stopped improving.

    As `torch.optim.lr_scheduler.ReduceLROnPlateau`.

    Args:
        optimizer: Whose rates to set.
        mode: Whether "min" or "max" is better.
        factor: What the rate is multiplied by, in [0, 1).
        patience: How many epochs without improvement are let pass.
        threshold: How much better counts.
        threshold_mode: Whether the threshold is "rel", a share of the best, or "abs".
        cooldown: Epochs after a change in which nothing is counted.
        min_lr: The lowest rate, or one for each group.
        eps: A smaller change of the rate is left out.

    Raises:
        ValueError: if an option is out of range or of another name.

    >>> import fastnn
    >>> optimizer = fastnn.optim.SGD([fastnn.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = fastnn.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1)
    >>> for loss in (3.0, 2.0, 2.0, 2.0):
    ...     scheduler.step(loss)
    >>> scheduler.get_last_lr()
    [0.1]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | list[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        who = "ReduceLROnPlateau"
        self.optimizer = checked_optimizer(self, optimizer)
        self.mode = one_of(who, "mode", mode, "min", "max")
        self.factor = fraction(who, "factor", factor)
        self.patience = whole(who, "patience", patience, 0)
        self.threshold = at_least_zero(who, "threshold", threshold)
        self.threshold_mode = one_of(who, "threshold_mode", threshold_mode, "rel", "abs")
        self.cooldown = whole(who, "cooldown", cooldown, 0)
        self.min_lr = min_lr
        for i, lr in enumerate(self.min_lrs):
            at_least_zero(who, f"min_lr of group {i}", lr)
        self.eps = at_least_zero(who, "eps", eps)
        self.best = math.inf if mode == "min" else -math.inf
        self.cooldown_counter = self.num_bad_epochs = self.last_epoch = 0
        self._last_lr = self._rates()

    @property
    def min_lrs(self) -> list[float]:
        """The lowest rate of each group."""
        return per_group(self, self.optimizer, "min_lr", self.min_lr)

    @property
    def in_cooldown(self) -> bool:
        """Whether epochs go uncounted after a change."""
        return self.cooldown_counter > 0

    def step(self, metrics: Any) -> None:  # type: ignore[override]
        """Take note of what an epoch measured, and lower the rates where it is time.

        Args:
            metrics: A number, or a tensor of one element; NaN counts as no improvement.
        """
        current = float(metrics)
        self.last_epoch += 1
        if self._is_better(current):
            self.best, self.num_bad_epochs = current, 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._set_rates(self.get_lr())
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = self._rates()

    def get_lr(self) -> list[float]:
        """The rates lowered once."""
        lowered = []
        for old, low in zip(self._rates(), self.min_lrs, strict=True):
            new = max(old * self.factor, low)
            lowered.append(new if old - new > self.eps else old)
        return lowered

    def _is_better(self, current: float) -> bool:
        sign = -1 if self.mode == "min" else 1
        if self.threshold_mode == "rel":
            bound = self.best * (1 + sign * self.threshold)
        else:
            bound = self.best + sign * self.threshold
        return current < bound if self.mode == "min" else current > bound
