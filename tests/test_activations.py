"""What activations promise beyond the table: kinks, limits, dimensions, options, errors."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support import DTYPES, bits
from tables.activations import log_softmax, softmax

import fastnn
from fastnn import Tensor, nn
from fastnn.nn import functional as F

ELEMENTS: list[tuple[str, Callable[[Any], Tensor]]] = [
    ("relu", F.relu), ("leaky_relu", F.leaky_relu), ("elu", F.elu), ("gelu", F.gelu),
    ("gelu_tanh", lambda x: F.gelu(x, "tanh")), ("silu", F.silu), ("sigmoid", F.sigmoid),
    ("tanh", F.tanh), ("softplus", F.softplus),
]  # fmt: skip
each_element = pytest.mark.parametrize(("name", "function"), ELEMENTS, ids=[n for n, _ in ELEMENTS])
each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "float64"])
each_softmax = pytest.mark.parametrize(
    ("function", "reference"), [(F.softmax, softmax), (F.log_softmax, log_softmax)],
    ids=["softmax", "log_softmax"],
)  # fmt: skip


def value_and_slope(function: Callable[[Any], Tensor], x: Any, dtype: Any) -> tuple[Any, Any]:
    given = Tensor.of(np.asarray(x, dtype), requires_grad=True)
    y = function(given)
    y.backward(np.ones(y.shape))
    assert given.grad is not None
    return y.tolist(), given.grad.tolist()


# --- kinks ---


@each_dtype
@pytest.mark.parametrize(
    ("function", "slope"),
    [
        (F.relu, 0.0),
        (F.leaky_relu, 0.01),
        (lambda x: F.leaky_relu(x, 0.25), 0.25),
        (F.elu, 1.0),
        (lambda x: F.elu(x, 0.5), 0.5),
    ],
    ids=["relu", "leaky_relu", "leaky_relu-0.25", "elu", "elu-0.5"],
)
def test_the_gradient_at_a_kink_is_that_of_the_left_side(
    isa: str, dtype: Any, function: Callable[[Any], Tensor], slope: float
) -> None:
    y, dx = value_and_slope(function, [0.0, -0.0], dtype)
    assert y == [0, 0]
    np.testing.assert_array_equal(dx, [dtype(slope)] * 2)


@each_dtype
def test_softplus_at_its_threshold(isa: str, dtype: Any) -> None:
    """The straight line begins beyond it, not at it."""
    y, dx = value_and_slope(lambda x: F.softplus(x, 2.0, 1.0), [0.5, 0.5 + 2**-20], dtype)
    np.testing.assert_allclose(y[0], math.log1p(math.e) / 2, rtol=1e-6)
    np.testing.assert_allclose(dx[0], 1 / (1 + math.exp(-1)), rtol=1e-6)
    assert (y[1], dx[1]) == (0.5 + 2**-20, 1.0)


@each_dtype
def test_softplus_of_huge_values_does_not_overflow(isa: str, dtype: Any) -> None:
    largest = float(np.finfo(dtype).max)
    y, dx = value_and_slope(lambda x: F.softplus(x, 4.0, INF), [largest, -largest], dtype)
    assert (y, dx) == ([largest, 0], [1, 0])


# --- limits ---

INF = math.inf
# y at -inf and inf, dy/dx there
LIMITS: dict[str, tuple[float, float, float, float]] = {
    "relu": (0, INF, 0, 1), "leaky_relu": (-INF, INF, 0.01, 1), "elu": (-1, INF, 0, 1),
    "gelu": (0, INF, 0, 1), "gelu_tanh": (0, INF, 0, 1), "silu": (0, INF, 0, 1),
    "sigmoid": (0, 1, 0, 0), "tanh": (-1, 1, 0, 0), "softplus": (0, INF, 0, 1),
}  # fmt: skip


@each_element
@each_dtype
def test_limits(isa: str, dtype: Any, name: str, function: Callable[[Any], Tensor]) -> None:
    low, high, low_slope, high_slope = (dtype(v) for v in LIMITS[name])
    y, dx = value_and_slope(function, [-INF, INF], dtype)
    assert y == [low, high]
    assert dx == [low_slope, high_slope]
    largest = float(np.finfo(dtype).max)
    y, dx = value_and_slope(function, [-largest, largest], dtype)
    assert dx == [low_slope, high_slope]
    assert y == [
        dtype(0.01) * dtype(-largest) if low == -INF else low, largest if high == INF else high
    ]  # fmt: skip


@each_element
@each_dtype
def test_nan_stays_nan(isa: str, dtype: Any, name: str, function: Callable[[Any], Tensor]) -> None:
    x = np.ones(21, dtype)
    x[[0, 7, 20]] = np.nan
    y = function(x).numpy()
    assert np.flatnonzero(np.isnan(y)).tolist() == [0, 7, 20]


def test_tanh_is_odd_and_keeps_the_sign_of_zero(isa: str) -> None:
    x = np.concatenate([np.random.default_rng(0).standard_normal(1000), [0.0, 1e-300, 1e300, INF]])
    assert bits(F.tanh(-x)) == bits(-F.tanh(x).numpy())


# --- softmax along a dimension ---


@each_softmax
@each_dtype
@pytest.mark.parametrize("shape", [(5,), (4, 3), (2, 3, 4), (2, 3, 2, 5), (3, 0, 2), (0, 4)])
def test_softmax_along_every_dimension(
    function: Any, reference: Any, dtype: Any, shape: tuple[int, ...]
) -> None:
    x = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    for dim in range(-len(shape), len(shape)):
        y = function(x, dim=dim)
        assert y.shape == shape
        if x.size:
            expected = reference(x.astype(np.float64), dim)
            eps = 8 * np.finfo(dtype).eps
            np.testing.assert_allclose(y.numpy(), expected, rtol=eps, atol=eps)


@each_softmax
def test_softmax_without_a_dimension(function: Any, reference: Any) -> None:
    """It is the last of one or two; more are an error that names dim=1 (the table has it)."""
    for shape in ((6,), (4, 3)):
        x = np.random.default_rng(0).standard_normal(shape)
        assert bits(function(x)) == bits(function(x, dim=-1))


@each_softmax
def test_softmax_of_one_number(function: Any, reference: Any) -> None:
    given = Tensor.of(np.array(3.0), requires_grad=True)
    for dim in (0, -1):
        y = function(given, dim)
        assert (y.shape, y.item()) == ((), 1.0 if function is F.softmax else 0.0)
        given.grad = None
        y.backward()
        assert given.grad is not None
        assert (given.grad.shape, given.grad.item()) == ((), 0.0)


def test_rows_of_a_softmax_add_up_to_one() -> None:
    x = 50 * np.random.default_rng(0).standard_normal((100, 33))
    np.testing.assert_allclose(F.softmax(x, 1).numpy().sum(1), 1, rtol=1e-14)
    np.testing.assert_allclose(F.softmax(x, 0).numpy().sum(0), 1, rtol=1e-14)


# --- options and errors ---

X = np.ones((2, 3))
BAD: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: F.leaky_relu(X, "0.1"), TypeError, r"leaky_relu: expected negative_slope .* '0.1'"),
    (lambda: F.leaky_relu(X, True), TypeError, r"leaky_relu: expected negative_slope .* True"),
    (lambda: F.elu(X, None), TypeError, r"elu: expected alpha to be a number, got None"),
    (lambda: F.elu(X, math.nan), ValueError, r"elu: expected alpha to be a number, got nan"),
    (lambda: F.gelu(X, "sigmoid"), ValueError, r"gelu: expected .* 'none' or 'tanh', got 'sigm"),
    (lambda: F.gelu(X, None), ValueError, r"gelu: expected approximate .* got None"),
    (lambda: F.softplus(X, 0), ValueError, r"softplus: expected a finite beta other than 0, got 0"),
    (lambda: F.softplus(X, math.inf), ValueError, r"softplus: expected a finite beta .* got inf"),
    (lambda: F.softplus(X, [1]), TypeError, r"softplus: expected beta to be a number, got \[1\]"),
    (lambda: F.softplus(X, 1, math.nan), ValueError, r"softplus: expected threshold .* got nan"),
    (lambda: F.softmax(X, 2), IndexError, r"softmax: expected dim in -2 \.\. 1 .* got 2"),
    (lambda: F.softmax(X, -3), IndexError, r"softmax: expected dim in -2 \.\. 1 .* got -3"),
    (lambda: F.softmax(X, 1.0), TypeError, r"softmax: expected an integer dim, got 1\.0"),
    (lambda: F.log_softmax(X, "1"), TypeError, r"log_softmax: expected an integer dim, got '1'"),
    (lambda: F.softmax(X, 1, dtype=np.int64), TypeError, r"softmax: .* float32 or float64, .* int"),
    (lambda: F.softmax(X[0, 0], 1), IndexError, r"softmax: expected dim in -1 \.\. 0 .* got 1"),
    (lambda: fastnn.ones(2, 2).softmax(), TypeError, "dim"),
    (lambda: nn.GELU("erf")(X), ValueError, r"gelu: expected approximate .* got 'erf'"),
    (lambda: nn.Softplus(beta=0.0)(X), ValueError, r"softplus: expected a finite beta"),
    (lambda: fastnn.tensor([1, 2]).tanh(), TypeError, r"tanh: .*array of int64; .*float\(\)"),
    (lambda: (fastnn.ones(2) > 0).sigmoid(), TypeError, r"sigmoid: .*array of bool; .*float\(\)"),
    (lambda: fastnn.tensor([1, 2]).softmax(0), TypeError, r"softmax: .*array of int64"),
]


@pytest.mark.parametrize(("call", "error", "pattern"), BAD)
def test_bad_input(call: Callable[[], Any], error: type[Exception], pattern: str) -> None:
    with pytest.raises(error, match=pattern):
        call()


def test_numpy_numbers_are_options() -> None:
    for number in (np.float32(0.5), np.float64(0.5)):
        assert bits(F.leaky_relu(-X, number)) == bits(F.leaky_relu(-X, 0.5))


def test_inplace_leaves_the_input_alone() -> None:
    for function in (F.relu, F.leaky_relu, F.elu, F.silu):
        x = -np.ones(3)
        assert bits(function(x, inplace=True)) == bits(function(x))
        assert (x == -1).all()


# --- the tape ---


@each_element
def test_what_the_gradient_reads_may_not_change(
    name: str, function: Callable[[Any], Tensor]
) -> None:
    """One of input and output is saved: to change that in place is an error, the other is free."""
    reads_output = name in ("relu", "sigmoid", "tanh")
    for change_output in (True, False):
        x = fastnn.ones(3, requires_grad=True)
        y = function(x)
        with fastnn.no_grad():
            (y if change_output else x).fill_(2)
        if change_output == reads_output:
            with pytest.raises(RuntimeError, match="changed in place"):
                y.sum().backward()
        else:
            y.sum().backward()


@pytest.mark.parametrize("dim", [0, 1])
@pytest.mark.parametrize("function", [F.softmax, F.log_softmax])
def test_a_softmax_changed_in_place_is_an_error(function: Any, dim: int) -> None:
    y = function(fastnn.ones(3, 2, requires_grad=True), dim)
    with fastnn.no_grad():
        y.fill_(2)
    with pytest.raises(RuntimeError, match="changed in place"):
        y.sum().backward()
