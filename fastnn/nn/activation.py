"""Activations as modules."""

from __future__ import annotations

from typing import Any

from fastnn.nn import functional as F
from fastnn.nn.module import Module
from fastnn.tensor import Tensor

__all__ = ["ReLU"]


class ReLU(Module):
    """`max(x, 0)`, element by element (`torch.nn.ReLU`). One object may be used many times.

    Args:
        inplace: Accepted for PyTorch's sake; the output is always a new tensor.

    >>> import fastnn
    >>> fastnn.nn.ReLU()(fastnn.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Any) -> Tensor:
        """Map any shape to the same shape."""
        return F.relu(input)
