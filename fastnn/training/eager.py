"""An epoch of training, batch by batch: forward, loss, backward, update."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any

from fastnn.callbacks import Hooks
from fastnn.interrupts import InterruptGuard
from fastnn.nn import utils
from fastnn.random import default_generator
from fastnn.training.batches import Loader, mass, parts
from fastnn.training.checkpoints import Checkpoints
from fastnn.training.divergence import check_parameters, non_finite_loss
from fastnn.training.evaluation import Meter
from fastnn.training.pulse import Pulse
from fastnn.training.schedule import learning_rates, step_scheduler

if TYPE_CHECKING:
    from fastnn.trainer import Trainer

__all__ = ["EagerEpochs", "expect_batches"]

Parts = tuple[Any, list[Any]]


class EagerEpochs:
    """The epochs of one `fit`.

    Args:
        trainer: Whose model, loss, optimizer and options these are.
        loader: The training data.
        hooks: What to call around batches.
        guard: Keeps interrupts out of a step.
        saves: The checkpoints to write between steps.
    """

    def __init__(
        self,
        trainer: Trainer,
        loader: Loader,
        hooks: Hooks,
        guard: InterruptGuard,
        saves: Checkpoints,
    ) -> None:
        self.trainer, self.loader, self.guard, self.saves = trainer, loader, guard, saves
        self.begin, self.end = hooks.of("on_batch_begin"), hooks.of("on_batch_end")
        self.progress = hooks.of("on_progress")
        self.adjust = _adjustments(trainer)
        self.matrices = [p for p in trainer.model.parameters() if p.ndim > 1]

    def train(
        self, epoch: int, meter: Meter, done: int = 0, batches: Iterable[Any] | None = None
    ) -> int:
        """Go through the data once, or until `should_stop`, and measure on the way.

        Args:
            epoch: Its number, from 1.
            meter: What measures.
            done: How many batches of it an earlier run has done.
            batches: Those that follow, if a pass through the loader has begun.

        Returns:
            How many are done now.

        Raises:
            NonFiniteError: when a loss is NaN or infinite; the weights are those before. Or when
                a weight is, at the end.
            ValueError: if there is no batch.
        """
        trainer = self.trainer
        trainer.model.train()
        if batches is None:
            with self.saves.same_order(done):
                batches = self.loader.iter_from(done)
        left, pulse = iter(batches), Pulse(self.progress)
        while not trainer.should_stop and (group := list(islice(left, trainer.accumulate))):
            self._step([parts(batch, trainer.loss) for batch in group], epoch, done + 1, meter)
            done += len(group)
            pulse.beat(done)
            self.saves.after_steps(epoch, done)
        expect_batches(done, epoch)
        pulse.end(done)
        check_parameters(trainer.model, epoch, done)
        return done

    def _step(self, group: list[Parts], epoch: int, first: int, meter: Meter) -> None:
        """One optimizer step on a group of batches, the first of which has this number."""
        masses = [mass(*batch) for batch in group]
        self.trainer.optimizer.zero_grad()
        for number, (inputs, targets) in enumerate(group, start=first):
            for hook in self.begin:
                hook(number)
            self.guard.hold()
            draws = default_generator.draws
            try:
                share = masses[number - first] / sum(masses)
                loss = self._gradient(inputs, targets, share, meter)
                if not math.isfinite(loss):
                    model = self.trainer.model
                    raise non_finite_loss(model, inputs, targets, loss, epoch, number, draws)
                if number == first + len(group) - 1:
                    meter.penalize(self._penalty(sum(masses)), sum(len(x) for x, _ in group))
                    self._update(loss)
            finally:
                self.guard.release()
            for hook in self.end:
                hook(number, loss)

    def _gradient(self, inputs: Any, targets: list[Any], share: float, meter: Meter) -> float:
        """Add the gradient of a batch that is this share of the step; returns its loss."""
        outputs = self.trainer.model(inputs)
        loss = self.trainer.loss(outputs, *targets)
        value = float(loss.item())
        if math.isfinite(value):
            loss.backward(None if share == 1 else share)
            meter.add(value, outputs, targets[0], len(inputs))
        return value

    def _penalty(self, mass: float) -> float:
        """Add the L2 penalty's gradient, of a step that counts as so many rows."""
        if not self.trainer.l2:
            return 0.0
        return utils.add_l2_grad_(self.matrices, self.trainer.l2 / mass)

    def _update(self, loss: float) -> None:
        trainer = self.trainer
        for adjust in self.adjust:
            adjust()
        trainer.optimizer.step()
        if trainer.scheduler_interval == "step":
            trainer.rates = learning_rates(trainer.optimizer)
            step_scheduler(trainer.scheduler, loss)


def expect_batches(batches: int, epoch: int) -> None:
    """Raise unless an epoch had a batch."""
    if batches == 0:
        raise ValueError(
            f"fit: expected at least one batch of training data, got none in epoch {epoch}"
        )


def _adjustments(trainer: Trainer) -> list[Callable[[], Any]]:
    """What is done to the gradients before a step, in this order."""
    l1, norm, value = trainer.l1, trainer.clip_grad_norm, trainer.clip_grad_value
    parameters = list(trainer.model.parameters())
    adjust: list[Callable[[], Any]] = []
    if l1:
        adjust.append(lambda: utils.add_l1_grad_(parameters, l1))
    if norm is not None:
        adjust.append(lambda: utils.clip_grad_norm_(parameters, norm))
    if value is not None:
        adjust.append(lambda: utils.clip_grad_value_(parameters, value))
    return adjust
