"""Metrics against scikit-learn's definitions in NumPy, whatever the batches are."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support import mlp

from fastnn import Trainer, nn, optim
from fastnn.metrics import resolve
from fastnn.tensor import Tensor

_rng = np.random.default_rng(0)
N = 53
X = _rng.standard_normal((N, 4)).astype(np.float32)
LABELS = _rng.integers(0, 5, N)
LOGITS = _rng.standard_normal((N, 5)).astype(np.float32)
ONE_HOT = np.eye(5, dtype=np.float32)[LABELS]
BITS = (X[:, 0] > 0).astype(np.float32)
REAL = _rng.standard_normal((N, 2)) + 1e6  # far from zero: sums of squares would lose digits
GUESS = REAL + 0.3 * _rng.standard_normal((N, 2))
SPLITS = [(53,), (20, 20, 13), (52, 1), (1,) * 53]


class BCELoss(nn.Module):
    """A stand-in: metrics know losses by name."""


class BCEWithLogitsLoss(nn.Module):
    pass


class Ignoring(nn.CrossEntropyLoss):
    def __init__(self) -> None:
        super().__init__()
        self.ignore_index = 3


def of(metric: Any, outputs: Any, targets: Any, loss: Any = None, split: Any = (N,)) -> float:
    """A metric's value over the batches of a split."""
    (make,) = resolve([metric], loss).values()
    meter, start = make(), 0
    for size in split:
        meter.add(outputs[start : start + size], targets[start : start + size])
        start += size
    return meter.value()


def spread(o: np.ndarray, t: np.ndarray) -> float:
    """A metric of a person's own."""
    return float(np.abs(o - t).mean())


R2 = float((1 - ((GUESS - REAL) ** 2).sum(0) / ((REAL - REAL.mean(0)) ** 2).sum(0)).mean())
_order = np.argsort(-LOGITS, 1)
CASES: list[tuple[Any, Any, Any, Any, float]] = [
    ("accuracy", LOGITS, LABELS, None, (LOGITS.argmax(1) == LABELS).mean()),
    ("accuracy", LOGITS, LABELS.astype(np.uint8), None, (LOGITS.argmax(1) == LABELS).mean()),
    ("accuracy", LOGITS, ONE_HOT, None, (LOGITS.argmax(1) == LABELS).mean()),
    ("accuracy", LOGITS, 0.9 * ONE_HOT + 0.02, None, (LOGITS.argmax(1) == LABELS).mean()),
    ("accuracy", LOGITS, LABELS, Ignoring(),
     (LOGITS.argmax(1) == LABELS)[LABELS != 3].mean()),
    ("accuracy", X[:, 1], BITS, None, ((X[:, 1] > 0) == BITS).mean()),
    ("accuracy", X[:, 1:2], BITS, None, ((X[:, 1] > 0) == BITS).mean()),
    ("accuracy", X[:, 1:2], BITS[:, None].astype(int), None, ((X[:, 1] > 0) == BITS).mean()),
    ("accuracy", X[:, 1], BITS, BCELoss(), ((X[:, 1] > 0.5) == BITS).mean()),
    ("accuracy", X, (X > 0.3).astype(int), BCEWithLogitsLoss(), ((X > 0) == (X > 0.3)).mean()),
    ("top1", LOGITS, LABELS, None, (LOGITS.argmax(1) == LABELS).mean()),
    ("top3", LOGITS, LABELS, None, (_order[:, :3] == LABELS[:, None]).any(1).mean()),
    ("top5", LOGITS, LABELS, None, 1.0),
    ("mae", GUESS, REAL, None, np.abs(GUESS - REAL).mean()),
    ("mse", GUESS, REAL, None, ((GUESS - REAL) ** 2).mean()),
    ("rmse", GUESS, REAL, None, math.sqrt(((GUESS - REAL) ** 2).mean())),
    ("r2", GUESS, REAL, None, R2),
    ("mae", X[:, :1], X[:, 1], None, np.abs(X[:, 0] - X[:, 1].astype(float)).mean()),
    ("mse", X[:, 0], X[:, 1:2], None, ((X[:, 0] - X[:, 1].astype(float)) ** 2).mean()),
    ("mae", X[:, 0], LABELS.astype(np.uint8), None, np.abs(X[:, 0].astype(float) - LABELS).mean()),
    (spread, GUESS, REAL, None, np.abs(GUESS - REAL).mean()),
]  # fmt: skip


@pytest.mark.parametrize("split", SPLITS, ids=lambda s: f"{len(s)}-batches")
@pytest.mark.parametrize(("metric", "outputs", "targets", "loss", "expected"), CASES)
def test_values(metric: Any, outputs: Any, targets: Any, loss: Any, expected: float,
                split: tuple[int, ...]) -> None:  # fmt: skip
    assert of(metric, outputs, targets, loss, split) == pytest.approx(expected, rel=1e-9)


def test_corners() -> None:
    one = np.ones((3, 1))
    assert of("r2", one, one) == 1.0
    assert of("r2", one + 1, one) == 0.0
    assert math.isnan(of("r2", one, one, split=(1,)))
    assert math.isnan(of("accuracy", LOGITS[:1], np.array([3]), Ignoring()))
    assert of("top1", np.full((2, 3), np.nan), np.array([0, 1])) == 0.0
    for name in ("mae", "mse", "rmse", "r2"):
        assert math.isnan(of(name, np.array([1, np.nan]), np.ones(2)))


def test_names_in_a_training() -> None:
    model = mlp(4, 5)
    trainer = Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1),
                      metrics=["top2", "accuracy", top_of_mine])  # fmt: skip
    history = trainer.fit((X, LABELS), epochs=2, validation=(X, LABELS), verbose=0)
    named = ["top2", "accuracy", "top_of_mine"]
    assert list(history.metrics) == named + [f"val_{name}" for name in named]
    assert history.metrics["val_top_of_mine"] == history.metrics["val_accuracy"]
    assert list(trainer.evaluate((X, LABELS))) == ["loss", *named]


def top_of_mine(outputs: np.ndarray, targets: np.ndarray) -> float:
    assert isinstance(outputs, np.ndarray)
    assert isinstance(targets, np.ndarray)
    return float((outputs.argmax(1) == targets).mean())


# --- what does not fit ---


class MSELoss(nn.Module):
    def forward(self, outputs: Any, targets: Any) -> Any:
        return ((outputs - targets) ** 2).mean()


def own_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    return ((outputs - targets) ** 2).mean()


def regression(loss: Any, **options: Any) -> Trainer:
    model = mlp(4, 1)
    return Trainer(model, loss, optim.SGD(model.parameters(), lr=0.01), **options,
                   compile=False)  # fmt: skip


@pytest.mark.parametrize("loss", [MSELoss(), own_loss])
@pytest.mark.parametrize("y", [X[:, :1] * 2, LABELS[:, None]], ids=["real", "whole"])
def test_accuracy_by_default_is_left_out_of_regression(loss: Any, y: Any) -> None:
    trainer = regression(loss)
    history = trainer.fit((X, y), epochs=2, validation=(X, y), verbose=0)
    assert history.metrics == {}
    assert trainer.evaluate((X, y)).keys() == {"loss"}
    trainer = regression(loss, metrics=["accuracy"])
    with pytest.raises(ValueError, match=r"expected classes as targets .*; for real numbers use"):
        trainer.fit((X, y), verbose=0)
    trainer = regression(loss, metrics=["mae"])
    assert len(trainer.fit((X, y), epochs=2, verbose=0).metrics["mae"]) == 2


BAD: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: resolve("accuracy", None), TypeError, r"expected a list of metrics such as"),  # type: ignore[arg-type]
    (lambda: resolve(["top0"], None), ValueError, r"got \['top0'\]"),
    (lambda: resolve(["top3x"], None), ValueError, r"got \['top3x'\]"),
    (lambda: resolve(["mae", "mae"], None), ValueError, "each metric once, got two named 'mae'"),
    (lambda: resolve([3], None), TypeError, "as names or functions"),  # type: ignore[list-item]
    (lambda: resolve([lambda o, t: 0.0], None), ValueError, "name of its own, got '<lambda>'"),
    (lambda: resolve([BCELoss()], None), ValueError, "set its __name__"),
    (lambda: of("accuracy", LOGITS, LABELS.astype(float)), ValueError, "expected classes"),
    (lambda: of("accuracy", LOGITS, LOGITS), ValueError, "expected classes"),
    (lambda: of("accuracy", LOGITS, ONE_HOT[:, :4]), ValueError,
     r"accuracy: expected outputs and targets of one shape, got \(53, 5\) and \(53, 4\)"),
    (lambda: of("mae", LOGITS, LABELS), ValueError, r"mae: .* got \(53, 5\) and \(53,\)"),
    (lambda: of("r2", X[:, :1], X[:, None]), ValueError, r"r2: .* got \(53, 1\) and \(53, 1, 4\)"),
    (lambda: of("top2", LOGITS, ONE_HOT), ValueError, r"top2: expected outputs \(N, classes\)"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "pattern"), BAD)
def test_bad_input(call: Callable[[], Any], error: type[Exception], pattern: str) -> None:
    with pytest.raises(error, match=pattern):
        call()
