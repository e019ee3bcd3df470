"""The rates of the steps to come, for a schedule that moves on after every step."""

from __future__ import annotations

import copy
import inspect
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastnn.training.schedule import learning_rates

if TYPE_CHECKING:
    from fastnn.trainer import Trainer

__all__ = ["RatePlan", "rates_of"]


def rates_of(group: dict[str, Any]) -> tuple[float, float, float]:
    """What schedules change of a parameter group: lr, momentum or beta1, beta2."""
    first, second = group.get("betas", (group.get("momentum", 0.0), 0.0))
    return group["lr"], first, second


class RatePlan:
    """Some steps of a schedule taken in advance, and taken back as far as they were not made.

    Args:
        trainer: Whose schedule it is.
        groups: The parameter group of each update of a step.
        steps: How many.

    Attributes:
        rates: (steps, updates, 3); fewer steps where the schedule raises after one of them.
    """

    def __init__(self, trainer: Trainer, groups: list[dict[str, Any]], steps: int) -> None:
        self.trainer, self.groups = trainer, groups
        self.before = copy.deepcopy(trainer.scheduler.state_dict())
        self.options = [_options(group) for group in trainer.optimizer.param_groups]
        self.learning_rates: list[list[float]] = []
        rows = []
        trainer.optimizer._stepped = True  # these are the steps that it is called after
        try:
            for _ in range(steps):
                rows.append([rates_of(group) for group in groups])
                self.learning_rates.append(learning_rates(trainer.optimizer))
                trainer.scheduler.step()
        except Exception:  # it is raised again where the step before it has been made
            self.planned = -1
        else:
            self.planned = steps
        self.rates: NDArray[np.float64] = np.array(rows, np.float64)

    def settle(self, done: int) -> None:
        """Leave the schedule where so many steps take it."""
        if done:
            self.trainer.rates = self.learning_rates[done - 1]
        if done == self.planned:
            return
        for group, options in zip(self.trainer.optimizer.param_groups, self.options, strict=True):
            group.update(options)
        self.trainer.scheduler.load_state_dict(self.before)
        for _ in range(done):
            self.trainer.scheduler.step()

    @staticmethod
    def possible(trainer: Trainer) -> bool:
        """Whether the schedule can be taken back, and does not look at the losses."""
        scheduler = trainer.scheduler
        looks = "metrics" in inspect.signature(scheduler.step).parameters
        return not looks and type(scheduler).__module__.startswith("fastnn.")


def _options(group: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in group.items() if name != "params"}
