"""Parquet files, read by polars or pandas, whichever is there."""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from fastnn.tabular.cells import as_cells
from fastnn.tabular.table import Table

__all__ = ["from_frame", "read_parquet"]


def read_parquet(path: str | os.PathLike[str]) -> Table:
    """Read a Parquet file.

    Raises:
        ImportError: if neither polars nor pandas is installed.
        ValueError: if it is damaged, has no rows, or columns of one name.
        OSError: if it cannot be read.
    """
    name = os.fspath(path)
    frame = _frame(name)
    if not len(frame):
        raise ValueError(f"{name}: expected rows, got none")
    return from_frame(name, frame)


def from_frame(name: str, frame: Any) -> Table:
    """The columns of a data frame of polars or pandas as text; nulls as empty cells.

    Raises:
        ValueError: if two columns have one name.

    >>> import polars
    >>> from_frame("frame", polars.DataFrame({"a": [0.5, None]})).columns["a"].tolist()
    ['0.5', '']
    """
    names = [str(column).strip() for column in frame.columns]
    if len(set(names)) < len(names):
        twice = next(column for column in names if names.count(column) > 1)
        raise ValueError(f"{name}: expected columns of different names, got two named {twice!r}")
    columns = (frame[column].to_list() for column in frame.columns)
    return Table(name, {key: as_cells(map(_text, values)) for key, values
                        in zip(names, columns, strict=True)})  # fmt: skip


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _frame(name: str) -> Any:
    library = next((lib for lib in ("polars", "pandas") if find_spec(lib)), None)
    if library is None:
        raise ImportError(f"{name}: reading Parquet needs polars or pandas, and neither is "
                          "installed; pip install 'fastnn[tabular]'")  # fmt: skip
    read = import_module(library).read_parquet
    try:
        with open(name, "rb") as file:  # its name may look like a pattern or an address
            return read(file)
    except (ImportError, OSError, MemoryError):
        raise
    except Exception as error:  # of their own classes, which are no ValueErrors
        text = str(error).partition("\n")[0]
        raise ValueError(f"{name}: expected a whole Parquet file: {text:.200}") from None
