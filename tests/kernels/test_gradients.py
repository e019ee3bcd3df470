"""Norms, clipping and penalties of gradients: ISA x dtype x threads x place."""

from typing import Any

import numpy as np
import pytest
from kernel_support import arrays, assert_near, draws
from support import bits, force_threads, place

from fastnn import _core


def test_sums_of_squares(isa: str, dtype: Any, team: int) -> None:
    for x, _ in arrays(dtype):
        exact = float((x.astype(np.longdouble) ** 2).sum())
        assert _core.squared_norm(x) == pytest.approx(exact, rel=1e-14)
        assert _core.squared_norm(x, 0.5) == pytest.approx(exact / 4, rel=1e-14)


def test_sums_do_not_depend_on_threads(isa: str, dtype: Any) -> None:
    for n in (1000, 1025, 100_003):
        x, told = draws(n, dtype), set()
        for team in (1, 2, 3, 5, 7):
            force_threads(team)
            g = np.zeros_like(x)
            told.add((_core.squared_norm(x), _core.l1_gradient(g, x, 0.5),
                      _core.l2_gradient(g, x, 0.5), bits(g)))  # fmt: skip
        assert len(told) == 1


def test_scaling_and_clipping(isa: str, dtype: Any, team: int) -> None:
    for x, _ in arrays(dtype, special=True):
        expected = np.clip(x, -0.5, 0.5)
        with np.errstate(over="ignore"):
            scaled = x * dtype(1.7)
        y = place(x, 1)
        _core.clip_values(y, 0.5)
        np.testing.assert_array_equal(y, expected)
        _core.scale_values(x, 1.7)
        np.testing.assert_array_equal(x, scaled)


def test_l1_gradient(isa: str, dtype: Any, team: int) -> None:
    for w, offset in arrays(dtype, special=True):
        finite = np.where(np.isfinite(w) & (abs(w) < 1e3), w, 0).astype(dtype)
        for x in (w, finite):
            g = place(draws(x.size, dtype, 1), offset)
            expected = g + np.sign(x) * dtype(0.25)
            total = _core.l1_gradient(g, x, 0.25)
            np.testing.assert_array_equal(g, expected)
        assert total == pytest.approx(0.25 * abs(finite.astype(np.longdouble)).sum(), rel=1e-13)


def test_l2_gradient(isa: str, dtype: Any, team: int) -> None:
    for w, offset in arrays(dtype):
        for rows in {1, 3, 17, w.size}:
            shape = (rows, w.size // rows) if rows else (0,)
            n = w.size // max(rows, 1) * rows
            x, g = w[:n].reshape(shape), place(draws(n, dtype, 1), offset).reshape(shape)
            expected = g.astype(np.longdouble) + dtype(0.3).astype(np.longdouble) * x
            total = _core.l2_gradient(g, x, 0.3)
            assert_near(g, expected, abs(expected) + abs(x), 1)
            exact = 0.15 * (x.astype(np.longdouble) ** 2).sum()
            assert total == pytest.approx(float(exact), rel=1e-13)
