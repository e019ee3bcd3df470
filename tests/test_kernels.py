"""Every kernel but the products, against float64 formulas: ISA x dtype x threads x alignment."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from support import DTYPES, awkward_sizes, bits, empty, force_threads, place
from tables.losses import cross_entropy
from tables.optimizers import adam_rule, sgd_rule

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


def softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


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
    {"momentum": 0.5, "dampening": 0.9, "weight_decay": 0.01},
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
        _core.adam(w, m, v, g, lr, *betas, eps, decay, 1 - betas[0] ** step, 1 - betas[1] ** step)
        size = abs(G) + abs(decay * W)
        assert_near(m, state["m"], 0.9 * abs(M) + 0.1 * size, 8)
        assert_near(v, state["v"], 0.999 * V + 0.001 * size**2, 8)
        update = abs(expected - W)
        cancelled = lr * (0.9 * abs(M) + 0.1 * size) / np.sqrt(state["v"])
        assert_near(w, expected, abs(W) + 8 * update + 32 * cancelled, 2)


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
        _core.adam(w2, m, square, grad, 0.1, 0.9, 0.999, 1e-8, 0.01, 0.1, 0.001)
        y, dx, total = np.empty_like(w1), np.empty_like(w1), np.empty_like(w1)
        _core.relu_forward(y, x[part])
        _core.relu_backward(dx, grad, y)
        _core.column_sum(total, np.stack([x, g, u, v])[:, part])
        return w1, velocity, w2, m, square, y, dx, total

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
    logits = draws(40 * 37, dtype).reshape(40, 37)
    for team in (1, 2, 3, 5, 7):
        force_threads(team)
        w, u, g = (draws(10007, dtype, seed) for seed in range(3))
        _core.sgd(w, u, g, 0.1, 0.9, 0.1, 0.01, False, False)
        _core.adam(w, u, abs(u), g, 0.1, 0.9, 0.999, 1e-8, 0.01, 0.1, 0.001)
        results.add(bits(w, u, *run_cross_entropy(logits, np.arange(40) % 37)))
    assert len(results) == 1
