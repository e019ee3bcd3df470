"""Metrics, summed batch by batch: an epoch's value does not depend on how it was cut up."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from fastnn.autograd import Array
from fastnn.nn.loss import WeightedLoss
from fastnn.tensor import as_array

__all__ = ["METRICS", "Accuracy", "Metric", "Named", "is_regression", "names_of", "resolve",
           "rises"]  # fmt: skip

Terms = Callable[[Array, Array], tuple[float, float]]

_REGRESSION = {
    "MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss", "QuantileLoss", "PoissonNLLLoss",
    "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "quantile_loss", "poisson_nll_loss",
}  # fmt: skip
_PROBABILITY = {"BCELoss", "binary_cross_entropy"}
_ELEMENTWISE = {*_PROBABILITY, "BCEWithLogitsLoss", "binary_cross_entropy_with_logits"}
_TOP = re.compile(r"top([1-9]\d*)")
_RESERVED = {"loss", "lr", "epoch", "penalty", "seconds"}


class Metric(Protocol):
    """What measures one epoch: it is given every batch, then asked for the value."""

    def add(self, outputs: Array, targets: Array) -> None: ...

    def value(self) -> float: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


Named = dict[str, Callable[[], Metric]]


class Sums:
    """Base of metrics: their sums, the attributes that `sums` names, can be kept and set back."""

    sums: tuple[str, ...]

    def state_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.sums}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for name in self.sums:
            value = state[name]
            setattr(self, name, value if isinstance(value, int | float) else as_array(value))


class Quotient(Sums):
    """A sum over the epoch divided by another: means of all kinds.

    Args:
        terms: Gives both summands of a batch.
        finish: Applied to the quotient.
    """

    sums = "total", "count"

    def __init__(self, terms: Terms, finish: Callable[[float], float] = float) -> None:
        self.terms, self.finish = terms, finish
        self.total = self.count = 0.0

    def add(self, outputs: Array, targets: Array) -> None:
        total, count = self.terms(outputs, targets)
        self.total += total
        self.count += count

    def value(self) -> float:
        return self.finish(self.total / self.count) if self.count else math.nan


class R2(Sums):
    """`1 - sum (y - o)^2 / sum (y - mean y)^2`, the mean over output columns.

    The sums of squares about the mean are merged batch by batch (Chan, Golub and LeVeque, 1979):
    sums of plain squares would lose all digits for targets far from zero.
    """

    sums = "rows", "residual", "mean", "spread"

    def __init__(self) -> None:
        self.rows = 0
        self.residual: Any = 0.0
        self.mean: Any = 0.0
        self.spread: Any = 0.0

    def add(self, outputs: Array, targets: Array) -> None:
        errors, y = _errors("r2", outputs, targets)
        n, mean = len(y), y.mean(0)
        self.residual = self.residual + (errors**2).sum(0)
        shift, rows = mean - self.mean, self.rows + n
        self.spread = self.spread + ((y - mean) ** 2).sum(0) + shift**2 * (self.rows * n / rows)
        self.mean = self.mean + shift * (n / rows)
        self.rows = rows

    def value(self) -> float:
        if self.rows < 2:  # no spread to explain
            return math.nan
        constant = self.spread == 0
        explained = 1 - self.residual / np.where(constant, 1, self.spread)
        unexplained = np.where(self.residual == 0, 1, 0 * self.residual)  # 0, but NaN of NaN
        return float(np.where(constant, unexplained, explained).mean())


def resolve(metrics: Sequence[str | Callable[..., float]], loss: object) -> Named:
    """Find what to measure with: names and callables `f(outputs, targets) -> float`.

    Args:
        metrics: Names out of `METRICS`, "top<k>", or callables with a name of their own, which get
            NumPy arrays; their values are averaged over batches by rows.
        loss: The loss of the training; it says what outputs mean.

    Raises:
        TypeError: for a string in place of a sequence, or something that cannot be called.
        ValueError: for unknown, nameless, reserved and repeated names.

    >>> list(resolve(["mae", "top3"], loss=None))
    ['mae', 'top3']
    """
    if isinstance(metrics, str) or not isinstance(metrics, Sequence):
        raise TypeError(f"Trainer: expected a list of metrics such as ['accuracy'], got {metrics}")
    unknown = [
        m for m in metrics if isinstance(m, str) and m not in METRICS and not _TOP.fullmatch(m)
    ]
    if unknown:
        raise ValueError(
            f"Trainer: expected metrics among {sorted(METRICS)}, 'top<k>' or functions "
            f"f(outputs, targets), got {unknown}"
        )
    named: Named = {}
    for metric in metrics:
        name = metric if isinstance(metric, str) else _name_of(metric)
        if name in named:
            raise ValueError(f"Trainer: expected each metric once, got two named {name!r}")
        named[name] = _factory(metric, loss)
    return named


def is_regression(loss: object) -> bool:
    """Whether the loss, a module or a function, compares real numbers and not classes."""
    return bool(names_of(loss) & _REGRESSION)


def names_of(loss: object) -> set[str]:
    """What a loss is called, its classes or its function; of one weighted by rows, what is within.

    >>> import fastnn
    >>> "cross_entropy" in names_of(fastnn.nn.functional.cross_entropy)
    True
    """
    return _names(_of_rows_alike(loss))


def rises(name: str) -> bool | None:
    """Whether more of a measurement is better; None where its name does not say.

    >>> rises("val_accuracy"), rises("loss"), rises("val_purity")
    (True, False, None)
    """
    name = name.removeprefix("val_")
    if name in ("accuracy", "r2") or _TOP.fullmatch(name):
        return True
    return False if name in ("loss", "mae", "mse", "rmse") else None


def _factory(metric: str | Callable[..., float], loss: object) -> Callable[[], Metric]:
    if not isinstance(metric, str):
        return functools.partial(Quotient, functools.partial(_of_rows, metric))
    if metric in METRICS:
        return METRICS[metric](_of_rows_alike(loss))
    match = _TOP.fullmatch(metric)
    assert match is not None
    return functools.partial(Quotient, functools.partial(_top, int(match[1])))


def _name_of(metric: Any) -> str:
    if not callable(metric):
        raise TypeError(
            f"Trainer: expected metrics as names or functions f(outputs, targets), got {metric!r}"
        )
    name = getattr(metric, "__name__", "<none>")
    if name.startswith(("<", "val_")) or name in _RESERVED:
        raise ValueError(
            f"Trainer: expected a metric with a name of its own, got {name!r} of {metric!r}; "
            "define it with def, or set its __name__"
        )
    return str(name)


def _of_rows_alike(loss: object) -> object:
    """The loss that is weighted by rows, which says what outputs mean, or the loss itself."""
    return loss.loss if isinstance(loss, WeightedLoss) else loss


def _names(loss: object) -> set[str]:
    """The names that a loss goes by: of its classes, or of the function."""
    return {cls.__name__ for cls in type(loss).__mro__} | {getattr(loss, "__name__", "")}


def _of_rows(f: Callable[..., float], outputs: Array, targets: Array) -> tuple[float, float]:
    return float(f(outputs, targets)) * len(targets), len(targets)


# --- classes ---


class Accuracy(Quotient):
    """The share of rows, or of elements that are 0 or 1, that come out right.

    Args:
        loss: What the outputs were trained with: it says what they mean.
    """

    def __init__(self, loss: object) -> None:
        super().__init__(self._terms)
        names = _names(loss)
        self.threshold = 0.5 if names & _PROBABILITY else 0.0
        self.elementwise = bool(names & _ELEMENTWISE)
        self.ignored: int | None = getattr(loss, "ignore_index", None)

    def form(self, outputs: tuple[int, ...], targets: Array) -> str | None:
        """What it compares for outputs of a shape: "classes" with labels, "bits"; None: others."""
        if len(outputs) == 2 and outputs[1] > 1 and targets.ndim == 1:
            return "classes" if targets.dtype.kind in "iub" else None
        bits = self.elementwise or math.prod(outputs[1:]) == 1
        return "bits" if bits and _are_bits(targets) else None

    def _terms(self, outputs: Array, targets: Array) -> tuple[float, float]:
        if outputs.ndim == 2 and outputs.shape[1] > 1 and targets.ndim == 1:
            return _right_classes(outputs, targets, self.ignored)
        outputs, targets = _aligned("accuracy", outputs, targets)
        if outputs[0].size == 1 or self.elementwise:
            return _right_bits(outputs > self.threshold, targets)
        if not (np.all(targets >= 0) and np.allclose(targets.sum(1), 1, atol=1e-4)):
            raise _not_classes(targets)
        return float((outputs.argmax(1) == targets.argmax(1)).sum()), len(targets)


def _right_classes(outputs: Array, labels: Array, ignored: Any) -> tuple[float, float]:
    if labels.dtype.kind not in "iub":
        raise _not_classes(labels)
    right = outputs.argmax(1) == labels
    if ignored is None or not (skip := labels == ignored).any():
        return float(right.sum()), len(labels)
    return float(right[~skip].sum()), float((~skip).sum())


def _right_bits(predicted: Array, targets: Array) -> tuple[float, float]:
    if not _are_bits(targets):
        raise _not_classes(targets)
    return float((predicted == targets).sum()), targets.size


def _are_bits(targets: Array) -> bool:
    return bool(((targets == 0) | (targets == 1)).all())


def _top(k: int, outputs: Array, labels: Array) -> tuple[float, float]:
    if outputs.ndim != 2 or labels.shape != outputs.shape[:1] or labels.dtype.kind not in "iub":
        raise ValueError(
            f"top{k}: expected outputs (N, classes) and integer labels (N,), got {outputs.shape} "
            f"and {labels.dtype} of shape {labels.shape}"
        )
    own = outputs[np.arange(len(labels)), labels.astype(np.int64)]
    ahead = (~(outputs <= own[:, None])).sum(1)  # NaN counts as ahead
    return float((ahead < k).sum()), len(labels)


def _not_classes(targets: Array) -> ValueError:
    return ValueError(
        "accuracy: expected classes as targets (integers, one-hot rows, or 0 and 1 for a single "
        f"output), got {targets.dtype} of shape {targets.shape} with other values; for real "
        "numbers use metrics=['mae'], 'mse', 'rmse' or 'r2'"
    )


# --- real numbers ---


def _aligned(who: str, outputs: Array, targets: Array) -> tuple[Array, Array]:
    """Outputs and targets of one shape; (N,) and (N, 1) are taken for the same."""
    if outputs.shape == targets.shape:
        return outputs, targets
    shapes = [a.shape[:-1] if a.ndim == 2 and a.shape[1] == 1 else a.shape
              for a in (outputs, targets)]  # fmt: skip
    if shapes[0] != shapes[1]:  # broadcasting would compare every row with every other
        raise ValueError(f"{who}: expected outputs and targets of one shape, "
                         f"got {outputs.shape} and {targets.shape}")  # fmt: skip
    return outputs.reshape(shapes[0]), targets.reshape(shapes[0])


def _errors(who: str, outputs: Array, targets: Array) -> tuple[Array, Array]:
    """Differences and targets in float64."""
    outputs, targets = _aligned(who, outputs, targets)
    y = targets.astype(np.float64)
    return y - outputs, y


def _absolute(outputs: Array, targets: Array) -> tuple[float, float]:
    return float(np.abs(_errors("mae", outputs, targets)[0]).sum()), targets.size


def _squared(who: str, outputs: Array, targets: Array) -> tuple[float, float]:
    return float((_errors(who, outputs, targets)[0] ** 2).sum()), targets.size


def _fixed(make: Callable[..., Metric], *args: Any) -> Callable[[object], Callable[[], Metric]]:
    """A metric that no loss changes."""
    return lambda loss: functools.partial(make, *args)


METRICS: dict[str, Callable[[object], Callable[[], Metric]]] = {
    "accuracy": lambda loss: functools.partial(Accuracy, loss),
    "mae": _fixed(Quotient, _absolute),
    "mse": _fixed(Quotient, functools.partial(_squared, "mse")),
    "rmse": _fixed(Quotient, functools.partial(_squared, "rmse"), math.sqrt),
    "r2": _fixed(R2),
}
