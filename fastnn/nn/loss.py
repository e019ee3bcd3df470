"""Losses as modules; `functional/losses.py` says what shapes and types each takes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastnn.nn import functional as F
from fastnn.nn.functional import loss_options
from fastnn.nn.module import Module
from fastnn.options import above_zero, at_least_zero, flag, integer, share, within
from fastnn.tensor import Tensor, as_array

__all__ = [
    "BCELoss", "BCEWithLogitsLoss", "CrossEntropyLoss", "HuberLoss", "L1Loss", "MSELoss", "NLLLoss",
    "PoissonNLLLoss", "QuantileLoss", "SmoothL1Loss", "WeightedLoss",
]  # fmt: skip


class _Loss(Module):
    """A loss with a reduction."""

    def __init__(
        self, size_average: None = None, reduce: None = None, reduction: str = "mean"
    ) -> None:
        super().__init__()
        loss_options.check_reduction(type(self).__name__, reduction, size_average, reduce)
        self.reduction = reduction

    def _set_weight(self, name: str, weight: Any) -> None:
        """Keep weights as a buffer, a copy of what was given; None is no buffer."""
        if weight is None:
            setattr(self, name, None)
        else:
            self.register_buffer(name, Tensor.of(np.array(as_array(weight))))


class CrossEntropyLoss(_Loss):
    """Softmax cross-entropy on logits (`torch.nn.CrossEntropyLoss`).

    `loss_i = weight[target_i] (log(sum_j exp(z_ij)) - z_i,target_i)` for integer classes, or the
    mean of that over a probability for each class.

    Args:
        weight: How much each class counts, `(classes,)`; a buffer. None counts all the same.
        size_average: An error that names `reduction`; so is `reduce`.
        ignore_index: Rows of this label count for nothing.
        reduce: See `size_average`.
        reduction: "mean" over the batch (divided by the weights of its labels), "sum", or "none"
            for the loss of each row.
        label_smoothing: The share of each target that goes to all classes alike, in [0, 1].

    Raises:
        ValueError: for an option out of range.
        TypeError: for an option of another kind.

    >>> import fastnn
    >>> loss = fastnn.nn.CrossEntropyLoss()(fastnn.zeros(1, 2), fastnn.tensor([0]))
    >>> round(loss.item(), 4)
    0.6931
    """

    def __init__(
        self,
        weight: Any = None,
        size_average: None = None,
        ignore_index: int = -100,
        reduce: None = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self._set_weight("weight", weight)
        self.ignore_index = integer("CrossEntropyLoss", "ignore_index", ignore_index)
        self.label_smoothing = share("CrossEntropyLoss", "label_smoothing", label_smoothing)

    def forward(self, input: Any, target: Any) -> Tensor:
        """Map logits `(N, classes)` and classes `(N,)` or probabilities to the loss."""
        return F.cross_entropy(
            input,
            target,
            self.weight,
            None,
            self.ignore_index,
            None,
            self.reduction,
            self.label_smoothing,
        )


class NLLLoss(_Loss):
    """Negative log-likelihood of log-probabilities (`torch.nn.NLLLoss`).

    `loss_i = -weight[target_i] x_i,target_i`; after `LogSoftmax` it is the cross-entropy.

    Args:
        weight: How much each class counts, `(classes,)`; a buffer. None counts all the same.
        size_average: An error that names `reduction`; so is `reduce`.
        ignore_index: Rows of this label count for nothing.
        reduce: See `size_average`.
        reduction: "mean" over the batch (divided by the weights of its labels), "sum", or "none"
            for the loss of each row.

    Raises:
        ValueError: for an option out of range.
        TypeError: for an option of another kind.

    >>> import fastnn
    >>> fastnn.nn.NLLLoss()(fastnn.tensor([[-0.5, -1.0]]), fastnn.tensor([0]))
    tensor(0.5000)
    """

    def __init__(
        self,
        weight: Any = None,
        size_average: None = None,
        ignore_index: int = -100,
        reduce: None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self._set_weight("weight", weight)
        self.ignore_index = integer("NLLLoss", "ignore_index", ignore_index)

    def forward(self, input: Any, target: Any) -> Tensor:
        """Map log-probabilities `(N, classes)` and classes `(N,)` to the loss."""
        return F.nll_loss(input, target, self.weight, None, self.ignore_index, None, self.reduction)


class BCELoss(_Loss):
    """Cross-entropy of probabilities, element by element (`torch.nn.BCELoss`).

    `-weight (y log x + (1 - y) log(1 - x))`, no logarithm beyond -100.

    Args:
        weight: How much each element counts; it broadcasts to the input's shape. A buffer.
        size_average: An error that names `reduction`; so is `reduce`.
        reduce: See `size_average`.
        reduction: "mean" over all elements, "sum", or "none".

    Raises:
        ValueError: for another reduction.

    >>> import fastnn
    >>> loss = fastnn.nn.BCELoss()(fastnn.tensor([0.5]), fastnn.tensor([1.0]))
    >>> round(loss.item(), 4)
    0.6931
    """

    def __init__(
        self,
        weight: Any = None,
        size_average: None = None,
        reduce: None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self._set_weight("weight", weight)

    def forward(self, input: Any, target: Any) -> Tensor:
        """Map probabilities and targets of the same shape to the loss."""
        return F.binary_cross_entropy(input, target, self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(_Loss):
    """Cross-entropy of logits, element by element (`torch.nn.BCEWithLogitsLoss`).

    `weight (pos_weight y log(1 + exp(-z)) + (1 - y) log(1 + exp(z)))`.

    Args:
        weight: How much each element counts; it broadcasts to the input's shape. A buffer.
        size_average: An error that names `reduction`; so is `reduce`.
        reduce: See `size_average`.
        reduction: "mean" over all elements, "sum", or "none".
        pos_weight: How much the label 1 counts against the label 0; broadcasts too. A buffer.

    Raises:
        ValueError: for another reduction.

    >>> import fastnn
    >>> loss = fastnn.nn.BCEWithLogitsLoss()(fastnn.tensor([0.0]), fastnn.tensor([1.0]))
    >>> round(loss.item(), 4)
    0.6931
    """

    def __init__(
        self,
        weight: Any = None,
        size_average: None = None,
        reduce: None = None,
        reduction: str = "mean",
        pos_weight: Any = None,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self._set_weight("weight", weight)
        self._set_weight("pos_weight", pos_weight)

    def forward(self, input: Any, target: Any) -> Tensor:
        """Map logits and targets of the same shape to the loss."""
        return F.binary_cross_entropy_with_logits(
            input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )


class MSELoss(_Loss):
    """Squared error `(x - y)^2`, element by element (`torch.nn.MSELoss`).

    Args:
        size_average: An error that names `reduction`; so is `reduce`.
        reduce: See `size_average`.
        reduction: "mean" over all elements, "sum", or "none".

    Raises:
        ValueError: for another reduction.

    >>> import fastnn
    >>> fastnn.nn.MSELoss()(fastnn.tensor([1.0, 2.0]), fastnn.tensor([1.0, 4.0]))
    tensor(2.)
    """

    def forward(self, input: Any, target: Any) -> Tensor:
        """Map predictions and targets of the same shape to the loss."""
        return F.mse_loss(input, target, reduction=self.reduction)


class L1Loss(_Loss):
    """Absolute error `|x - y|`, element by element (`torch.nn.L1Loss`); its gradient at 0 is 0.

    Args:
        size_average: An error that names `reduction`; so is `reduce`.
        reduce: See `size_average`.
        reduction: "mean" over all elements, "sum", or "none".

    Raises:
        ValueError: for another reduction.

    >>> import fastnn
    >>> fastnn.nn.L1Loss()(fastnn.tensor([1.0, 2.0]), fastnn.tensor([1.0, 4.0]))
    tensor(1.)
    """

    def forward(self, input: Any, target: Any) -> Tensor:
        """Map predictions and targets of the same shape to the loss."""
        return F.l1_loss(input, target, reduction=self.reduction)


class SmoothL1Loss(_Loss):
    """Squared error near 0, absolute error further out (`torch.nn.SmoothL1Loss`).

    `(x - y)^2 / (2 beta)` where `|x - y| < beta`, else `|x - y| - beta / 2`.

    Args:
        size_average: An error that names `reduction`; so is `reduce`.
        reduce: See `size_average`.
        reduction: "mean" over all elements, "sum", or "none".
        beta: Where the two meet; with 0 the L1 loss.

    Raises:
        ValueError: for another reduction, or a negative `beta`.
        TypeError: if `beta` is not a number.

    >>> import fastnn
    >>> fastnn.nn.SmoothL1Loss()(fastnn.tensor([1.0, 4.0]), fastnn.zeros(2))
    tensor(2.)
    """

    def __init__(
        self,
        size_average: None = None,
        reduce: None = None,
        reduction: str = "mean",
        beta: float = 1.0,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.beta = at_least_zero("SmoothL1Loss", "beta", beta)

    def forward(self, input: Any, target: Any) -> Tensor:
        """Map predictions and targets of the same shape to the loss."""
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class HuberLoss(_Loss):
    """Squared error near 0, absolute error further out (`torch.nn.HuberLoss`).

    `(x - y)^2 / 2` where `|x - y| <= delta`, else `delta (|x - y| - delta / 2)`.

    Args:
        reduction: "mean" over all elements, "sum", or "none".
        delta: Where the two meet, > 0.

    Raises:
        ValueError: for another reduction, or a `delta` that is not positive.
        TypeError: if `delta` is not a number.

    >>> import fastnn
    >>> fastnn.nn.HuberLoss(delta=2.0)(fastnn.tensor([4.0]), fastnn.zeros(1))
    tensor(6.)
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.delta = above_zero("HuberLoss", "delta", delta)

    def forward(self, input: Any, target: Any) -> Tensor:
        """Map predictions and targets of the same shape to the loss."""
        return F.huber_loss(input, target, reduction=self.reduction, delta=self.delta)


class QuantileLoss(_Loss):
    """Pinball loss `max((1 - q) (x - y), q (y - x))`, least at the targets' q-quantile.

    Koenker and Bassett, "Regression quantiles" (1978). PyTorch has none.

    Args:
        reduction: "mean" over all elements, "sum", or "none".
        quantile: q, in (0, 1).

    Raises:
        ValueError: for another reduction, or a `quantile` out of range.
        TypeError: if `quantile` is not a number.

    >>> import fastnn
    >>> fastnn.nn.QuantileLoss(quantile=0.75)(fastnn.tensor([1.0]), fastnn.tensor([3.0]))
    tensor(1.5000)
    """

    def __init__(self, reduction: str = "mean", quantile: float = 0.5) -> None:
        super().__init__(reduction=reduction)
        self.quantile = within("QuantileLoss", "quantile", quantile)

    def forward(self, input: Any, target: Any) -> Tensor:
        """Map predictions and targets of the same shape to the loss."""
        return F.quantile_loss(input, target, reduction=self.reduction, quantile=self.quantile)


class PoissonNLLLoss(_Loss):
    """Negative log-likelihood of counts (`torch.nn.PoissonNLLLoss`).

    `exp(x) - y x` of the rates' logarithms, or `x - y log(x + eps)` of the rates.

    Args:
        log_input: Whether the input is the logarithm of the expected counts.
        full: Whether to add Stirling's approximation of `log(y!)` where `y > 1`.
        size_average: An error that names `reduction`; so is `reduce`.
        eps: Keeps the logarithm of a rate of 0 finite.
        reduce: See `size_average`.
        reduction: "mean" over all elements, "sum", or "none".

    Raises:
        ValueError: for another reduction, or a negative `eps`.
        TypeError: for an option of another kind.

    >>> import fastnn
    >>> fastnn.nn.PoissonNLLLoss()(fastnn.tensor([0.0]), fastnn.tensor([3.0]))
    tensor(1.)
    """

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        size_average: None = None,
        eps: float = 1e-8,
        reduce: None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_input = flag("PoissonNLLLoss", "log_input", log_input)
        self.full = flag("PoissonNLLLoss", "full", full)
        self.eps = at_least_zero("PoissonNLLLoss", "eps", eps)

    def forward(self, input: Any, target: Any) -> Tensor:
        """Map predictions and counts of the same shape to the loss."""
        return F.poisson_nll_loss(
            input, target, self.log_input, self.full, eps=self.eps, reduction=self.reduction
        )


class WeightedLoss(Module):
    """A loss of rows that count differently: samples with weights.

    `factor sum_i w_i sum_j min(l_ij, limit) / sum_i w_i`, where `l_ij` is what the loss gives for
    output j of row i: the sum over outputs, and the weighted mean over rows. Weights of 1 give the
    same bits as none.

    Args:
        loss: A loss with `reduction="none"`.
        factor: Times this; 0.5 makes half the squared error of `MSELoss`.
        limit: No finite `l_ij` counts for more than this, so that a few rows that are utterly wrong
            do not hide what happens to the others. Gradients are those without a limit.

    Raises:
        TypeError: if `loss` is no module.
        ValueError: if it has another reduction, or `factor` or `limit` is not positive.

    >>> import fastnn
    >>> loss = fastnn.nn.WeightedLoss(fastnn.nn.MSELoss(reduction="none"))
    >>> loss(fastnn.tensor([1.0, 2.0]), fastnn.zeros(2), fastnn.tensor([3.0, 1.0]))
    tensor(1.7500)
    """

    def __init__(self, loss: Module, factor: float = 1.0, limit: float = math.inf) -> None:
        super().__init__()
        if not isinstance(loss, Module):
            raise TypeError(f"WeightedLoss: expected a loss as a module, got {loss!r:.60}")
        if getattr(loss, "reduction", "none") != "none":
            raise ValueError(
                f"WeightedLoss: expected a loss with reduction='none', got {type(loss).__name__} "
                f"with {loss.reduction!r}"
            )
        self.loss = loss
        self.factor = above_zero("WeightedLoss", "factor", factor)
        self.limit = above_zero("WeightedLoss", "limit", limit, infinite=True)

    def forward(self, input: Any, target: Any, weight: Any = None) -> Tensor:
        """Map outputs, targets and a weight for each row, `(N,)`, to the loss."""
        return F.weighted_mean(self.loss(input, target), weight, self.factor, self.limit)
