"""Products on data whose answer is exact: small integers, so that the allowed error is zero.

Every combination of ISA, threads, dtype, alignment and layout sees every triple (m, n, k); the
epilogues and the views of the plain product rotate over them. Under sanitizers the threads and
alignments rotate too.
"""

import collections
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from support import DTYPES, SANITIZED, TEAMS, bits, empty, force_threads, place

import fastnn
from fastnn import _core

SMALL = range(1, 18)
LARGE = [31, 32, 33, 47, 48, 49, 63, 64, 65, 99, 100, 101, 127, 128, 129, 255, 256, 257,
         511, 512, 513]  # fmt: skip
SAMPLED = 420
PAGES = (512, 1024)  # rows of 4 KiB in float64 and float32, which the kernel reads otherwise
OFFSETS = (0, 1)
WAYS = list(itertools.product(TEAMS, OFFSETS))
ISAS = fastnn.available_isas()

_rng = np.random.default_rng(0)
_VALUES = _rng.choice([-4, -3, -2, -1, 1, 2, 3, 4], 2_200_000)
_MORE = _rng.integers(-4, 5, 600_000)  # biases and masks, zeros among them
_SENTINEL = -777.0


def _triples() -> list[tuple[int, int, int]]:
    """All of 1..17 in each dimension, and distinct ones that reach up to 513."""
    rng = np.random.default_rng(1)
    small = list(itertools.product(SMALL, SMALL, SMALL))
    sizes = np.array([*SMALL, *LARGE])
    more = {tuple(t) for t in rng.choice(sizes, (SAMPLED, 3)).tolist()} - set(small)
    # for each number of rows in a tile: rows a page apart and more columns than two panels, and
    # long rows of B, of which a few rows of A meet some at a time
    pages = {(m, n, k) for m in (*range(1, 16), 33) for n in (40, 72) for k in PAGES}
    streamed = {(m, n, k) for m in range(1, 15) for n in (513, 650) for k in (7, 40)}
    return small + sorted(more | pages | streamed)


TRIPLES = _triples()
_START = dict(zip(TRIPLES, _rng.integers(0, 40_000, len(TRIPLES)).tolist(), strict=True))


class Memory:
    """The same integers in memory of one dtype and alignment, and room for a result."""

    def __init__(self, dtype: Any, offset: int) -> None:
        self.left, self.right = (
            place(np.roll(_VALUES, shift).astype(dtype), offset) for shift in (0, 7919)
        )
        self.more = place(_MORE.astype(dtype), offset)
        self.out = empty(600_000, dtype, offset)

    def result(self, *shape: int) -> tuple[np.ndarray, np.ndarray]:
        """An output full of NaN, and the elements behind it that must stay as they are."""
        count = shape[0] * shape[1]
        self.out[:count] = np.nan
        beyond = self.out[count : count + 40]
        beyond[:] = _SENTINEL
        return self.out[:count].reshape(shape), beyond


EXACT = Memory(np.float64, 0)
MEMORIES = {(d, o): Memory(d, o) for d in DTYPES for o in OFFSETS}
_BEYOND = {d: np.full(40, _SENTINEL, d).tobytes() for d in DTYPES}


def _cut(flat: np.ndarray, start: int, *shape: int) -> np.ndarray:
    return flat[start : start + int(np.prod(shape))].reshape(shape)


def _views(memory: Memory, start: int, side: str, kind: int, rows: int, cols: int) -> np.ndarray:
    """A (rows, cols) matrix that lies in memory in one of seven ways."""
    flat = memory.left if side == "a" else memory.right
    if kind == 0:
        return _cut(flat, start, rows, cols)
    if kind == 1:
        return _cut(flat, start, cols, rows).T
    if kind == 2:
        return _cut(flat, start, 2 * rows, cols)[::2]
    if kind == 3:
        return _cut(flat, start, rows, 3 * cols)[:, ::3]
    if kind == 4:
        return _cut(flat, start, rows, cols)[::-1, ::-1]
    if kind == 5:
        return np.broadcast_to(_cut(flat, start, cols), (rows, cols))
    return np.broadcast_to(_cut(flat, start, rows, 1), (rows, cols))


VIEWS = list(itertools.product(range(7), range(7)))


# --- the four layouts: operands out of a memory, and the call ---


def _forward_operands(memory: Memory, s: int, i: int, m: int, n: int, k: int) -> tuple[Any, ...]:
    bias = _cut(memory.more, s, n) if i % 3 else None
    return _cut(memory.left, s, m, k), _cut(memory.right, s, n, k), bias, i % 3 == 2


def _forward(y: np.ndarray, x: Any, w: Any, bias: Any, relu: bool) -> None:
    _core.linear_forward(y, x, w, bias, relu)


def _forward_exact(x: Any, w: Any, bias: Any, relu: bool) -> np.ndarray:
    y = x @ w.T if bias is None else x @ w.T + bias
    return np.maximum(y, 0.0) if relu else y


def _input_operands(memory: Memory, s: int, i: int, m: int, n: int, k: int) -> tuple[Any, ...]:
    mask = _cut(memory.more, s, m, n) if i % 2 else None
    return _cut(memory.left, s, m, k), _cut(memory.right, s, k, n), mask


def _input_exact(dy: Any, w: Any, mask: Any) -> np.ndarray:
    return dy @ w if mask is None else np.where(mask > 0, dy @ w, 0.0)


def _weight_operands(memory: Memory, s: int, i: int, m: int, n: int, k: int) -> tuple[Any, ...]:
    return _cut(memory.left, s, k, m), _cut(memory.right, s, k, n)


def _plain_operands(memory: Memory, s: int, i: int, m: int, n: int, k: int) -> tuple[Any, ...]:
    a, b = VIEWS[i % len(VIEWS)]
    return _views(memory, s, "a", a, m, k), _views(memory, s, "b", b, k, n)


LAYOUTS: dict[str, tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]] = {
    "forward": (_forward_operands, _forward, _forward_exact),
    "backward_input": (_input_operands, _core.linear_backward_input, _input_exact),
    "backward_weight": (_weight_operands, _core.linear_backward_weight, lambda dy, x: dy.T @ x),
    "plain": (_plain_operands, _core.gemm, lambda a, b: a @ b),
}


def _expected(layout: str, triples: list[Any]) -> Iterator[tuple[int, Any, np.ndarray]]:
    """(rotation, triple, exact result) of each triple."""
    operands, _, exact = LAYOUTS[layout]
    for i, triple in enumerate(triples):
        # + 0.0 turns -0 into 0, which a chain that starts at 0 never gives either
        yield i, triple, exact(*operands(EXACT, _START[triple], i, *triple)) + 0.0


@pytest.mark.parametrize("team", TEAMS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_products_of_integers_are_exact(layout: str, team: int) -> None:
    operands, call, _ = LAYOUTS[layout]
    seen = collections.Counter[tuple[str, Any]]()
    zeros = values = shown = 0
    force_threads(team)
    for i, triple, exact in _expected(layout, TRIPLES):
        m, n, _ = triple
        if not (layout == "forward" and i % 3 == 2) and not (layout == "backward_input" and i % 2):
            zeros += int((exact == 0).sum())
            values += exact.size
        wanted = {dtype: exact.astype(dtype) for dtype in DTYPES}
        wanted_bits = {dtype: array.tobytes() for dtype, array in wanted.items()}
        given = {
            key: operands(memory, _START[triple], i, *triple) for key, memory in MEMORIES.items()
        }
        # sanitizers look at memory: to them the ways come in turns, as all of them take minutes
        ways = [WAYS[i // 7 % len(WAYS)]] if SANITIZED else WAYS
        offsets = [offset for size, offset in ways if size == team]
        shown += len(offsets)
        for isa, offset, dtype in itertools.product(ISAS, offsets, DTYPES):
            fastnn.set_isa(isa)
            out, beyond = MEMORIES[dtype, offset].result(m, n)
            call(out, *given[dtype, offset])
            place = f"{layout} {triple} {isa} {team} {offset} {dtype.__name__} ({i})"
            if out.tobytes() != wanted_bits[dtype]:
                np.testing.assert_array_equal(out, wanted[dtype], place)
            assert beyond.tobytes() == _BEYOND[dtype], place
            seen[isa, dtype] += 1
    assert len(set(TRIPLES)) == len(TRIPLES) > 5000
    assert seen.keys() == set(itertools.product(ISAS, DTYPES))
    assert set(seen.values()) == {shown}
    assert shown > 1700 if SANITIZED else shown == 2 * len(TRIPLES)
    assert zeros < 0.3 * values, "mostly zeros: such data would hide errors"


@pytest.mark.parametrize("dtype", DTYPES)
def test_large_products_of_integers_are_exact(isa: str, dtype: Any) -> None:
    """More than one block of rows, of columns and of k, whose sums pass through memory."""
    for i, (m, n, k) in enumerate([(513, 65, 1030), (300, 1100, 70), (65, 1030, 1100)]):
        for layout, (operands, call, exact) in LAYOUTS.items():
            force_threads(1 + i)
            start = 1000 * i
            expected = exact(*operands(EXACT, start, 7 * i + 1, m, n, k))
            out, _ = MEMORIES[dtype, 1].result(m, n)
            call(out, *operands(MEMORIES[dtype, 1], start, 7 * i + 1, m, n, k))
            np.testing.assert_array_equal(out, expected.astype(dtype), f"{layout} {m, n, k}")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("team", TEAMS)
def test_empty_dimensions(isa: str, team: int, dtype: Any) -> None:
    force_threads(team)
    for m, n, k in itertools.product((0, 1, 5, 40), repeat=3):
        x, w, b = np.ones((m, k), dtype), np.ones((n, k), dtype), np.arange(n, dtype=dtype)
        y, dx, dw = (np.full(s, np.nan, dtype) for s in ((m, n), (m, k), (n, k)))
        _core.linear_forward(y, x, w, b)
        np.testing.assert_array_equal(y, np.full((m, n), k) + np.arange(n))
        _core.linear_backward_input(dx, y, w)
        np.testing.assert_array_equal(dx, y @ w)
        _core.linear_backward_weight(dw, y, x)
        np.testing.assert_array_equal(dw, y.T @ x)


@pytest.mark.parametrize("dtype", DTYPES)
def test_error_on_real_numbers_is_within_rounding(isa: str, dtype: Any) -> None:
    """|C - AB| <= 8 sqrt(k) eps (|A| |B|), element by element."""
    rng = np.random.default_rng(2)
    eps = np.finfo(dtype).eps
    exact_type = np.longdouble if dtype == np.float64 else np.float64
    for m, n, k in [(7, 5, 1), (64, 33, 100), (100, 65, 513), (3, 17, 4099), (65, 2, 1000)]:
        x = rng.standard_normal((m, k)).astype(dtype)
        w = rng.standard_normal((n, k)).astype(dtype)
        b = rng.standard_normal(n).astype(dtype)
        y, dx, dw = (np.empty(s, dtype) for s in ((m, n), (m, k), (n, k)))
        _core.linear_forward(y, x, w, b)
        _core.linear_backward_input(dx, y, w)
        _core.linear_backward_weight(dw, y, x)
        X, W, B, Y = (a.astype(exact_type) for a in (x, w, b, y))
        for got, exact, magnitude, depth in (
            (y, X @ W.T + B, abs(X) @ abs(W.T) + abs(B), k),
            (dx, Y @ W, abs(Y) @ abs(W), n),
            (dw, Y.T @ X, abs(Y.T) @ abs(X), m),
        ):
            assert (abs(got - exact) <= 8 * np.sqrt(depth) * eps * magnitude).all(), (m, n, k)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_do_not_depend_on_their_company(isa: str, dtype: Any) -> None:
    """The forward pass of a batch split anywhere gives the bits of the whole."""
    rng = np.random.default_rng(3)
    for rows, n, k in [(37, 33, 65), (29, 10, 100), (23, 1, 77), (40, 3, 5), (19, 100, 600),
                       (20, 40, 1024), (33, 64, 512)]:  # fmt: skip
        x = rng.standard_normal((rows, k)).astype(dtype)
        w, b = rng.standard_normal((n, k)).astype(dtype), rng.standard_normal(n).astype(dtype)
        whole = np.empty((rows, n), dtype)
        _core.linear_forward(whole, x, w, b)
        dx = np.empty((rows, k), dtype)
        _core.linear_backward_input(dx, whole, w)
        for cut in range(1, rows):
            parts = np.empty_like(whole)
            dparts = np.empty_like(dx)
            for part in (slice(0, cut), slice(cut, rows)):
                _core.linear_forward(parts[part], x[part], w, b)
                _core.linear_backward_input(dparts[part], whole[part], w)
            assert bits(parts) == bits(whole), (rows, n, k, cut)
            assert bits(dparts) == bits(dx), (rows, n, k, cut)


@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_do_not_depend_on_threads(isa: str, dtype: Any) -> None:
    rng = np.random.default_rng(4)
    for rows, n, k in [(37, 33, 65), (100, 10, 129), (5, 100, 7), (64, 2, 300), (31, 40, 1024)]:
        x, w, b = (rng.standard_normal(s).astype(dtype) for s in ((rows, k), (n, k), (n,)))
        results = set()
        for team in (1, 2, 3, 5, 7):
            force_threads(team)
            y, dx, dw, db = (np.empty(s, dtype) for s in ((rows, n), (rows, k), (n, k), (n,)))
            _core.linear_forward(y, x, w, b, True)
            _core.linear_backward_input(dx, y, w, x)
            _core.linear_backward_weight(dw, y, x)
            _core.column_sum(db, y)
            results.add(bits(y, dx, dw, db))
        assert len(results) == 1, (rows, n, k)


def test_nan_and_infinity_pass_through(isa: str) -> None:
    for dtype in DTYPES:
        x, w = np.ones((20, 40), dtype), np.ones((35, 40), dtype)
        x[19, 39], x[0, 0] = np.nan, np.inf
        y = np.empty((20, 35), dtype)
        _core.linear_forward(y, x, w, None, True)
        assert np.isnan(y[19]).all()
        assert np.isposinf(y[0]).all()
        assert (y[1:19] == 40).all()
