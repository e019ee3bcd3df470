"""Unusual arrays in a loss and its gradients are the plain arrays of their values, bit for bit."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from bad_inputs.arrays import ArrayOnly, Careless
from bad_inputs.core import run_program
from bad_inputs.world import X, Y, f32, with_value
from layouts import frozen, misaligned
from support import bits, mlp, state_bits

import fastnn
from fastnn import NonFiniteError, Trainer, _core, nn, optim
from fastnn.nn import functional as F

ODD: dict[str, Callable[[np.ndarray], Any]] = {
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "misaligned": misaligned,
    "rows-strided": lambda a: np.repeat(a, 3, axis=0)[::3],
    "columns-strided": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "rows-backwards": lambda a: np.ascontiguousarray(a[::-1])[::-1],
    "all-backwards": lambda a: np.flip(np.ascontiguousarray(np.flip(a))),
    "fortran": np.asfortranarray,
    "transposed": lambda a: np.ascontiguousarray(a.T).T,
    "read-only": frozen,
    "inside-another": lambda a: np.pad(a, 2)[tuple(slice(2, -2) for _ in a.shape)],
    "subclass": lambda a: a.view(Careless),
    "array-only": ArrayOnly,
    "tensor": lambda a: fastnn.Tensor.of(a.copy()),
    "memory-view": memoryview,
    "byte-shifted-stride": lambda a: np.rec.fromarrays([a, a.astype(np.int8)])["f0"],
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_odd_arrays_give_the_bits_of_plain_ones(odd: Callable[..., Any], dtype: Any) -> None:
    x = X.astype(dtype)

    def run(x: Any, labels: Any) -> bytes:
        model = mlp(4, 5, 3).to(dtype)
        loss = F.cross_entropy(model(x), labels)
        loss.backward()
        return bits(loss, *(p.grad for p in model.parameters()))

    assert run(odd(x), Y) == run(x, Y)
    assert run(x, odd(Y)) == run(x, Y)


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
def test_odd_arrays_pass_the_core_or_are_refused(odd: Callable[..., Any]) -> None:
    given, out, product = odd(X), np.empty_like(X), f32(12, 12)
    if not isinstance(given, np.ndarray):
        with pytest.raises(TypeError, match="x: expected a NumPy array, got"):
            _core.relu_forward(out, given)
        return
    _core.relu_forward(out, given)
    assert bits(out) == bits(np.maximum(X, 0))
    _core.gemm(product, given, given.T)
    expected = f32(12, 12)
    _core.gemm(expected, X, X.T)
    assert bits(product) == bits(expected)


@pytest.mark.parametrize("first", [0, 4])
def test_arrays_side_by_side_share_nothing(first: int) -> None:
    memory = np.ones(8, np.float32)
    parts = [memory[i : i + 4].reshape(2, 2) for i in (first, 4 - first)]
    _core.gemm(parts[0], parts[1], parts[1])
    assert parts[0].tolist() == [[2, 2], [2, 2]]


def test_a_program_runs_where_nothing_is_wrong() -> None:
    assert run_program()[0] == "done"


def test_broadcast_rows_give_the_bits_of_plain_ones() -> None:
    model = mlp(4, 5, 3)
    for view in (np.broadcast_to(X[0], (9, 4)), np.broadcast_to(X[:9, :1], (9, 4)),
                 np.broadcast_to(np.float32(2), (9, 4)),
                 np.lib.stride_tricks.sliding_window_view(X.ravel(), 4)[:9]):  # fmt: skip
        assert bits(model(view)) == bits(model(np.ascontiguousarray(view)))


def test_nan_in_any_place_is_found() -> None:
    for index in np.ndindex(X.shape):
        model = mlp(4, 5, 3)
        trainer = Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1))
        before = state_bits(model)
        with pytest.raises(NonFiniteError, match=r"nan in epoch 1, batch 1;"):
            trainer.fit((with_value(X, index, np.nan), Y), batch_size=12, verbose=0)
        assert state_bits(model) == before
