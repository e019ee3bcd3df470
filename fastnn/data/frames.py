"""Tables of pandas and polars as NumPy arrays; neither library is imported here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np

__all__ = ["column_names", "frame_to_array", "is_frame"]

Array: TypeAlias = np.ndarray[Any, Any]


def is_frame(value: Any) -> bool:
    """Tell whether `value` is a data frame, series or index of pandas or polars.

    >>> is_frame(np.zeros(3))
    False
    """
    return hasattr(value, "to_numpy") and _library(value) is not None


def column_names(table: Any) -> list[str] | None:
    """Return the columns' names of a data frame; None for whatever has no names.

    >>> column_names(np.zeros((2, 2))) is None
    True
    """
    return [str(name) for name in table.columns] if is_frame(table) and _is_2d(table) else None


def frame_to_array(table: Any) -> Array:
    """Convert a data frame (N, F) or a series (N,) of pandas or polars to an array of that shape.

    Columns of several types get the type that holds them all, by NumPy's rules. A frame of one
    NumPy type is not copied.

    Args:
        table: A frame of numeric or boolean columns, or one such column.

    Raises:
        TypeError: if a column holds something else (text, categories, dates); it is named.
        ValueError: if a nullable column misses a value (column and row are named), or if there
            are no columns. NaN in a plain floating-point column is a number like any other.

    >>> import pandas
    >>> frame_to_array(pandas.DataFrame({"a": [1, 2], "b": [0.5, 1.5]})).tolist()
    [[1.0, 0.5], [2.0, 1.5]]
    """
    if not _is_2d(table):
        return _column(table.name, table)
    columns = list(_columns(table))
    if not columns:
        raise ValueError("expected a data frame with at least one column, got none")
    dtypes = {_dtype(name, column) for name, column in columns}
    if len(dtypes) == 1 and all(isinstance(column.dtype, np.dtype) for _, column in columns):
        whole: Array = table.to_numpy()  # the frame's own memory, where that is one block
        return whole
    out = np.empty((len(table), len(columns)), np.result_type(*dtypes))
    for i, (name, column) in enumerate(columns):
        out[:, i] = _column(name, column)
    return out


def _library(value: Any) -> str | None:
    for cls in type(value).__mro__:
        name = cls.__module__.partition(".")[0]
        if name in ("pandas", "polars"):
            return name
    return None


def _is_2d(table: Any) -> bool:
    return hasattr(table, "columns")


def _columns(frame: Any) -> Iterator[tuple[Any, Any]]:
    """Name and series of each column; names may repeat."""
    if _library(frame) == "pandas":
        return iter(frame.items())
    return ((column.name, column) for column in frame.iter_columns())


def _dtype(name: Any, column: Any) -> np.dtype[Any]:
    """The NumPy type of a column's values, without converting them."""
    kind = column.dtype
    # pandas' nullable and Arrow types name theirs; a polars column of no rows shows it.
    dtype = kind if isinstance(kind, np.dtype) else getattr(kind, "numpy_dtype", None)
    if dtype is None and _library(column) == "polars":
        empty = column.head(0).to_numpy()
        dtype = empty.dtype if empty.ndim == 1 else None
    if dtype is None or dtype.kind not in "fiub":
        raise TypeError(
            f"column {str(name)!r}: expected numbers, got {kind}; encode it as numbers first "
            "(pandas.get_dummies or polars' to_dummies: one column for each category; codes 0, 1, "
            "2, ... for class labels) or leave the column out"
        )
    return np.dtype(dtype)


def _column(name: Any, column: Any) -> Array:
    dtype = _dtype(name, column)
    if isinstance(column.dtype, np.dtype):
        values: Array = column.to_numpy()
        return values
    missing = np.asarray(column.isna() if _library(column) == "pandas" else column.is_null())
    if missing.any():
        raise ValueError(
            f"column {str(name)!r}, row {int(missing.argmax())}: expected a number, got a missing "
            "value; fill missing values (fillna, fill_null) or leave their rows out (dropna, "
            "drop_nulls)"
        )
    return np.asarray(column.to_numpy(), dtype)
