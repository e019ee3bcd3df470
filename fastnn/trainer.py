"""`Trainer`: the epoch loop, so that a training is one call."""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import numpy as np

from fastnn.autograd import Array, no_grad
from fastnn.callbacks import Callback, Hooks, ProgressBar
from fastnn.data import DataLoader, TensorDataset
from fastnn.errors import NonFiniteError
from fastnn.history import History
from fastnn.interrupts import InterruptGuard
from fastnn.metrics import Named, is_regression, resolve
from fastnn.nn.module import Module
from fastnn.optim import Optimizer
from fastnn.options import above_zero, at_least_zero, one_of, whole
from fastnn.tensor import Tensor, as_array, as_tensor

__all__ = ["History", "Trainer"]

Loader = DataLoader[Any]
Pair = tuple[Any, Any]
_PREDICT_ROWS = 1024  # at a time: activations of that many rows stay in the L2 cache
_DEFAULT_METRICS: tuple[str, ...] = tuple(["accuracy"])  # told from a caller's own by identity


class Trainer:
    """Trains a model: epochs outside, mini-batches inside, one optimizer step a batch.

    The options change a step in this order: gradients are averaged over `accumulate` batches, the
    L1 penalty's is added, then they are clipped, by norm and by value; then the optimizer and a
    schedule by steps move on. Losses are reported without the penalty.

    Args:
        model: Any module.
        loss: `loss(outputs, targets)`, a mean over the batch.
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
        seed: Of the shuffles; the same seed gives the same run.
        scheduler_interval: "epoch" or "step", instead of what the schedule's class says.

    Attributes:
        history: What the running or last `fit` measured, up to an exception too.
        should_stop: Set it to True and `fit` ends after the current optimizer step.
        epochs, batches: Of the running `fit`: how many, and how many batches an epoch.
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
        seed: int = 0,
        *,
        scheduler_interval: str | None = None,
    ) -> None:
        if not isinstance(model, Module):
            raise TypeError(f"Trainer: expected a Module as model, got {type(model).__name__}")
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"Trainer: expected an Optimizer, got {type(optimizer).__name__}")
        if not callable(loss):
            raise TypeError(f"Trainer: expected loss(outputs, targets), got {loss!r}")
        self.model, self.loss, self.optimizer = model, loss, optimizer
        self.scheduler = _checked_scheduler(scheduler, optimizer)
        self.scheduler_interval = _interval(scheduler, scheduler_interval)
        self._metrics_optional = metrics is _DEFAULT_METRICS
        left_out = self._metrics_optional and is_regression(loss)
        self.metrics: Named = {} if left_out else resolve(metrics, loss)
        self.callbacks = _checked_callbacks(callbacks)
        self.clip_grad_norm = _limit("clip_grad_norm", clip_grad_norm)
        self.clip_grad_value = _limit("clip_grad_value", clip_grad_value)
        self.l1 = at_least_zero("Trainer", "l1", l1)
        self.accumulate = whole("Trainer", "accumulate", accumulate, 1)
        self.seed = seed
        self.history = History()
        self.should_stop = False
        self.epochs = self.batches = 0
        self.rates = _rates(optimizer)
        self._meter = _Meter({}, False)

    def fit(
        self,
        train: Any,
        epochs: int = 10,
        batch_size: int = 100,
        validation: Any = None,
        shuffle: bool = True,
        drop_last: bool = False,
        verbose: int = 1,
    ) -> History:
        """Train for some epochs.

        Ctrl-C leaves the weights of the last whole step: callbacks finish, then KeyboardInterrupt
        goes on to the caller; `trainer.history` has the whole epochs until then.

        Args:
            train: `(X, y)` arrays, a `Dataset`, or a `DataLoader` (which then decides on batches).
            epochs: How many times to go through the data.
            batch_size: Rows a batch.
            validation: Data to evaluate after each epoch.
            shuffle: Whether each epoch takes the rows in a new order.
            drop_last: Whether an incomplete last batch is left out.
            verbose: 0 says nothing; 1 shows a bar on a terminal, a line an epoch elsewhere (the
                callback `ProgressBar`).

        Returns:
            The losses and metrics of each epoch.

        Raises:
            NonFiniteError: when the loss is NaN or infinite; it names epoch and batch.
            ValueError: if the data are empty or an option is out of range.
        """
        self.epochs = whole("fit", "epochs", epochs, 0)
        loader = self._loader(train, batch_size, shuffle, drop_last)
        self.batches = len(loader)
        if self.batches == 0:
            raise ValueError("fit: expected at least one batch of training data, got none")
        checks = validation
        if validation is not None:  # made once, not every epoch
            checks = self._loader(validation, _PREDICT_ROWS, False, False)
        self.history, self.should_stop = History(), False
        hooks = Hooks(self, self._callbacks(verbose))
        with InterruptGuard() as guard:
            try:
                hooks.begin()
                step = _Step(self, hooks, guard)
                for epoch in range(1, self.epochs + 1):
                    if self.should_stop:
                        break
                    self._epoch(epoch, loader, checks, step, hooks)
            finally:
                guard.hold()  # what callbacks bring back, they bring back whole
                hooks.end()
        return self.history

    def evaluate(self, data: Any, batch_size: int = _PREDICT_ROWS) -> dict[str, float]:
        """The mean loss and the metrics on `data`, in eval mode.

        Args:
            data: As for `fit`.
            batch_size: Rows at a time; it changes memory, not results beyond rounding.
        """
        meter = _Meter(self.metrics, self._metrics_optional)
        with _EvalMode(self.model), no_grad():
            for batch in self._loader(data, batch_size, False, False):
                inputs, targets = _pair(batch)
                outputs = self.model(inputs)
                loss = self.loss(outputs, targets).item()
                meter.add(loss, len(inputs), outputs, targets)
        return meter.values()

    def predict(self, X: Any, batch_size: int = _PREDICT_ROWS) -> Array:
        """The model's outputs (logits) for `X`, in eval mode.

        Args:
            X: An array of rows, or `(X, y)`, a data set or a loader, whose targets are not looked
                at and may be missing.
            batch_size: Rows at a time; it does not change the result.

        Returns:
            An array of one row of outputs for each row of X, in the loader's order.
        """
        if hasattr(X, "__array__") or isinstance(X, list | Tensor):
            X = TensorDataset(_as_model_input(X, self.model))
        with _EvalMode(self.model), no_grad():
            parts = [
                self.model(batch[0] if isinstance(batch, tuple | list) else batch).numpy()
                for batch in self._loader(X, batch_size, False, False)
            ]
        if not parts:
            raise ValueError("predict: expected at least one row, got none")
        return np.concatenate(parts)

    def running(self) -> dict[str, float]:
        """Loss and metrics over the batches of the running epoch so far."""
        return self._meter.values()

    # --- inside ---

    def _loader(self, data: Any, batch_size: int, shuffle: bool, drop_last: bool) -> Loader:
        if isinstance(data, DataLoader):
            return data
        if isinstance(data, tuple | list):
            if len(data) != 2:
                raise ValueError(f"expected data as (X, y), got {len(data)} parts")
            data = TensorDataset(_as_model_input(data[0], self.model), self._target(data[1]))
        return DataLoader(data, batch_size, shuffle, drop_last=drop_last, generator=self.seed)

    def _target(self, y: Any) -> Tensor:
        """Real numbers as the type of the model's weights; classes as they are."""
        target = as_tensor(y)
        real = target.dtype.kind == "f" or is_regression(self.loss)
        return _as_model_input(target, self.model) if real else target

    def _callbacks(self, verbose: int) -> list[Callback]:
        shown = not verbose or any(isinstance(c, ProgressBar) for c in self.callbacks)
        return [*self.callbacks] if shown else [*self.callbacks, ProgressBar()]

    def _epoch(self, epoch: int, loader: Loader, checks: Any, step: _Step, hooks: Hooks) -> None:
        start = time.perf_counter()
        hooks.call("on_epoch_begin", epoch)
        if self.should_stop:
            return
        self.model.train()
        self._meter = _Meter(self.metrics, self._metrics_optional)
        batches, batch = iter(loader), 1
        while not self.should_stop and (group := list(islice(batches, self.accumulate))):
            step([_pair(each) for each in group], epoch, batch)
            batch += len(group)
        if self.scheduler_interval != "step":  # which has moved on since the last step
            self.rates = _rates(self.optimizer)
        logs = self._meter.values()
        if checks is not None:
            hooks.call("on_validation_begin", epoch)
            values = {f"val_{name}": value for name, value in self.evaluate(checks).items()}
            hooks.call("on_validation_end", epoch, values)
            logs |= values
        seconds = time.perf_counter() - start
        try:
            hooks.call("on_epoch_end", epoch, logs)
        finally:
            self.history.add(logs, self.rates[0], seconds)
        if self.scheduler_interval == "epoch":
            _step_scheduler(self.scheduler, logs.get("val_loss", logs["loss"]))


class _Step:
    """One optimizer step: forward and backward of a group of batches, then the update."""

    def __init__(self, trainer: Trainer, hooks: Hooks, guard: InterruptGuard) -> None:
        self.trainer, self.guard = trainer, guard
        self.begin, self.end = hooks.of("on_batch_begin"), hooks.of("on_batch_end")
        self.adjust = _adjustments(trainer)

    def __call__(self, group: list[Pair], epoch: int, batch: int) -> None:
        """Train on a group of batches, the first of which is number `batch` of its epoch."""
        rows = sum(len(inputs) for inputs, _ in group)
        self.trainer.optimizer.zero_grad()
        for number, (inputs, targets) in enumerate(group, start=batch):
            for hook in self.begin:
                hook(number)
            self.guard.hold()
            try:
                loss = self._gradient(inputs, targets, len(inputs) / rows)
                if not math.isfinite(loss):
                    raise NonFiniteError(
                        f"fit: the loss is {loss} in epoch {epoch}, batch {number}; try a smaller "
                        "learning rate, and look for NaN or huge values in the data"
                    )
                if number == batch + len(group) - 1:
                    self._update(loss)
            finally:
                self.guard.release()
            for hook in self.end:
                hook(number, loss)

    def _gradient(self, inputs: Any, targets: Any, share: float) -> float:
        """Add the gradient of a batch that is this share of the step; returns its loss."""
        trainer = self.trainer
        outputs = trainer.model(inputs)
        loss = trainer.loss(outputs, targets)
        value = float(loss.item())
        if math.isfinite(value):
            loss.backward(None if share == 1 else share)
            trainer._meter.add(value, len(inputs), outputs, targets)
        return value

    def _update(self, loss: float) -> None:
        for adjust in self.adjust:
            adjust()
        trainer = self.trainer
        trainer.optimizer.step()
        if trainer.scheduler_interval == "step":
            trainer.rates = _rates(trainer.optimizer)
            _step_scheduler(trainer.scheduler, loss)


class _Meter:
    """Loss and metrics over batches, each batch by its rows.

    With `optional` metrics, those that the first batch does not fit are left out.
    """

    def __init__(self, metrics: Named, optional: bool) -> None:
        self.metrics = {name: make() for name, make in metrics.items()}
        self.optional = optional
        self.loss, self.rows = 0.0, 0

    def add(self, loss: float, rows: int, outputs: Tensor, targets: Tensor) -> None:
        for name, metric in list(self.metrics.items()):
            try:
                metric.add(outputs._array, as_array(targets))
            except ValueError:
                if not self.optional or self.rows:
                    raise
                del self.metrics[name]
        self.loss += loss * rows
        self.rows += rows

    def values(self) -> dict[str, float]:
        if self.rows == 0:
            raise ValueError("expected at least one row of data, got none")
        measured = {name: metric.value() for name, metric in self.metrics.items()}
        return {"loss": self.loss / self.rows, **measured}


class _EvalMode:
    """The model in eval mode for a block; afterwards as it was."""

    def __init__(self, model: Module) -> None:
        self.model = model

    def __enter__(self) -> None:
        self.training = {module: module.training for module in self.model.modules()}
        self.model.eval()

    def __exit__(self, *_: object) -> None:
        for module, training in self.training.items():
            module.training = training


def _as_model_input(X: Any, model: Module) -> Tensor:
    """X as the type of the model's weights; whole numbers and float64 are common in tables."""
    array = as_array(X)
    dtype = next((p.dtype for p in model.parameters()), np.dtype(np.float32))
    with np.errstate(over="ignore"):  # infinities show in the loss, which says where
        return Tensor(array if array.dtype == dtype else array.astype(dtype))


def _pair(batch: Any) -> Pair:
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        parts = len(batch) if isinstance(batch, tuple | list) else type(batch).__name__
        raise ValueError(f"expected batches of (inputs, targets), got {parts} parts")
    return batch[0], batch[1]


# --- options ---


def _adjustments(trainer: Trainer) -> list[Callable[[], Any]]:
    """What is done to the gradients before a step, in this order."""
    l1, norm, value = trainer.l1, trainer.clip_grad_norm, trainer.clip_grad_value
    if not l1 and norm is None and value is None:
        return []
    from fastnn.nn import utils

    parameters = list(trainer.model.parameters())
    adjust: list[Callable[[], Any]] = []
    if l1:
        adjust.append(lambda: utils.add_l1_grad_(parameters, l1))
    if norm is not None:
        adjust.append(lambda: utils.clip_grad_norm_(parameters, norm))
    if value is not None:
        adjust.append(lambda: utils.clip_grad_value_(parameters, value))
    return adjust


def _rates(optimizer: Optimizer) -> list[float]:
    return [float(group["lr"]) for group in optimizer.param_groups]


def _step_scheduler(scheduler: Any, loss: float) -> None:
    if "metrics" in inspect.signature(scheduler.step).parameters:
        scheduler.step(loss)
    else:
        scheduler.step()


def _checked_scheduler(scheduler: Any, optimizer: Optimizer) -> Any:
    if scheduler is None:
        return None
    if not callable(getattr(scheduler, "step", None)) or isinstance(scheduler, type | Optimizer):
        raise TypeError(f"Trainer: expected a learning-rate schedule, got {scheduler!r:.80}")
    if getattr(scheduler, "optimizer", optimizer) is not optimizer:
        raise ValueError("Trainer: expected a schedule of the optimizer given here, got one of "
                         f"another {type(scheduler.optimizer).__name__}")  # fmt: skip
    return scheduler


def _interval(scheduler: Any, given: str | None) -> str | None:
    """When the schedule moves: "epoch", "step", or None without one."""
    interval = getattr(scheduler, "interval", "epoch") if given is None else given
    one_of("Trainer", "scheduler_interval", interval, "epoch", "step")
    return None if scheduler is None else interval


def _checked_callbacks(callbacks: Sequence[Callback]) -> list[Callback]:
    if not isinstance(callbacks, list | tuple):
        raise TypeError(f"Trainer: expected a list of callbacks, got {callbacks!r}")
    for callback in callbacks:
        if not isinstance(callback, Callback):
            hint = "; call it" if isinstance(callback, type) else ""
            raise TypeError(f"Trainer: expected fastnn.callbacks.Callback objects as callbacks, "
                            f"got {callback!r}{hint}")  # fmt: skip
    return list(callbacks)


def _limit(name: str, value: float | None) -> float | None:
    return None if value is None else above_zero("Trainer", name, value)
