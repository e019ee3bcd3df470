"""Tables from files: CSV with Python's own reader, Parquet with polars or pandas."""

from __future__ import annotations

import os
from pathlib import Path

from fastnn.tabular.reading.parquet import read_parquet
from fastnn.tabular.reading.separated import read_csv
from fastnn.tabular.table import Table

__all__ = ["read_csv", "read_parquet", "read_table"]


def read_table(
    path: str | os.PathLike[str], separator: str | None = None, encoding: str | None = None
) -> Table:
    """Read a file, which its first bytes tell to be Parquet or CSV.

    Args:
        path: The file.
        separator: Of a CSV's values: one character; by default the header tells.
        encoding: Of a CSV's text; by default UTF-8, or what a byte order mark says.

    Raises:
        ValueError: if it is not such a table; row, line and column are named.
        ImportError: for Parquet, if neither polars nor pandas is installed.
        OSError: if it cannot be read.
    """
    if Path(path).is_dir():
        raise IsADirectoryError(f"{path}: expected a file, got a folder")
    with open(path, "rb") as file:
        start = file.read(8)
    if start.startswith(b"PAR1"):
        return read_parquet(path)
    if start.startswith(b"PK\x03\x04") or start == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        raise ValueError(f"{path}: expected CSV or Parquet, got a workbook or an archive; "
                         "save the sheet as CSV")  # fmt: skip
    return read_csv(path, separator, encoding)
