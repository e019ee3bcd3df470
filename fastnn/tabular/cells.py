"""Cells of a table: text, that says a number, a name, or nothing.

One rule for all files, whoever wrote them: what a library guesses of a column's type changes with
the library, its version, and the rows it looks at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.dtypes import StringDType
from numpy.typing import NDArray

__all__ = ["Cells", "Numbers", "as_cells", "is_missing", "key", "keys", "numbers"]

Cells: TypeAlias = NDArray[Any]  # of StringDType

_MISSING = {"", "?", "na", "n/a", "#n/a", "<na>", "nan", "-nan", "nat", "null"}
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_INFINITE = re.compile(r"([+-]?)inf(?:inity)?", re.IGNORECASE | re.ASCII)


class Numbers(NamedTuple):
    """What a column of cells holds.

    Attributes:
        values: Shape (N,), float64; NaN where a cell says no number, infinite where it says so or
            the number is too large.
        missing: Shape (N,): cells that say nothing.
        text: Shape (N,): cells that say something else.
    """

    values: NDArray[np.float64]
    missing: NDArray[np.bool_]
    text: NDArray[np.bool_]


def as_cells(texts: Iterable[str]) -> Cells:
    """Cells of some texts, without the blanks around them.

    >>> as_cells([" 1.5", "a b "]).tolist()
    ['1.5', 'a b']
    """
    return np.strings.strip(np.array(list(texts), StringDType()))


def is_missing(cell: str) -> bool:
    """Whether a cell says that there is no value.

    >>> [is_missing(cell) for cell in ("", "NA", "NaN", "?", "0", "none")]
    [True, True, True, True, False, False]
    """
    return cell.lower() in _MISSING


def numbers(cells: Cells) -> Numbers:
    """Read the cells of a column as decimal numbers.

    Python would also read "1_000" and digits of other scripts; those are text here.

    >>> numbers(as_cells(["1.5", "", "x", "-1e400"])).values.tolist()
    [1.5, nan, nan, -inf]
    """
    texts = cells.tolist()
    missing = np.array([is_missing(text) for text in texts], np.bool_)
    plain = [_plain(text) for text in texts]
    text = np.array([number is None for number in plain], np.bool_) & ~missing
    with np.errstate(over="ignore"):  # infinite values say it; of 330 digits NumPy warned
        values = np.array([number or "nan" for number in plain], StringDType()).astype(np.float64)
    return Numbers(values, missing, text)


def key(cell: str) -> str:
    """The name that a cell goes by: a number is the same one however it is written.

    >>> [key(cell) for cell in ("1.0", "01", "1e-3", "red", "NA")]
    ['1', '1', '0.001', 'red', '']
    """
    if is_missing(cell):
        return ""
    if not _NUMBER.fullmatch(cell):
        return cell
    number = float(cell)
    return str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)


def keys(cells: Cells) -> list[str]:
    """The key of each cell.

    >>> keys(as_cells(["1.0", "1", ""]))
    ['1', '1', '']
    """
    texts = cells.tolist()
    known = {text: key(text) for text in set(texts)}
    return [known[text] for text in texts]


def _plain(text: str) -> str | None:
    if _NUMBER.fullmatch(text):
        return text
    infinite = _INFINITE.fullmatch(text)
    return f"{infinite[1]}inf" if infinite else None
