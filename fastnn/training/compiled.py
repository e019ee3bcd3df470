"""Epochs of training that run in C++: the compiled form of `EagerEpochs`, with the same bits."""

from __future__ import annotations

import itertools
import operator
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.autograd import Array
from fastnn.callbacks import Hooks
from fastnn.errors import NotLowerable, TrainingWarning
from fastnn.interrupts import InterruptGuard
from fastnn.metrics import Accuracy
from fastnn.nn.module import Module
from fastnn.random import default_generator
from fastnn.tensor import Tensor
from fastnn.training.batches import Loader
from fastnn.training.checkpoints import Checkpoints
from fastnn.training.divergence import check_parameters, non_finite_loss
from fastnn.training.eager import EagerEpochs, expect_batches
from fastnn.training.evaluation import Meter
from fastnn.training.feed import Feed, feeds
from fastnn.training.lowering import LoweredModel, lower
from fastnn.training.pulse import Pulse
from fastnn.training.rates import RatePlan
from fastnn.training.schedule import step_scheduler
from fastnn.training.watch import Watch, same_objects

if TYPE_CHECKING:
    from fastnn.trainer import Trainer

__all__ = ["CompiledEpochs"]

_TRAINED = operator.attrgetter("requires_grad")


class CompiledEpochs:
    """The epochs of one `fit`; what has no compiled form runs eagerly.

    Callbacks that look at every batch see it from the eager loop.

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
        self.eager = EagerEpochs(trainer, loader, hooks, guard, saves)
        self.progress = hooks.of("on_progress")
        self.lowered: LoweredModel | None = None
        self._watch = Watch()
        self._made_from: list[Any] = []
        self._largest = 0  # rows of a batch that the program has room for
        self._knows_all = False  # whether it has all parameters of the model
        self._said = False

    def train(self, epoch: int, meter: Meter, done: int = 0) -> int:
        """Go through the data once, or until `should_stop`, and measure on the way.

        Args:
            epoch: Its number, from 1.
            meter: What measures.
            done: How many batches of it an earlier run has done.

        Returns:
            How many are done now.

        Raises:
            NonFiniteError: when a loss is NaN or infinite; the weights are those before. Or when
                a weight is, at the end.
            NotLowerable: with `compile=True`, if model, loss or optimizer have no compiled form.
            ValueError: if there is no batch.
        """
        if self.eager.begin or self.eager.end:
            return self.eager.train(epoch, meter, done)
        trainer, began, pulse = self.trainer, done, Pulse(self.progress)
        trainer.model.train()
        drawn = self.saves.same_order(done)
        for feed in feeds(self.loader, trainer.loss, trainer.accumulate, done, drawn):
            try:
                self._prepare(feed)
            except NotLowerable as reason:
                if trainer.compile is True or done > began:
                    raise
                done = self.eager.train(epoch, meter, done, feed.batches)
                self._say(reason)
                return done
            done = _Run(self, feed, meter, pulse, epoch, done).go()
            if trainer.should_stop:
                break
        expect_batches(done, epoch)
        pulse.end(done)
        # the program looks at its own parameters in 3 us, where 4 arrays one by one take 20
        lowered = self.lowered  # None: a run is resumed where only its end is left
        if lowered is None or not (self._knows_all and lowered.program.finite):
            check_parameters(trainer.model, epoch, done)
        return done

    def _say(self, reason: NotLowerable) -> None:
        if not self._said:
            warnings.warn(
                f"fit: without a compiled form the results are the same but come slower: {reason}; "
                "Trainer(compile=False) says that they may",
                TrainingWarning,
                stacklevel=6,
            )
        self._said = True

    def _prepare(self, feed: Feed) -> None:
        """Have a program for the model as it is now."""
        same = same_objects(self._ingredients(feed), self._made_from)
        if same and self._largest >= feed.largest:
            self._check_sizes(feed)
            return
        gradients = self.trainer.optimizer.compiled_gradients()
        for p in self.trainer.model.parameters():
            if id(p) not in gradients:
                gradients[id(p)] = np.zeros_like(p._array)
        try:
            samples = feed.sample(2), feed.sample(3)
            self.lowered = lower(self.trainer.model, self.trainer.loss, samples, feed.largest,
                                 gradients)  # fmt: skip
        except NotLowerable:
            raise
        except Exception as error:
            raise NotLowerable(f"a pass on few rows failed ({error})") from error
        self._check(feed)
        roots = (self.trainer.model, self.trainer.loss)
        self._watch = Watch(*(root for root in roots if isinstance(root, Module)))
        self._made_from, self._largest = self._ingredients(feed), feed.largest
        trained = set(map(id, self.lowered.parameters))
        self._knows_all = trained.issuperset(map(id, self.trainer.model.parameters()))

    def _check(self, feed: Feed) -> None:
        """Raise if the data do not fit the program, or an option has no compiled form."""
        assert self.lowered is not None
        self._check_sizes(feed)
        lowered, trainer, table = self.lowered, self.trainer, feed.table
        if lowered.classes:
            labels = table.targets
            valid = (labels >= 0) & (labels < lowered.classes) | (labels == lowered.ignored)
            if not valid.all():
                raise NotLowerable("a label out of range")
        elif lowered.probabilities and not ((table.targets >= 0) & (table.targets <= 1)).all():
            raise NotLowerable("a target beyond 0 .. 1")
        reached = set(map(id, lowered.parameters))
        if (trainer.l1 or trainer.l2) and any(
            p.requires_grad and id(p) not in reached for p in trainer.model.parameters()
        ):
            raise NotLowerable("a penalty on parameters that the model does not use")
        for update in trainer.optimizer.compiled_updates(reached):
            update.arguments()

    def _ingredients(self, feed: Feed) -> list[Any]:
        """All objects that the program is made from: while they are the same, it is right."""
        trainer, table, watch = self.trainer, feed.table, self._watch
        return [trainer.model, trainer.loss, trainer.l1, table.inputs.base, table.targets,
                *watch.parts(), *map(_TRAINED, watch.tensors)]  # fmt: skip

    def _check_sizes(self, feed: Feed) -> None:
        assert self.lowered is not None
        if feed.smallest < self.lowered.least_rows:
            raise NotLowerable("a batch of one row, and batch normalization")


class _Run:
    """One table of batches on its way through the program.

    Args:
        epochs: What it is a part of.
        feed: The table.
        meter: What to measure with.
        pulse: What to tell the progress.
        epoch: The epoch's number, for errors.
        batches: How many of its batches are done.
    """

    def __init__(
        self,
        epochs: CompiledEpochs,
        feed: Feed,
        meter: Meter,
        pulse: Pulse,
        epoch: int,
        batches: int,
    ) -> None:
        assert epochs.lowered is not None
        self.trainer, self.guard, self.lowered = epochs.trainer, epochs.guard, epochs.lowered
        self.feed, self.meter, self.pulse, self.saves = feed, meter, pulse, epochs.saves
        self.epoch, self.batches = epoch, batches
        self.program = epochs.lowered.program
        self.targets = np.ascontiguousarray(feed.table.targets)
        reached = set(map(id, self.lowered.parameters))
        self.updates = self.trainer.optimizer.compiled_updates(reached)

    def go(self) -> int:
        """Train on all batches, or until `should_stop`; the number of batches done."""
        trainer, sizes = self.trainer, self.feed.sizes
        ends = [0, *itertools.accumulate(sizes.tolist())]
        at = 0
        while at < len(sizes) and not trainer.should_stop:
            steps = self._steps(-(-(len(sizes) - at) // trainer.accumulate))
            plan = self._plan(steps)
            if plan is not None:
                steps = len(plan.rates)
            upto = min(at + steps * trainer.accumulate, len(sizes))
            order = self.feed.order[ends[at] : ends[upto]]
            at += self._run(order, sizes[at:upto], plan)
            self.saves.after_steps(self.epoch, self.batches)
        return self.batches

    def _steps(self, left: int) -> int:
        """How many steps to make without coming back to Python."""
        waits = self.trainer.scheduler_interval == "step" and not RatePlan.possible(self.trainer)
        due = self.saves.steps_to_next(self.batches)
        return 1 if waits or self._form() is None else left if due is None else min(left, due)

    def _plan(self, steps: int) -> RatePlan | None:
        if self.trainer.scheduler_interval != "step" or not RatePlan.possible(self.trainer):
            return None
        return RatePlan(self.trainer, [update.group for update in self.updates], steps)

    def _form(self) -> str | None:
        """What the program measures: "nothing", the accuracy of "classes" or "bits", or not all."""
        if not self.meter.metrics:
            return "nothing"
        accuracy = self._accuracy()
        if accuracy is None or len(self.meter.metrics) > 1:
            return None
        form = accuracy.form((1, *self.lowered.outputs), self.targets)
        return form if (form == "classes") == bool(self.lowered.classes) else None

    def _accuracy(self) -> Accuracy | None:
        first = next(iter(self.meter.metrics.values()))
        return first if isinstance(first, Accuracy) else None

    def _run(self, order: Any, sizes: Any, plan: RatePlan | None) -> int:
        """Make some steps; returns the number of batches done."""
        program, lowered, meter, form = self.program, self.lowered, self.meter, self._form()
        self._set_up(form)
        accuracy = self._accuracy() if form in ("classes", "bits") else None
        counted = (accuracy.total, accuracy.count) if accuracy else (0.0, 0.0)
        labels = self.targets if lowered.classes else None
        weights, masses = self._weights(order, sizes)
        targets = None if lowered.classes else self.targets.reshape(len(self.targets), -1)
        before = self.batches

        def tick(done: int, *sums: float) -> bool:
            keep(*sums)
            self.batches = before + done
            self.pulse.beat(self.batches)
            return self.trainer.should_stop or self.guard.waiting

        def keep(loss: float, rows: float, penalty: float, right: float, of: float) -> None:
            meter.loss, meter.rows, meter.penalty = loss, rows, penalty or None
            if accuracy:
                accuracy.total, accuracy.count = right, of

        table = self.feed.table
        scaling = table.values if lowered.affine is None else lowered.affine
        self.guard.hold()
        try:
            draws = default_generator.draws
            ending, *sums, done, steps, last, raised = program.run(
                (table.inputs, scaling), labels, lowered.classes, lowered.ignored, targets, weights,
                order, sizes, masses, self.trainer.accumulate, None if plan is None else plan.rates,
                default_generator.initial_seed(), draws, meter.loss, meter.rows,
                meter.penalty or 0.0, *counted, tick,
            )  # fmt: skip
            self.batches = before + done
            self._settle(done + (ending in ("not finite", "invalid")), steps, plan)
            if form is None and done:
                self._measure(order, last)
            else:
                keep(*sums)
            if raised is not None:
                raise raised
            if ending in ("not finite", "invalid"):
                refused = ending == "invalid"
                self._show_failure(order, sizes, done, last, draws + program.masks * done, refused)
            if plan is None and self.trainer.scheduler_interval == "step":
                step_scheduler(self.trainer.scheduler, last)
        finally:
            self.guard.release()
        return int(done)

    def _set_up(self, form: str | None) -> None:
        """What may have changed since the last run: options, counts, statistics."""
        trainer, program = self.trainer, self.program
        program.forget_optimizers()
        for update in self.updates:
            program.optimize(*update.arguments())
        limits = (trainer.clip_grad_norm, trainer.clip_grad_value)
        program.adjust(
            trainer.l1, trainer.l2, *(-1.0 if limit is None else limit for limit in limits)
        )
        program.seen = [int(count._array) for count in self.lowered.norms]
        accuracy = self._accuracy() if form in ("classes", "bits") else None
        if accuracy is not None:
            ignored = -1 if accuracy.ignored is None else accuracy.ignored
            program.measure(form, accuracy.threshold, ignored)
        else:
            program.measure("nothing", 0.0, 0)

    def _settle(self, begun: int, steps: int, plan: RatePlan | None) -> None:
        """Bring what Python counts to where the program is."""
        default_generator.draws += self.program.masks * begun
        for count in self.lowered.norms:
            count._array[...] += begun
        for update in self.updates:
            update.advance(steps)
        if plan is not None:
            plan.settle(steps)
        elif self.trainer.scheduler_interval == "step":
            self.trainer.rates = [float(g["lr"]) for g in self.trainer.optimizer.param_groups]
        for p in self.lowered.parameters:
            p.grad = None
            p._version[0] += 1

    def _measure(self, order: Any, loss: float) -> None:
        """Measure the one batch of a step by metrics that the program does not know."""
        outputs = self.program.outputs(len(order)).reshape(len(order), *self.lowered.outputs)
        self.meter.add(loss, Tensor.of(outputs), self.feed.fetch(order)[1][0], len(order))

    def _weights(self, order: Any, sizes: Any) -> tuple[Array | None, Array | None]:
        """How much each row counts and each batch, as the eager loop adds it up."""
        if self.feed.table.weights is None:
            return None, None
        kind = self.lowered.parameters[0].dtype
        weights = self.feed.table.weights.astype(kind, copy=False)
        ends = np.cumsum(sizes)
        batches = [order[end - size : end] for end, size in zip(ends, sizes, strict=True)]
        return weights, np.array([weights[rows].sum(dtype=np.float64) for rows in batches])

    def _show_failure(
        self, order: Any, sizes: Any, done: int, loss: float, draws: int, refused: bool
    ) -> None:
        """Raise for the batch at which the program stopped: a loss that is none."""
        first = int(sizes[:done].sum())
        inputs, others = self.feed.fetch(order[first : first + int(sizes[done])])
        model = self.trainer.model
        if refused:  # by the loss, which says why of the same masks
            default_generator.draws = draws
            self.trainer.loss(model(inputs), *others)
        raise non_finite_loss(model, inputs, others, loss, self.epoch, self.batches + 1, draws)
