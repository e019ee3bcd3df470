"""Initial values of parameters (`torch.nn.init`)."""

from __future__ import annotations

from fastnn.autograd import no_grad
from fastnn.random import default_generator
from fastnn.tensor import Tensor

__all__ = ["uniform_"]


@no_grad()
def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """Fill with draws from the uniform distribution on `[a, b)`.

    >>> import fastnn
    >>> w = fastnn.nn.init.uniform_(fastnn.zeros(100), -1, 1)
    >>> bool((w.abs() <= 1).all())
    True
    """
    draws = default_generator.numpy.random(tensor.shape, dtype=tensor.dtype)
    return tensor.copy_(draws * tensor.dtype.type(b - a) + tensor.dtype.type(a))
