"""Initial values: each function's law, by Kolmogorov and Smirnov, and what it refuses."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from laws import LEVEL, chi_square, kolmogorov, normal, truncated, uniform
from support import DTYPES, bits

import fastnn
from fastnn import Generator, Tensor, nn
from fastnn.nn import init

SHAPE = (300, 400)  # fan_out, fan_in
Law = Callable[[np.ndarray], np.ndarray]

# (function, options, law)
LAWS: list[tuple[Any, dict[str, Any], Law]] = [
    (init.uniform_, {}, uniform(0, 1)),
    (init.uniform_, {"a": -3, "b": 1.5}, uniform(-3, 1.5)),
    (init.normal_, {}, normal()),
    (init.normal_, {"mean": 2.0, "std": 0.3}, normal(2, 0.3)),
    (init.xavier_uniform_, {}, uniform(-math.sqrt(6 / 700), math.sqrt(6 / 700))),
    (
        init.xavier_uniform_,
        {"gain": 5 / 3},
        uniform(-5 / 3 * math.sqrt(6 / 700), 5 / 3 * math.sqrt(6 / 700)),
    ),
    (init.xavier_normal_, {}, normal(0, math.sqrt(2 / 700))),
    (init.xavier_normal_, {"gain": 0.5}, normal(0, 0.5 * math.sqrt(2 / 700))),
    (init.kaiming_uniform_, {}, uniform(-math.sqrt(6 / 400), math.sqrt(6 / 400))),
    (init.kaiming_uniform_, {"a": math.sqrt(5)}, uniform(-1 / 20, 1 / 20)),  # nn.Linear's
    (
        init.kaiming_uniform_,
        {"mode": "fan_out", "nonlinearity": "relu"},
        uniform(-math.sqrt(6 / 300), math.sqrt(6 / 300)),
    ),
    (init.kaiming_normal_, {"nonlinearity": "linear"}, normal(0, 1 / 20)),
    (init.kaiming_normal_, {"mode": "fan_out", "a": 1}, normal(0, 1 / math.sqrt(300))),
    (init.trunc_normal_, {}, truncated(normal(), -2, 2)),
    (
        init.trunc_normal_,
        {"mean": 0.1, "std": 0.02, "a": 0.09, "b": 1.0},
        truncated(normal(0.1, 0.02), 0.09, 1),
    ),
    (init.trunc_normal_, {"a": 1.5, "b": 2.5}, truncated(normal(), 1.5, 2.5)),
    (init.trunc_normal_, {"a": -0.1, "b": 0.2}, truncated(normal(), -0.1, 0.2)),
    (init.trunc_normal_, {"a": 3.0, "b": 1e9}, truncated(normal(), 3, 1e9)),
    (init.trunc_normal_, {"a": -math.inf, "b": -2.0}, truncated(normal(), -math.inf, -2)),
    (init.trunc_normal_, {"a": -math.inf, "b": math.inf}, normal()),
]

every_law = pytest.mark.parametrize(
    ("function", "options", "law"),
    LAWS,
    ids=[f"{function.__name__}{i}" for i, (function, _, _) in enumerate(LAWS)],
)


@every_law
def test_law(function: Any, options: dict[str, Any], law: Law) -> None:
    w = fastnn.zeros(*SHAPE)
    assert function(w, **options) is w
    assert kolmogorov(w.numpy(), law) > LEVEL


@every_law
def test_the_test_of_a_law_sees_three_percent(
    function: Any, options: dict[str, Any], law: Law
) -> None:
    """Draws spread 3 % too wide about their centre."""
    w = function(fastnn.zeros(*SHAPE), **options).numpy()
    center = 0.0 if law(np.zeros(1))[0] in (0.5, 0.0, 1.0) else float(np.median(w))
    assert kolmogorov(center + 1.03 * (w - center), law) < LEVEL


@every_law
def test_dtype_and_seed(function: Any, options: dict[str, Any], law: Law) -> None:
    for dtype in DTYPES:
        ours, again, given = (fastnn.zeros(7, 5, dtype=dtype) for _ in range(3))
        fastnn.manual_seed(3)
        function(ours, **options)
        fastnn.manual_seed(3)
        function(again, **options)
        function(given, **options, generator=Generator(3))
        assert ours.dtype == dtype
        assert bits(ours) == bits(again) == bits(given)
        assert bits(function(again, **options)) != bits(ours)


def test_trunc_normal_stays_between_its_bounds() -> None:
    for a, b in ((-2, 2), (1.5, 2.5), (8.0, 9.0), (1e5, 2e5), (-3e9, -2e9), (0.5, 0.5)):
        for dtype in DTYPES:
            w = init.trunc_normal_(fastnn.zeros(1000, dtype=dtype), a=a, b=b).numpy()
            assert (w >= dtype(a)).all()
            assert (w <= dtype(b)).all()


@pytest.mark.parametrize("shape", [(5, 5), (3, 8), (8, 3), (4, 2, 3), (1, 4), (1, 1)])
@pytest.mark.parametrize("gain", [1, 0.5])
def test_orthogonal(shape: tuple[int, ...], gain: float) -> None:
    w = init.orthogonal_(fastnn.zeros(*shape, dtype=np.float64), gain).numpy()
    w = w.reshape(shape[0], -1)
    gram = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    np.testing.assert_allclose(gram, gain**2 * np.eye(len(gram)), atol=1e-14)


def test_orthogonal_has_no_favourite_direction() -> None:
    """The angle of a 2 x 2 one is uniform, and it is a reflection half of the time."""
    w = np.stack([init.orthogonal_(fastnn.zeros(2, 2)).numpy() for _ in range(2000)])
    assert kolmogorov(np.arctan2(w[:, 1, 0], w[:, 0, 0]), uniform(-np.pi, np.pi)) > LEVEL
    reflections = int((np.linalg.det(w.astype(np.float64)) < 0).sum())
    assert chi_square([reflections, 2000 - reflections], 1000) > LEVEL
    raw, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((2000, 2, 2)))  # no signs set
    assert kolmogorov(np.arctan2(raw[:, 1, 0], raw[:, 0, 0]), uniform(-np.pi, np.pi)) < LEVEL / 100


@pytest.mark.parametrize("sparsity", [0.0, 0.1, 0.5, 0.95, 1.0])
def test_sparse(sparsity: float) -> None:
    w = init.sparse_(fastnn.zeros(30, 4000), sparsity, std=0.5).numpy()
    zeros = math.ceil(sparsity * 30)
    assert ((w == 0).sum(axis=0) == zeros).all()
    if zeros < 30:
        assert kolmogorov(w[w != 0], normal(0, 0.5)) > LEVEL
    if 0 < zeros < 30:  # zeros of a column exclude each other, so rows vary less than chi-square
        in_row = (w == 0).sum(axis=1)
        assert chi_square(in_row, in_row.mean()) > LEVEL
        in_row[-1] = 0  # as if the last row were never drawn
        assert chi_square(in_row, in_row.mean()) < LEVEL / 100


def test_constants() -> None:
    w = fastnn.zeros(2, 3, dtype=np.float64)
    assert init.constant_(w, 2.5) is w
    assert w.tolist() == [[2.5] * 3] * 2
    assert init.ones_(w).tolist() == [[1] * 3] * 2
    assert init.zeros_(w).tolist() == [[0] * 3] * 2
    assert init.eye_(w).tolist() == [[1, 0, 0], [0, 1, 0]]
    assert init.eye_(fastnn.ones(3, 2)).tolist() == [[1, 0], [0, 1], [0, 0]]


def test_parameters_may_be_filled_and_stay_parameters() -> None:
    layer = nn.Linear(4, 3)
    weight = layer.weight
    for function in (init.xavier_uniform_, init.kaiming_normal_, init.orthogonal_, init.ones_,
                     init.eye_, init.trunc_normal_):  # fmt: skip
        assert function(layer.weight) is weight
    init.sparse_(layer.weight, 0.5)
    assert layer.weight.requires_grad
    assert fastnn.is_grad_enabled()


@pytest.mark.parametrize(
    ("name", "param", "gain"),
    [
        ("linear", None, 1), ("conv2d", None, 1), ("sigmoid", None, 1), ("tanh", None, 5 / 3),
        ("relu", None, 2**0.5), ("leaky_relu", None, (2 / 1.0001) ** 0.5), ("leaky_relu", 1, 1),
        ("leaky_relu", -0.5, (2 / 1.25) ** 0.5), ("selu", None, 0.75),
    ],
)  # fmt: skip
def test_gain(name: str, param: Any, gain: float) -> None:
    assert math.isclose(init.calculate_gain(name, param), gain)


def test_sizes_of_nothing() -> None:
    for function in (init.xavier_uniform_, init.kaiming_uniform_, init.kaiming_normal_,
                     init.xavier_normal_, init.orthogonal_, init.eye_, init.uniform_,
                     init.trunc_normal_):  # fmt: skip
        assert function(fastnn.zeros(0, 3)).shape == (0, 3)
        assert function(fastnn.zeros(3, 0)).shape == (3, 0)


BAD: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: init.uniform_(fastnn.zeros(2), 1, 0), ValueError, r"uniform_: .*a <= b, got a=1, b=0"),
    (lambda: init.uniform_(fastnn.zeros(2), b=math.nan), ValueError, r"uniform_: .*b=nan"),
    (lambda: init.normal_(fastnn.zeros(2), std=-1), ValueError, r"normal_: .*std >= 0, got -1"),
    (lambda: init.trunc_normal_(fastnn.zeros(2), a=1, b=0), ValueError, r"trunc_.*a=1, b=0"),
    (lambda: init.trunc_normal_(fastnn.zeros(2), std=0), ValueError, r"trunc_normal_: .*std=0"),
    (lambda: init.trunc_normal_(fastnn.zeros(2), mean=math.nan), ValueError, r"mean=nan"),
    (lambda: init.normal_(fastnn.arange(2)), TypeError, r"normal_: .*float64, got int64"),
    (lambda: init.normal_(np.zeros(2)), TypeError, r"normal_: .*got ndarray"),
    (lambda: init.eye_(fastnn.zeros(2)), ValueError, r"eye_: expected a matrix, got shape \(2,\)"),
    (lambda: init.sparse_(fastnn.zeros(2, 2, 2), 0.1), ValueError, r"sparse_: expected a matrix"),
    (lambda: init.sparse_(fastnn.zeros(2, 2), 1.1), ValueError, r"sparsity <= 1, got 1\.1"),
    (lambda: init.orthogonal_(fastnn.zeros(2)), ValueError, r"orthogonal_: .*2 dimensions.*\(2,\)"),
    (lambda: init.xavier_uniform_(fastnn.zeros(2)), ValueError, r"xavier_uniform_: .*\(out, in\)"),
    (lambda: init.kaiming_normal_(fastnn.zeros(2)), ValueError, r"kaiming_normal_: .*\(out, in\)"),
    (lambda: init.kaiming_uniform_(fastnn.zeros(2, 2), mode="in"), ValueError, r"fan_in.*'in'"),
    (lambda: init.kaiming_uniform_(fastnn.zeros(2, 2), nonlinearity="gelu"), ValueError,
     r"expected one of linear, .*leaky_relu, got 'gelu'"),
    (lambda: init.calculate_gain("leaky_relu", "x"), TypeError, r"slope to be a number, got 'x'"),
    (lambda: init.calculate_gain("leaky_relu", True), TypeError, r"slope to be a number, got True"),
    (lambda: init.uniform_(fastnn.zeros(2), generator=3), TypeError, r"fastnn\.Generator, got 3"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "pattern"), BAD)
def test_bad_arguments(call: Callable[[], Any], error: type[Exception], pattern: str) -> None:
    with pytest.raises(error, match=pattern):
        call()


def test_uniform_of_a_seed_stays_what_it_was() -> None:
    """Nets of a seed are the same from one version to the next."""
    fastnn.manual_seed(0)
    expected = np.random.Generator(np.random.Philox(key=0)).random(3, np.float32) * 2 - 1
    assert bits(init.uniform_(Tensor.of(np.zeros(3, np.float32)), -1, 1)) == bits(expected)
