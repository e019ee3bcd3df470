"""The columns that a network sees: each kind says what it learns of a column and how it encodes it.

A feature is made by `fit` from the training rows, and is JSON in the model file (`dataclasses`'
fields). `encode` gives its columns of the network's input: shape (N, width), not yet scaled.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastnn.tabular.cells import keys, numbers
from fastnn.tabular.table import Table

__all__ = ["Categorical", "Feature", "Numeric", "bounded_numbers", "encode"]

Floats: TypeAlias = NDArray[np.float64]

_LARGEST = 1e100
MOST_CATEGORIES = 50  # of a column; rarer ones are told from these only by being none of them


@dataclass(frozen=True)
class Numeric:
    """A column of numbers; where one is missing, the median stands in.

    Attributes:
        name: Of the column.
        fill: The median of the training rows.
        indicator: Whether a second column tells the missing ones: 1 for missing, else 0. There is
            one if a number was missing in the training rows.
    """

    name: str
    fill: float
    indicator: bool

    kind = "numeric"

    @property
    def width(self) -> int:
        return 1 + self.indicator

    @classmethod
    def fit(cls, table: Table, name: str) -> Self:
        values = bounded_numbers(table, name)
        missing = np.isnan(values)
        fill = 0.0 if missing.all() else float(np.median(values[~missing]))
        return cls(name, fill, bool(missing.any()))

    def describe(self) -> str:
        """What it is, for people."""
        return f"number{', some missing' if self.indicator else ''} (median {self.fill:.5g})"

    def encode(self, table: Table) -> Floats:
        values = bounded_numbers(table, self.name)
        missing = np.isnan(values)
        columns = [np.where(missing, self.fill, values), missing.astype(np.float64)]
        return np.stack(columns[: self.width], axis=1)


@dataclass(frozen=True)
class Categorical:
    """A column of names: one column of zeros and ones for each.

    Of two categories, only the first has a column. A missing value is a category like any other.
    What was not seen in the training rows is none of them: all zeros.

    Attributes:
        name: Of the column.
        categories: The most frequent ones first; "" stands for a missing value.
    """

    name: str
    categories: tuple[str, ...]

    kind = "categorical"

    @property
    def width(self) -> int:
        return 1 if len(self.categories) == 2 else len(self.categories)

    @classmethod
    def fit(cls, table: Table, name: str) -> Self:
        counts = Counter(keys(table.column(name)))
        ordered = sorted(counts, key=lambda name: (-counts[name], name))
        return cls(name, tuple(ordered[:MOST_CATEGORIES]))

    def describe(self) -> str:
        """What it is, for people."""
        names = [name or "(missing)" for name in self.categories[:8]]
        more = ", ..." if len(self.categories) > 8 else ""
        return f"{len(self.categories)} categories ({', '.join(names)}{more})"

    def encode(self, table: Table) -> Floats:
        out = np.zeros((len(table), self.width))
        column = {category: i for i, category in enumerate(self.categories[: self.width])}
        places = [column.get(found, -1) for found in keys(table.column(self.name))]
        rows = np.flatnonzero(np.array(places) >= 0)
        out[rows, np.array(places)[rows]] = 1.0
        return out

    def unseen(self, table: Table) -> NDArray[np.int64]:
        """The rows whose category was not among those of the training rows."""
        known = {*self.categories, ""}
        new = [found not in known for found in keys(table.column(self.name))]
        return np.flatnonzero(np.array(new))


Feature: TypeAlias = Numeric | Categorical


def encode(features: tuple[Feature, ...], table: Table) -> Floats:
    """The network's input, not yet scaled: shape (N, sum of widths).

    Raises:
        ValueError: if a column is missing, or a cell holds something else than a number
            where numbers were in the training rows; column and row are named.
    """
    table.require([feature.name for feature in features])
    return np.concatenate([feature.encode(table) for feature in features], axis=1)


def bounded_numbers(table: Table, name: str) -> Floats:
    """A column as numbers, NaN where they are missing.

    Raises:
        ValueError: if a cell holds something else, or a number beyond what can be added up and
            squared; column and row are named.
    """
    read = numbers(table.column(name))
    bad = read.text | (np.abs(read.values) > _LARGEST)
    if bad.any():
        row = int(bad.argmax())
        cell = table.columns[name][row]
        limit = "a number" if read.text[row] else f"a number of at most {_LARGEST:g}"
        hint = "; write 1.5, not 1,5" if "," in cell else ""
        raise ValueError(f"{table.place(name, row)}: expected {limit}, got {cell!r:.60}{hint}")
    return read.values
