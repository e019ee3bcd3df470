"""CSV files, read by Python's `csv` in its strict mode: nothing is guessed, cut or filled up.

Table libraries fill short rows with empty cells, and none says on which line of the file a row
stands; that is what a person needs to mend it.
"""

from __future__ import annotations

import codecs
import csv
import os
from collections.abc import Iterator
from typing import IO

import numpy as np
from numpy.typing import NDArray

from fastnn.tabular.cells import Cells, as_cells, is_missing, numbers
from fastnn.tabular.table import Table

__all__ = ["read_csv"]

_SEPARATORS = (",", ";", "\t", "|")
_BLOCK = 1 << 14  # rows at a time as Python's lists, which take ten times the memory of cells
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"),
          (codecs.BOM_UTF16_BE, "utf-16"))  # fmt: skip

Row = tuple[int, list[str]]


def read_csv(
    path: str | os.PathLike[str], separator: str | None = None, encoding: str | None = None
) -> Table:
    """Read a CSV file (RFC 4180) with a header; blank lines are left out.

    Args:
        path: The file.
        separator: One character; by default that of `, ; tab |` which cuts the header most.
        encoding: By default UTF-8, or what a byte order mark says.

    Raises:
        ValueError: for a file without a row or a header, rows of another length than the header,
            names that are there twice, broken quotes, or text in another encoding.
        OSError: if it cannot be read.
    """
    name = os.fspath(path)
    encoding = encoding or _marked(path)
    try:
        with open(path, encoding=encoding, newline="") as file:
            separator = separator or _separator(file)
            file.seek(0)
            rows = _rows(name, file, separator)
            _, header = next(rows, (0, []))
            names = _names(name, header, separator)
            blocks = list(_blocks(name, names, rows))
    except UnicodeDecodeError:
        raise ValueError(_undecodable(path, encoding)) from None
    except UnicodeError as error:  # a byte order mark is missing
        raise ValueError(f"{name}: expected {encoding} text: {error}") from None
    except LookupError:
        raise ValueError(f"{name}: no encoding is named {encoding!r:.40}") from None
    if not blocks:
        raise ValueError(f"{name}: expected rows below the header, got none")
    columns = {
        column: np.concatenate([cells[i] for _, cells in blocks]) for i, column in enumerate(names)
    }
    return Table(name, columns, np.concatenate([lines for lines, _ in blocks]))


# --- rows ---


def _rows(name: str, file: IO[str], separator: str) -> Iterator[Row]:
    """Each row that is not blank, and the line on which it begins."""
    reader = csv.reader(_lines(name, file), delimiter=separator, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise ValueError(_broken(name, line, error)) from None
        if len(row) > 1 or any(map(str.strip, row)):
            yield line, row


def _lines(name: str, file: IO[str]) -> Iterator[str]:
    for number, line in enumerate(file, start=1):
        if "\0" in line:
            raise ValueError(f"{name}: line {number}: expected text, got a NUL character")
        yield line


def _broken(name: str, line: int, error: csv.Error) -> str:
    if "unexpected end" in str(error) or "field larger" in str(error):
        return f"{name}: line {line}: a quotation mark opens in this row and is not closed"
    return (f"{name}: line {line}: something follows a quoted value; in quotes, a quotation mark "
            "is written twice")  # fmt: skip


def _blocks(
    name: str, names: list[str], rows: Iterator[Row]
) -> Iterator[tuple[NDArray[np.int64], list[Cells]]]:
    """Lines and columns of up to `_BLOCK` rows at a time."""
    lines: list[int] = []
    kept: list[list[str]] = []
    for count, (line, row) in enumerate(rows, start=1):
        if len(row) != len(names):
            raise ValueError(f"{name}: row {count} (line {line}): expected {len(names)} values, "
                             f"as many as the header has, got {len(row)}")  # fmt: skip
        lines.append(line)
        kept.append(row)
        if len(kept) == _BLOCK:
            yield np.array(lines), [as_cells(column) for column in zip(*kept, strict=True)]
            lines, kept = [], []
    if kept:
        yield np.array(lines), [as_cells(column) for column in zip(*kept, strict=True)]


# --- the header ---


def _names(path: str, header: list[str], separator: str) -> list[str]:
    names = [name.strip() for name in header]
    if not names:
        raise ValueError(f"{path}: expected a header and rows, got an empty file")
    cells = as_cells(names)
    if len(names) > 1 and not numbers(cells).text.any() and not all(map(is_missing, names)):
        raise ValueError(f"{path}: expected a header with the columns' names in the first line, "
                         f"got numbers: {separator.join(names)!r:.60}")  # fmt: skip
    first: dict[str, int] = {}
    for number, name in enumerate(names, start=1):
        if first.setdefault(name, number) != number:
            what = f"named {name!r:.60}" if name else "without a name"
            raise ValueError(
                f"{path}: expected columns of different names, got two {what}: "
                f"columns {first[name]} and {number}"
            )
    return names


def _separator(file: IO[str]) -> str:
    """The separator that cuts the header into most names; the first one if they all do as well."""
    widths = {candidate: _width(file, candidate) for candidate in _SEPARATORS}
    return max(_SEPARATORS, key=lambda candidate: widths[candidate])


def _width(file: IO[str], separator: str) -> int:
    """How many names the header has; 0 if it has one that is longer than `csv` allows."""
    file.seek(0)
    lines = (line.replace("\0", "") for line in file)
    try:
        return len(next((row for row in csv.reader(lines, delimiter=separator) if any(row)), []))
    except csv.Error:
        return 0


# --- text ---


def _marked(path: str | os.PathLike[str]) -> str:
    with open(path, "rb") as file:
        start = file.read(4)
    return next((encoding for mark, encoding in _MARKS if start.startswith(mark)), "utf-8")


def _undecodable(path: str | os.PathLike[str], encoding: str) -> str:
    """Which line it is; decoders read ahead, and do not say."""
    where = ""
    with open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode(encoding)
            except UnicodeDecodeError as error:
                where = f"line {number}: "
                what = f"the byte {line[error.start]:#04x}"
                break
        else:
            what = "something else"
    hint = "" if encoding not in ("utf-8", "utf-8-sig") else (
        "; if a spreadsheet wrote the file, try --encoding cp1252 (or latin-1)")  # fmt: skip
    return f"{os.fspath(path)}: {where}expected {encoding} text, got {what}{hint}"
