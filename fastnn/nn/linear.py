"""Linear layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.nn import functional as F
from fastnn.nn import init
from fastnn.nn.module import Module
from fastnn.nn.parameter import Parameter
from fastnn.nn.sizes import new_weights
from fastnn.options import whole
from fastnn.tensor import Tensor

__all__ = ["Linear"]


class Linear(Module):
    """`y = x W^T + b` (`torch.nn.Linear`).

    `weight` is `(out_features, in_features)`, `bias` `(out_features,)`; both start uniform on
    `(-1/sqrt(in_features), 1/sqrt(in_features))`.

    Args:
        in_features: Size of each input row.
        out_features: Size of each output row.
        bias: Whether there is one.
        dtype: float32, float64 or `None`, the default one.

    Raises:
        TypeError: if a size is not an integer, or the dtype another one.
        ValueError: if a size is negative.

    >>> import fastnn
    >>> fastnn.nn.Linear(3, 2)(fastnn.ones(5, 3)).shape
    (5, 2)
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, dtype: Any = np.float32
    ) -> None:
        super().__init__()
        self.in_features = whole("Linear", "in_features", in_features, 0)
        self.out_features = whole("Linear", "out_features", out_features, 0)
        shape = self.out_features, self.in_features
        self.weight = Parameter(new_weights("Linear", shape, dtype))
        self.bias = Parameter(new_weights("Linear", shape[:1], dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        # kaiming_uniform_ with a = sqrt(5) has the bound 1/sqrt(fan_in), as PyTorch notes
        bound = self.in_features**-0.5 if self.in_features else 0.0
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Any) -> Tensor:
        """Map `(*, in_features)` to `(*, out_features)`."""
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Sizes, as PyTorch shows them."""
        return (f"in_features={self.in_features}, out_features={self.out_features}, "
                f"bias={self.bias is not None}")  # fmt: skip
