"""The column to predict: classes by name, or a quantity."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastnn.data import Standardize
from fastnn.options import one_of
from fastnn.tabular.cells import as_cells, is_missing, key, keys, numbers
from fastnn.tabular.features import bounded_numbers
from fastnn.tabular.table import Table

__all__ = ["Classes", "Quantity", "Target", "choose_target", "rows_with"]

_MOST_CLASSES = 20  # that whole numbers stand for; more of them are taken for a quantity
_ROWS_A_CLASS = 5  # on average; where there are fewer, numbers are taken for a quantity


@dataclass(frozen=True)
class Classes:
    """A target that is one of some names.

    Attributes:
        name: Of the column.
        labels: The classes as the file writes them, sorted; outputs of a network in this order.
    """

    name: str
    labels: tuple[str, ...]

    task = "classification"

    @classmethod
    def fit(cls, table: Table, name: str) -> Self:
        """Learn the classes from all rows.

        Raises:
            ValueError: if there is only one, or nearly as many as rows.
        """
        written: dict[str, Counter[str]] = {}
        cells = table.column(name)
        for name_, cell in zip(keys(cells), cells.tolist(), strict=True):
            written.setdefault(name_, Counter())[cell] += 1
        if len(written) == 1:
            raise ValueError(f"{table.path}: column {name!r:.60}: expected at least two classes, "
                             f"got only {next(iter(written))!r:.60}")  # fmt: skip
        if len(written) > max(2, len(table) / 2):
            raise ValueError(
                f"{table.path}: column {name!r:.60}: expected classes that repeat, got "
                f"{len(written)} different values in {len(table)} rows"
            )
        ordered = sorted(written, key=_order)
        return cls(name, tuple(written[name_].most_common(1)[0][0] for name_ in ordered))

    def describe(self) -> str:
        """What it is, for people."""
        shown = ", ".join(self.labels[:10]) + (", ..." if len(self.labels) > 10 else "")
        return f"classification with {len(self.labels)} classes ({shown})"

    def read(self, table: Table) -> NDArray[np.int64]:
        """The class of each row, counted from 0: shape (N,).

        Raises:
            ValueError: for a class that there was not in training; column and row are named.
        """
        known = {key(label): i for i, label in enumerate(self.labels)}
        found = keys(table.column(self.name))
        codes = np.array([known.get(name, -1) for name in found], np.int64)
        if (codes < 0).any():
            row = int((codes < 0).argmax())
            shown = ", ".join(f"{label!r:.30}" for label in self.labels[:8])
            more = ", ..." if len(self.labels) > 8 else ""
            raise ValueError(f"{table.place(self.name, row)}: expected a class among {shown}{more}"
                             f", got {table.columns[self.name][row]!r:.60}")  # fmt: skip
        return codes


@dataclass(frozen=True)
class Quantity:
    """A target that is a number; networks learn it with mean 0 and standard deviation 1.

    Attributes:
        name: Of the column.
        mean: Of the training rows.
        std: Of the training rows.
    """

    name: str
    mean: float
    std: float

    task = "regression"

    @classmethod
    def fit(cls, table: Table, name: str) -> Self:
        """Learn mean and standard deviation from the training rows.

        Raises:
            ValueError: if all are equal, or a cell is no number.
        """
        scaler = Standardize().fit(bounded_numbers(table, name))
        if not scaler.std.item():
            raise ValueError(f"{table.path}: column {name!r:.60}: expected numbers that differ, "
                             f"got only {scaler.mean.item():g}")  # fmt: skip
        return cls(name, scaler.mean.item(), scaler.std.item())

    def describe(self) -> str:
        """What it is, for people."""
        return f"regression (mean {self.mean:.5g}, standard deviation {self.std:.5g})"

    def read(self, table: Table) -> NDArray[np.float64]:
        """The quantity of each row, as the file has it: shape (N,)."""
        return bounded_numbers(table, self.name)


Target: TypeAlias = Classes | Quantity


def rows_with(table: Table, name: str) -> NDArray[np.int64]:
    """The rows in which the target is not missing.

    Raises:
        ValueError: if the table has no such column, or nothing in it.
    """
    table.require([name])
    present = np.array([not is_missing(cell) for cell in table.column(name).tolist()])
    if not present.any():
        raise ValueError(f"{table.path}: column {name!r:.60}: expected values to learn, got an "
                         "empty column")  # fmt: skip
    return np.flatnonzero(present)


def choose_target(table: Table, name: str, task: str = "auto") -> type[Classes] | type[Quantity]:
    """Decide between classification and regression.

    Text is classes. Numbers are classes if they are whole, at most 20 different ones, and each
    stands in at least 5 rows on average; else a quantity.

    Args:
        table: All rows that have a target.
        name: The target's column.
        task: "classification" or "regression" where one knows better.

    Raises:
        ValueError: for regression on text, and for numbers with text here and there; column and
            row are named.
    """
    one_of("train", "task", task, "auto", "classification", "regression")
    if task != "auto":
        return Classes if task == "classification" else Quantity
    read = numbers(table.column(name))
    if read.text.sum() > len(table) / 2:
        return Classes
    if read.text.any():
        few = len(set(keys(table.column(name)))) <= _MOST_CLASSES
        return Classes if few else Quantity  # which names the cell that is no number
    distinct = np.unique(read.values)
    classes = (
        len(distinct) <= min(_MOST_CLASSES, len(table) / _ROWS_A_CLASS)
        and np.isfinite(distinct).all()
        and np.array_equal(distinct, np.round(distinct))
    )
    return Classes if classes else Quantity


def _order(key: str) -> tuple[bool, float, str]:
    """Numbers by size, then names by alphabet."""
    [value] = numbers(as_cells([key])).values.tolist()
    return (True, 0.0, key) if math.isnan(value) else (False, value, key)
