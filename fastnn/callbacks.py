"""Callbacks: what else happens at the fixed points of a training."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from fastnn.autograd import Array
from fastnn.metrics import rises
from fastnn.options import at_least_zero, one_of, whole
from fastnn.progress import Progress
from fastnn.serialization import save

if TYPE_CHECKING:
    from fastnn.trainer import Trainer

__all__ = ["CSVLogger", "Callback", "EarlyStopping", "Hooks", "LearningRateLogger",
           "ModelCheckpoint", "ProgressBar"]  # fmt: skip

Logs = dict[str, float]


class Callback:
    """Base of callbacks: override the hooks you need; all of them do nothing here.

    Callbacks are called in the order in which they are given. `self.trainer` is the trainer: its
    `model`, `optimizer`, `history`, `epochs` and `batches` may be read, and setting
    `self.trainer.should_stop = True` ends the training after the current optimizer step. `logs`
    is one dictionary for all callbacks: what is added to it in `on_epoch_end` is seen by the
    callbacks that follow, and goes into the history.

    >>> class Shout(Callback):
    ...     def on_epoch_end(self, epoch, logs):
    ...         print(f"epoch {epoch} of {self.trainer.epochs} is done")
    """

    trainer: Trainer

    def on_fit_begin(self) -> None:
        """Before the first epoch."""

    def on_fit_end(self) -> None:
        """Once at the end, whatever ended it: the last epoch, a stop, or an exception."""

    def on_epoch_begin(self, epoch: int) -> None:
        """Before epoch `epoch`, counted from 1."""

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """After an epoch and its validation; `logs` holds "loss", "val_loss", metrics."""

    def on_batch_begin(self, batch: int) -> None:
        """Before batch `batch` of the epoch, counted from 1."""

    def on_batch_end(self, batch: int, loss: float) -> None:
        """After a batch; `trainer.running()` gives the means over the epoch so far."""

    def on_progress(self, batch: int) -> None:
        """About ten times a second within an epoch, and at its end: `batch` batches are done.

        For what is shown to a person. Unlike the hooks of every batch it costs no time, and lets
        epochs run in C++; `trainer.running()` gives the means so far here too.
        """

    def on_validation_begin(self, epoch: int) -> None:
        """Before the validation part is evaluated."""

    def on_validation_end(self, epoch: int, logs: Logs) -> None:
        """After it; `logs` holds "val_loss" and the metrics' "val_..."."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps of it, made of what `fastnn.save` can write."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave, in a training that is resumed.

        It is called after `on_fit_begin`; where the training goes on in the middle of an epoch,
        once more after `on_epoch_begin`. One that has ended the training sets
        `self.trainer.should_stop` again, if it is to stay ended.
        """


class Hooks:
    """The callbacks of one run. A hook that nobody overrides costs nothing.

    Args:
        trainer: Whose run it is.
        callbacks: In the order in which they are called.
    """

    def __init__(self, trainer: Trainer, callbacks: Sequence[Callback]) -> None:
        self.trainer, self.callbacks = trainer, callbacks
        self._begun: list[Callback] = []

    def begin(self) -> None:
        """Introduce the trainer and call every `on_fit_begin`."""
        for callback in self.callbacks:
            callback.trainer = self.trainer
            callback.on_fit_begin()
            self._begun.append(callback)

    def end(self) -> None:
        """Call `on_fit_end` of all that have begun, even if one of them raises."""
        with ExitStack() as stack:
            for callback in reversed(self._begun):
                stack.callback(callback.on_fit_end)

    def of(self, name: str) -> list[Callable[..., None]]:
        """The methods to call at a hook: those that somebody has written."""
        empty = getattr(Callback, name)
        methods = [getattr(callback, name) for callback in self.callbacks]
        return [method for method in methods if getattr(method, "__func__", method) is not empty]

    def call(self, name: str, *args: Any) -> None:
        """Call one hook of all callbacks."""
        for method in self.of(name):
            method(*args)


class Monitor:
    """Watches one measurement for its best value.

    Args:
        who: The callback, for errors.
        name: What to watch, such as "val_loss".
        mode: "min" or "max" is better, or "auto": known from the name.
        min_delta: The least difference that counts as better.

    Raises:
        ValueError: for another mode, "auto" with a name that does not tell, a negative min_delta.
    """

    def __init__(self, who: str, name: str, mode: str, min_delta: float = 0.0) -> None:
        one_of(who, "mode", mode, "auto", "min", "max")
        self.min_delta = at_least_zero(who, "min_delta", min_delta)
        better = rises(name) if mode == "auto" else mode == "max"
        if better is None:
            raise ValueError(f"{who}: cannot tell whether more {name} is better; "
                             "pass mode='min' or mode='max'")  # fmt: skip
        self.who, self.name = who, name
        self.sign = 1.0 if better else -1.0
        self.best: float | None = None

    def improved(self, logs: Mapping[str, float]) -> bool:
        """Whether this epoch is the best so far; NaN never is."""
        if self.name not in logs:
            hint = "; pass fit(validation=...)" if self.name.startswith("val_") else ""
            raise ValueError(
                f"{self.who}: expected monitor to be one of {list(logs)}, got {self.name!r}{hint}"
            )
        value = logs[self.name]
        if np.isnan(value) or (
            self.best is not None and not self.sign * (value - self.best) > self.min_delta
        ):
            return False
        self.best = value
        return True


class EarlyStopping(Callback):
    """Stops a training that gets no better, and brings back its best weights.

    Args:
        monitor: "val_loss", "loss", or a metric such as "val_accuracy".
        mode: "min" or "max" is better; "auto" knows the built-in names.
        patience: Stop after this many epochs in a row that are no better.
        min_delta: The least change that counts as better.
        restore_best_weights: Whether the model ends with the parameters and buffers of its best
            epoch, whatever ended the run: this callback, the last epoch, Ctrl-C, an exception.

    Attributes:
        best: The best value, None before the first epoch.
        best_epoch: The epoch that had it.
        stopped_epoch: The epoch after which it stopped the training, None if it did not.

    Raises:
        ValueError: if an option is out of range; at the end of the first epoch, if there is no
            such thing to monitor.

    >>> EarlyStopping(monitor="val_accuracy", patience=3).patience
    3
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        mode: str = "auto",
        patience: int = 5,
        min_delta: float = 0.0,
        restore_best_weights: bool = True,
    ) -> None:
        self.monitor, self.mode, self.min_delta = monitor, mode, min_delta
        self.patience = whole("EarlyStopping", "patience", patience, 0)
        self.restore_best_weights = restore_best_weights
        self._start()

    def _start(self) -> None:
        self._watch = Monitor("EarlyStopping", self.monitor, self.mode, self.min_delta)
        self._weights: dict[str, Array] | None = None
        self.best_epoch = 0
        self.stopped_epoch: int | None = None

    @property
    def best(self) -> float | None:
        return self._watch.best

    def on_fit_begin(self) -> None:
        self._start()

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        if self._watch.improved(logs):
            self.best_epoch = epoch
            if self.restore_best_weights:
                state = self.trainer.model.state_dict()
                self._weights = {name: t.numpy().copy() for name, t in state.items()}
        elif epoch - self.best_epoch >= max(self.patience, 1):
            self.stopped_epoch = epoch
            self.trainer.should_stop = True

    def on_fit_end(self) -> None:
        if self._weights is not None:
            self.trainer.model.load_state_dict(self._weights)
            self._weights = None

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "best_epoch": self.best_epoch,
                "stopped_epoch": self.stopped_epoch, "weights": self._weights}  # fmt: skip

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._watch.best, self.best_epoch = state["best"], state["best_epoch"]
        self._weights = state["weights"]
        self.stopped_epoch = state["stopped_epoch"]
        if self.stopped_epoch is not None:
            self.trainer.should_stop = True


class ModelCheckpoint(Callback):
    """Writes the model's weights after epochs, each file whole or not at all.

    Args:
        path: The file (safetensors, for `fastnn.load`), with fields such as
            "model-{epoch:02d}-{val_loss:.4f}.safetensors"; without fields it is replaced each time.
        monitor: What tells the best epoch.
        mode: "min" or "max" is better; "auto" knows the built-in names.
        save_best_only: Write only when `monitor` is better than ever.
        every: Write after every so many epochs.

    Attributes:
        last_path: The file written last, None before.
        best: With `save_best_only`, the best value so far; a second `fit` must beat it too.

    Raises:
        ValueError: if an option is out of range; at the end of the first epoch, for a field or
            `monitor` that there is not.
        OSError: if the file cannot be written.

    >>> ModelCheckpoint("best.safetensors", save_best_only=True).monitor
    'val_loss'
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        monitor: str = "val_loss",
        mode: str = "auto",
        save_best_only: bool = False,
        every: int = 1,
    ) -> None:
        self.path = os.fspath(path)
        self.monitor, self.mode, self.save_best_only = monitor, mode, save_best_only
        self.every = whole("ModelCheckpoint", "every", every, 1)
        self.last_path: Path | None = None
        # what is not watched needs no direction
        self._watch = Monitor("ModelCheckpoint", monitor, mode if save_best_only else "min")

    @property
    def best(self) -> float | None:
        return self._watch.best

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        if epoch % self.every or (self.save_best_only and not self._watch.improved(logs)):
            return
        path = Path(self._named(epoch, logs))
        path.parent.mkdir(parents=True, exist_ok=True)
        save(self.trainer.model.state_dict(), path)
        self.last_path = path

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "last_path": self.last_path and str(self.last_path)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._watch.best = state["best"]
        self.last_path = state["last_path"] and Path(state["last_path"])

    def _named(self, epoch: int, logs: Logs) -> str:
        try:
            return self.path.format(**{**logs, "epoch": epoch})
        except (LookupError, ValueError, TypeError, AttributeError) as error:
            raise ValueError(
                f"ModelCheckpoint: expected fields of {['epoch', *logs]} in {self.path!r}: {error}"
            ) from None


class CSVLogger(Callback):
    """Appends a row for every epoch to a CSV file: the epoch, loss, metrics.

    The rows of a later training go below those that are there, under the one header.

    Args:
        path: The file.

    Raises:
        OSError: if the file cannot be written; at once, not after an epoch.
        ValueError: if the file has other columns than this training.

    >>> import tempfile, os
    >>> logger = CSVLogger(os.path.join(tempfile.mkdtemp(), "log.csv"))
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._file: IO[str] | None = None
        self._columns: list[str] | None = None

    def on_fit_begin(self) -> None:
        self._file = self.path.open("a+", newline="", encoding="utf-8")
        self._file.seek(0)
        self._columns = next(csv.reader(self._file), None)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        assert self._file is not None
        row = {"epoch": epoch, **logs}
        writer = csv.writer(self._file)
        if self._columns is None:
            self._columns = list(row)
            writer.writerow(row)
        if list(row) != self._columns:
            raise ValueError(f"CSVLogger: expected the columns {self._columns} that {self.path} "
                             f"has, got {list(row)}; write to another file")  # fmt: skip
        writer.writerow(row.values())
        self._file.flush()

    def on_fit_end(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def state_dict(self) -> dict[str, Any]:
        assert self._file is not None
        return {"bytes": os.fstat(self._file.fileno()).st_size}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back the rows of epochs that will be trained once more."""
        assert self._file is not None
        if os.fstat(self._file.fileno()).st_size > state["bytes"]:
            self._file.truncate(state["bytes"])
            self._file.seek(0)
            self._columns = next(csv.reader(self._file), None)


class LearningRateLogger(Callback):
    """Adds the learning rate to what an epoch measured: on screen, in a CSV, in the history.

    With one parameter group it is named "lr" (the history has that in any case); with several,
    "lr_0", "lr_1" and so on. Put it before the callbacks that are to see it.

    >>> LearningRateLogger().on_fit_begin()
    """

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        rates = self.trainer.rates
        if len(rates) == 1:
            logs["lr"] = rates[0]
        else:
            logs.update({f"lr_{i}": rate for i, rate in enumerate(rates)})


class ProgressBar(Callback):
    """Shows the training: a bar on a terminal and in a notebook, a line an epoch elsewhere.

    `fit(verbose=1)` adds one behind the other callbacks if there is none among them.

    >>> ProgressBar().on_fit_end()
    """

    _progress: Progress | None = None

    def on_epoch_begin(self, epoch: int) -> None:
        self._progress = Progress(epoch, self.trainer.epochs, self.trainer.batches)

    def on_progress(self, batch: int) -> None:
        if self._progress is not None:
            self._progress.show(batch, self.trainer.running())

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        if self._progress is not None:
            self._progress.finish(logs)

    def on_fit_end(self) -> None:
        if self._progress is not None:
            self._progress.close()
            self._progress = None
