"""`Trainer`: the epoch loop, so that a training is one call."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from fastnn.autograd import Array
from fastnn.callbacks import Callback, Hooks, ProgressBar
from fastnn.data.order import GeneratorLike
from fastnn.history import History
from fastnn.interrupts import InterruptGuard
from fastnn.metrics import Named, is_regression, resolve
from fastnn.nn.module import Module
from fastnn.optim import Optimizer
from fastnn.options import at_least_zero, flag, one_of, whole
from fastnn.tensor import Tensor
from fastnn.training.batches import Loader, count_batches, input_rows, make_loader, row_parts
from fastnn.training.checkpoints import Checkpoints
from fastnn.training.compiled import CompiledEpochs
from fastnn.training.diagnosis import Diagnosis
from fastnn.training.eager import EagerEpochs
from fastnn.training.evaluation import Meter, evaluate, predict
from fastnn.training.inference import Predictor
from fastnn.training.options import checked_callbacks, checked_limit, checked_optimizer
from fastnn.training.schedule import (
    checked_interval,
    checked_scheduler,
    learning_rates,
    step_scheduler,
)

__all__ = ["History", "Trainer"]

_PREDICT_ROWS = 1024  # at a time: activations of that many rows stay in the L2 cache
_DEFAULT_METRICS: tuple[str, ...] = tuple(["accuracy"])  # told from a caller's own by identity


class Trainer:
    """Trains a model: epochs outside, mini-batches inside, one optimizer step a batch.

    The options change a step in this order: gradients are averaged over `accumulate` batches, the
    L2 and the L1 penalty's are added, then they are clipped, by norm and by value; then the
    optimizer and a schedule by steps move on. Losses are reported without the penalties.

    Args:
        model: Any module.
        loss: `loss(outputs, targets)`, a mean over the batch; `nn.WeightedLoss` takes weights of
            the rows as well.
        optimizer: Over the model's parameters.
        scheduler: A learning-rate schedule, stepped after every epoch, or after every optimizer
            step if its class says `interval = "step"`. One whose `step` takes `metrics` gets the
            validation loss, or the training loss where there is no validation.
        metrics: What to measure beside the loss: "accuracy", "mae", "mse", "rmse", "r2", "top<k>",
            or functions `f(outputs, targets) -> float` of NumPy arrays, averaged by rows. The
            default is left out where it makes no sense: for regression losses, and for targets
            that are not classes. Asked for by name, it is an error there.
        callbacks: `fastnn.callbacks`, called in this order.
        clip_grad_norm: Scale gradients down whose norm over all parameters is larger.
        clip_grad_value: Limit each gradient element to this magnitude.
        l1: Factor of the penalty `l1 * sum |w|` over all parameters.
        accumulate: Batches an optimizer step; the gradient is that of the batches joined to one.
        seed: Of the shuffles; the same seed gives the same run. Or any `generator` of `DataLoader`.
        compile: "auto" runs whole epochs in C++ where model, loss and optimizer have a compiled
            form, and says so once where they have none; True makes that an error, False never
            compiles. The results are the same to the last bit. Callbacks that look at every batch
            are called from the eager loop.
        scheduler_interval: "epoch" or "step", instead of what the schedule's class says.
        l2: Factor of the penalty `l2 / 2 sum w^2 / n` over all matrices among the parameters, so
            neither biases nor norms, with n the rows of the step or their weights summed:
            scikit-learn's `alpha`. An epoch's mean of it is measured as "penalty". The optimizer's
            `weight_decay` is a penalty that does not depend on n.

    Attributes:
        history: What the running or last `fit` measured, up to an exception too.
        should_stop: Set it to True and `fit` ends after the current optimizer step.
        epochs, batches: Of the running `fit`: how many, and how many batches an epoch (None for
            a stream, whose length is not known).
        rates: Learning rates of the epoch's last step, one for each parameter group.

    Raises:
        ValueError: for an unknown metric, an option out of range, a schedule of another optimizer.
        TypeError: if something is of another kind.

    >>> import fastnn, numpy as np
    >>> import fastnn.nn as nn
    >>> _ = fastnn.manual_seed(0)
    >>> X = np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32)
    >>> y = (X[:, 0] > 0).astype(np.int64)
    >>> model = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 2))
    >>> optimizer = fastnn.optim.Adam(model.parameters(), lr=0.01)
    >>> trainer = fastnn.Trainer(model, nn.CrossEntropyLoss(), optimizer)
    >>> history = trainer.fit((X, y), epochs=20, batch_size=20, verbose=0)
    >>> trainer.evaluate((X, y))["accuracy"] > 0.95
    True
    """

    def __init__(
        self,
        model: Module,
        loss: Callable[[Any, Any], Tensor],
        optimizer: Optimizer,
        scheduler: Any = None,
        metrics: Sequence[str | Callable[..., float]] = _DEFAULT_METRICS,
        callbacks: Sequence[Callback] = (),
        clip_grad_norm: float | None = None,
        clip_grad_value: float | None = None,
        l1: float = 0.0,
        accumulate: int = 1,
        seed: GeneratorLike = 0,
        *,
        scheduler_interval: str | None = None,
        l2: float = 0.0,
        compile: str | bool = "auto",
    ) -> None:
        if not isinstance(model, Module):
            raise TypeError(f"Trainer: expected a Module as model, got {type(model).__name__}")
        checked_optimizer(optimizer, model)
        if not callable(loss):
            raise TypeError(f"Trainer: expected loss(outputs, targets), got {loss!r}")
        self.model, self.loss, self.optimizer = model, loss, optimizer
        self.scheduler = checked_scheduler(scheduler, optimizer)
        self.scheduler_interval = checked_interval(scheduler, scheduler_interval)
        self._metrics_optional = metrics is _DEFAULT_METRICS
        left_out = self._metrics_optional and is_regression(loss)
        self.metrics: Named = {} if left_out else resolve(metrics, loss)
        self.callbacks = checked_callbacks(callbacks)
        self.clip_grad_norm = checked_limit("clip_grad_norm", clip_grad_norm)
        self.clip_grad_value = checked_limit("clip_grad_value", clip_grad_value)
        self.l1 = at_least_zero("Trainer", "l1", l1)
        self.l2 = at_least_zero("Trainer", "l2", l2)
        self.accumulate = whole("Trainer", "accumulate", accumulate, 1)
        self.seed = seed
        self.compile = _checked_compile(compile)
        self.history = History()
        self.should_stop = False
        self.epochs = 0
        self.batches: int | None = 0
        self.rates = learning_rates(optimizer)
        self._predictor = Predictor(model)
        self._meter = Meter({}, False)
        self._began = 0.0  # the running epoch, by the clock
        self._fitting = False

    def fit(
        self,
        train: Any,
        epochs: int = 10,
        batch_size: int = 100,
        validation: Any = None,
        shuffle: bool = True,
        drop_last: bool = False,
        checkpoint_dir: str | os.PathLike[str] | None = None,
        resume: bool = False,
        verbose: int = 1,
        *,
        checkpoint_every: int | None = None,
        keep_checkpoints: int = 3,
    ) -> History:
        """Train for some epochs.

        With a `checkpoint_dir` a training that is killed at any moment can go on: the same program
        with `resume=True` ends in the same bits, history included, as if nothing had happened.
        Each file there holds weights, optimizer, schedule, batch-norm statistics, random state,
        position in the epoch, history, and the callbacks' states; it is whole or not there, and
        a damaged one is told by its checksums. `fastnn.load` reads one as a dict.

        Ctrl-C leaves the weights of the last whole step: callbacks finish, then KeyboardInterrupt
        goes on to the caller; `trainer.history` has the whole epochs until then.

        Args:
            train: `(X, y)` arrays, a `Dataset`, or a `DataLoader` (which then decides on batches);
                with `nn.WeightedLoss` also `(X, y, weights)`, and samples of such three.
                Arrays of another type than the model's weights are cast batch by batch: a
                memory-mapped file may be larger than memory. A `Standardize` or `MinMaxScale`
                that is the first layer gets them unrounded.
            epochs: How many times to go through the data.
            batch_size: Rows a batch.
            validation: Data to evaluate after each epoch.
            shuffle: Whether each epoch takes the rows in a new order; a stream (an
                `IterableDataset`) keeps its own.
            drop_last: Whether an incomplete last batch is left out.
            checkpoint_dir: A folder for checkpoints of this training: at its start, after every
                epoch, and where `should_stop` ends an epoch early.
            resume: Whether to go on from the newest valid checkpoint there, rates and options of
                the optimizer included; where there is none, the training starts anew. A checkpoint
                in the middle of an epoch takes the same data, batches and seed.
            verbose: 0 says nothing; 1 shows a bar on a terminal and in a notebook, a line an epoch
                elsewhere (the callback `ProgressBar`).
            checkpoint_every: Write a checkpoint also after every so many optimizer steps of an
                epoch.
            keep_checkpoints: How many to keep, the newest.

        Returns:
            The losses and metrics of each epoch.

        Warns:
            TrainingWarning: if the training looks like one of the usual mistakes.

        Raises:
            NonFiniteError: when the loss or, at an epoch's end, a weight is NaN or infinite; it
                names epoch, batch, and the row, parameter or layer that was so first.
            ValueError: if the data are empty or an option is out of range, or a checkpoint does not
                fit the model, the optimizer or the schedule.
            FileExistsError: if there are checkpoints, and `resume` is False.
            RuntimeError: if this trainer is training already, in a callback or another thread.
            OSError: if a checkpoint cannot be written; the weights are those of the last step, and
                earlier checkpoints stay.
        """
        if self._fitting:
            raise RuntimeError("fit: this trainer is running already; let the other fit end first, "
                               "or take a trainer and a model of its own")  # fmt: skip
        self.epochs = whole("fit", "epochs", epochs, 0)
        loader = self._loader(train, batch_size, shuffle, drop_last)
        self.batches = count_batches(loader)
        if self.batches == 0:
            raise ValueError("fit: expected at least one batch of training data, got none")
        diagnosis = Diagnosis(self, loader)
        diagnosis.before()
        checks = None if validation is None else self._loader(validation)  # made once
        if checks is not None and count_batches(checks) == 0:
            raise ValueError("fit: expected at least one row of validation data, got none")
        self.history, self.should_stop = History(), False
        hooks = Hooks(self, self._callbacks(verbose))
        saves = Checkpoints(self, loader, checkpoint_dir, checkpoint_every, keep_checkpoints)
        saves.open(resume)
        with InterruptGuard() as guard:
            try:
                self._fitting = True
                hooks.begin()
                done, batch = saves.begin()
                make = CompiledEpochs if self.compile else EagerEpochs
                run = make(self, loader, hooks, guard, saves)
                for epoch in range(done + 1, self.epochs + 1):
                    if self.should_stop:
                        break
                    self._epoch(epoch, run, checks, hooks, saves, batch)
                    batch = 0
            finally:
                self._fitting = False
                guard.hold()  # what callbacks bring back, they bring back whole
                hooks.end()
        diagnosis.after()
        return self.history

    def evaluate(self, data: Any, batch_size: int = _PREDICT_ROWS) -> dict[str, float]:
        """The mean loss and the metrics on `data`, in eval mode.

        Args:
            data: As for `fit`.
            batch_size: Rows at a time; it changes memory, not results beyond rounding.
        """
        meter = Meter(self.metrics, self._metrics_optional)
        return evaluate(self.model, self.loss, self._loader(data, batch_size), meter)

    def predict(self, X: Any, batch_size: int = _PREDICT_ROWS) -> Array:
        """The model's outputs (logits) for `X`, in eval mode.

        Args:
            X: An array of rows, or `(X, y)`, a data set or a loader, whose targets are not looked
                at and may be missing.
            batch_size: Rows at a time; it does not change the result.

        Returns:
            An array of one row of outputs for each row of X, in the loader's order.
        """
        outputs = self._predictor(X) if self.compile else None
        if outputs is not None:
            return outputs
        if hasattr(X, "__array__") or hasattr(X, "toarray") or isinstance(X, list | Tensor):
            X = input_rows(X, self.model)
        return predict(self.model, self._loader(X, batch_size))

    def running(self) -> dict[str, float]:
        """Loss and metrics over the batches of the running epoch so far."""
        return self._meter.values()

    # --- inside ---

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_fitting": False}  # a copy made in a callback is not running

    def _loader(
        self,
        data: Any,
        batch_size: int = _PREDICT_ROWS,
        shuffle: bool = False,
        drop_last: bool = False,
    ) -> Loader:
        if isinstance(data, tuple | list):
            data = row_parts(data, self.model, self.loss)
        return make_loader(data, batch_size, shuffle, drop_last, self.seed)

    def _callbacks(self, verbose: int) -> list[Callback]:
        shown = not verbose or any(isinstance(c, ProgressBar) for c in self.callbacks)
        return [*self.callbacks] if shown else [*self.callbacks, ProgressBar()]

    def _epoch(
        self,
        epoch: int,
        run: EagerEpochs | CompiledEpochs,
        checks: Loader | None,
        hooks: Hooks,
        saves: Checkpoints,
        batch: int,
    ) -> None:
        self._began = time.perf_counter()
        hooks.call("on_epoch_begin", epoch)
        if self.should_stop:
            return
        self._meter = Meter(self.metrics, self._metrics_optional)
        saves.begin_epoch(batch)
        done = run.train(epoch, self._meter, batch)
        whole_epoch = not self.should_stop or done == self.batches
        if not whole_epoch:
            saves.save(epoch - 1, done)
        if self.scheduler_interval != "step":  # which has moved on since the last step
            self.rates = learning_rates(self.optimizer)
        logs = self._meter.values()
        if checks is not None:
            hooks.call("on_validation_begin", epoch)
            values = {f"val_{name}": value for name, value in self.evaluate(checks).items()}
            hooks.call("on_validation_end", epoch, values)
            logs |= values
        seconds = time.perf_counter() - self._began
        try:
            hooks.call("on_epoch_end", epoch, logs)
        finally:
            self.history.add(logs, self.rates[0], seconds)
        if self.scheduler_interval == "epoch":
            step_scheduler(self.scheduler, logs.get("val_loss", logs["loss"]))
        if whole_epoch:
            saves.save(epoch, 0)


def _checked_compile(compile: Any) -> str | bool:
    if isinstance(compile, str):
        return one_of("Trainer", "compile", compile, "auto")
    return flag("Trainer", "compile", compile)
