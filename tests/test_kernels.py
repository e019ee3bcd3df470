"""Every kernel but the products, against float64 formulas: ISA x dtype x threads x alignment."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from support import DTYPES, awkward_sizes, bits, empty, force_threads, place
from tables.activations import FORMULAS, Formula, log_softmax, softmax
from tables.losses import (
    bce,
    bce_with_logits,
    cross_entropy,
    huber,
    smooth_l1,
)
from tables.optimizers import adagrad_rule, adam_rule, rmsprop_rule, sgd_rule

from fastnn import _core

OFFSETS = (0, 1, 3)
TEAMS = (1, 2, 5)
SPECIAL = (np.nan, np.inf, -np.inf, 0.0, -0.0, 3e-38, -3e-38, 3e38)  # denormals may count as 0


@pytest.fixture(params=DTYPES, ids=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(params=TEAMS, ids=lambda n: f"{n}-threads")
def team(request: pytest.FixtureRequest) -> int:
    force_threads(request.param)
    return int(request.param)


def draws(n: int, dtype: Any, seed: int = 0, special: bool = False) -> np.ndarray:
    """Normal draws in `dtype`, some of them special values."""
    x = np.random.default_rng(seed).standard_normal(n)
    if special:
        x[3::7] = np.resize(SPECIAL, len(x[3::7]))
    with np.errstate(over="ignore"):
        return x.astype(dtype)


def arrays(dtype: Any, special: bool = False) -> Iterator[tuple[np.ndarray, int]]:
    """(values, offset) over all awkward sizes and places."""
    for n in awkward_sizes(dtype):
        for offset in OFFSETS:
            yield place(draws(n, dtype, n, special), offset), offset


def assert_near(got: np.ndarray, expected: np.ndarray, magnitude: Any, times: float) -> None:
    """|got - expected| <= times eps magnitude, element by element."""
    bound = times * np.finfo(got.dtype).eps * np.broadcast_to(magnitude, got.shape)
    error = abs(got.astype(np.float64) - expected)
    worst = np.flatnonzero(~(error <= bound))
    assert not worst.size, (
        f"{worst.size} of {got.size} are wrong, the first at {worst[0]}: expected "
        f"{np.ravel(expected)[worst[0]]!r} within {np.ravel(bound)[worst[0]]:.3g}, "
        f"got {np.ravel(got)[worst[0]]!r}"
    )


# --- activations ---


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


# --- softmax ---

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


# --- softmax cross-entropy ---

CE_SHAPES = [
    (0, 3),
    (1, 1),
    (1, 2),
    (5, 10),
    (3, 15),
    (3, 16),
    (3, 17),
    (7, 67),
    (2, 1000),
    (129, 3),
]


def run_cross_entropy(
    logits: np.ndarray, labels: np.ndarray, offset: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    losses = empty(len(logits), logits.dtype, offset)
    probabilities = empty(logits.shape, logits.dtype, offset)
    _core.softmax_cross_entropy_forward(losses, probabilities, logits, labels)
    return losses, probabilities


def check_cross_entropy(logits: np.ndarray, labels: np.ndarray, offset: int = 0) -> None:
    """Forward within 10 eps; the shift by the row's maximum may cost |shift| eps more."""
    losses, probabilities = run_cross_entropy(logits, labels, offset)
    z = logits.astype(np.float64)
    expected = cross_entropy(z, labels)
    assert_near(losses, expected, np.maximum(abs(expected), 1), 10)
    p = softmax(z)
    depth = 10 + abs(z - z.max(axis=1, keepdims=True))
    smallest = np.finfo(logits.dtype).tiny  # exp may flush what would be denormal
    bound = np.finfo(logits.dtype).eps * depth * p + 2 * smallest
    assert (abs(probabilities - p) <= bound).all()

    dlosses = draws(len(labels), logits.dtype, 5)
    one_hot = np.eye(logits.shape[1])[labels]
    dlogits = empty(logits.shape, logits.dtype, offset)
    _core.softmax_cross_entropy_backward(dlogits, dlosses, probabilities, labels)
    expected = (probabilities.astype(np.float64) - one_hot) * dlosses[:, None]
    assert_near(dlogits, expected, abs(dlosses[:, None]), 4)
    in_place = place(probabilities, offset)
    _core.softmax_cross_entropy_backward(in_place, dlosses, in_place, labels)
    assert bits(in_place) == bits(dlogits)


def test_softmax_cross_entropy(isa: str, dtype: Any, team: int) -> None:
    rng = np.random.default_rng(0)
    for rows, classes in CE_SHAPES:
        for offset in OFFSETS:
            logits = place(rng.normal(0, 3, (rows, classes)).astype(dtype), offset)
            check_cross_entropy(logits, rng.integers(0, classes, rows), offset)


def test_softmax_cross_entropy_of_one_dloss(isa: str, dtype: Any, team: int) -> None:
    p = place(np.full((5, 4), 0.25, dtype))
    labels = np.array([0, 1, 2, 3, 0])
    dlogits = np.empty_like(p)
    _core.softmax_cross_entropy_backward(dlogits, np.array([0.5], dtype), p, labels)
    np.testing.assert_array_equal(dlogits, (0.25 - np.eye(4)[labels]) * 0.5)


def test_softmax_cross_entropy_of_extreme_logits(isa: str, dtype: Any, team: int) -> None:
    for classes in (2, 10, 17, 40):
        far = np.where(np.arange(classes) % 2, 1e4, -1e4)
        rows = np.stack([far, -far, np.full(classes, 7.0), np.full(classes, -1e4),
                         np.zeros(classes)]).astype(dtype)  # fmt: skip
        for label in range(classes):
            check_cross_entropy(rows, np.full(len(rows), label))
        losses, probabilities = run_cross_entropy(rows[2:], np.zeros(3, np.int64))
        assert_near(losses, np.log(np.full(3, classes)), np.log(classes), 4)
        assert_near(probabilities, np.full((3, classes), 1 / classes), 1 / classes, 4)


def test_softmax_cross_entropy_of_infinite_logits(isa: str, dtype: Any, team: int) -> None:
    for classes in (2, 10, 17, 40):
        logits = np.zeros((3, classes), dtype)
        logits[0, 1:] = -np.inf  # certain of class 0, rightly and wrongly
        logits[1, 1:] = -np.inf
        logits[2, 1] = -np.inf
        losses, p = run_cross_entropy(logits, np.array([0, 1, 0]))
        assert losses[0] == 0
        assert losses[1] == np.inf
        assert_near(losses[2:], np.log([classes - 1.0]), 1, 4)
        assert p[0].tolist() == [1, *[0] * (classes - 1)]
        assert p[2, 1] == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_softmax_cross_entropy_does_not_hide(isa: str, dtype: Any, team: int, bad: float) -> None:
    """NaN or +inf anywhere in a row gives a NaN loss of that row alone."""
    for classes in (1, 2, 10, 17, 40):
        for place_of_bad in range(classes):
            logits = np.ones((3, classes), dtype)
            logits[1, place_of_bad] = bad
            losses, _ = run_cross_entropy(logits, np.zeros(3, np.int64))
            assert np.isnan(losses).tolist() == [False, True, False], (classes, place_of_bad)


# --- losses of classes with weights, ignored labels, smoothing, soft labels ---


def class_options(classes: int, dtype: Any) -> list[dict[str, Any]]:
    weight = place(np.random.default_rng(9).uniform(0, 3, classes).astype(dtype), 1)
    weight[0] = 0
    return [
        {"weight": weight},
        {"ignore_index": classes - 1},
        {"ignore_index": -1, "smoothing": 0.1},
        {"weight": weight, "ignore_index": 0, "smoothing": 0.6},
    ]


def class_losses(shape: tuple[int, int], dtype: Any, offset: int) -> Iterator[tuple[Any, ...]]:
    """(logits, labels, target of each row and class with weight, options) of every option."""
    rng = np.random.default_rng(0)
    rows, classes = shape
    logits = place(rng.normal(0, 3, shape).astype(dtype), offset)
    for options in class_options(classes, dtype):
        labels = rng.integers(0, classes, rows)
        if options.get("ignore_index") == -1:
            labels[::3] = -1
        share = options.get("smoothing", 0.0)
        target = (1 - share) * np.eye(classes)[labels] + share / classes
        target[labels == options.get("ignore_index")] = 0
        yield logits, labels, target * options.get("weight", 1.0), options


@pytest.mark.parametrize("shape", [s for s in CE_SHAPES if s[0]], ids=str)
def test_cross_entropy_options(isa: str, dtype: Any, team: int, shape: tuple[int, int]) -> None:
    for offset in OFFSETS:
        for logits, labels, target, options in class_losses(shape, dtype, offset):
            losses, p = empty(shape[0], dtype, offset), empty(shape, dtype, offset)
            _core.softmax_cross_entropy_forward(losses, p, logits, labels, **options)
            parts = abs(target * log_softmax(logits.astype(np.float64)))
            assert_near(losses, parts.sum(1), 1 + parts.sum(1), 16)
            assert losses[labels == options.get("ignore_index")].tolist().count(0) == sum(
                labels == options.get("ignore_index")
            )
            dlosses, total = draws(shape[0], dtype, 5), target.sum(1, keepdims=True)
            dlogits = empty(shape, dtype, offset)
            _core.softmax_cross_entropy_backward(dlogits, dlosses, p, labels, 3.0, **options)
            expected = (p * total - target) * dlosses[:, None] / 3
            assert_near(dlogits, expected, (total + target) * abs(dlosses[:, None]), 8)
            _core.softmax_cross_entropy_backward(p, dlosses, p, labels, 3.0, **options)
            assert bits(p) == bits(dlogits)


@pytest.mark.parametrize("shape", [s for s in CE_SHAPES if s[0]], ids=str)
def test_soft_cross_entropy(isa: str, dtype: Any, team: int, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    for offset in OFFSETS:
        logits = place(rng.normal(0, 3, shape).astype(dtype), offset)
        t = place(rng.dirichlet(np.ones(shape[1]), shape[0]).astype(dtype), offset)
        for options in class_options(shape[1], dtype):
            options.pop("ignore_index", None)
            losses, p = empty(shape[0], dtype, offset), empty(shape, dtype, offset)
            _core.soft_cross_entropy_forward(losses, p, logits, t, **options)
            w, share = options.get("weight", 1.0), options.get("smoothing", 0.0)
            target = w * ((1 - share) * t.astype(np.float64) + share / shape[1])
            log_p = log_softmax(logits.astype(np.float64))
            expected = -(target * log_p).sum(1)
            assert_near(losses, expected, 1 + expected, 16)
            dlosses, total = draws(shape[0], dtype, 5), target.sum(1, keepdims=True)
            dt, dlogits = empty(shape, dtype, offset), empty(shape, dtype, offset)
            _core.soft_cross_entropy_backward_target(dt, dlosses, logits, 3.0, **options)
            expected = -w * (1 - share) * log_p * dlosses[:, None] / 3
            assert_near(dt, expected, w * (1 + abs(log_p)) * abs(dlosses[:, None]), 8)
            _core.soft_cross_entropy_backward(dlogits, dlosses, p, t, 3.0, **options)
            expected = (p * total - target) * dlosses[:, None] / 3
            assert_near(dlogits, expected, (total + target) * abs(dlosses[:, None]), 8)
            _core.soft_cross_entropy_backward(p, dlosses, p, t, 3.0, **options)
            assert bits(p) == bits(dlogits)


def test_nll(isa: str, dtype: Any, team: int) -> None:
    """Exact: each loss is one product, each gradient another."""
    for shape in CE_SHAPES[1:]:
        for x, labels, _, options in class_losses(shape, dtype, 1):
            options.pop("smoothing", None)
            weight = options.get("weight", np.ones(shape[1], dtype))
            counted = labels != options.get("ignore_index", -100)
            losses, dx, rows = empty(shape[0], dtype), empty(shape, dtype), np.arange(shape[0])
            _core.nll_forward(losses, x, labels, **options)
            np.testing.assert_array_equal(losses, -x[rows, labels] * weight[labels] * counted)
            dlosses = draws(shape[0], dtype, 5)
            _core.nll_backward(dx, dlosses, labels, 2.0, **options)
            expected = np.zeros(shape, dtype)
            expected[rows, labels] = -dlosses / 2 * weight[labels] * counted
            np.testing.assert_array_equal(dx, expected)


def test_what_a_mean_divides_by(isa: str, dtype: Any, team: int) -> None:
    logits, weight = np.zeros((5, 3), dtype), np.array([0.5, 2.0, 8.0], dtype)
    labels, t = np.array([0, 1, 1, 2, 0]), np.ones((5, 3), dtype)
    loss, p = np.empty((), dtype), np.empty((5, 3), dtype)
    for reduction, options, divisor in (
        ("mean", {}, 5), ("sum", {}, 1), ("sum", {"weight": weight}, 1),
        ("mean", {"weight": weight}, 13), ("mean", {"ignore_index": 1}, 3),
        ("mean", {"weight": weight, "ignore_index": 2}, 5),
    ):  # fmt: skip
        given = (labels, reduction)
        assert _core.softmax_cross_entropy_forward(loss, p, logits, *given, **options) == divisor
        assert _core.nll_forward(loss, logits, *given, **options) == divisor
    assert _core.soft_cross_entropy_forward(loss, p, logits, t, "mean", weight) == 5


# --- losses element by element ---


def of_difference(value: Any, slope: Any) -> Any:
    return lambda x, y, w: (value(x - y), [slope(x - y)], [-slope(x - y)])


def bce_parts(x: np.ndarray, y: np.ndarray, w: Any) -> tuple[Any, ...]:
    with np.errstate(divide="ignore"):
        logs = [np.maximum(np.log1p(-x), -100), -np.maximum(np.log(x), -100)]
    return bce(x, y), [(x - y) / np.maximum(x * (1 - x), 1e-12)], logs


def logits_parts(z: np.ndarray, y: np.ndarray, w: Any) -> tuple[Any, ...]:
    slopes = [(1 - y) / (1 + np.exp(-z)), -w * y / (1 + np.exp(z))]
    return bce_with_logits(z, y, w), slopes, [w * np.logaddexp(0, -z), -np.logaddexp(0, z)]


# beta or delta; and the value, with the gradients of input and target as terms to add
ELEMENT_LOSSES: dict[str, tuple[float, Any]] = {
    "mse": (1.0, of_difference(np.square, lambda d: 2 * d)),
    "l1": (1.0, of_difference(abs, np.sign)),
    "smooth_l1": (0.5, of_difference(lambda d: smooth_l1(d, 0.5), lambda d: np.clip(2 * d, -1, 1))),
    "huber": (0.5, of_difference(lambda d: huber(d, 0.5), lambda d: np.clip(d, -0.5, 0.5))),
    "bce": (1.0, bce_parts),
    "bce_with_logits": (1.0, logits_parts),
}
every_loss = pytest.mark.parametrize("kind", ELEMENT_LOSSES)


def loss_inputs(kind: str, n: int, dtype: Any) -> tuple[np.ndarray, np.ndarray]:
    """An input with values of all sizes, and a target."""
    rng = np.random.default_rng(n)
    if "bce" not in kind:
        x = draws(n, dtype, 1)
        return x, np.where(rng.random(n) < 0.1, x, draws(n, dtype, 2))
    y = np.where(rng.random(n) < 0.5, rng.integers(0, 2, n), rng.random(n)).astype(dtype)
    if kind == "bce":
        x = np.where(rng.random(n) < 0.5, rng.random(n), 10 ** rng.uniform(-9, 0, n))
        x[::11] = rng.integers(0, 2, len(x[::11]))
        return x.astype(dtype), y
    return (rng.standard_normal(n) * 10 ** rng.uniform(-3, 1.5, n)).astype(dtype), y


@every_loss
def test_element_losses(isa: str, dtype: Any, team: int, kind: str) -> None:
    parameter, formula = ELEMENT_LOSSES[kind]
    tiny = np.finfo(dtype).tiny / np.finfo(dtype).eps  # exp may flush what would be denormal
    for n in awkward_sizes(dtype):
        for offset in OFFSETS:
            x, y = (place(a, offset) for a in loss_inputs(kind, n, dtype))
            w, pw = (place(abs(draws(n, dtype, seed)), offset) for seed in (5, 6))
            g = place(draws(n, dtype, 7), offset)
            X, Y, W, PW, G = (a.astype(np.float64) for a in (x, y, w, pw, g))
            loss, dx, dy = (empty(n, dtype, offset) for _ in range(3))
            value, *slopes = formula(X, Y, PW)
            _core.element_loss_forward(loss, kind, x, y, w, pw, parameter)
            assert_near(loss, value * W, abs(value) * W + tiny, 16)
            _core.element_loss_backward(dx, dy, g, kind, x, y, w, pw, parameter, 3.0)
            for got, terms in zip((dx, dy), slopes, strict=True):
                size = sum(abs(t) for t in terms) * abs(W * G) + tiny
                assert_near(got, sum(terms) * W * G / 3, size, 16)


@every_loss
def test_element_losses_without_weights(isa: str, dtype: Any, kind: str) -> None:
    """Weights of 1 and one gradient for all give the same bits; each gradient alone too."""
    x, y = loss_inputs(kind, 83, dtype)
    one, g = np.ones(83, dtype), np.array(0.3, dtype)
    results = set()
    for weights, dloss in (((None, None), g), ((one, one), g), ((one, None), g * one)):
        loss, dx, dy, alone = (np.empty(83, dtype) for _ in range(4))
        _core.element_loss_forward(loss, kind, x, y, *weights, 0.5)
        _core.element_loss_backward(dx, dy, dloss, kind, x, y, *weights, 0.5)
        results.add(bits(loss, dx, dy))
        _core.element_loss_backward(alone, None, dloss, kind, x, y, *weights, 0.5)
        assert bits(alone) == bits(dx)
        _core.element_loss_backward(None, alone, dloss, kind, x, y, *weights, 0.5)
        assert bits(alone) == bits(dy)
    assert len(results) == 1


@every_loss
def test_element_losses_do_not_hide_nan(isa: str, dtype: Any, kind: str) -> None:
    for n in (1, 7, 19):
        for at in range(n):
            for which in (0, 1):
                given = loss_inputs(kind, n, dtype)
                given[which][at] = np.nan
                loss, dx, dy = (np.empty(n, dtype) for _ in range(3))
                _core.element_loss_forward(loss, kind, *given)
                _core.element_loss_backward(dx, dy, np.ones((), dtype), kind, *given)
                assert np.flatnonzero(np.isnan(loss)).tolist() == [at]
                assert np.isnan(dx[at])
                if which == 0:
                    assert np.isnan(dy[at])


@every_loss
def test_element_losses_do_not_depend_on_place_or_threads(isa: str, dtype: Any, kind: str) -> None:
    n = 10007
    x, y = loss_inputs(kind, n, dtype)
    g = draws(n, dtype, 3)

    def run(part: slice, offset: int) -> list[np.ndarray]:
        a, b, dloss = (place(v[part], offset) for v in (x, y, g))
        loss, dx, dy = (empty(len(a), dtype, offset) for _ in range(3))
        _core.element_loss_forward(loss, kind, a, b, None, None, 0.5)
        _core.element_loss_backward(dx, dy, dloss, kind, a, b, None, None, 0.5)
        return [loss, dx, dy]

    whole = run(slice(None), 0)
    for start in range(40):
        for stop in (start + 1, start + 5, 83):
            part = slice(start, stop)
            assert bits(*run(part, start % 4)) == bits(*(a[part] for a in whole)), part
    for team in (2, 3, 7):
        force_threads(team)
        assert bits(*run(slice(None), 1)) == bits(*whole)


def test_losses_are_summed_in_float64(isa: str, dtype: Any) -> None:
    """A sum of ten thousand is the float64 sum rounded once; it does not depend on threads."""
    x, y = (draws(10007, dtype, seed) for seed in (1, 2))
    losses, total = np.empty(10007, dtype), np.empty((), dtype)
    _core.element_loss_forward(losses, "l1", x, y)
    for team in TEAMS:
        force_threads(team)
        for divisor in (1.0, 10007.0):
            _core.element_loss_forward(total, "l1", x, y, divisor=divisor)
            exact = math.fsum(losses.tolist()) / divisor
            ulps = 8 if dtype is np.float64 else 0.51
            assert abs(float(total) - exact) <= ulps * np.spacing(dtype(exact))


# --- reductions ---


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


# --- optimizers ---

SGD_OPTIONS = [
    {}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}, {"weight_decay": 0.1},
    {"momentum": 0.5, "dampening": 0.9, "weight_decay": 0.01}, {"maximize": True},
]  # fmt: skip


@pytest.mark.parametrize("options", SGD_OPTIONS, ids=lambda o: "-".join(o) or "plain")
@pytest.mark.parametrize("step", [1, 2])
def test_sgd(isa: str, dtype: Any, team: int, options: dict[str, Any], step: int) -> None:
    rule = sgd_rule(lr=0.1, **options)
    given = {"momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False, **options}
    for w, offset in arrays(dtype):
        g, u = (place(draws(w.size, dtype, seed), offset) for seed in (1, 2))
        W, G, U = (a.astype(np.float64) for a in (w, g, u))
        state = {"v": U}
        expected = rule(W, G, state, step)
        velocity = u if given["momentum"] else None
        _core.sgd(w, velocity, g, 0.1, **given, first=step == 1)
        size = abs(W) + abs(G) + abs(U)
        assert_near(w, expected, size, 8)
        assert_near(u, state["v"] if given["momentum"] else U, size, 4)


@pytest.mark.parametrize("step", [1, 7, 100_000])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_adam(isa: str, dtype: Any, team: int, decay: float, step: int) -> None:
    lr, betas, eps = 0.01, (0.9, 0.999), 1e-8
    rule = adam_rule(lr, betas, eps, decay)
    for w, offset in arrays(dtype):
        g, m = (place(draws(w.size, dtype, seed), offset) for seed in (1, 2))
        v = place(draws(w.size, dtype, 3) ** 2, offset)
        W, G, M, V = (a.astype(np.float64) for a in (w, g, m, v))
        state = {"m": M, "v": V}
        expected = rule(W, G, state, step)
        corrections = [1 - beta**step for beta in betas]
        _core.adam(w, m, v, None, g, lr, *betas, eps, decay, *corrections)
        size = abs(G) + abs(decay * W)
        assert_near(m, state["m"], 0.9 * abs(M) + 0.1 * size, 8)
        assert_near(v, state["v"], 0.999 * V + 0.001 * size**2, 8)
        update = abs(expected - W)
        cancelled = lr * (0.9 * abs(M) + 0.1 * size) / np.sqrt(state["v"])
        assert_near(w, expected, abs(W) + 8 * update + 32 * cancelled, 2)


@pytest.mark.parametrize("maximize", [False, True])
def test_adam_with_all_options(isa: str, dtype: Any, team: int, maximize: bool) -> None:
    lr, betas, eps, decay = 0.01, (0.9, 0.999), 1e-8, 0.1
    rule = adam_rule(lr, betas, eps, decay, True, maximize, decoupled_weight_decay=True)
    for w, offset in arrays(dtype):
        g, m = (place(draws(w.size, dtype, seed), offset) for seed in (1, 2))
        v, largest = (place(draws(w.size, dtype, seed) ** 2, offset) for seed in (3, 4))
        W, G, M, V, L = (a.astype(np.float64) for a in (w, g, m, v, largest))
        state = {"m": M, "v": V, "largest": L}
        expected = rule(W, G, state, 7)
        corrections = [1 - beta**7 for beta in betas]
        _core.adam(w, m, v, largest, g, lr, *betas, eps, decay, *corrections, True, maximize)
        size = 0.9 * abs(M) + 0.1 * abs(G)
        assert_near(m, state["m"], size, 8)
        assert_near(v, state["v"], 0.999 * V + 0.001 * G**2, 8)
        assert_near(largest, state["largest"], state["largest"], 8)
        cancelled = lr * size / np.sqrt(state["largest"])
        assert_near(w, expected, abs(W) + 32 * cancelled, 2)


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_adagrad(isa: str, dtype: Any, team: int, decay: float) -> None:
    rule = adagrad_rule(0.1, weight_decay=decay, eps=1e-3, maximize=decay > 0)
    for w, offset in arrays(dtype):
        g = place(draws(w.size, dtype, 1), offset)
        total = place(draws(w.size, dtype, 2) ** 2, offset)
        W, G, S = (a.astype(np.float64) for a in (w, g, total))
        state = {"s": S}
        expected = rule(W, G, state, 1)
        _core.adagrad(w, total, g, 0.1, 1e-3, decay, decay > 0)
        size = abs(G) + abs(decay * W)
        assert_near(total, state["s"], S + size**2, 8)
        assert_near(w, expected, abs(W) + size / (np.sqrt(state["s"]) + 1e-3), 8)


@pytest.mark.parametrize("options", [
    {}, {"momentum": 0.9}, {"centered": True},
    {"momentum": 0.5, "centered": True, "weight_decay": 0.1, "maximize": True},
], ids=lambda o: "-".join(o) or "plain")  # fmt: skip
def test_rmsprop(isa: str, dtype: Any, team: int, options: dict[str, Any]) -> None:
    rule = rmsprop_rule(0.1, 0.9, 1e-2, **options)
    momentum, decay = options.get("momentum", 0.0), options.get("weight_decay", 0.0)
    for w, offset in arrays(dtype):
        g, u = (place(draws(w.size, dtype, seed), offset) for seed in (1, 2))
        mean = place(draws(w.size, dtype, 3) / 10, offset)
        square = place(1 + mean**2, offset)
        W, G, U, M, S = (a.astype(np.float64) for a in (w, g, u, mean, square))
        state = {"s": S, "mean": M, "u": U}
        expected = rule(W, G, state, 1)
        centered, maximize = options.get("centered", False), options.get("maximize", False)
        _core.rmsprop(w, square, mean if centered else None, u if momentum else None, g, 0.1,
                      0.9, 1e-2, decay, momentum, maximize)  # fmt: skip
        size = abs(G) + abs(decay * W)
        assert_near(square, state["s"], S + size**2, 8)
        assert_near(mean, state["mean"], abs(M) + size, 8)
        assert_near(u, state["u"], abs(U) + size, 16)
        assert_near(w, expected, abs(W) + abs(U) + size, 16)


# --- gradients ---


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
            told.add((_core.squared_norm(x), _core.l1_gradient(g, x, 0.5), bits(g)))
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


# --- mini-batches ---


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


# --- an element's bits do not depend on where it lies ---


def test_elements_do_not_depend_on_their_place(isa: str, dtype: Any) -> None:
    """Each kernel on a part of an array gives that part of its result on the whole, bit for bit."""
    n = 83
    x, g, u, v = (draws(n, dtype, seed) for seed in range(4))

    def run(part: slice, offset: int) -> tuple[np.ndarray, ...]:
        w1, w2, m = (place(x[part], offset) for _ in range(3))
        velocity, square, grad = place(u[part], offset), place(v[part] ** 2, offset), place(g[part])
        _core.sgd(w1, velocity, grad, 0.1, 0.9, 0.1, 0.01, False, False)
        _core.adam(w2, m, square, None, grad, 0.1, 0.9, 0.999, 1e-8, 0.01, 0.1, 0.001)
        w3, w4, mean, scaled = (place(x[part], offset) for _ in range(4))
        _core.adagrad(w3, square, grad, 0.1, 1e-8, 0.01)
        _core.rmsprop(w4, square, mean, velocity, grad, 0.1, 0.9, 1e-8, 0.01, 0.9)
        _core.scale_values(scaled, 0.3)
        _core.clip_values(scaled, 0.2)
        _core.l1_gradient(scaled, grad, 0.1)
        y, dx, total = np.empty_like(w1), np.empty_like(w1), np.empty_like(w1)
        _core.relu_forward(y, x[part])
        _core.relu_backward(dx, grad, y)
        _core.column_sum(total, np.stack([x, g, u, v])[:, part])
        return w1, velocity, w2, m, square, w3, w4, mean, scaled, y, dx, total

    whole = run(slice(None), 0)
    for start in range(40):
        for stop in (start + 1, start + 5, n):
            parts = run(slice(start, stop), start % 4)
            assert bits(*parts) == bits(*(a[start:stop] for a in whole)), (start, stop)


def test_rows_of_a_softmax_do_not_depend_on_their_place(isa: str, dtype: Any) -> None:
    for classes in (1, 3, 10, 17, 35):
        logits = draws(11 * classes, dtype).reshape(11, classes) * 5
        labels = np.arange(11) % classes
        losses, probabilities = run_cross_entropy(logits, labels)
        for team in (1, 3):
            force_threads(team)
            for start in range(11):
                part = run_cross_entropy(logits[start:], labels[start:], start % 3)
                assert bits(*part) == bits(losses[start:], probabilities[start:])


def test_bits_do_not_depend_on_threads(isa: str, dtype: Any) -> None:
    results = set()
    logits, t = (draws(40 * 37, dtype, seed).reshape(40, 37) for seed in (0, 1))
    labels, weight = np.arange(40) % 37, abs(draws(37, dtype, 3))
    for team in (1, 2, 3, 5, 7):
        force_threads(team)
        w, u, g = (draws(10007, dtype, seed) for seed in range(3))
        _core.sgd(w, u, g, 0.1, 0.9, 0.1, 0.01, False, False)
        _core.adam(w, u, abs(u), None, g, 0.1, 0.9, 0.999, 1e-8, 0.01, 0.1, 0.001)
        made = [w, u, *run_cross_entropy(logits, labels)]
        for run, target in (("softmax", labels), ("soft", t)):
            loss, p, dz = np.empty((), dtype), np.empty_like(t), np.empty_like(t)
            more = {"weight": weight, "smoothing": 0.1}
            getattr(_core, f"{run}_cross_entropy_forward")(loss, p, logits, target, "mean", **more)
            getattr(_core, f"{run}_cross_entropy_backward")(dz, loss, p, target, **more)
            made += [loss, p, dz]
        results.add(bits(*made))
    assert len(results) == 1
