"""What each column of a table is: numbers, categories, or nothing to learn from."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from fastnn.tabular.cells import Numbers, keys, numbers
from fastnn.tabular.features import Categorical, Feature, Numeric, bounded_numbers
from fastnn.tabular.table import Table

__all__ = ["Kinds", "choose_kinds"]

_COUNTERS = {"", "id", "index", "row", "rownames", "unnamed: 0"}
_FEW = 20  # values that even a small table may repeat

Make = Callable[[Table, str], Feature]


@dataclass(frozen=True)
class Kinds:
    """What the columns beside the target are.

    Attributes:
        makers: How to make each column's feature from the training rows.
        ignored: Why each other column is left out.
    """

    makers: dict[str, Make]
    ignored: dict[str, str]

    def fit(self, table: Table) -> tuple[Feature, ...]:
        """The features, from the training rows."""
        return tuple(make(table, name) for name, make in self.makers.items())


def choose_kinds(
    table: Table,
    target: str,
    numeric: Collection[str] = (),
    categorical: Collection[str] = (),
    ignore: Collection[str] = (),
) -> Kinds:
    """Look at all columns of a table.

    A column whose cells are all numbers, or missing, is numeric; any other one is categorical.
    Left out is what cannot help: a column that is the same in all rows, that numbers or names
    the rows, or that is empty.

    Args:
        table: All rows there are.
        target: The column to predict, which is no feature.
        numeric: Columns that are numbers, whatever they look like.
        categorical: Columns that are categories.
        ignore: Columns to leave out.

    Raises:
        ValueError: if a column is asked for that there is not, or twice; if a column of numbers
            has other cells here and there; if no column is left.
    """
    asked = [target, *numeric, *categorical, *ignore]
    table.require(asked)
    if len(set(asked)) < len(asked):
        twice = next(name for name in asked if asked.count(name) > 1)
        raise ValueError(f"expected each column to be asked for once, as the target, numeric, "
                         f"categorical or ignored, got {twice!r:.60} twice")  # fmt: skip
    makers: dict[str, Make] = {}
    ignored = dict.fromkeys(ignore, "left out as asked")
    for name in (name for name in table.columns if name != target):
        if name in numeric:
            makers[name] = Numeric.fit
        elif name in categorical:
            makers[name] = Categorical.fit
        elif name not in ignored:
            kind = _kind(table, name)
            if isinstance(kind, str):
                ignored[name] = kind
            else:
                makers[name] = kind
        if makers.get(name) == Numeric.fit:
            bounded_numbers(table, name)  # so that an error names the first row there is
    if not makers:
        why = "; ".join(f"{name!r:.60}: {reason}" for name, reason in list(ignored.items())[:5])
        raise ValueError(f"{table.path}: expected a column to learn from beside the target, "
                         f"got {why or 'none'}")  # fmt: skip
    return Kinds(makers, ignored)


def _kind(table: Table, name: str) -> Make | str:
    """How to make the feature, or why there is none."""
    read = numbers(table.column(name))
    if read.missing.all():
        return "it is empty"
    if not read.text.any():
        return _of_numbers(name, read)
    _refuse_stray_text(table, name, read)
    distinct = len(set(keys(table.column(name))))
    if distinct == 1:
        return "it is the same in all rows"
    if distinct > max(_FEW, len(table) / 2):
        return f"it names the rows: {distinct} different values in {len(table)} rows"
    return Categorical.fit


def _of_numbers(name: str, read: Numbers) -> Make | str:
    present = read.values[~read.missing]
    if not read.missing.any() and present.min() == present.max():
        return "it is the same in all rows"
    whole = np.isfinite(present).all() and np.array_equal(present, np.round(present))
    if name.lower() in _COUNTERS and whole and len(np.unique(present)) == len(read.values) > 2:
        return "it numbers the rows"
    return Numeric.fit


def _refuse_stray_text(table: Table, name: str, read: Numbers) -> None:
    """A column of many different numbers is no list of categories for a few cells of text."""
    given = read.values[~read.missing & ~read.text]
    if len(given) <= read.text.sum() or len(np.unique(given)) <= max(5, min(_FEW, len(given) / 2)):
        return
    row = int(read.text.argmax())
    cell = table.columns[name][row]
    hint = "write 1.5, not 1,5; " if "," in cell else ""
    raise ValueError(
        f"{table.place(name, row)}: expected a number, as in {len(given)} other rows, got "
        f"{cell!r:.60}; {hint}leave a cell empty where there is no value, or pass "
        f"--categorical {name!r:.60}"
    )
