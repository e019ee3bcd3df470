"""Losses: each calls its kernel and puts its gradient on the tape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastnn import _core
from fastnn.autograd import Array
from fastnn.nn.functional import loss_options
from fastnn.options import above_zero, at_least_zero, flag, integer, share, within
from fastnn.tensor import Tensor, as_tensor, record

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "huber_loss",
    "l1_loss", "mse_loss", "nll_loss", "poisson_nll_loss", "quantile_loss", "smooth_l1_loss",
]  # fmt: skip

# --- of classes ---


def cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: None = None,
    ignore_index: int = -100,
    reduce: None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Softmax cross-entropy on logits (`torch.nn.functional.cross_entropy`).

    `loss_i = weight[target_i] (log(sum_j exp(z_ij)) - z_i,target_i)`, or with a probability for
    each class `loss_i = sum_j weight[j] target_ij (log(sum_k exp(z_ik)) - z_ij)`; then the mean or
    the sum over i, or all of them. The mean divides by the weights of the labels summed, or with
    probabilities by the number of rows.

    Args:
        input: Logits `(N, classes)`, `(N, classes, d1, ...)` or `(classes,)`.
        target: Integer classes `(N,)`, `(N, d1, ...)` or `()`, each in `0 .. classes - 1`; or
            probabilities (one-hot or soft labels) of the input's shape and type.
        weight: How much each class counts, `(classes,)`; None counts all the same.
        size_average: An error that names `reduction`; so is `reduce`.
        ignore_index: Rows of this label count for nothing. A mean over no other rows is NaN.
        reduce: See `size_average`.
        reduction: "mean", "sum" or "none".
        label_smoothing: The share of each target that goes to all classes alike, in [0, 1].

    Raises:
        ValueError: for another option, a shape that does not fit, or an empty batch.
        TypeError: if the logits are not floating-point or the classes not integers.
        IndexError: if a class lies outside `0 .. classes - 1`; it names the first such row.

    >>> import fastnn
    >>> logits = fastnn.tensor([[0.0, 0.0]])
    >>> round(fastnn.nn.functional.cross_entropy(logits, fastnn.tensor([1])).item(), 4)
    0.6931
    """
    who = "CrossEntropyLoss"
    loss_options.check_reduction(who, reduction, size_average, reduce)
    ignore_index = integer(who, "ignore_index", ignore_index)
    smoothing = share(who, "label_smoothing", label_smoothing)
    z, y = as_tensor(input), as_tensor(target)
    loss_options.check_classes(who, z, y, soft=True)
    w = loss_options.class_weight(who, weight, z)
    saved = (y,) if weight is None else (y, as_tensor(weight))
    if y.dtype.kind == "f":
        if ignore_index >= 0:
            raise ValueError(
                f"{who}: ignore_index={ignore_index} needs integer labels; with probabilities "
                "set the rows to ignore to 0"
            )
        return _in_rows(_soft_cross_entropy, z, y, reduction, w, smoothing, saved)
    try:
        return _in_rows(_cross_entropy, z, y, reduction, w, ignore_index, smoothing, saved)
    except IndexError as error:
        raise loss_options.label_error(who, error) from None


def nll_loss(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: None = None,
    ignore_index: int = -100,
    reduce: None = None,
    reduction: str = "mean",
) -> Tensor:
    """Negative log-likelihood of log-probabilities (`torch.nn.functional.nll_loss`).

    `loss_i = -weight[target_i] x_i,target_i`, then the mean (divided by the weights of the labels
    summed) or the sum over i, or all of them.

    Args:
        input: Log-probabilities, as `log_softmax` gives, `(N, classes)`, `(N, classes, d1, ...)`
            or `(classes,)`.
        target: Integer classes `(N,)`, `(N, d1, ...)` or `()`, each in `0 .. classes - 1`.
        weight: How much each class counts, `(classes,)`; None counts all the same.
        size_average: An error that names `reduction`; so is `reduce`.
        ignore_index: Rows of this label count for nothing. A mean over no other rows is NaN.
        reduce: See `size_average`.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: for another option, a shape that does not fit, or an empty batch.
        TypeError: if the input is not floating-point or the classes not integers.
        IndexError: if a class lies outside `0 .. classes - 1`; it names the first such row.

    >>> import fastnn
    >>> x = fastnn.tensor([[-0.5, -1.0], [-2.0, -0.25]])
    >>> fastnn.nn.functional.nll_loss(x, fastnn.tensor([0, 1])).item()
    0.375
    """
    who = "NLLLoss"
    loss_options.check_reduction(who, reduction, size_average, reduce)
    ignore_index = integer(who, "ignore_index", ignore_index)
    x, y = as_tensor(input), as_tensor(target)
    loss_options.check_classes(who, x, y, soft=False)
    w = loss_options.class_weight(who, weight, x)
    saved = (y,) if weight is None else (y, as_tensor(weight))
    try:
        return _in_rows(_nll, x, y, reduction, w, ignore_index, saved)
    except IndexError as error:
        raise loss_options.label_error(who, error) from None


def _in_rows(
    loss: Callable[..., Tensor], x: Tensor, y: Tensor, reduction: str, *more: Any
) -> Tensor:
    """A loss of (rows, classes), called with the rows of an input of any dimensions."""
    if x.ndim == 2:
        return loss(x, y, reduction, *more)
    labels = _rows(y) if y.shape == x.shape else y.reshape(-1)
    out = loss(_rows(x), labels, reduction, *more)
    if reduction != "none":
        return out
    return out.reshape((x.shape[0], *x.shape[2:]) if x.ndim > 1 else ())


def _rows(x: Tensor) -> Tensor:
    """(classes,) as (1, classes), and (N, classes, d1, ...) as (N d1 ..., classes)."""
    if x.ndim == 1:
        return x.reshape(1, -1)
    return x.flatten(2).transpose(1, 2).reshape(-1, x.shape[1])


def _cross_entropy(
    input: Tensor,
    target: Tensor,
    reduction: str,
    weight: Array | None,
    ignore_index: int,
    smoothing: float,
    saved: tuple[Tensor, ...],
) -> Tensor:
    z, labels = input._array, target._array
    loss = np.empty(z.shape[0] if reduction == "none" else (), z.dtype)
    p = np.empty(z.shape, z.dtype)
    divisor = _core.softmax_cross_entropy_forward(
        loss, p, z, labels, reduction, weight, ignore_index, smoothing
    )

    def backward(dloss: Array) -> tuple[Array]:
        dz = np.empty(z.shape, z.dtype)
        _core.softmax_cross_entropy_backward(
            dz, dloss, p, labels, divisor, weight, ignore_index, smoothing
        )
        return (dz,)

    op = "class_loss", "cross_entropy", target, weight, ignore_index, smoothing, reduction
    return record(loss, "cross_entropy", (input,), backward, saved, op=op)


def _soft_cross_entropy(
    input: Tensor,
    target: Tensor,
    reduction: str,
    weight: Array | None,
    smoothing: float,
    saved: tuple[Tensor, ...],
) -> Tensor:
    z, t = input._array, target._array
    loss = np.empty(z.shape[0] if reduction == "none" else (), z.dtype)
    p = np.empty(z.shape, z.dtype)
    divisor = _core.soft_cross_entropy_forward(loss, p, z, t, reduction, weight, smoothing)

    def backward(dloss: Array) -> tuple[Array | None, Array | None]:
        dz = dt = None
        if input.requires_grad:
            dz = np.empty(z.shape, z.dtype)
            _core.soft_cross_entropy_backward(dz, dloss, p, t, divisor, weight, smoothing)
        if target.requires_grad:
            dt = np.empty(z.shape, z.dtype)
            _core.soft_cross_entropy_backward_target(dt, dloss, z, divisor, weight, smoothing)
        return dz, dt

    if target.requires_grad:
        saved = (input, *saved)
    op = "class_loss", "soft_cross_entropy", target, weight, -1, smoothing, reduction
    return record(loss, "cross_entropy", (input, target), backward, saved, op=op)


def _nll(
    input: Tensor,
    target: Tensor,
    reduction: str,
    weight: Array | None,
    ignore_index: int,
    saved: tuple[Tensor, ...],
) -> Tensor:
    x, labels = input._array, target._array
    loss = np.empty(x.shape[0] if reduction == "none" else (), x.dtype)
    divisor = _core.nll_forward(loss, x, labels, reduction, weight, ignore_index)

    def backward(dloss: Array) -> tuple[Array]:
        dx = np.empty(x.shape, x.dtype)
        _core.nll_backward(dx, dloss, labels, divisor, weight, ignore_index)
        return (dx,)

    op = "class_loss", "nll", target, weight, ignore_index, 0.0, reduction
    return record(loss, "nll_loss", (input,), backward, saved, op=op)


# --- element by element ---


def mse_loss(
    input: Any,
    target: Any,
    size_average: None = None,
    reduce: None = None,
    reduction: str = "mean",
    weight: Any = None,
) -> Tensor:
    """Squared error `(x - y)^2`, element by element (`torch.nn.functional.mse_loss`).

    Args:
        input: Predictions of any shape, float32 or float64.
        target: What they should be, of the same shape; whole numbers too.
        size_average: An error that names `reduction`; so is `reduce`.
        reduce: See `size_average`.
        reduction: "mean", "sum" or "none".
        weight: How much each element counts; it broadcasts to the input's shape. The mean then
            divides by the weights summed.

    Raises:
        ValueError: for another option, if the shapes differ, or if there are no elements.
        TypeError: if the predictions are not floating-point.

    >>> import fastnn
    >>> x = fastnn.tensor([1.0, 2.0])
    >>> fastnn.nn.functional.mse_loss(x, fastnn.tensor([1.0, 4.0])).item()
    2.0
    """
    loss_options.check_reduction("MSELoss", reduction, size_average, reduce)
    return _element_loss("MSELoss", "mse", input, target, reduction, weight, mean_of_weights=True)


def l1_loss(
    input: Any,
    target: Any,
    size_average: None = None,
    reduce: None = None,
    reduction: str = "mean",
    weight: Any = None,
) -> Tensor:
    """Absolute error `|x - y|`, element by element (`torch.nn.functional.l1_loss`).

    The gradient where the two are equal is 0.

    Args:
        input: Predictions of any shape, float32 or float64.
        target: What they should be, of the same shape; whole numbers too.
        size_average: An error that names `reduction`; so is `reduce`.
        reduce: See `size_average`.
        reduction: "mean", "sum" or "none".
        weight: How much each element counts; it broadcasts to the input's shape. The mean then
            divides by the weights summed.

    Raises:
        ValueError: for another option, if the shapes differ, or if there are no elements.
        TypeError: if the predictions are not floating-point.

    >>> import fastnn
    >>> x = fastnn.tensor([1.0, 2.0])
    >>> fastnn.nn.functional.l1_loss(x, fastnn.tensor([1.0, 4.0])).item()
    1.0
    """
    loss_options.check_reduction("L1Loss", reduction, size_average, reduce)
    return _element_loss("L1Loss", "l1", input, target, reduction, weight, mean_of_weights=True)


def smooth_l1_loss(
    input: Any,
    target: Any,
    size_average: None = None,
    reduce: None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """Squared error near 0, absolute error further out (`torch.nn.functional.smooth_l1_loss`).

    `(x - y)^2 / (2 beta)` where `|x - y| < beta`, else `|x - y| - beta / 2`
    (Girshick 2015, https://arxiv.org/abs/1504.08083).

    Args:
        input: Predictions of any shape, float32 or float64.
        target: What they should be, of the same shape; whole numbers too.
        size_average: An error that names `reduction`; so is `reduce`.
        reduce: See `size_average`.
        reduction: "mean", "sum" or "none".
        beta: Where the two meet; with 0 the L1 loss.

    Raises:
        ValueError: for another option, if the shapes differ, or if there are no elements.
        TypeError: if the predictions are not floating-point.

    >>> import fastnn
    >>> x = fastnn.tensor([1.0, 4.0])
    >>> fastnn.nn.functional.smooth_l1_loss(x, fastnn.zeros(2), reduction="none")
    tensor([0.5000, 3.5000])
    """
    who = "SmoothL1Loss"
    loss_options.check_reduction(who, reduction, size_average, reduce)
    return _element_loss(
        who, "smooth_l1", input, target, reduction, parameter=at_least_zero(who, "beta", beta)
    )


def huber_loss(
    input: Any,
    target: Any,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Any = None,
) -> Tensor:
    """Squared error near 0, absolute error further out (`torch.nn.functional.huber_loss`).

    `(x - y)^2 / 2` where `|x - y| <= delta`, else `delta (|x - y| - delta / 2)`
    (Huber 1964, https://doi.org/10.1214/aoms/1177703732).

    Args:
        input: Predictions of any shape, float32 or float64.
        target: What they should be, of the same shape and type.
        reduction: "mean", "sum" or "none".
        delta: Where the two meet, > 0.
        weight: How much each element counts; it broadcasts to the input's shape. The mean still
            divides by the number of elements, as PyTorch's does.

    Raises:
        ValueError: for another option, if the shapes differ, or if there are no elements.
        TypeError: if the two are not floating-point of one type.

    >>> import fastnn
    >>> x = fastnn.tensor([1.0, 4.0])
    >>> fastnn.nn.functional.huber_loss(x, fastnn.zeros(2), reduction="none", delta=2.0)
    tensor([0.5000, 6.0000])
    """
    who = "HuberLoss"
    loss_options.check_reduction(who, reduction, None, None)
    delta = above_zero(who, "delta", delta)
    return _element_loss(who, "huber", input, target, reduction, weight, parameter=delta)


def quantile_loss(
    input: Any, target: Any, reduction: str = "mean", quantile: float = 0.5
) -> Tensor:
    """Pinball loss, `max((1 - q) (x - y), q (y - x))`, element by element.

    It is least where a share q of the targets lies below the prediction (Koenker and Bassett 1978,
    https://doi.org/10.2307/1913643); with q = 0.5 it is half of the L1 loss. The gradient where
    the two are equal is 0. PyTorch has none; scikit-learn calls it `mean_pinball_loss`.

    Args:
        input: Predictions of any shape, float32 or float64.
        target: What they should be, of the same shape; whole numbers too.
        reduction: "mean", "sum" or "none".
        quantile: q, in (0, 1).

    Raises:
        ValueError: for another option, if the shapes differ, or if there are no elements.
        TypeError: if the predictions are not floating-point.

    >>> import fastnn
    >>> x = fastnn.tensor([1.0, 2.0])
    >>> F = fastnn.nn.functional
    >>> F.quantile_loss(x, fastnn.tensor([2.0, 1.0]), reduction="none", quantile=0.75)
    tensor([0.7500, 0.2500])
    """
    who = "QuantileLoss"
    loss_options.check_reduction(who, reduction, None, None)
    q = within(who, "quantile", quantile)
    return _element_loss(who, "quantile", input, target, reduction, parameter=q)


def poisson_nll_loss(
    input: Any,
    target: Any,
    log_input: bool = True,
    full: bool = False,
    size_average: None = None,
    eps: float = 1e-8,
    reduce: None = None,
    reduction: str = "mean",
) -> Tensor:
    """Negative log-likelihood of counts (`torch.nn.functional.poisson_nll_loss`).

    `exp(x) - y x` of the rates' logarithms, or `x - y log(x + eps)` of the rates, element by
    element.

    Args:
        input: Logarithms of the expected counts, or these, of any shape, float32 or float64.
        target: The counts, of the same shape; whole numbers too.
        log_input: Whether the input is the logarithm.
        full: Whether to add Stirling's approximation of `log(y!)` where `y > 1`.
        size_average: An error that names `reduction`; so is `reduce`.
        eps: Keeps the logarithm of a rate of 0 finite.
        reduce: See `size_average`.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: for another option, if the shapes differ, or if there are no elements.
        TypeError: if the predictions are not floating-point.

    >>> import fastnn
    >>> x = fastnn.tensor([0.0, 0.0])
    >>> fastnn.nn.functional.poisson_nll_loss(x, fastnn.tensor([1.0, 3.0])).item()
    1.0
    """
    who = "PoissonNLLLoss"
    loss_options.check_reduction(who, reduction, size_average, reduce)
    kind = "poisson" + "_log" * flag(who, "log_input", log_input)
    kind += "_full" * flag(who, "full", full)
    eps = at_least_zero(who, "eps", eps)
    return _element_loss(who, kind, input, target, reduction, parameter=eps)


def binary_cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: None = None,
    reduce: None = None,
    reduction: str = "mean",
) -> Tensor:
    """Cross-entropy of probabilities (`torch.nn.functional.binary_cross_entropy`).

    `-weight (y log x + (1 - y) log(1 - x))`, element by element. As in PyTorch no logarithm counts
    for more than 100, and the gradient divides by `max(x (1 - x), 1e-12)`.

    Args:
        input: Probabilities of any shape, float32 or float64.
        target: Labels 0 and 1, or probabilities, of the same shape and type.
        weight: How much each element counts; it broadcasts to the input's shape.
        size_average: An error that names `reduction`; so is `reduce`.
        reduce: See `size_average`.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: for another option, if the shapes differ, if there are no elements, or if a
            value lies outside [0, 1].
        TypeError: if the two are not floating-point of one type.

    >>> import fastnn
    >>> x = fastnn.tensor([0.5, 0.5])
    >>> round(fastnn.nn.functional.binary_cross_entropy(x, fastnn.tensor([0.0, 1.0])).item(), 4)
    0.6931
    """
    loss_options.check_reduction("BCELoss", reduction, size_average, reduce)
    return _element_loss("BCELoss", "bce", input, target, reduction, weight)


def binary_cross_entropy_with_logits(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: None = None,
    reduce: None = None,
    reduction: str = "mean",
    pos_weight: Any = None,
) -> Tensor:
    """Cross-entropy of logits (`torch.nn.functional.binary_cross_entropy_with_logits`).

    `weight (pos_weight y log(1 + exp(-z)) + (1 - y) log(1 + exp(z)))`, element by element, without
    overflow or lost digits for logits of any size.

    Args:
        input: Logits of any shape, float32 or float64.
        target: Labels 0 and 1, or probabilities, of the same shape and type.
        weight: How much each element counts; it broadcasts to the input's shape.
        size_average: An error that names `reduction`; so is `reduce`.
        reduce: See `size_average`.
        reduction: "mean", "sum" or "none".
        pos_weight: How much the label 1 counts against the label 0; it broadcasts as `weight`.

    Raises:
        ValueError: for another option, if the shapes differ, if there are no elements, or if a
            target lies outside [0, 1].
        TypeError: if the two are not floating-point of one type.

    >>> import fastnn
    >>> F = fastnn.nn.functional
    >>> z, y = fastnn.tensor([1000.0, -1000.0]), fastnn.tensor([1.0, 1.0])
    >>> F.binary_cross_entropy_with_logits(z, y, reduction="none")
    tensor([   0., 1000.])
    """
    who = "BCEWithLogitsLoss"
    loss_options.check_reduction(who, reduction, size_average, reduce)
    return _element_loss(
        who, "bce_with_logits", input, target, reduction, weight, pos_weight=pos_weight
    )


# the kinds of targets that PyTorch takes beside the input's own type
_CONVERTED = {
    "mse": "fiub", "l1": "fiu", "smooth_l1": "fiub", "bce_with_logits": "f", "quantile": "fiub",
    "poisson": "fiub", "poisson_full": "fiub", "poisson_log": "fiub", "poisson_log_full": "fiub",
}  # fmt: skip


def _element_loss(
    who: str,
    kind: str,
    input: Any,
    target: Any,
    reduction: str,
    weight: Any = None,
    pos_weight: Any = None,
    parameter: float = 1.0,
    mean_of_weights: bool = False,
) -> Tensor:
    x, given = as_tensor(input), as_tensor(target)
    y = given
    if x.is_floating_point() and y.dtype.kind in _CONVERTED.get(kind, ""):
        y = y.to(x.dtype)
    loss_options.check_elements(who, x, y)
    w = loss_options.element_weight(who, "weight", weight, x)
    positive = loss_options.element_weight(who, "pos_weight", pos_weight, x)
    divisor = 1.0
    if reduction == "mean":
        divisor = float(w.sum(dtype=np.float64)) if w is not None and mean_of_weights else x.numel()
    values = (kind, x._array, y._array, w, positive, parameter)
    loss = np.empty(x.shape if reduction == "none" else (), x.dtype)
    _core.element_loss_forward(loss, *values, None if reduction == "none" else divisor)

    def backward(dloss: Array) -> tuple[Array | None, Array | None]:
        dx = np.empty(x.shape, x.dtype) if x.requires_grad else None
        dy = np.empty(x.shape, x.dtype) if y.requires_grad else None
        _core.element_loss_backward(dx, dy, dloss, *values, divisor)
        return dx, dy

    weights = tuple(as_tensor(v) for v in (weight, pos_weight) if v is not None)
    op = None
    if weight is None or not mean_of_weights:
        op = "element_loss", kind, given, w, positive, parameter, reduction
    return record(loss, f"{kind}_loss", (x, y), backward, (x, y, *weights), op=op)
