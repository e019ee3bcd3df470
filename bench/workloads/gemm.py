"""Matrix products: the three of a linear layer, and a grid of shapes against NumPy.

Every contestant writes into an output it is given. The operands are small integers, so that each
sum is exact in any order of addition and the check allows no error at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any, TypeAlias

import numpy as np
from harness import Case, Entry, Group, WrongAnswerError, contestant
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]

LAYERS = ((100, 784, 512), (100, 512, 512), (256, 784, 512), (1024, 1024, 1024))
SIZES = (1, 2, 7, 16, 33, 100, 256, 512, 1024, 2048)
LAYOUT_SIZES = (7, 33, 100, 512)
LARGEST = 4  # operands are in +-1..4; 2048 products of them add up to far less than 2**24
OURS, NUMPY = "fastnn", "numpy"


def groups(quick: bool) -> list[Group]:
    named = [_case(op, *shape) for shape in LAYERS for op in ("forward", "dX", "dW")]
    grid = [*_grid(quick), *_layouts()]
    return [
        Group("Products of a linear layer, float32", named, view="rates", rounds=3 if quick else 7),
        Group(
            f"Products from 1x1x1 to {'x'.join([str(max(SIZES))] * 3)}",
            grid,
            view="losses",
            rounds=1 if quick else 3,
            turn_seconds=0.005,
            cases_per_turn=8,
            retries=2,
            only=(OURS, NUMPY),
        ),
    ]


def check(case: Case, answer: Array) -> None:
    """Allow no error against float64, which is exact on these integers."""
    expected = _expected(case)
    wrong = answer != expected
    if wrong.any():
        at = tuple(np.argwhere(wrong)[0].tolist())
        raise WrongAnswerError(f"at {at} expected {expected[at]}, got {answer[at]}")


@contestant(OURS, needs=("fastnn",), ours=True)
def fastnn(case: Case) -> Entry:
    from fastnn import _core

    a, b, bias, out = _operands(case)
    calls: dict[str, Callable[[], object]] = {
        "gemm": partial(_core.gemm, out, a, b),
        "forward": partial(_core.linear_forward, out, a, b, bias, False),
        "dX": partial(_core.linear_backward_input, out, a, b),
        "dW": partial(_core.linear_backward_weight, out, a, b),
    }
    return _entry(calls[case.params["op"]], out)


@contestant(NUMPY, needs=("numpy",))
def numpy(case: Case) -> Entry:
    a, b, bias, out = _operands(case)

    def forward() -> None:
        np.matmul(a, b.T, out=out)
        np.add(out, bias, out=out)

    calls: dict[str, Callable[[], object]] = {
        "gemm": partial(np.matmul, a, b, out=out),
        "forward": forward,
        "dX": partial(np.matmul, a, b, out=out),
        "dW": partial(np.matmul, a.T, b, out=out),
    }
    return _entry(calls[case.params["op"]], out)


@contestant("torch", needs=("torch",))
def torch(case: Case) -> Entry:
    import torch

    _, _, _, out = arrays = _operands(case)
    a, b, bias, c = map(torch.from_numpy, arrays)
    calls: dict[str, Callable[[], object]] = {
        "gemm": partial(torch.mm, a, b, out=c),
        "forward": partial(torch.addmm, bias, a, b.t(), out=c),
        "dX": partial(torch.mm, a, b, out=c),
        "dW": partial(torch.mm, a.t(), b, out=c),
    }
    return _entry(calls[case.params["op"]], out)


CONTESTANTS = [fastnn, numpy, torch]


def _entry(run: Callable[[], object], out: Array) -> Entry:
    def answer() -> Array:
        out.fill(np.nan)  # a product that writes nothing must not pass
        run()
        return out

    return Entry(run, answer)


def _operands(case: Case) -> tuple[Array, Array, Array, Array]:
    """Make the two operands as the operation takes them, the bias, and the output.

    With x (M, K), w (N, K) and dy (M, N): forward x w^T, dX = dy w, dW = dy^T x; gemm a (M, K)
    times b (K, N), where the layout says "t" for an operand that is a transposed view.
    """
    m, k, n = case.params["shape"]
    shapes = {
        "gemm": ((m, k), (k, n), (m, n)),
        "forward": ((m, k), (n, k), (m, n)),
        "dX": ((m, n), (n, k), (m, k)),
        "dW": ((m, n), (m, k), (n, k)),
    }
    a_shape, b_shape, out_shape = shapes[case.params["op"]]
    a_layout, b_layout = case.params["layout"]
    rng = np.random.default_rng(0)

    def integers(shape: tuple[int, ...], layout: str = "n") -> Array:
        stored = shape if layout == "n" else shape[::-1]
        values = rng.integers(-LARGEST, LARGEST, stored, dtype=np.int8)
        values += values >= 0  # no zeros: an output that is mostly zero would prove little
        array: Array = values.astype(case.params["dtype"])
        return array if layout == "n" else array.T

    out = np.empty(out_shape, case.params["dtype"])
    return integers(a_shape, a_layout), integers(b_shape, b_layout), integers((n,)), out


def _expected(case: Case) -> Array:
    *operands, _ = _operands(case)  # the output holds whatever was in memory
    a, b, bias = (array.astype(np.float64) for array in operands)
    expected: dict[str, Callable[[], Array]] = {
        "gemm": lambda: a @ b,
        "forward": lambda: a @ b.T + bias,
        "dX": lambda: a @ b,
        "dW": lambda: a.T @ b,
    }
    return expected[case.params["op"]]()


def _grid(quick: bool) -> Iterator[Case]:
    """Yield a third of all combinations (a twentieth when quick), every pair of sizes in it.

    Taking those whose indices add up to a multiple of three thins the grid evenly: whatever two
    of the sizes are, the third takes three or four of its ten values.
    """
    step = 20 if quick else 3
    for indices in product(range(len(SIZES)), repeat=3):
        if sum(indices) % step == 0 or (len(set(indices)) == 1 and not quick):
            m, k, n = (SIZES[index] for index in indices)
            yield _case("gemm", m, k, n)


def _layouts() -> Iterator[Case]:
    """Yield square products of transposed views, and in double precision."""
    for size in LAYOUT_SIZES:
        for layout in ("nt", "tn", "tt"):
            yield _case("gemm", size, size, size, layout=layout)
        yield _case("gemm", size, size, size, dtype="float64")


def _case(op: str, m: int, k: int, n: int, *, layout: str = "nn", dtype: str = "float32") -> Case:
    params = {"op": op, "shape": (m, k, n), "layout": layout, "dtype": dtype}
    words = [f"{m}x{k}x{n}"]
    words += [op] if op != "gemm" else []
    words += [layout] if layout != "nn" else []
    words += [dtype] if dtype != "float32" else []
    return Case(" ".join(words), 2.0 * m * k * n, params)
