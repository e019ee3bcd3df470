"""`History`: what a training measured."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["History"]


class History:
    """What a training measured: one value an epoch in each list.

    Attributes:
        loss: Mean training loss over the epoch's rows, as the weights changed.
        val_loss: Mean loss on the validation part, empty without one.
        metrics: Lists by name: "accuracy" and, with a validation part, "val_accuracy".
        lr: Learning rate of the epoch's last step (of the first parameter group).
        seconds: Duration of the epoch, validation included.

    >>> history = History()
    >>> history.add({"loss": 0.5, "accuracy": 0.75}, lr=0.1, seconds=2.0)
    >>> history
    History(1 epochs, loss 0.5000)
    >>> history.to_dict()
    {'loss': [0.5], 'accuracy': [0.75], 'lr': [0.1], 'seconds': [2.0]}
    """

    def __init__(self) -> None:
        self.loss: list[float] = []
        self.val_loss: list[float] = []
        self.metrics: dict[str, list[float]] = {}
        self.lr: list[float] = []
        self.seconds: list[float] = []

    def __len__(self) -> int:
        return len(self.loss)

    def __repr__(self) -> str:
        last = f", loss {self.loss[-1]:.4f}" if self.loss else ""
        return f"History({len(self)} epochs{last})"

    def add(self, logs: Mapping[str, float], lr: float, seconds: float) -> None:
        """Append one epoch: "loss", "val_loss", and metrics under any other name."""
        self.loss.append(logs["loss"])
        self.lr.append(lr)
        self.seconds.append(seconds)
        for name, value in logs.items():
            if name == "val_loss":
                self.val_loss.append(value)
            elif name not in ("loss", "lr"):
                self.metrics.setdefault(name, []).append(value)

    def to_dict(self) -> dict[str, list[float]]:
        """Every list by name, as `json.dump` and `pandas.DataFrame` take them."""
        lists: dict[str, Any] = {"loss": self.loss, "val_loss": self.val_loss, **self.metrics,
                                 "lr": self.lr, "seconds": self.seconds}  # fmt: skip
        return {name: list(values) for name, values in lists.items() if values}

    def plot(self, path: str | os.PathLike[str] | None = None) -> Figure:
        """Draw the curves of loss and metrics; see `fastnn.plot.history`.

        Args:
            path: Where to write the picture; its suffix says which kind (.png, .svg, .pdf).

        Raises:
            ImportError: without matplotlib, which `pip install 'fastnn[plot]'` brings.
            ValueError: if there is no epoch to draw.
        """
        from fastnn import plot

        return plot.history(self, path)
