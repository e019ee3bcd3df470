"""Losses beyond their formulas: weights of any kind, targets changed in place, bad input."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support import bits

import fastnn
from fastnn import _core, nn
from fastnn.nn import functional as F

Z = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
T = np.full((4, 3), 0.25, np.float32)
Y = np.array([0, 1, 2, 1])


def f32(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


@pytest.mark.parametrize("kind", [
    list, np.array, np.float32, lambda w: np.array(w, ">f8"), fastnn.tensor,
    lambda w: fastnn.tensor(w).double(),
])  # fmt: skip
def test_weights_of_any_kind(kind: Callable[[Any], Any]) -> None:
    weight = [0.5, 2.0, 1.0]
    expected = F.cross_entropy(Z, Y, fastnn.tensor(weight))
    assert bits(nn.CrossEntropyLoss(kind(weight))(Z, Y)) == bits(expected)
    expected = F.binary_cross_entropy_with_logits(Z, T, pos_weight=fastnn.tensor(weight))
    assert bits(nn.BCEWithLogitsLoss(pos_weight=kind(weight))(Z, T)) == bits(expected)


def test_a_module_keeps_weights_of_its_own() -> None:
    weight = np.array([0.5, 2.0, 1.0], np.float32)
    loss = nn.CrossEntropyLoss(weight)
    loss.load_state_dict({"weight": np.ones(3)})
    assert weight.tolist() == [0.5, 2.0, 1.0]
    assert bits(loss(Z, Y)) == bits(F.cross_entropy(Z, Y))


@pytest.mark.parametrize(("loss", "target"), [
    (F.cross_entropy, Y), (F.nll_loss, Y), (F.cross_entropy, T), (F.mse_loss, T),
    (F.binary_cross_entropy_with_logits, T),
])  # fmt: skip
def test_a_target_changed_before_backward_is_an_error(loss: Any, target: np.ndarray) -> None:
    given = fastnn.Tensor.of(target.copy())
    out = loss(fastnn.Tensor.of(Z.copy(), requires_grad=True), given)
    given.zero_()
    with pytest.raises(RuntimeError, match="changed in place after the forward"):
        out.backward()


def test_the_input_of_a_loss_is_the_target_too() -> None:
    x = fastnn.Tensor.of(Z.copy(), requires_grad=True)
    F.mse_loss(x, x).backward()
    assert x.grad is not None
    assert not x.grad._array.any()


BAD: list[tuple[str, Callable[[], Any], type[Exception], str]] = [
    ("negative-weight", lambda: F.cross_entropy(Z, Y, [1, -1, 1]), ValueError, r"weights >= 0"),
    ("nan-weight", lambda: F.nll_loss(Z, Y, [1, np.nan, 1]), ValueError, r"weights >= 0, got"),
    ("ignore-soft", lambda: F.cross_entropy(Z, T, ignore_index=1), ValueError, "integer labels"),
    ("weight-shape", lambda: F.mse_loss(Z, T, weight=f32(4)), ValueError, r"broadcasts .*\(4,\)"),
    ("text", lambda: F.l1_loss(Z, "0.5"), TypeError, "real numbers, got str"),
    ("kind", lambda: _core.element_loss_forward(f32(2), "mae", f32(2), f32(2)), ValueError,
     "kind: expected one of mse, l1, smooth_l1, .*, bce, bce_with_logits, got mae"),
    ("reduction", lambda: _core.nll_forward(f32(4), Z, Y, "avg"), ValueError, "got 'avg'"),
    ("reduced-shape", lambda: _core.nll_forward(f32(4), Z, Y, "sum"), ValueError,
     r"loss: expected shape \(\), got \(4,\)"),
    ("dloss", lambda: _core.nll_backward(f32(4, 3), f32(3), Y), ValueError, r"\(4,\) or \(\)"),
    ("weight", lambda: _core.nll_forward(f32(4), Z, Y, weight=f32(2)), ValueError,
     r"weight: expected shape \(3,\), got \(2,\)"),
    ("target-shape", lambda: _core.soft_cross_entropy_forward(f32(4), f32(4, 3), Z, T[:3]),
     ValueError, r"targets: expected shape \(4, 3\), got \(3, 3\)"),
    ("target-type",
     lambda: _core.element_loss_forward(f32(4, 3), "l1", Z, T.astype(np.float64)),
     TypeError, "y: expected float32, got an array of float64"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("call", "error", "pattern"), [r[1:] for r in BAD], ids=[r[0] for r in BAD]
)
def test_bad_input(call: Callable[[], Any], error: type[Exception], pattern: str) -> None:
    with pytest.raises(error, match=pattern):
        call()


@pytest.mark.parametrize("call", [
    lambda a, b: _core.softmax_cross_entropy_forward(f32(4), b, Z, Y, weight=a[0]),
    lambda a, b: _core.softmax_cross_entropy_backward(a, b[:, 0].copy(), b, Y, weight=a[0]),
    lambda a, b: _core.soft_cross_entropy_forward(f32(4), b, Z, a),
    lambda a, b: _core.soft_cross_entropy_backward(a, f32(4), Z, b),
    lambda a, b: _core.soft_cross_entropy_backward_target(a, f32(4), b),
    lambda a, b: _core.nll_forward(a.reshape(-1)[3:7], b, Y),
    lambda a, b: _core.nll_backward(a, b.reshape(-1)[:4], Y),
    lambda a, b: _core.element_loss_forward(a, "mse", b, Z),
    lambda a, b: _core.element_loss_forward(a, "mse", Z, b),
    lambda a, b: _core.element_loss_backward(a, b, f32(4, 3), "mse", Z, T),
    lambda a, b: _core.element_loss_backward(None, a, b, "mse", Z, T),
])  # fmt: skip
def test_outputs_that_share_memory_with_inputs(call: Callable[..., Any]) -> None:
    memory = f32(14)
    with pytest.raises(ValueError, match="shares memory with an input"):
        call(memory[:12].reshape(4, 3), memory[2:].reshape(4, 3))
