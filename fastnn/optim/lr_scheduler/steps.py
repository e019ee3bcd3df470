"""Schedules that multiply the rate at certain epochs."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fastnn.optim.lr_scheduler.scheduler import LRScheduler, checked_optimizer, per_group
from fastnn.optim.optimizer import Optimizer
from fastnn.options import at_least_zero, whole

__all__ = ["ExponentialLR", "LambdaLR", "MultiStepLR", "StepLR"]


class StepLR(LRScheduler):
    """`lr = initial_lr gamma^floor(epoch / step_size)` (`torch.optim.lr_scheduler.StepLR`).

    Args:
        optimizer: Whose rates to set.
        step_size: Epochs from one change to the next.
        gamma: What the rate is multiplied by.
        last_epoch: The epoch before the next; -1 starts.

    Raises:
        ValueError: if `step_size` is less than 1, or `gamma` negative or not finite.

    >>> import fastnn
    >>> optimizer = fastnn.optim.SGD([fastnn.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = fastnn.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
    >>> for epoch in range(4):
    ...     print(scheduler.get_last_lr())
    ...     optimizer.step()
    ...     scheduler.step()
    [1.0]
    [1.0]
    [0.5]
    [0.5]
    """

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.step_size = whole("StepLR", "step_size", step_size, 1)
        self.gamma = at_least_zero("StepLR", "gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The rate before, times gamma at multiples of `step_size`."""
        if self.last_epoch == 0 or self.last_epoch % self.step_size:
            return self._rates()
        return [lr * self.gamma for lr in self._rates()]


class MultiStepLR(LRScheduler):
    """`lr = initial_lr gamma^(milestones reached)` (`torch.optim.lr_scheduler.MultiStepLR`).

    Args:
        optimizer: Whose rates to set.
        milestones: The epochs from which on the rate is multiplied once more.
        gamma: What the rate is multiplied by.
        last_epoch: The epoch before the next; -1 starts.

    Raises:
        ValueError: if a milestone or `gamma` is negative.
        TypeError: if a milestone is no integer.

    >>> import fastnn
    >>> optimizer = fastnn.optim.SGD([fastnn.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = fastnn.optim.lr_scheduler.MultiStepLR(optimizer, [1, 3], gamma=0.5)
    >>> for epoch in range(4):
    ...     print(scheduler.get_last_lr())
    ...     optimizer.step()
    ...     scheduler.step()
    [1.0]
    [0.5]
    [0.5]
    [0.25]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Iterable[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        self.milestones = sorted(whole("MultiStepLR", "milestone", m, 0) for m in milestones)
        self.gamma = at_least_zero("MultiStepLR", "gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The rate before, times gamma as often as the epoch is a milestone."""
        times = self.milestones.count(self.last_epoch)
        return [lr * self.gamma**times if times else lr for lr in self._rates()]


class ExponentialLR(LRScheduler):
    """`lr = initial_lr gamma^epoch` (`torch.optim.lr_scheduler.ExponentialLR`).

    Args:
        optimizer: Whose rates to set.
        gamma: What the rate is multiplied by after each epoch.
        last_epoch: The epoch before the next; -1 starts.

    Raises:
        ValueError: if `gamma` is negative or not finite.

    >>> import fastnn
    >>> optimizer = fastnn.optim.SGD([fastnn.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = fastnn.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    >>> for epoch in range(2):
    ...     optimizer.step()
    ...     scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = at_least_zero("ExponentialLR", "gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The rate before, times gamma."""
        return self._rates() if self._is_initial else [lr * self.gamma for lr in self._rates()]


class LambdaLR(LRScheduler):
    """`lr = initial_lr f(epoch)` (`torch.optim.lr_scheduler.LambdaLR`).

    A state dict holds the attributes of callable objects, but nothing of plain functions.

    Args:
        optimizer: Whose rates to set.
        lr_lambda: The factor of an epoch, or one such function for each group.
        last_epoch: The epoch before the next; -1 starts.

    Raises:
        ValueError: if there are more or fewer functions than groups.
        TypeError: if one cannot be called.

    >>> import fastnn
    >>> optimizer = fastnn.optim.SGD([fastnn.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = fastnn.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch))
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | list[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        checked_optimizer(self, optimizer)
        self.lr_lambdas = per_group(self, optimizer, "lr_lambda", lr_lambda)
        for function in self.lr_lambdas:
            if not callable(function):
                raise TypeError(f"LambdaLR: expected lr_lambda as a function, got {function!r}")
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The first rate times the function's factor."""
        pairs = zip(self.base_lrs, self.lr_lambdas, strict=True)
        return [base * function(self.last_epoch) for base, function in pairs]

    def state_dict(self) -> dict[str, Any]:
        """As `LRScheduler.state_dict`, with the attributes of the functions that are objects."""
        hidden = ("optimizer", "lr_lambdas")
        state = {k: copy.deepcopy(v) for k, v in vars(self).items() if k not in hidden}
        return {**state, "lr_lambdas": [_attributes(f) for f in self.lr_lambdas]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """As `LRScheduler.load_state_dict`; the functions stay, with the attributes saved."""
        functions = self.lr_lambdas
        super().load_state_dict(state_dict)
        for function, saved in zip(functions, self.lr_lambdas, strict=True):
            if saved is not None:
                vars(function).update(saved)
        self.lr_lambdas = functions


def _attributes(function: Any) -> dict[str, Any] | None:
    """What a callable object consists of; None for functions and built-ins."""
    plain = isinstance(function, type(_attributes)) or not hasattr(function, "__dict__")
    return None if plain else copy.deepcopy(vars(function))
