"""Schedules along a cosine."""

from __future__ import annotations

import math

from fastnn.optim.lr_scheduler.scheduler import LRScheduler
from fastnn.optim.optimizer import Optimizer
from fastnn.options import at_least_zero, whole

__all__ = ["CosineAnnealingLR", "CosineAnnealingWarmRestarts"]


class CosineAnnealingLR(LRScheduler):
    """`lr = eta_min + (initial_lr - eta_min) (1 + cos(pi epoch / T_max)) / 2`.

    Without the restarts of Loshchilov and Hutter, 2017, and in the recursive form of
    `torch.optim.lr_scheduler.CosineAnnealingLR`; after T_max epochs the rate rises again.

    Args:
        optimizer: Whose rates to set.
        T_max: The epoch of the lowest rate.
        eta_min: The lowest rate.
        last_epoch: The epoch before the next; -1 starts.

    Raises:
        ValueError: if `T_max` is less than 1, or `eta_min` negative or not finite.

    >>> import fastnn
    >>> optimizer = fastnn.optim.SGD([fastnn.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = fastnn.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=4)
    >>> for epoch in range(5):
    ...     print(round(scheduler.get_last_lr()[0], 4))
    ...     optimizer.step()
    ...     scheduler.step()
    1.0
    0.8536
    0.5
    0.1464
    0.0
    """

    def __init__(
        self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        self.T_max = whole("CosineAnnealingLR", "T_max", T_max, 1)
        self.eta_min = at_least_zero("CosineAnnealingLR", "eta_min", eta_min)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The distance from the lowest rate, times the ratio of the cosines."""
        if self._is_initial:
            return self._rates()
        epoch, low = self.last_epoch, self.eta_min
        if (epoch - 1 - self.T_max) % (2 * self.T_max) == 0:  # it was at the lowest, a ratio of 0
            rise = 1 - math.cos(math.pi / self.T_max)
            pairs = zip(self._rates(), self._one_each(self.base_lrs), strict=True)
            return [lr + (base - low) * rise / 2 for lr, base in pairs]
        ratio = self._height(epoch) / self._height(epoch - 1)
        return [ratio * (lr - low) + low for lr in self._rates()]

    def _height(self, epoch: int) -> float:
        return 1 + math.cos(math.pi * epoch / self.T_max)


class CosineAnnealingWarmRestarts(LRScheduler):
    """A cosine that starts anew after each period (Loshchilov and Hutter, 2017).

    `lr = eta_min + (initial_lr - eta_min) (1 + cos(pi T_cur / T_i)) / 2`, with T_cur epochs since
    the restart and periods `T_i = T_0, T_0 T_mult, T_0 T_mult^2, ...`, as
    `torch.optim.lr_scheduler.CosineAnnealingWarmRestarts`.

    Args:
        optimizer: Whose rates to set.
        T_0: The first period.
        T_mult: What each further period is longer by.
        eta_min: The lowest rate.
        last_epoch: The epoch before the next; -1 starts.

    Raises:
        ValueError: if a period is less than 1, or `eta_min` negative or not finite.

    >>> import fastnn
    >>> optimizer = fastnn.optim.SGD([fastnn.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = fastnn.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=2)
    >>> for epoch in range(4):
    ...     print(round(scheduler.get_last_lr()[0], 4))
    ...     optimizer.step()
    ...     scheduler.step()
    1.0
    0.5
    1.0
    0.5
    """

    def __init__(
        self,
        optimizer: Optimizer,
        T_0: int,
        T_mult: int = 1,
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        who = "CosineAnnealingWarmRestarts"
        self.T_0 = self.T_i = whole(who, "T_0", T_0, 1)
        self.T_mult = whole(who, "T_mult", T_mult, 1)
        self.eta_min = at_least_zero(who, "eta_min", eta_min)
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The cosine at T_cur."""
        height = 1 + math.cos(math.pi * self.T_cur / self.T_i)
        return [self.eta_min + (base - self.eta_min) * height / 2 for base in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Go on by one epoch, or to the given one.

        Args:
            epoch: Where to go, such as `epoch + batch / batches` after a batch.

        Raises:
            ValueError: if `epoch` is negative or not finite.
        """
        if epoch is not None:
            at_least_zero("CosineAnnealingWarmRestarts", "epoch", epoch)
        elif self.last_epoch < 0:
            epoch = 0
        if epoch is None:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur %= self.T_i
                self.T_i *= self.T_mult
        else:
            self._go_to(epoch)
        self.last_epoch = math.floor(epoch)
        self._set_rates(self.get_lr())

    def _go_to(self, epoch: float) -> None:
        """Find the period that `epoch` lies in."""
        self.T_cur, self.T_i = epoch, self.T_0
        while self.T_mult > 1 and self.T_cur >= self.T_i:
            self.T_cur -= self.T_i
            self.T_i *= self.T_mult
        self.T_cur %= self.T_i
