"""Activations: each calls its kernel and puts its gradient on the tape."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import _core
from fastnn.autograd import Array
from fastnn.tensor import Tensor, as_tensor, record

__all__ = ["relu"]


def relu(input: Any) -> Tensor:
    """`max(x, 0)`, element by element (`torch.nn.functional.relu`); the gradient at 0 is 0.

    Args:
        input: Any shape, float32 or float64.

    Raises:
        TypeError: if the input is not floating-point.

    >>> import fastnn
    >>> fastnn.nn.functional.relu(fastnn.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    x = as_tensor(input)
    y = np.empty(x.shape, x.dtype)
    _core.relu_forward(y, x._array)

    def backward(dy: Array) -> tuple[Array]:
        dx = np.empty(y.shape, y.dtype)
        _core.relu_backward(dx, dy, y)
        return (dx,)

    return record(y, "relu", (x,), backward, saves_output=True)
