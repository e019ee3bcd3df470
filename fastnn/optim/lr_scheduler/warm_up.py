"""Schedules that start low."""

from __future__ import annotations

from fastnn.optim.lr_scheduler.scheduler import LRScheduler
from fastnn.optim.optimizer import Optimizer
from fastnn.options import share, whole

__all__ = ["ConstantLR", "LinearLR"]


class ConstantLR(LRScheduler):
    """`lr = initial_lr factor`, and `initial_lr` from epoch `total_iters` on.

    As `torch.optim.lr_scheduler.ConstantLR`.

    Args:
        optimizer: Whose rates to set.
        factor: What the rate is multiplied by at first, in (0, 1].
        total_iters: For how many epochs.
        last_epoch: The epoch before the next; -1 starts.

    Raises:
        ValueError: if an option is out of range.

    >>> import fastnn
    >>> optimizer = fastnn.optim.SGD([fastnn.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = fastnn.optim.lr_scheduler.ConstantLR(optimizer, factor=0.5, total_iters=1)
    >>> scheduler.get_last_lr()
    [0.5]
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [1.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        factor: float = 1 / 3,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        self.factor = share("ConstantLR", "factor", factor, zero=False)
        self.total_iters = whole("ConstantLR", "total_iters", total_iters, 1)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The rate before, times the factor at first and over it at the end."""
        if self.last_epoch == 0:
            return [lr * self.factor for lr in self._rates()]
        if self.last_epoch == self.total_iters:
            return [lr * (1 / self.factor) for lr in self._rates()]
        return self._rates()


class LinearLR(LRScheduler):
    """The rate's factor goes from one value to another on a line, and stays there.

    `lr = initial_lr (start_factor + (end_factor - start_factor) min(1, epoch / total_iters))`, as
    `torch.optim.lr_scheduler.LinearLR`.

    Args:
        optimizer: Whose rates to set.
        start_factor: The factor in the first epoch, in (0, 1].
        end_factor: The factor at the end, in [0, 1].
        total_iters: The epoch from which on it has reached its end.
        last_epoch: The epoch before the next; -1 starts.

    Raises:
        ValueError: if an option is out of range.

    >>> import fastnn
    >>> optimizer = fastnn.optim.SGD([fastnn.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = fastnn.optim.lr_scheduler.LinearLR(optimizer, 0.25, total_iters=3)
    >>> for epoch in range(5):
    ...     print(scheduler.get_last_lr())
    ...     optimizer.step()
    ...     scheduler.step()
    [0.25]
    [0.5]
    [0.75]
    [1.0]
    [1.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        self.start_factor = share("LinearLR", "start_factor", start_factor, zero=False)
        self.end_factor = share("LinearLR", "end_factor", end_factor)
        self.total_iters = whole("LinearLR", "total_iters", total_iters, 1)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The rate before, times the ratio of the line's factors at this epoch and the last."""
        if self.last_epoch == 0:
            return [lr * self.start_factor for lr in self._rates()]
        if self._is_initial or self.last_epoch > self.total_iters:
            return self._rates()
        rise = self.end_factor - self.start_factor
        before = self.total_iters * self.start_factor + (self.last_epoch - 1) * rise
        return [lr * (1 + rise / before) for lr in self._rates()]
