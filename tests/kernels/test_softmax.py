"""Softmax and its logarithm, against float64 formulas: ISA x dtype x threads x place."""

from typing import Any

import numpy as np
import pytest
from kernel_support import OFFSETS, assert_near, draws
from support import bits, empty, force_threads, place
from tables.activations import log_softmax, softmax

from fastnn import _core

SOFTMAX_SHAPES = [(0, 3), (3, 0), (1, 1), (5, 2), (5, 10), (3, 15), (3, 16), (3, 17), (7, 67),
                  (2, 1000), (129, 3)]  # fmt: skip
each_softmax = pytest.mark.parametrize("name", ["softmax", "log_softmax"])


def run_softmax(
    name: str, x: np.ndarray, dy: np.ndarray, offset: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    y, dx = empty(x.shape, x.dtype, offset), empty(x.shape, x.dtype, offset)
    getattr(_core, f"{name}_forward")(y, x)
    getattr(_core, f"{name}_backward")(dx, dy, y)
    return y, dx


def check_softmax(name: str, x: np.ndarray, offset: int = 0) -> None:
    X, eps = x.astype(np.float64), np.finfo(x.dtype).eps
    dy = place(draws(x.size, x.dtype, 1).reshape(x.shape), offset)
    y, dx = run_softmax(name, x, dy, offset)
    Y, DY = y.astype(np.float64), dy.astype(np.float64)
    depth = X.max(axis=1, keepdims=True, initial=-np.inf) - X
    tiny = np.finfo(x.dtype).smallest_normal / eps
    if name == "softmax":
        p = softmax(X) if x.size else X
        assert_near(y, p, (1 + depth) * p + tiny, 6)
        total = (DY * Y).sum(axis=1, keepdims=True)
        size = Y * (abs(DY) + (abs(DY) * Y).sum(axis=1, keepdims=True))
        assert_near(dx, Y * (DY - total), size + tiny, 8)
    else:
        logs = log_softmax(X) if x.size else X
        assert_near(y, logs, abs(logs) + 1, 6)
        total = DY.sum(axis=1, keepdims=True)
        size = abs(DY) + np.exp(Y) * (1 + abs(Y)) * abs(DY).sum(axis=1, keepdims=True)
        assert_near(dx, DY - np.exp(Y) * total, size + tiny, 8)
    for given, other in ((dy, y), (y, dy)):  # in place of either input
        out = place(given, offset)
        first, second = (out, other) if given is dy else (other, out)
        getattr(_core, f"{name}_backward")(out, first, second)
        assert bits(out) == bits(dx)
    out = place(x, offset)
    getattr(_core, f"{name}_forward")(out, out)
    assert bits(out) == bits(y)


@each_softmax
def test_softmax(isa: str, dtype: Any, team: int, name: str) -> None:
    for rows, cols in SOFTMAX_SHAPES:
        for offset in OFFSETS:
            x = 3 * draws(rows * cols, dtype, cols).reshape(rows, cols)
            check_softmax(name, place(x, offset), offset)


@each_softmax
def test_softmax_of_extreme_logits(isa: str, dtype: Any, name: str) -> None:
    for cols in (2, 10, 17, 40):
        far = np.where(np.arange(cols) % 2, 1e30, -1e30)
        rows = [far, -far, far / 1e27, np.full(cols, 1e30), np.full(cols, -1e30)]
        check_softmax(name, np.stack(rows).astype(dtype))
        x = np.zeros((2, cols), dtype)
        x[0, 1:], x[1, 1] = -np.inf, -np.inf
        y, _ = run_softmax(name, x, x)
        kept = np.exp(y) if name == "log_softmax" else y
        np.testing.assert_array_equal(kept[0], [1] + [0] * (cols - 1))
        assert_near(kept[1], np.where(x[1] == 0, 1 / (cols - 1), 0), 1 / (cols - 1), 8)


@each_softmax
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_softmax_does_not_hide(isa: str, dtype: Any, name: str, bad: float) -> None:
    """NaN or +inf anywhere in a row makes all of that row NaN, and of no other."""
    for cols in (1, 2, 10, 17, 40):
        for at in range(cols):
            x = np.ones((3, cols), dtype)
            x[1, at] = bad
            y, _ = run_softmax(name, x, x)
            assert np.isnan(y).all(axis=1).tolist() == [False, True, False]
            assert not np.isnan(y[::2]).any()


@each_softmax
def test_softmax_of_a_row_does_not_depend_on_its_place(isa: str, dtype: Any, name: str) -> None:
    for cols in (1, 3, 10, 17, 35):
        x, dy = (draws(11 * cols, dtype, seed).reshape(11, cols) * 5 for seed in (0, 1))
        whole = run_softmax(name, x, dy)
        for team in (1, 3):
            force_threads(team)
            for start in range(11):
                part = run_softmax(name, x[start:], dy[start:], start % 3)
                assert bits(*part) == bits(*(a[start:] for a in whole))
