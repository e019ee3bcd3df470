"""A table: columns of cells by name, and where in the file each row stood."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fastnn.tabular.cells import Cells

__all__ = ["Table"]


class Table:
    """Columns of equal length, all as text.

    Args:
        path: What to call it in errors.
        columns: The cells of each column by name.
        lines: The line of the file on which each row begins; None where there are no lines.
        rows: The number of each row in the file; by default they count from 1.

    >>> from fastnn.tabular.cells import as_cells
    >>> table = Table("data.csv", {"a": as_cells(["1", "2"])}, lines=np.array([2, 5]))
    >>> len(table), table.place("a", 1)
    (2, "data.csv: column 'a', row 2 (line 5)")
    """

    def __init__(
        self,
        path: str,
        columns: Mapping[str, Cells],
        lines: NDArray[np.int64] | None = None,
        rows: NDArray[np.int64] | None = None,
    ) -> None:
        self.path, self.columns, self.lines = path, dict(columns), lines
        self.rows = np.arange(1, 1 + len(next(iter(columns.values())))) if rows is None else rows

    def __len__(self) -> int:
        return len(self.rows)

    def place(self, name: str, row: int) -> str:
        """Say where a cell stands, for errors; `row` counts from 0, as here."""
        line = "" if self.lines is None else f" (line {self.lines[row]})"
        return f"{self.path}: column {name!r:.60}, row {self.rows[row]}{line}"

    def take(self, rows: NDArray[np.int64]) -> Table:
        """Some rows, which keep the numbers they had in the file."""
        columns = {name: cells[rows] for name, cells in self.columns.items()}
        lines = None if self.lines is None else self.lines[rows]
        return Table(self.path, columns, lines, self.rows[rows])

    def column(self, name: str) -> Cells:
        """The cells of one column.

        Raises:
            ValueError: if there is no such column.
        """
        self.require([name])
        return self.columns[name]

    def require(self, names: Sequence[str]) -> None:
        """Refuse a table that lacks one of these columns.

        Raises:
            ValueError: naming what is missing, and what comes closest to it.
        """
        missing = [name for name in names if name not in self.columns]
        if not missing:
            return
        raise ValueError(
            f"{self.path}: expected the column{'s' * (len(missing) > 1)} {_listing(missing)}, "
            f"which the file does not have; {self._hint(missing[0])}"
        )

    def _hint(self, name: str) -> str:
        from difflib import get_close_matches

        same = [other for other in self.columns if other.casefold() == name.casefold()]
        close = same or get_close_matches(name, self.columns, 3)
        if close:
            return f"did you mean {' or '.join(map(repr, close)):.200}?"
        return f"it has {_listing(list(self.columns))}"


def _listing(names: Sequence[str]) -> str:
    shown = ", ".join(f"{name!r:.60}" for name in names[:8])
    return shown + (f" and {len(names) - 8} more" if len(names) > 8 else "")
