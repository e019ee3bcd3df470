"""Looking at a model without changing it: losses, metrics and outputs in eval mode."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from fastnn.autograd import Array, no_grad
from fastnn.metrics import Named
from fastnn.nn.module import Module
from fastnn.tensor import Tensor, as_array
from fastnn.training.batches import mass, parts

__all__ = ["Meter", "eval_mode", "evaluate", "predict"]


class Meter:
    """Loss and metrics over batches, each batch by its rows.

    Args:
        metrics: What makes each metric.
        optional: Whether metrics that the first batch does not fit are left out.
    """

    def __init__(self, metrics: Named, optional: bool) -> None:
        self.metrics = {name: make() for name, make in metrics.items()}
        self.optional = optional
        self.loss = self.rows = 0.0
        self.penalty: float | None = None

    def add(self, loss: float, outputs: Tensor, targets: Any, rows: float) -> None:
        """Count in a batch of so many rows, or of rows that weigh so much, by its mean loss."""
        for name, metric in list(self.metrics.items()):
            try:
                metric.add(outputs._array, as_array(targets))
            except ValueError:
                if not self.optional or self.rows:
                    raise
                del self.metrics[name]
        self.loss += loss * rows
        self.rows += rows

    def penalize(self, penalty: float, rows: int) -> None:
        """Count in the penalty of a step on so many rows."""
        if penalty:
            self.penalty = (self.penalty or 0.0) + penalty * rows

    def values(self) -> dict[str, float]:
        """The means so far.

        Raises:
            ValueError: if there was no row.
        """
        if self.rows == 0:
            raise ValueError("expected at least one row of data, got none")
        measured = {name: metric.value() for name, metric in self.metrics.items()}
        penalty = {} if self.penalty is None else {"penalty": self.penalty / self.rows}
        return {"loss": self.loss / self.rows, **penalty, **measured}

    def state_dict(self) -> dict[str, Any]:
        """The sums so far."""
        sums = {name: metric.state_dict() for name, metric in self.metrics.items()}
        own = {"loss": self.loss, "rows": self.rows, "penalty": self.penalty}
        return {**own, "metrics": sums}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from these sums; metrics that were left out are left out again."""
        self.loss, self.rows, self.penalty = state["loss"], state["rows"], state["penalty"]
        self.metrics = {n: m for n, m in self.metrics.items() if n in state["metrics"]}
        for name, metric in self.metrics.items():
            metric.load_state_dict(state["metrics"][name])


@contextmanager
def eval_mode(model: Module) -> Iterator[None]:
    """The model in eval mode for a block, without gradients; afterwards as it was."""
    before = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with no_grad():
            yield
    finally:
        for module, training in before.items():
            module.training = training


def evaluate(
    model: Module, loss: Callable[[Any, Any], Tensor], batches: Iterable[Any], meter: Meter
) -> dict[str, float]:
    """Loss and metrics over all batches of (inputs, targets)."""
    with eval_mode(model):
        for batch in batches:
            inputs, targets = parts(batch, loss)
            outputs = model(inputs)
            value = loss(outputs, *targets).item()
            meter.add(value, outputs, targets[0], mass(inputs, targets))
    return meter.values()


def predict(model: Module, batches: Iterable[Any]) -> Array:
    """The outputs for all batches, of inputs alone or with targets, one after another.

    Raises:
        ValueError: if there is no batch.
    """
    with eval_mode(model):
        parts = [
            model(batch[0] if isinstance(batch, tuple | list) else batch).numpy()
            for batch in batches
        ]
    if not parts:
        raise ValueError("predict: expected at least one row, got none")
    return np.concatenate(parts)
