"""`SequentialLR`."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from fastnn.optim.lr_scheduler.plateau import ReduceLROnPlateau
from fastnn.optim.lr_scheduler.scheduler import LRScheduler, checked_optimizer
from fastnn.optim.optimizer import Optimizer
from fastnn.options import whole

__all__ = ["SequentialLR"]


class SequentialLR(LRScheduler):
    """One schedule after the other, each from its own epoch 0 on.

    As `torch.optim.lr_scheduler.SequentialLR`; a warm-up before another schedule, say.

    Args:
        optimizer: Whose rates to set.
        schedulers: Schedules of this optimizer.
        milestones: The epochs at which the second, third, ... begins.
        last_epoch: -1; to go on, load a state.

    Raises:
        ValueError: if the milestones are not one less than the schedules or not in order, a
            schedule needs a metric, is another optimizer's, or they differ in `interval`.
        TypeError: if one of them is no schedule.

    >>> import fastnn
    >>> import fastnn.optim.lr_scheduler as lr
    >>> optimizer = fastnn.optim.SGD([fastnn.ones(1, requires_grad=True)], lr=1.0)
    >>> warm_up = lr.ConstantLR(optimizer, factor=0.5, total_iters=2)
    >>> scheduler = lr.SequentialLR(optimizer, [warm_up, lr.ExponentialLR(optimizer, 0.5)], [2])
    >>> for epoch in range(4):
    ...     print(scheduler.get_last_lr())
    ...     optimizer.step()
    ...     scheduler.step()
    [0.5]
    [0.5]
    [1.0]
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: Sequence[LRScheduler],
        milestones: Sequence[int],
        last_epoch: int = -1,
    ) -> None:
        self.optimizer = checked_optimizer(self, optimizer)
        self._schedulers = list(schedulers)
        for scheduler in self._schedulers:
            self._check(scheduler)
        self._milestones = [
            whole("SequentialLR", f"milestone {i}", m, 0) for i, m in enumerate(milestones)
        ]
        if len(self._milestones) != len(self._schedulers) - 1:
            raise ValueError(f"SequentialLR: expected one milestone less than schedules, got "
                             f"{len(self._milestones)} and {len(self._schedulers)}")  # fmt: skip
        if sorted(set(self._milestones)) != self._milestones:
            raise ValueError(f"SequentialLR: expected rising milestones, got {self._milestones}")
        if last_epoch != -1:
            raise ValueError(f"SequentialLR: expected last_epoch = -1, got {last_epoch}; make it "
                             "anew and load its state to go on")  # fmt: skip
        self.interval = self._schedulers[0].interval
        self._restart()

    def _check(self, scheduler: Any) -> None:
        if not isinstance(scheduler, LRScheduler):
            raise TypeError(f"SequentialLR: expected schedules, got {type(scheduler).__name__}")
        if isinstance(scheduler, ReduceLROnPlateau):
            raise ValueError("SequentialLR: ReduceLROnPlateau needs a metric at each step")
        if scheduler.optimizer is not self.optimizer:
            raise ValueError("SequentialLR: expected schedules of one optimizer, got another's in "
                             f"{type(scheduler).__name__}")  # fmt: skip
        if scheduler.interval != self._schedulers[0].interval:
            raise ValueError("SequentialLR: expected schedules of one interval, got 'epoch' and "
                             "'step'")  # fmt: skip

    def _restart(self) -> None:
        self.last_epoch = 0
        first = self._schedulers[bisect_right(self._milestones, 0)]
        first._restart()
        self._last_lr = first.get_last_lr()

    def step(self) -> None:
        """Go on by one epoch: the next schedule begins, or the present one goes on."""
        self.last_epoch += 1
        now = bisect_right(self._milestones, self.last_epoch)
        if now and self._milestones[now - 1] == self.last_epoch:
            self._schedulers[now]._restart()
        else:
            self._schedulers[now].step()
        self._last_lr = self._schedulers[now].get_last_lr()

    def state_dict(self) -> dict[str, Any]:
        """As `LRScheduler.state_dict`, with the states of the schedules as `_schedulers`."""
        return {
            "_milestones": list(self._milestones),
            "last_epoch": self.last_epoch,
            "_last_lr": list(self._last_lr),
            "_schedulers": [scheduler.state_dict() for scheduler in self._schedulers],
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """As `LRScheduler.load_state_dict`, for each of the schedules."""
        schedulers = self._schedulers
        super().load_state_dict(state_dict)
        states, self._schedulers = self._schedulers, schedulers
        if len(states) != len(schedulers):
            raise ValueError(f"SequentialLR.load_state_dict: expected {len(schedulers)} states, "
                             f"got {len(states)}")  # fmt: skip
        for scheduler, state in zip(schedulers, states, strict=True):
            scheduler.load_state_dict(state)  # type: ignore[arg-type]
