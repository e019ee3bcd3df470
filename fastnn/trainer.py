"""`Trainer`: the epoch loop, so that a training is one call."""

from __future__ import annotations

import operator
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastnn.autograd import Array, no_grad
from fastnn.data import DataLoader, TensorDataset
from fastnn.errors import NonFiniteError
from fastnn.nn.module import Module
from fastnn.optim import Optimizer
from fastnn.progress import Progress
from fastnn.tensor import Tensor, as_array, as_tensor

__all__ = ["History", "Trainer"]

Metric = Callable[[Array, Array], float]
Loader = DataLoader[Any]
_PREDICT_ROWS = 1024  # at a time: activations of that many rows stay in the L2 cache


def _accuracy(outputs: Array, targets: Array) -> float:
    """Rows whose largest output is the target's, summed."""
    return float((outputs.argmax(1) == targets).sum())


METRICS: dict[str, Metric] = {"accuracy": _accuracy}


class History:
    """What a training measured: one value an epoch in each list.

    Attributes:
        loss: Mean training loss over the epoch's rows.
        val_loss: Mean loss on the validation part, empty without one.
        metrics: Lists by name: "accuracy" and, with a validation part, "val_accuracy".
        seconds: Duration of the epoch.
    """

    def __init__(self) -> None:
        self.loss: list[float] = []
        self.val_loss: list[float] = []
        self.metrics: dict[str, list[float]] = {}
        self.seconds: list[float] = []

    def __len__(self) -> int:
        return len(self.loss)

    def __repr__(self) -> str:
        last = f", loss {self.loss[-1]:.4f}" if self.loss else ""
        return f"History({len(self)} epochs{last})"

    def add(self, train: dict[str, float], validation: dict[str, float], seconds: float) -> None:
        """Append one epoch."""
        self.loss.append(train["loss"])
        self.seconds.append(seconds)
        if validation:
            self.val_loss.append(validation["loss"])
        named = {**train, **{f"val_{name}": value for name, value in validation.items()}}
        for name, value in named.items():
            if name not in ("loss", "val_loss"):
                self.metrics.setdefault(name, []).append(value)


class Trainer:
    """Trains a model: epochs outside, mini-batches inside, one optimizer step a batch.

    Args:
        model: Any module.
        loss: `loss(outputs, targets)`, a mean over the batch.
        optimizer: Over the model's parameters.
        metrics: Names ("accuracy") to measure beside the loss.
        seed: Of the shuffles; the same seed gives the same run.

    Raises:
        ValueError: for an unknown metric.
        TypeError: if `model` or `optimizer` is of another kind.

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
        metrics: Sequence[str] = ("accuracy",),
        seed: int = 0,
    ) -> None:
        if not isinstance(model, Module):
            raise TypeError(f"Trainer: expected a Module as model, got {type(model).__name__}")
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"Trainer: expected an Optimizer, got {type(optimizer).__name__}")
        unknown = [name for name in metrics if name not in METRICS]
        if unknown:
            raise ValueError(f"Trainer: expected metrics among {sorted(METRICS)}, got {unknown}")
        self.model, self.loss, self.optimizer = model, loss, optimizer
        self.metrics = {name: METRICS[name] for name in metrics}
        self.seed = seed

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

        Args:
            train: `(X, y)` arrays, a `Dataset`, or a `DataLoader` (which then decides on batches).
            epochs: How many times to go through the data.
            batch_size: Rows a step.
            validation: Data to evaluate after each epoch.
            shuffle: Whether each epoch takes the rows in a new order.
            drop_last: Whether an incomplete last batch is left out.
            verbose: 0 says nothing; 1 shows a bar on a terminal, a line an epoch elsewhere.

        Returns:
            The losses and metrics of each epoch.

        Raises:
            NonFiniteError: when the loss is NaN or infinite; it names epoch and batch.
            ValueError: if the data are empty or an option is out of range.
        """
        if not hasattr(epochs, "__index__"):
            raise TypeError(f"fit: expected an integer epochs, got {epochs!r}")
        epochs = operator.index(epochs)
        if epochs < 0:
            raise ValueError(f"fit: expected epochs >= 0, got {epochs}")
        loader = self._loader(train, batch_size, shuffle, drop_last)
        if len(loader) == 0:
            raise ValueError("fit: expected at least one batch of training data, got none")
        history = History()
        for epoch in range(1, epochs + 1):
            start = time.perf_counter()
            with Progress(epoch, epochs, len(loader), verbose) as progress:
                measured = self._epoch(loader, epoch, progress)
                checked = {} if validation is None else self.evaluate(validation)
                history.add(measured, checked, time.perf_counter() - start)
                progress.finish(measured, checked)
        return history

    def evaluate(self, data: Any, batch_size: int = _PREDICT_ROWS) -> dict[str, float]:
        """The mean loss and the metrics on `data`, in eval mode.

        Args:
            data: As for `fit`.
            batch_size: Rows at a time; it changes memory, not results beyond rounding.
        """
        sums = _Sums(self)
        with _EvalMode(self.model), no_grad():
            for inputs, targets in self._loader(data, batch_size, False, False):
                outputs = self.model(inputs)
                sums.add(self.loss(outputs, targets), outputs, targets)
        return sums.means()

    def predict(self, X: Any, batch_size: int = _PREDICT_ROWS) -> Array:
        """The model's outputs (logits) for `X`, in eval mode.

        Args:
            X: An array of rows, or a dataset whose first item of a sample is the input.
            batch_size: Rows at a time; it does not change the result.

        Returns:
            An array of one row of outputs for each row of X.
        """
        if hasattr(X, "__array__") or isinstance(X, list | Tensor):
            X = TensorDataset(_model_input(X, self.model))
        with _EvalMode(self.model), no_grad():
            parts = [
                self.model(batch[0]).numpy() for batch in self._loader(X, batch_size, False, False)
            ]
        if not parts:
            raise ValueError("predict: expected at least one row, got none")
        return np.concatenate(parts)

    # --- inside ---

    def _loader(self, data: Any, batch_size: int, shuffle: bool, drop_last: bool) -> Loader:
        if isinstance(data, DataLoader):
            return data
        if isinstance(data, tuple | list):
            if len(data) != 2:
                raise ValueError(f"expected data as (X, y), got {len(data)} parts")
            data = TensorDataset(_model_input(data[0], self.model), as_tensor(data[1]))
        return DataLoader(data, batch_size, shuffle, drop_last=drop_last, generator=self.seed)

    def _epoch(self, loader: Loader, epoch: int, progress: Progress) -> dict[str, float]:
        self.model.train()
        sums = _Sums(self)
        for batch, (inputs, targets) in enumerate(loader, start=1):
            outputs = self.model(inputs)
            loss = self.loss(outputs, targets)
            if not np.isfinite(loss.item()):
                raise NonFiniteError(
                    f"fit: the loss is {loss.item()} in epoch {epoch}, batch {batch}; "
                    "try a smaller learning rate, and look for NaN or huge values in the data"
                )
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            sums.add(loss, outputs, targets)
            progress.advance(loss.item())
        return sums.means()


class _Sums:
    """Loss and metrics summed over batches, each batch by its rows."""

    def __init__(self, trainer: Trainer) -> None:
        self.metrics = trainer.metrics
        self.totals = dict.fromkeys(["loss", *self.metrics], 0.0)
        self.rows = 0

    def add(self, loss: Tensor, outputs: Tensor, targets: Tensor) -> None:
        rows = len(outputs)
        self.rows += rows
        self.totals["loss"] += loss.item() * rows
        for name, metric in self.metrics.items():
            self.totals[name] += metric(outputs._array, targets._array)

    def means(self) -> dict[str, float]:
        if self.rows == 0:
            raise ValueError("expected at least one row of data, got none")
        return {name: total / self.rows for name, total in self.totals.items()}


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


def _model_input(X: Any, model: Module) -> Tensor:
    """X as the type of the model's weights; whole numbers and float64 are common in tables."""
    array = as_array(X)
    dtype = next((p.dtype for p in model.parameters()), np.dtype(np.float32))
    with np.errstate(over="ignore"):  # infinities show in the loss, which says where
        return Tensor(array if array.dtype == dtype else array.astype(dtype))
