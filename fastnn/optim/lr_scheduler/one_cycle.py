"""`OneCycleLR`."""

from __future__ import annotations

import math
from typing import Any

from fastnn.optim.lr_scheduler.scheduler import LRScheduler, checked_optimizer, per_group
from fastnn.optim.optimizer import Optimizer
from fastnn.options import above_zero, at_least_zero, flag, fraction, one_of, share, whole

__all__ = ["OneCycleLR"]


class OneCycleLR(LRScheduler):
    """Up to a large rate and down to a tiny one; step it after each batch.

    From `max_lr / div_factor` to `max_lr` in the share `pct_start` of the steps, then down to
    `max_lr / div_factor / final_div_factor`, while the momentum (or Adam's beta1) goes the other
    way; the 1cycle policy of Smith and Topin, 2018, as `torch.optim.lr_scheduler.OneCycleLR`.

    Args:
        optimizer: Whose rates to set.
        max_lr: The highest rate, or one for each group.
        total_steps: The steps of the cycle; or give the next two.
        epochs: How many epochs the cycle takes.
        steps_per_epoch: How many batches an epoch has.
        pct_start: The share of steps on the way up, in [0, 1].
        anneal_strategy: "cos" or "linear".
        cycle_momentum: Whether the momentum is set as well.
        base_momentum: The lowest momentum, or one for each group.
        max_momentum: The highest momentum, or one for each group.
        div_factor: What `max_lr` is divided by for the first rate.
        final_div_factor: What the first rate is divided by for the last.
        three_phase: As long down to the first rate as up from it, then on to the last.
        last_epoch: The step before the next; -1 starts.

    Raises:
        ValueError: if the number of steps is not given, an option is out of range, or the
            optimizer has no momentum to cycle; in `step`, beyond the last one.

    >>> import fastnn
    >>> optimizer = fastnn.optim.SGD([fastnn.ones(1, requires_grad=True)], momentum=0.9)
    >>> scheduler = fastnn.optim.lr_scheduler.OneCycleLR(
    ...     optimizer, max_lr=1.0, total_steps=5, pct_start=0.6, div_factor=10)
    >>> for step in range(5):
    ...     print(round(scheduler.get_last_lr()[0], 4))
    ...     optimizer.step()
    ...     scheduler.step()
    0.1
    0.55
    1.0
    0.5
    0.0
    """

    interval = "step"

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        checked_optimizer(self, optimizer)
        self.total_steps = _total_steps(total_steps, epochs, steps_per_epoch)
        who = "OneCycleLR"
        self.pct_start = share(who, "pct_start", pct_start)
        self.anneal_strategy = one_of(who, "anneal_strategy", anneal_strategy, "cos", "linear")
        self.cycle_momentum = flag(who, "cycle_momentum", cycle_momentum)
        self.three_phase = flag(who, "three_phase", three_phase)
        above_zero(who, "div_factor", div_factor)
        above_zero(who, "final_div_factor", final_div_factor)
        rates = per_group(self, optimizer, "max_lr", max_lr)
        for i, lr in enumerate(rates):
            at_least_zero(who, f"max_lr of group {i}", lr)
        lows = per_group(self, optimizer, "base_momentum", base_momentum)
        highs = per_group(self, optimizer, "max_momentum", max_momentum)
        if cycle_momentum:
            _check_momentum(optimizer, lows, highs)
        if last_epoch == -1:
            for group, lr, low, high in zip(
                optimizer.param_groups, rates, lows, highs, strict=True
            ):
                first = lr / div_factor
                group.update(initial_lr=first, max_lr=lr, min_lr=first / final_div_factor)
                if cycle_momentum:
                    group.update(max_momentum=high, base_momentum=low)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The rates of this step; the momentum is set beside them."""
        if self.last_epoch > self.total_steps:
            raise ValueError(f"OneCycleLR: expected at most total_steps = {self.total_steps} "
                             f"steps, got step {self.last_epoch}")  # fmt: skip
        names, done = self._phase()
        rates = []
        for group in self.optimizer.param_groups:
            rates.append(self._between(group[names[0]], group[names[1]], done))
            if self.cycle_momentum:
                momentum = self._between(group[names[2]], group[names[3]], done)
                if "betas" in self.optimizer.defaults:
                    group["betas"] = (momentum, *group["betas"][1:])
                else:
                    group["momentum"] = momentum
        return rates

    def _phase(self) -> tuple[tuple[str, str, str, str], float]:
        """Where rate and momentum come from and go to, and how much of the way is done."""
        up = float(self.pct_start * self.total_steps) - 1
        last = self.total_steps - 1
        rise = ("initial_lr", "max_lr", "max_momentum", "base_momentum")
        if self.three_phase:
            fall = ("max_lr", "initial_lr", "base_momentum", "max_momentum")
            end = ("initial_lr", "min_lr", "max_momentum", "max_momentum")
            down = float(2 * self.pct_start * self.total_steps) - 2
            phases = [(up, rise), (down, fall), (last, end)]
        else:
            phases = [(up, rise), (last, ("max_lr", "min_lr", "base_momentum", "max_momentum"))]
        ends = [0.0, *(end for end, _ in phases)]
        now = sum(self.last_epoch > end for end, _ in phases[:-1])
        start, (stop, names) = ends[now], phases[now]
        # a phase of no length is at its end, where PyTorch divides by 0
        return names, (self.last_epoch - start) / (stop - start) if stop != start else 1.0

    def _between(self, start: float, end: float, done: float) -> float:
        if self.anneal_strategy == "linear":
            return (end - start) * done + start
        return end + (start - end) / 2 * (math.cos(math.pi * done) + 1)


def _total_steps(total_steps: Any, epochs: Any, steps_per_epoch: Any) -> int:
    if total_steps is not None:
        return whole("OneCycleLR", "total_steps", total_steps, 1)
    if epochs is None or steps_per_epoch is None:
        raise ValueError("OneCycleLR: expected total_steps, or epochs and steps_per_epoch")
    steps = whole("OneCycleLR", "steps_per_epoch", steps_per_epoch, 1)
    return whole("OneCycleLR", "epochs", epochs, 1) * steps


def _check_momentum(optimizer: Optimizer, lows: list[float], highs: list[float]) -> None:
    if not {"momentum", "betas"} & set(optimizer.defaults):
        raise ValueError(f"OneCycleLR: {type(optimizer).__name__} has no momentum to cycle; "
                         "pass cycle_momentum=False")  # fmt: skip
    for low, high in zip(lows, highs, strict=True):
        fraction("OneCycleLR", "base_momentum", low)
        fraction("OneCycleLR", "max_momentum", high)
