"""Losses as modules."""

from __future__ import annotations

from typing import Any

from fastnn.nn import functional as F
from fastnn.nn.module import Module
from fastnn.tensor import Tensor

__all__ = ["CrossEntropyLoss"]


class CrossEntropyLoss(Module):
    """Softmax cross-entropy on logits with integer classes (`torch.nn.CrossEntropyLoss`).

    `loss_i = log(sum_j exp(z_ij)) - z_i,target_i`.

    Args:
        reduction: "mean" over the batch, "sum", or "none" for the loss of each row.

    Raises:
        ValueError: for another reduction, when called.

    >>> import fastnn
    >>> loss = fastnn.nn.CrossEntropyLoss()(fastnn.zeros(1, 2), fastnn.tensor([0]))
    >>> round(loss.item(), 4)
    0.6931
    """

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, input: Any, target: Any) -> Tensor:
        """Map logits `(N, classes)` and classes `(N,)` to the loss."""
        return F.cross_entropy(input, target, self.reduction)
