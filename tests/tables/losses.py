"""Losses."""

from collections.abc import Callable
from typing import Any

import numpy as np

import fastnn
from fastnn import nn
from fastnn.nn import functional as F
from tables.activations import log_softmax
from tables.kinds import Array, Counts, Labels, ModuleCase, Probabilities, SoftLabels

# --- the formulas, one value a row or an element ---


def soft_cross_entropy(z: Array, t: Array, weight: Any = 1.0, smoothing: float = 0.0) -> Array:
    t = (1 - smoothing) * t + smoothing / z.shape[1]
    return -(weight * t * log_softmax(z, 1)).sum(axis=1)


def nll(x: Array, labels: Array, weight: Any = None, ignore_index: int = -100) -> Array:
    counted = labels != ignore_index
    picked = x[np.arange(len(x)), np.where(counted, labels, 0)]
    weights = np.ones(x.shape[1]) if weight is None else weight
    return -picked * weights[np.where(counted, labels, 0)] * counted


def cross_entropy(z: Array, labels: Array) -> Array:
    return nll(log_softmax(z, 1), labels)


def smooth_l1(d: Array, beta: float = 1.0) -> Array:
    return np.where(abs(d) < beta, d * d / (2 * beta or 1), abs(d) - beta / 2)


def huber(d: Array, delta: float = 1.0) -> Array:
    return np.where(abs(d) <= delta, d * d / 2, delta * (abs(d) - delta / 2))


def pinball(d: Array, q: float = 0.5) -> Array:
    return np.maximum((1 - q) * d, -q * d)


def stirling(y: Array) -> Array:
    y = np.maximum(y, 1)
    return np.where(y > 1, y * np.log(y) - y + np.log(2 * np.pi * y) / 2, 0)


def bce(x: Array, y: Array) -> Array:
    with np.errstate(divide="ignore"):
        log_x, log_1x = np.maximum(np.log(x), -100), np.maximum(np.log1p(-x), -100)
    return -(y * log_x + (1 - y) * log_1x)


def bce_with_logits(z: Array, y: Array, pos_weight: Any = 1.0) -> Array:
    return pos_weight * y * np.logaddexp(0, -z) + (1 - y) * np.logaddexp(0, z)


# --- the rows ---

CLASS_WEIGHT = np.array([0.5, 2.5, 0.0, 1.75], np.float32)
ELEMENT_WEIGHT = np.array([[0.5], [2.0], [0.0], [1.25], [3.0]], np.float32)
POS_WEIGHT = np.array([4.0, 0.5, 1.0], np.float32)


def weight_of(labels: Array, ignore_index: int = -100) -> float:
    """What a weighted mean divides by."""
    counted = labels[labels != ignore_index]
    return float(CLASS_WEIGHT[counted].sum())


def rows(
    loss: type[nn.Module],
    options: str,
    inputs: tuple[Any, ...],
    formula: Callable[..., Array],
    divisor: Callable[..., float] | None = None,
    smooth: bool = True,
    errors: tuple[Any, ...] = (),
    bad_arguments: tuple[Any, ...] = (),
    **given: Any,
) -> list[ModuleCase]:
    """A row for each reduction; a mean is the sum over `divisor` of the inputs where given.

    The formulas know their weights; those that the module keeps as buffers are left aside.
    """

    def each(*x: Array, **_: Array) -> Array:
        return formula(*x)

    def mean(*x: Array, **_: Array) -> Array:
        return formula(*x).sum() / divisor(*x) if divisor else formula(*x).mean()

    def total(*x: Array, **_: Array) -> Array:
        return formula(*x).sum()

    name = loss.__name__
    return [
        ModuleCase(
            f"{name}-{options}-{reduction}" if options else f"{name}-{reduction}",
            make=lambda reduction=reduction: loss(reduction=reduction, **given),
            inputs=inputs,
            reference=reference,
            repr=f"{name}()",
            smooth=smooth,
            errors=errors,
            bad_arguments=bad_arguments if reduction == "mean" else (),
        )
        for reduction, reference in (("mean", mean), ("sum", total), ("none", each))
    ]


def legacy(loss: type[nn.Module], at: int) -> tuple[Any, ...]:
    """PyTorch's old flags, `size_average` after `at` arguments; and a reduction that is none."""
    nones = (None,) * at
    name = loss.__name__
    return (
        (loss, (*nones, False), ValueError, rf"{name}: size_average is .* use reduction='mean'"),
        (loss, (*nones, "sum"), ValueError, rf"{name}: size_average is .*got size_average='sum'"),
        (lambda: loss(reduce=False), (), ValueError, rf"{name}: reduce is .* use reduction="),
        (lambda: loss(reduction="avg"), (), ValueError, rf"{name}: .*or 'none', got 'avg'"),
        (lambda: loss(reduction=None), (), ValueError, rf"{name}: .*or 'none', got None"),
    )


_LABELS = np.array([0, 1])
_CLASS_ERRORS = (
    (
        (np.zeros((2, 3)), np.array([0, 3])),
        IndexError,
        r"^(CrossEntropy|NLL)Loss: .*label in 0 \.\. 2, got 3 in row 1; classes count from 0",
    ),
    ((np.zeros((2, 3)), np.array([-1, 0])), IndexError, r"label in 0 \.\. 2, got -1 in row 0"),
    ((np.zeros((2, 3)), np.array([0.0, 1.0])), TypeError, r"integer class labels, got float64"),
    ((np.zeros((2, 3)), np.array([0])), ValueError, r"2 labels of shape \(2,\).*\(1,\)"),
    (
        (np.zeros((2, 3)), np.zeros((2, 1), int)),
        ValueError,
        r"2 labels of shape.*\(2, 1\); reshape",
    ),
    ((np.zeros((0, 3)), np.zeros(0, int)), ValueError, r"N > 0, got \(0, 3\)"),
    ((np.zeros((2, 0)), _LABELS), ValueError, r"N > 0, got \(2, 0\)"),
    ((np.zeros(()), np.array(0)), ValueError, r"N > 0, got \(\)"),
    ((np.zeros(3), _LABELS), ValueError, r"labels of shape \(\).*got shape \(2,\)"),
    ((np.zeros(3), np.array(3)), IndexError, r"label in 0 \.\. 2, got 3 in row 0"),
    ((np.zeros((2, 3, 4)), _LABELS), ValueError, r"labels of shape \(2, 4\).*got shape \(2,\)"),
    ((np.zeros((2, 3), int), _LABELS), TypeError, r"float32 or float64, got int64.*\.float\(\)"),
)
_CE_ERRORS = (
    *_CLASS_ERRORS,
    ((np.zeros((2, 3)), np.eye(3)[:2].astype(int)), ValueError, r"one-hot.*\.float\(\)"),
    ((np.zeros((2, 3)), np.zeros((2, 3), "f4")), TypeError, r"got float32.*\.double\(\)"),
    ((np.zeros((2, 3)), np.zeros((2, 4))), TypeError, r"probability for each class.*\(2, 3\)"),
    ((np.zeros((0, 3)), np.zeros((0, 3))), ValueError, r"N > 0, got \(0, 3\)"),
)
_WEIGHT_ERRORS = (
    ((np.zeros((2, 3)), _LABELS), ValueError, r"a weight for each class, of shape \(3,\), got"),
)
_CE_ARGUMENTS = (
    *legacy(nn.CrossEntropyLoss, 1),
    (nn.CrossEntropyLoss, ("sum",), TypeError, r"real numbers, got str 'sum'"),
    (nn.CrossEntropyLoss, (None, None, 1.5), TypeError, r"integer ignore_index, got 1\.5"),
    (lambda: nn.CrossEntropyLoss(label_smoothing=1.5), (), ValueError, r"<= 1, got 1\.5"),
    (lambda: nn.CrossEntropyLoss(label_smoothing=-0.1), (), ValueError, r"<= 1, got -0\.1"),
    (lambda: nn.CrossEntropyLoss(label_smoothing=np.nan), (), ValueError, r"<= 1, got nan"),
    (lambda: nn.CrossEntropyLoss(label_smoothing="0.1"), (), TypeError, r"a number, got '0\.1'"),
)

CLASS_LOSSES = [
    *rows(
        nn.CrossEntropyLoss, "", ((5, 19), Labels(5, 19)), cross_entropy,
        errors=_CE_ERRORS, bad_arguments=_CE_ARGUMENTS,
    ),
    *rows(nn.CrossEntropyLoss, "one-class", ((3, 1), Labels(3, 1)), cross_entropy),
    *rows(
        nn.CrossEntropyLoss, "weight", ((9, 4), Labels(9, 4)),
        lambda z, labels: nll(log_softmax(z), labels, CLASS_WEIGHT),
        lambda z, labels: weight_of(labels), errors=_WEIGHT_ERRORS, weight=CLASS_WEIGHT,
    ),
    *rows(
        nn.CrossEntropyLoss, "ignore", ((9, 4), Labels(9, 4)),
        lambda z, labels: nll(log_softmax(z), labels, None, 1),
        lambda z, labels: (labels != 1).sum(), ignore_index=1,
    ),
    *rows(
        nn.CrossEntropyLoss, "smoothing", ((4, 19), Labels(4, 19)),
        lambda z, labels: soft_cross_entropy(z, np.eye(19)[labels], 1.0, 0.1), label_smoothing=0.1,
    ),
    *rows(
        nn.CrossEntropyLoss, "weight-ignore-smoothing", ((9, 4), Labels(9, 4)),
        lambda z, labels: (labels != 3) * soft_cross_entropy(
            z, np.eye(4)[labels], CLASS_WEIGHT, 0.3),
        lambda z, labels: weight_of(labels, 3),
        weight=CLASS_WEIGHT, ignore_index=3, label_smoothing=0.3,
    ),
    *rows(nn.CrossEntropyLoss, "soft", ((5, 18), SoftLabels(5, 18)), soft_cross_entropy),
    *rows(
        nn.CrossEntropyLoss, "soft-weight-smoothing", ((5, 4), SoftLabels(5, 4)),
        lambda z, t: soft_cross_entropy(z, t, CLASS_WEIGHT, 0.2),
        weight=CLASS_WEIGHT, label_smoothing=0.2,
        errors=(*_WEIGHT_ERRORS, ((np.zeros((2, 3)), np.zeros((2, 3))), ValueError, r"\(3,\)")),
    ),
    *rows(
        nn.NLLLoss, "", ((5, 19), Labels(5, 19)), nll,
        errors=(*_CLASS_ERRORS, ((np.zeros((2, 3)), np.zeros((2, 3))), TypeError, "got float64")),
        bad_arguments=(
            *legacy(nn.NLLLoss, 1),
            (nn.NLLLoss, (None, None, "0"), TypeError, r"NLLLoss: .*ignore_index, got '0'"),
        ),
    ),
    *rows(
        nn.NLLLoss, "weight-ignore", ((9, 4), Labels(9, 4)),
        lambda x, labels: nll(x, labels, CLASS_WEIGHT, 0),
        lambda x, labels: weight_of(labels, 0),
        errors=_WEIGHT_ERRORS, weight=CLASS_WEIGHT, ignore_index=0,
    ),
]  # fmt: skip


def element_errors(name: str, takes: str = "") -> tuple[Any, ...]:
    """Of a loss that `takes` targets of other types, "i" for whole numbers, "f" for others."""
    x = np.zeros((4, 1))
    types = {
        "f": (
            ((x, x.astype("f4")), TypeError, rf"{name}: .*float64 as.*got float32; .*\.double\(\)"),
            ((x.astype("f4"), x), TypeError, rf"{name}: .*float32 as.*got float64; .*\.float\(\)"),
        ),
        "i": (((x, x.astype(int)), TypeError, rf"{name}: .*target of float64.*got int64"),),
    }
    return (
        *(row for kind, rows in types.items() if kind not in takes for row in rows),
        ((x, x[:, 0]), ValueError, rf"{name}: .*\(4, 1\), got \(4,\); reshape .* to \(4, 1\)"),
        ((x[:, 0], x), ValueError, rf"{name}: .*\(4,\), got \(4, 1\); reshape .* to \(4,\)"),
        ((x, x[:3]), ValueError, rf"{name}: .*shape \(4, 1\), got \(3, 1\)$"),
        ((x.astype(int), x), TypeError, rf"{name}: .*input of float32 or float64, got int64"),
        ((x[:0], x[:0]), ValueError, rf"{name}: .*at least one element, got shape \(0, 1\)"),
        ((x, None), TypeError, r"real numbers, got NoneType None"),
    )


def between(name: str, limits: bool) -> tuple[Any, ...]:
    half = np.full((2, 2), 0.5)
    odd = np.array([[0.5, 0.5], [1.5, 0.5]])
    targets = ((half, odd), ValueError, rf"{name}: .*targets in 0 \.\. 1, got 1\.5 at position 2")
    if not limits:
        return (targets,)
    return (
        targets,
        ((odd, half), ValueError, rf"{name}: .*got 1\.5 at position 2; BCEWithLogitsLoss"),
        ((-half, half), ValueError, rf"{name}: .*got -0\.5 at position 0; BCEWithLogitsLoss"),
    )


_WIDE = ((np.full((2, 3), 0.5), np.full((2, 3), 0.5)), ValueError)

ELEMENT_LOSSES = [
    *rows(
        nn.MSELoss, "", ((4, 5), (4, 5)), lambda x, y: (x - y) ** 2,
        errors=element_errors("MSELoss", "fi"), bad_arguments=legacy(nn.MSELoss, 0),
    ),
    *rows(
        nn.L1Loss, "", ((4, 5), (4, 5)), lambda x, y: abs(x - y), smooth=False,
        errors=element_errors("L1Loss", "fi"), bad_arguments=legacy(nn.L1Loss, 0),
    ),
    *rows(
        nn.SmoothL1Loss, "", ((4, 5), (4, 5)), lambda x, y: smooth_l1(x - y), smooth=False,
        errors=element_errors("SmoothL1Loss", "fi"),
        bad_arguments=(
            *legacy(nn.SmoothL1Loss, 0),
            (lambda: nn.SmoothL1Loss(beta=-1), (), ValueError, r"finite beta >= 0, got -1"),
            (lambda: nn.SmoothL1Loss(beta=np.nan), (), ValueError, r"finite beta >= 0, got nan"),
            (lambda: nn.SmoothL1Loss(beta="1"), (), TypeError, r"beta to be a number, got '1'"),
        ),
    ),
    *rows(
        nn.SmoothL1Loss, "beta-0.5", ((19,), (19,)), lambda x, y: smooth_l1(x - y, 0.5),
        smooth=False, beta=0.5,
    ),
    *rows(
        nn.SmoothL1Loss, "beta-0", ((19,), (19,)), lambda x, y: abs(x - y), smooth=False, beta=0,
    ),
    *rows(
        nn.HuberLoss, "", ((4, 5), (4, 5)), lambda x, y: huber(x - y), smooth=False,
        errors=element_errors("HuberLoss"),
        bad_arguments=(
            (nn.HuberLoss, ("avg",), ValueError, r"HuberLoss: .*or 'none', got 'avg'"),
            (nn.HuberLoss, ("mean", 0), ValueError, r"finite delta > 0, got 0"),
            (nn.HuberLoss, ("mean", np.inf), ValueError, r"finite delta > 0, got inf"),
            (nn.HuberLoss, ("mean", None), TypeError, r"delta to be a number, got None"),
        ),
    ),
    *rows(
        nn.HuberLoss, "delta-0.5", ((2, 3, 4), (2, 3, 4)), lambda x, y: huber(x - y, 0.5),
        smooth=False, delta=0.5,
    ),
    *rows(
        nn.QuantileLoss, "", ((4, 5), (4, 5)), lambda x, y: pinball(x - y), smooth=False,
        errors=element_errors("QuantileLoss", "fi"),
        bad_arguments=(
            (nn.QuantileLoss, ("avg",), ValueError, r"QuantileLoss: .*or 'none', got 'avg'"),
            (nn.QuantileLoss, ("mean", 0), ValueError, r"0 < quantile < 1, got 0"),
            (nn.QuantileLoss, ("mean", 1.0), ValueError, r"0 < quantile < 1, got 1\.0"),
            (nn.QuantileLoss, ("mean", "0.5"), TypeError, r"quantile to be a number, got '0\.5'"),
        ),
    ),
    *rows(
        nn.QuantileLoss, "quantile-0.9", ((2, 3, 4), (2, 3, 4)), lambda x, y: pinball(x - y, 0.9),
        smooth=False, quantile=0.9,
    ),
    *rows(
        nn.PoissonNLLLoss, "", ((4, 5), Probabilities((4, 5))), lambda x, y: np.exp(x) - y * x,
        errors=element_errors("PoissonNLLLoss", "fi"),
        bad_arguments=(
            *legacy(nn.PoissonNLLLoss, 2),
            (lambda: nn.PoissonNLLLoss(eps=-1), (), ValueError, r"finite eps >= 0, got -1"),
            (lambda: nn.PoissonNLLLoss("yes"), (), TypeError, r"log_input to be True or False"),
            (lambda: nn.PoissonNLLLoss(full=1), (), TypeError, r"full to be True or False, got 1"),
        ),
    ),
    *rows(
        nn.PoissonNLLLoss, "full", ((19,), Counts((19,))),
        lambda x, y: np.exp(x) - y * x + stirling(y), full=True,
    ),
    *rows(
        nn.PoissonNLLLoss, "rates", (Probabilities((4, 5)), Counts((4, 5))),
        lambda x, y: x - y * np.log(x + 0.5), log_input=False, eps=0.5,
    ),
    *rows(
        nn.PoissonNLLLoss, "rates-full", (Probabilities((4, 5)), Counts((4, 5))),
        lambda x, y: x - y * np.log(x + 1e-8) + stirling(y), log_input=False, full=True,
    ),
    *rows(
        nn.BCELoss, "", (Probabilities((5, 3)), Probabilities((5, 3))), bce,
        errors=(*element_errors("BCELoss"), *between("BCELoss", True)),
        bad_arguments=legacy(nn.BCELoss, 1),
    ),
    *rows(
        nn.BCELoss, "weight", (Probabilities((5, 3)), Probabilities((5, 3))),
        lambda x, y: bce(x, y) * ELEMENT_WEIGHT, weight=ELEMENT_WEIGHT,
        errors=((*_WIDE, r"a weight that broadcasts to .*\(2, 3\), got \(5, 1\)"),),
    ),
    *rows(
        nn.BCEWithLogitsLoss, "", ((5, 3), Probabilities((5, 3))), bce_with_logits,
        errors=(*element_errors("BCEWithLogitsLoss", "f"), *between("BCEWithLogitsLoss", False)),
        bad_arguments=legacy(nn.BCEWithLogitsLoss, 1),
    ),
    *rows(
        nn.BCEWithLogitsLoss, "weights", ((5, 3), Probabilities((5, 3))),
        lambda z, y: bce_with_logits(z, y, POS_WEIGHT) * ELEMENT_WEIGHT,
        weight=ELEMENT_WEIGHT, pos_weight=fastnn.Tensor.of(POS_WEIGHT),
    ),
]  # fmt: skip


def weighted(loss: nn.Module, *options: float) -> nn.Module:
    return nn.WeightedLoss(loss, *options)


def weighted_mean(losses: Array, w: Any, factor: float = 1.0) -> Array:
    each = losses.reshape(len(losses), -1).sum(axis=1)
    return factor * (w * each).sum() / (w.sum() if np.ndim(w) else len(each))


_WRAPPED = "WeightedLoss(\n  (loss): {}()\n)"
_PAIR = (np.zeros((2, 3)), np.zeros((2, 3)))
_MEAN = "weighted_mean: "

WEIGHTED_LOSSES = [
    ModuleCase(
        "WeightedLoss-classes", lambda: weighted(nn.CrossEntropyLoss(reduction="none")),
        ((5, 19), Labels(5, 19), Probabilities((5,))),
        lambda z, labels, w: weighted_mean(cross_entropy(z, labels), w),
        _WRAPPED.format("CrossEntropyLoss"),
        bad_arguments=(
            (nn.WeightedLoss, (F.mse_loss,), TypeError, r"a loss as a module, got <function"),
            (nn.WeightedLoss, (nn.MSELoss(),), ValueError, r"'none', got MSELoss with 'mean'"),
            (weighted, (nn.MSELoss(reduction="none"), 0), ValueError, r"factor > 0, got 0"),
            (weighted, (nn.MSELoss(reduction="none"), 1.0, 0), ValueError, r"limit > 0, got 0"),
        ),
    ),
    ModuleCase(
        "WeightedLoss-numbers", lambda: weighted(nn.MSELoss(reduction="none"), 0.5),
        ((4, 5), (4, 5), Probabilities((4,))),
        lambda x, y, w: weighted_mean((x - y) ** 2, w, 0.5), _WRAPPED.format("MSELoss"),
        errors=(
            ((*_PAIR, np.ones(3)), ValueError, _MEAN + r".*2 rows, of shape \(2,\), got \(3,\)"),
            ((*_PAIR, np.ones((2, 1))), ValueError, r"of shape \(2,\), got \(2, 1\)"),
            ((*_PAIR, np.array([1, -1])), ValueError, _MEAN + r".*>= 0, got -1 in row 1"),
            ((*_PAIR, np.array([np.nan, 1])), ValueError, r"finite weights.*got nan in row 0"),
            ((*_PAIR, np.array([np.inf, 1])), ValueError, r"finite weights.*got inf in row 0"),
            ((*_PAIR, np.zeros(2)), ValueError, _MEAN + r".*a weight above 0, got zeros alone"),
            ((np.zeros(()), np.zeros(())), ValueError, _MEAN + r".*\(N, \.\.\.\).*got \(\)"),
        ),
    ),
    ModuleCase(
        "WeightedLoss-alike", lambda: weighted(nn.BCEWithLogitsLoss(reduction="none")),
        ((5, 3), Probabilities((5, 3))), lambda z, y: weighted_mean(bce_with_logits(z, y), 1.0),
        _WRAPPED.format("BCEWithLogitsLoss"),
    ),
]  # fmt: skip

LOSSES = [*CLASS_LOSSES, *ELEMENT_LOSSES, *WEIGHTED_LOSSES]
