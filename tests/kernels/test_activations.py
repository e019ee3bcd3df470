"""Activations element by element, against float64 formulas: ISA x dtype x threads x place."""

from typing import Any

import numpy as np
import pytest
from kernel_support import arrays, assert_near, draws
from support import bits, empty, force_threads, place
from tables.activations import FORMULAS, Formula

from fastnn import _core


def test_relu_forward(isa: str, dtype: Any, team: int) -> None:
    for x, offset in arrays(dtype, special=True):
        y = empty(x.shape, dtype, offset)
        _core.relu_forward(y, x)
        np.testing.assert_array_equal(y, np.where(x < 0, 0, x))  # NaN stays NaN
        assert not np.signbit(y[x != 0]).any()


def test_relu_backward(isa: str, dtype: Any, team: int) -> None:
    for y, offset in arrays(dtype, special=True):
        # rolled, so that each special value meets ordinary ones
        dy = place(np.roll(draws(y.size, dtype, 1, special=True), 1), offset)
        expected = np.where(y > 0, dy, 0)  # the gradient at 0 is 0
        dx = empty(y.shape, dtype, offset)
        _core.relu_backward(dx, dy, y)
        np.testing.assert_array_equal(dx, expected)
        _core.relu_backward(dy, dy, y)  # in place
        np.testing.assert_array_equal(dy, expected)


def test_relu_forward_in_place(isa: str, dtype: Any, team: int) -> None:
    for x, _ in arrays(dtype):
        expected = np.maximum(x, 0)
        _core.relu_forward(x, x)
        np.testing.assert_array_equal(x, expected)


every_formula = pytest.mark.parametrize(
    "formula", FORMULAS, ids=lambda f: "-".join(map(str, (f.name, *f.options)))
)


def forward(formula: Formula, x: np.ndarray, offset: int = 0) -> np.ndarray:
    y = empty(x.shape, x.dtype, offset)
    getattr(_core, f"{formula.name}_forward")(y, x, *formula.options)
    return y


def backward(formula: Formula, dy: np.ndarray, saved: np.ndarray, offset: int = 0) -> np.ndarray:
    dx = empty(dy.shape, dy.dtype, offset)
    getattr(_core, f"{formula.name}_backward")(dx, dy, saved, *formula.options)
    return dx


def assert_values(got: np.ndarray, expected: np.ndarray, size: Any, condition: Any) -> None:
    """Near where finite, else the same. A factor below the smallest normal number may be 0."""
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(got[~finite], expected[~finite])
    limits = np.finfo(got.dtype)
    magnitude = (size + float(limits.smallest_normal) / float(limits.eps)) * condition
    assert_near(got[finite], expected[finite], np.broadcast_to(magnitude, got.shape)[finite], 6)


def spread(x: np.ndarray) -> np.ndarray:
    """Draws made wider, so that the tails are met; the special ones stay as they are."""
    scale = np.resize([1, 5, 0.01], len(x))
    return x * np.where((abs(x) > 1e-30) & (abs(x) < 10), scale, 1).astype(x.dtype)


@every_formula
def test_activation(isa: str, dtype: Any, team: int, formula: Formula) -> None:
    """Values and gradients within a few units in the last place, in place too."""
    for drawn, offset in arrays(dtype, special=True):
        x = place(spread(drawn), offset)
        X = x.astype(np.float64)
        near = np.clip(X, -1e3, 1e3)  # for bounds: they may not be infinite
        with np.errstate(invalid="ignore"):
            expected = formula.value(X, *formula.options)
            y = forward(formula, x, offset)
            assert_values(y, expected, abs(expected), formula.condition(near))
            dy = place(draws(x.size, dtype, 1), offset)
            saved = x if formula.saves == "x" else y
            slope = formula.slope(saved.astype(np.float64), *formula.options)
            size = formula.terms(near) if formula.terms else abs(slope)
            dx = backward(formula, dy, saved, offset)
            assert_values(dx, dy * slope, abs(dy) * size, formula.condition(near))
        given = place(dy, offset)
        getattr(_core, f"{formula.name}_backward")(given, given, saved, *formula.options)
        assert bits(given) == bits(dx)
        given = place(saved, offset)
        getattr(_core, f"{formula.name}_backward")(given, dy, given, *formula.options)
        assert bits(given) == bits(dx)
        getattr(_core, f"{formula.name}_forward")(x, x, *formula.options)
        assert bits(x) == bits(y)


@every_formula
def test_activation_of_an_element_does_not_depend_on_its_place(
    isa: str, dtype: Any, formula: Formula
) -> None:
    x, dy = spread(draws(83, dtype)), draws(83, dtype, 1)
    y, dx = forward(formula, x), backward(formula, dy, x)
    for start in range(0, 40, 3):
        for stop in (start + 1, start + 5, 83):
            part, offset = slice(start, stop), start % 4
            assert bits(forward(formula, x[part], offset)) == bits(y[part])
            assert bits(backward(formula, dy[part], x[part], offset)) == bits(dx[part])


@every_formula
def test_activation_does_not_depend_on_threads(isa: str, dtype: Any, formula: Formula) -> None:
    x, dy = spread(draws(30011, dtype)), draws(30011, dtype, 1)
    results = set()
    for team in (1, 2, 3, 7):
        force_threads(team)
        results.add(bits(forward(formula, x), backward(formula, dy, x)))
    assert len(results) == 1


# (kernel, options, x, exact y): where a formula in float64 would lose digits. 50 digits, rounded.
FAR = [
    ("sigmoid", (), -40.0, 4.248354255291589e-18),
    ("sigmoid", (), -700.0, 9.85967654375977e-305),
    ("sigmoid", (), 40.0, 1.0),
    ("sigmoid", (), -1e-17, 0.5),
    ("tanh", (), 1e-300, 1e-300),
    ("tanh", (), -1e-10, -1e-10),
    ("tanh", (), 0.17, 0.16838104587081473),
    ("tanh", (), -20.0, -1.0),
    ("silu", (), -40.0, -1.6993417021166355e-16),
    ("silu", (), -700.0, -6.90177358063184e-302),
    ("silu", (), 1e-20, 5e-21),
    ("gelu", (), -6.0, -5.9195258702261885e-09),
    ("gelu", (), -13.7, -6.954414291889094e-42),
    ("gelu", (), -20.1, -7.416258536079994e-89),
    ("gelu", (), -37.3, -3.060649577159178e-303),
    ("gelu", (), 6.0, 5.999999994080474),
    ("gelu", (), -1e-20, -5e-21),
    ("gelu_tanh", (), -6.0, -8.439646700762303e-11),
    ("gelu_tanh", (), -12.3, -7.928249850594742e-66),
    ("gelu_tanh", (), -19.0, -3.610285223677822e-225),
    ("softplus", (1.0, 20.0), -50.0, 1.9287498479639178e-22),
    ("softplus", (1.0, 20.0), 50.0, 50.0),
    ("softplus", (1.0, 20.0), -700.0, 9.85967654375977e-305),
    ("softplus", (1.0, 20.0), 19.99, 19.990000002081867),
    ("elu", (1.0,), -1e-300, -1e-300),
    ("elu", (1.0,), -1e-10, -9.999999999500001e-11),
    ("elu", (1.0,), -50.0, -1.0),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options", "x", "exact"), FAR)
def test_activation_far_out(
    isa: str, name: str, options: tuple[float, ...], x: float, exact: float
) -> None:
    given, y = np.full(9, x), np.empty(9)
    getattr(_core, f"{name}_forward")(y, given, *options)
    assert_near(y, np.full(9, exact), abs(exact), 2 if name != "gelu_tanh" else 2 * abs(x) ** 3)
