"""Layers that only change the shape."""

from __future__ import annotations

from typing import Any

from fastnn.nn.module import Module
from fastnn.tensor import Tensor, as_tensor

__all__ = ["Flatten"]


class Flatten(Module):
    """Join dimensions: by default all but the batch's (`torch.nn.Flatten`).

    >>> import fastnn
    >>> fastnn.nn.Flatten()(fastnn.zeros(5, 1, 28, 28)).shape
    (5, 784)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Any) -> Tensor:
        """Map `(N, *)` to `(N, product of *)`."""
        return as_tensor(input).flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """The two dimensions."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"
