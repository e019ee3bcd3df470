"""Dropout as a module."""

from __future__ import annotations

from typing import Any

from fastnn.nn import functional as F
from fastnn.nn.module import Module
from fastnn.options import share
from fastnn.tensor import Tensor

__all__ = ["Dropout"]


class Dropout(Module):
    """Zero each value with probability `p` while training (`torch.nn.Dropout`).

    `y = x mask / (1 - p)`, so that the mean stays as it was; in eval mode `y = x`. Srivastava et
    al., "Dropout: a simple way to prevent neural networks from overfitting" (JMLR 2014).

    Args:
        p: The probability that a value is zeroed, from 0 to 1.
        inplace: Accepted for PyTorch's sake; the output is always a new tensor.

    Raises:
        TypeError: if `p` is not a number.
        ValueError: if `p` lies outside [0, 1].

    >>> import fastnn
    >>> drop = fastnn.nn.Dropout(0.25)
    >>> sorted(set(drop(fastnn.ones(100) * 3).tolist()))
    [0.0, 4.0]
    >>> drop.eval()(fastnn.ones(2))
    tensor([1., 1.])
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        share("Dropout", "p", p)
        self.p, self.inplace = p, inplace

    def forward(self, input: Any) -> Tensor:
        """Map any shape to the same shape."""
        return F.dropout(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        """The options."""
        return f"p={self.p}, inplace={self.inplace}"
