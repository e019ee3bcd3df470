"""The rows that an estimator learns from: inputs, targets, weights."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from fastnn.autograd import Array

__all__ = ["Rows", "checked_weights", "split"]


class Rows(NamedTuple):
    """Some rows.

    Attributes:
        X: Inputs `(n, features)`.
        y: Targets, as the loss takes them.
        weight: How much each counts, `(n,)`; None for all the same.
    """

    X: Array
    y: Array
    weight: Array | None = None

    def take(self, index: Array) -> Rows:
        """The rows at these places."""
        return Rows(self.X[index], self.y[index],
                    None if self.weight is None else self.weight[index])  # fmt: skip

    def that_count(self) -> Rows:
        """Those whose weight is not zero: the others are as if they were not there."""
        if self.weight is None or self.weight.all():
            return self
        return self.take(np.flatnonzero(self.weight))

    def data(self) -> tuple[Array, ...]:
        """As `fastnn.Trainer` takes them."""
        return (self.X, self.y) if self.weight is None else (self.X, self.y, self.weight)

    def mass(self) -> float:
        """How many rows they stand for: their weights summed."""
        return float(len(self.X) if self.weight is None else self.weight.sum(dtype=np.float64))


def checked_weights(who: str, weight: Any, X: Array) -> Array | None:
    """Weights of rows in the type of X; one number stands for all rows.

    Raises:
        ValueError: if their shape does not fit, one is negative or not finite, or all are zero.

    >>> checked_weights("fit", [1, 2], np.zeros((2, 3)))
    array([1., 2.])
    """
    if weight is None:
        return None
    try:
        given = np.asarray(weight, X.dtype)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{who}: expected numbers as sample_weight: {error}") from None
    if given.ndim == 0:
        given = np.full(len(X), given)
    if given.shape != (len(X),):
        raise ValueError(
            f"{who}: expected a sample_weight for each of {len(X)} rows, of shape ({len(X)},), "
            f"got shape {given.shape}"
        )
    bad = ~((given >= 0) & (given < np.inf))
    if bad.any():
        row = int(bad.argmax())
        raise ValueError(f"{who}: expected finite sample_weight >= 0, got {given[row]} in row "
                         f"{row}")  # fmt: skip
    if not given.any():
        raise ValueError(f"{who}: expected a sample_weight above zero, got zeros alone")
    return given


def split(
    who: str, rows: Rows, fraction: float, rng: np.random.RandomState, classes: Array | None
) -> tuple[Rows, Rows]:
    """Rows to learn from, and a share of them to watch.

    Args:
        who: For errors.
        rows: All of them.
        fraction: The share to watch, rounded up to whole rows.
        rng: Decides which.
        classes: Labels `(n,)` that both parts shall have in the same proportions, where each class
            has two rows and each part room for all classes; None where there are none.

    Raises:
        ValueError: if a part has too few rows.
    """
    from sklearn.model_selection import train_test_split

    n = len(rows.X)
    watched = math.ceil(fraction * n)
    if watched < 2 or watched >= n:
        raise ValueError(
            f"{who}: the validation part would have {watched} of {n} rows, and needs at least 2; "
            "increase validation_fraction, or pass X_val and y_val"
        )
    if classes is not None:
        counts = np.unique(classes, return_counts=True)[1]
        if counts.min() < 2 or len(counts) > min(watched, n - watched):
            classes = None
    learned, held = train_test_split(
        np.arange(n), test_size=watched, random_state=rng, stratify=classes
    )
    return rows.take(learned), rows.take(held)
