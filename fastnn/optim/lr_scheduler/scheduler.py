"""`LRScheduler`: what all schedules share."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from fastnn.optim.optimizer import Optimizer
from fastnn.options import is_number, whole

__all__ = ["LRScheduler"]


class LRScheduler:
    """Base of the schedules: a derived one has `get_lr`, the rates of the epoch `last_epoch`.

    As in PyTorch the rates follow from the ones before, so that schedules can be chained and a
    rate set by hand is kept. Each group remembers the rate it started with as `initial_lr`.

    Args:
        optimizer: Whose rates to set.
        last_epoch: The epoch before the next; -1 starts, another goes on with an optimizer whose
            groups have their `initial_lr`.

    Attributes:
        interval: "epoch" or "step": when a training loop is to call `step()`.
        base_lrs: The rate each group started with.

    Raises:
        TypeError: if `optimizer` is none.
        ValueError: if an option is out of range.

    >>> import fastnn
    >>> class HalveLR(fastnn.optim.lr_scheduler.LRScheduler):
    ...     def get_lr(self):
    ...         return [base * 0.5**self.last_epoch for base in self.base_lrs]
    >>> optimizer = fastnn.optim.SGD([fastnn.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = HalveLR(optimizer)
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.5]
    """

    interval = "epoch"

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = checked_optimizer(self, optimizer)
        whole(type(self).__name__, "last_epoch", last_epoch, -1)
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise ValueError(
                    f"{type(self).__name__}: expected 'initial_lr' in group {i} to go on after "
                    f"epoch {last_epoch}; load the optimizer's state first, or leave last_epoch out"
                )
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._last_lr: list[float] = []
        if not optimizer._scheduled:
            optimizer._scheduled, optimizer._stepped = True, False
        self._start()

    def get_lr(self) -> list[float]:
        """The rate of each group in the epoch `last_epoch`, given the rates before it."""
        raise NotImplementedError

    def step(self) -> None:
        """Go on by one epoch (or batch, see `interval`); call it after `optimizer.step()`."""
        if self._step_count == 1 and not self.optimizer._stepped:
            warnings.warn(
                "scheduler.step() was called before optimizer.step(): the first learning rate of "
                "the schedule goes unused; call optimizer.step() first",
                UserWarning,
                stacklevel=2,
            )
        self._step_count += 1
        self.last_epoch += 1
        self._set_rates(self.get_lr())

    def get_last_lr(self) -> list[float]:
        """The rate of each group now, as this schedule set it."""
        return self._last_lr

    def state_dict(self) -> dict[str, Any]:
        """All that a later run needs to go on, without the optimizer (which saves its rates)."""
        return {k: copy.deepcopy(v) for k, v in vars(self).items() if k != "optimizer"}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict()` gave; load the optimizer's state too.

        Raises:
            ValueError: if it is another schedule's.
            TypeError: if a value in it is of another kind.
        """
        own, who = self.state_dict(), f"{type(self).__name__}.load_state_dict"
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"{who}: expected a dict, got {state_dict!r:.80}")
        missing = [k for k in own if k not in state_dict]
        unexpected = [k for k in state_dict if k not in own and not k.startswith("_")]
        if missing or unexpected:
            raise ValueError(f"{who}: the state is another schedule's: missing {missing}, "
                             f"unexpected {unexpected}")  # fmt: skip
        for name, value in own.items():
            if not _alike(value, state_dict[name]):
                raise TypeError(f"{who}: expected {name} like {value!r:.40}, "
                                f"got {state_dict[name]!r:.40}")  # fmt: skip
        vars(self).update({name: copy.deepcopy(state_dict[name]) for name in own})

    # --- inside ---

    def _start(self) -> None:
        """Set the rates of the first epoch."""
        self._step_count = 0
        self._is_initial = True
        self.step()
        self._is_initial = False

    def _restart(self) -> None:
        """Begin at epoch 0 with the rates the groups started with."""
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"]
        self.last_epoch = -1
        self._start()

    def _rates(self) -> list[float]:
        return [group["lr"] for group in self.optimizer.param_groups]

    def _one_each(self, values: Sequence[float]) -> Sequence[float]:
        """The values, if there is one for each group."""
        groups = len(self.optimizer.param_groups)
        if len(values) != groups:
            raise ValueError(
                f"{type(self).__name__}: expected {len(values)} groups as when the schedule was "
                f"made, got {groups}; make it after add_param_group()"
            )
        return values

    def _set_rates(self, rates: Sequence[float]) -> None:
        for group, rate in zip(self.optimizer.param_groups, self._one_each(rates), strict=True):
            group["lr"] = rate
        self._last_lr = self._rates()


def checked_optimizer(schedule: LRScheduler, optimizer: Any) -> Optimizer:
    """The optimizer, if it is one."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(schedule).__name__}: expected an Optimizer, "
                        f"got {type(optimizer).__name__}")  # fmt: skip
    return optimizer


def per_group(schedule: LRScheduler, optimizer: Optimizer, name: str, value: Any) -> list[Any]:
    """An option for each group, of one for all or a list."""
    groups = len(optimizer.param_groups)
    values = list(value) if isinstance(value, list | tuple) else [value] * groups
    if len(values) != groups:
        raise ValueError(f"{type(schedule).__name__}: expected {name} for {groups} groups, "
                         f"got {len(values)}")  # fmt: skip
    return values


def _alike(own: Any, value: Any) -> bool:
    if own is None or value is None:
        return True
    return is_number(value) if is_number(own) else isinstance(value, type(own))
