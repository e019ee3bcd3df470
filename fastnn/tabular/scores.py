"""What predictions are worth, in the words of each task."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn import nn
from fastnn.metrics import METRICS
from fastnn.tabular.target import Classes, Target

__all__ = ["score", "trivial"]

Array = NDArray[Any]


def score(target: Target, outputs: Array, truth: Array) -> dict[str, float]:
    """Measure predictions: accuracy and mean cross-entropy, or errors in the target's unit.

    Args:
        target: What is predicted.
        outputs: Logits (N, classes), or the quantity (N,).
        truth: Classes (N,) counted from 0, or the quantity (N,).

    >>> from fastnn.tabular.target import Quantity
    >>> score(Quantity("y", 0.0, 1.0), np.array([1.0, 3.0]), np.array([1.0, 2.0]))["mae"]
    0.5
    """
    if isinstance(target, Classes):
        loss = nn.functional.cross_entropy(outputs.astype(np.float64), truth).item()
        return {**_measure(("accuracy",), outputs, truth), "loss": loss}
    return _measure(("rmse", "mae", "r2"), outputs, truth)


def trivial(target: Target, train: Array, rows: int) -> Array:
    """Outputs that ignore the features: the classes' frequencies, or the mean.

    Args:
        target: What is predicted.
        train: Classes or quantity of the training rows.
        rows: How many predictions to make.
    """
    if isinstance(target, Classes):
        counts = np.bincount(train, minlength=len(target.labels))
        best: Array = np.log(np.maximum(counts, 0.5))  # a class may have no training row
    else:
        best = train.mean()
    return np.repeat(best[None], rows, axis=0)


def _measure(names: tuple[str, ...], outputs: Array, truth: Array) -> dict[str, float]:
    measured = {}
    for name in names:
        metric = METRICS[name](None)()
        metric.add(outputs, truth)
        measured[name] = metric.value()
    return measured
