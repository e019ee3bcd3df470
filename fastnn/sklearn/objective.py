"""What is learned: the loss, and what the network's outputs then mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastnn import nn
from fastnn.autograd import Array, no_grad
from fastnn.nn import functional as F
from fastnn.sklearn.rows import Rows

__all__ = ["Objective", "of_bits", "of_classes", "of_numbers"]


@dataclass(frozen=True)
class Objective:
    """A loss, and the function that makes predictions of outputs.

    Attributes:
        loss: Of rows with weights.
        outputs: How many the network has.
        out_activation: "identity", "exp", "logistic" or "softmax".
        shown: What of the loss is shown. Like scikit-learn we add the squared errors of several
            outputs where they are minimised, and show their mean.
    """

    loss: nn.WeightedLoss
    outputs: int
    out_activation: str
    shown: float = 1.0

    def value(self, outputs: Array, rows: Rows) -> float:
        """The mean loss of rows with these outputs."""
        y = rows.y if rows.y.dtype.kind == "i" else rows.y.astype(outputs.dtype, copy=False)
        with no_grad():
            return float(self.loss(outputs, y, rows.weight).item())

    def predictions(self, outputs: Array) -> Array:
        """Probabilities, or the numbers that were to be learned."""
        if self.out_activation == "identity":
            return outputs
        if self.out_activation == "exp":
            with np.errstate(over="ignore"):
                rates: Array = np.exp(outputs)
                return rates
        with no_grad():
            out = F.sigmoid(outputs) if self.out_activation == "logistic" else F.softmax(outputs, 1)
        return out.numpy()

    def constant(self, rows: Rows) -> float:
        """What is shown besides: the mean of `y log y - y` of counts, which no weight changes."""
        if self.out_activation != "exp":
            return 0.0
        y = rows.y.astype(np.float64)
        each = y * np.log(np.where(y > 0, y, 1)) - y
        return float(np.average(each, weights=rows.weight, axis=0).sum())


def of_classes(classes: int, limit: float) -> Objective:
    """Softmax cross-entropy of labels `(n,)`, of which no row's is shown as more than `limit`."""
    loss = nn.WeightedLoss(nn.CrossEntropyLoss(reduction="none"), limit=limit)
    return Objective(loss, classes, "softmax")


def of_bits(outputs: int, limit: float) -> Objective:
    """Cross-entropy of logits, of targets 0 and 1 `(n, outputs)`: two classes, or some labels.

    None of them is shown as more than `limit`.
    """
    loss = nn.WeightedLoss(nn.BCEWithLogitsLoss(reduction="none"), limit=limit)
    return Objective(loss, outputs, "logistic")


def of_numbers(name: str, outputs: int, quantile: float, delta: float) -> Objective:
    """A loss of numbers `(n, outputs)`; the squared error counts half, as in scikit-learn."""
    losses: dict[str, nn.Module] = {
        "squared_error": nn.MSELoss(reduction="none"),
        "absolute_error": nn.L1Loss(reduction="none"),
        "huber": nn.HuberLoss(reduction="none", delta=delta),
        "quantile": nn.QuantileLoss(reduction="none", quantile=quantile),
        "poisson": nn.PoissonNLLLoss(reduction="none"),
    }
    loss = nn.WeightedLoss(losses[name], 0.5 if name == "squared_error" else 1.0)
    if name == "poisson":
        return Objective(loss, outputs, "exp")
    return Objective(loss, outputs, "identity", 1 / outputs)
