"""What a classifier takes for what: counts of right and wrong answers, class by class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.autograd import Array
from fastnn.tensor import Tensor, as_array

__all__ = ["Confusion"]

Counts = NDArray[np.int64]


class Confusion:
    """Right and wrong answers of a classifier.

    Nothing of the size classes x classes is kept: there may be thousands of classes.

    Args:
        targets: The true classes, (N,): whole numbers, or names; or rows (N, C) of one-hot or
            soft labels, whose largest one counts.
        predicted: The classes that were predicted, in the same form, or outputs (N, C) such as
            logits, whose largest one counts.
        names: Of the classes 0, 1, 2, ...; by default each is named by what it is.

    Attributes:
        names: Of the classes.
        targets, predicted: The classes of the rows as numbers, (N,).
        support: Rows of each class, (C,).
        guesses: How often each was predicted.
        right: How often rightly.

    Raises:
        ValueError: for other shapes, no rows, or a name that is not among the names.
        IndexError: for a class beyond the names.
        TypeError: for classes that are neither whole numbers nor names.

    >>> seen = Confusion(["cat", "dog", "dog"], ["cat", "cat", "dog"])
    >>> seen.names, seen.matrix().tolist()
    (['cat', 'dog'], [[1, 0], [1, 1]])
    >>> seen.recall.tolist(), seen.precision.tolist(), round(seen.accuracy, 3)
    ([1.0, 0.5], [0.5, 1.0], 0.667)
    """

    def __init__(self, targets: Any, predicted: Any, names: Sequence[object] | None = None) -> None:
        answers = {"targets": _classes("targets", targets),
                   "predicted": _classes("predicted", predicted)}  # fmt: skip
        _check_rows(**answers)
        width = max(_width(targets), _width(predicted))
        if names is None and not width:
            classes = _union(**answers)
            self.names = [str(name) for name in classes]
            codes = [np.searchsorted(classes, a).astype(np.int64) for a in answers.values()]
        else:
            self.names = [str(name) for name in (range(width) if names is None else names)]
            if width > len(self.names):
                raise ValueError(f"confusion: expected names of {width} classes, "
                                 f"got {len(self.names)}")  # fmt: skip
            codes = [_numbered(who, a, self.names) for who, a in answers.items()]
        self.targets, self.predicted = codes
        hit = self.targets[self.targets == self.predicted]
        self.support, self.guesses, self.right = (
            np.bincount(part, minlength=len(self.names))
            for part in (self.targets, self.predicted, hit)
        )

    @property
    def accuracy(self) -> float:
        """Share of the rows that are right."""
        return float(self.right.sum() / len(self.targets))

    @property
    def recall(self) -> NDArray[np.float64]:
        """Share of each class's rows that are found; NaN for a class without rows."""
        return _shares(self.right, self.support)

    @property
    def precision(self) -> NDArray[np.float64]:
        """Share of each class's predictions that are right; NaN for one never predicted."""
        return _shares(self.right, self.guesses)

    @property
    def f1(self) -> NDArray[np.float64]:
        """Harmonic mean of precision and recall: 2 right / (support + guesses)."""
        return _shares(2 * self.right, self.support + self.guesses)

    def matrix(self, classes: Sequence[int] | Counts | None = None) -> Counts:
        """Counts (K, K): a row for each true class, a column for each predicted one.

        Args:
            classes: Numbers of the K classes to count; by default all of them.
        """
        chosen = np.arange(len(self.names)) if classes is None else np.asarray(classes)
        place = np.full(len(self.names), -1)
        place[chosen] = np.arange(len(chosen))
        rows, columns = place[self.targets], place[self.predicted]
        among = (rows >= 0) & (columns >= 0)
        flat = rows[among] * len(chosen) + columns[among]
        return np.bincount(flat, minlength=len(chosen) ** 2).reshape(len(chosen), len(chosen))

    def hardest(self, k: int) -> Counts:
        """Numbers of the k classes with most mistakes, missed or wrongly given, in class order."""
        mistakes = self.support + self.guesses - 2 * self.right
        return np.sort(np.argsort(-mistakes, kind="stable")[:k])


def _shares(part: Counts, whole: Counts) -> NDArray[np.float64]:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)


def _classes(who: str, values: Any) -> Array:
    """Classes (N,) as whole numbers or as text."""
    text = not isinstance(values, Tensor) and np.asarray(values).dtype.kind in "OUS"
    array = np.asarray(values).astype(str) if text else as_array(values)
    if array.ndim == 2 and array.shape[1] > 1 and not text:
        bad = ~np.isfinite(array).all(1)
        if bad.any():
            raise ValueError(f"confusion: expected finite {who}, got NaN or infinity in row "
                             f"{int(bad.argmax())}")  # fmt: skip
        largest: Counts = array.argmax(1)
        return largest
    if array.ndim != 1:
        raise ValueError(f"confusion: expected {who} as classes (N,), or as rows (N, C) of at "
                         f"least two classes, got shape {array.shape}")  # fmt: skip
    if array.dtype.kind == "f" and array.size:  # an empty list is of floats
        raise TypeError(f"confusion: expected {who} as whole numbers or names of classes, got "
                        f"{array.dtype}; write .astype(int) if they are classes")  # fmt: skip
    return array if text else array.astype(np.int64)


def _width(values: Any) -> int:
    """How many classes rows of outputs tell of, 0 for classes themselves."""
    shape = np.shape(values)
    return int(shape[1]) if len(shape) == 2 else 0


def _check_rows(targets: Array, predicted: Array) -> None:
    if len(targets) != len(predicted) or not len(targets):
        raise ValueError(f"confusion: expected as many predictions as targets, at least one, got "
                         f"{len(predicted)} for {len(targets)}")  # fmt: skip


def _union(targets: Array, predicted: Array) -> Array:
    """The classes that occur, in order."""
    if targets.dtype.kind != predicted.dtype.kind:
        raise ValueError("confusion: expected targets and predictions both as numbers or both as "
                         "names, got one of each; pass names=[...]")  # fmt: skip
    return np.unique(np.concatenate([targets, predicted]))


def _numbered(who: str, classes: Array, names: list[str]) -> Counts:
    """Classes as places among the names."""
    if classes.dtype.kind == "U":
        place = {name: i for i, name in enumerate(names)}
        unknown = sorted(set(classes.tolist()) - place.keys())
        if unknown:
            raise ValueError(f"confusion: expected {who} among the {len(names)} names, "
                             f"got {unknown[0]!r}")  # fmt: skip
        return np.array([place[name] for name in classes.tolist()], np.int64)
    bad = (classes < 0) | (classes >= len(names))
    if bad.any():
        raise IndexError(f"confusion: expected {who} from 0 to {len(names) - 1}, got "
                         f"{classes[bad][0]} in row {int(bad.argmax())}")  # fmt: skip
    return classes
