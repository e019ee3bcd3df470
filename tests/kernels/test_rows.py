"""Rows summed and rows gathered, exact: ISA x dtype x threads x place."""

from typing import Any

import numpy as np
from kernel_support import OFFSETS, assert_near
from support import awkward_sizes, empty, place

from fastnn import _core


def test_column_sum(isa: str, dtype: Any, team: int) -> None:
    rng = np.random.default_rng(0)
    for cols in awkward_sizes(dtype, large=False):
        for rows in (0, 1, 2, 37, 513):
            for offset in OFFSETS:
                whole = place(rng.integers(-4, 5, (rows, cols)).astype(dtype), offset)
                total = empty(cols, dtype, offset)
                _core.column_sum(total, whole)
                np.testing.assert_array_equal(total, whole.sum(axis=0))  # exact: integers
    x = rng.standard_normal((10007, 19)).astype(dtype)
    total = empty(19, dtype)
    _core.column_sum(total, x)
    exact = x.astype(np.longdouble).sum(axis=0)
    assert_near(total, exact, abs(x).sum(axis=0, dtype=np.float64), 8 * np.sqrt(10007))


def test_gather_rows(isa: str, team: int) -> None:
    rng = np.random.default_rng(0)
    for cols in awkward_sizes(np.float32, large=False):
        for count in (0, 1, 7, 100):
            source = rng.integers(0, 256, (50, cols), dtype=np.uint8)
            index = rng.integers(0, 50, count)
            for divisor in (255.0, 1.0, 3.0):
                rows = _core.gather_rows(source, index, divisor)
                expected = source[index].astype(np.float32) / np.float32(divisor)
                assert rows.dtype == np.float32
                np.testing.assert_array_equal(rows, expected)
