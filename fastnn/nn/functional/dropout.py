"""Dropout."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import _core
from fastnn.autograd import Array
from fastnn.options import share
from fastnn.random import default_generator
from fastnn.tensor import Tensor, as_tensor, record

__all__ = ["dropout"]


def dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zero each value with probability `p` (`torch.nn.functional.dropout`).

    `y = x mask / (1 - p)` while training, else `y = x`. The mask follows from the seed that
    `fastnn.manual_seed` set and the number of masks drawn since: it is the same on every CPU and
    at any number of threads, and the backward makes it again instead of keeping it.

    Args:
        input: Any shape, float32 or float64.
        p: The probability that a value is zeroed, from 0 to 1; exact to 2**-32.
        training: Whether anything is zeroed.
        inplace: Accepted for PyTorch's sake; the input is never changed.

    Raises:
        TypeError: if `p` is not a number or the input not floating-point.
        ValueError: if `p` lies outside [0, 1].

    >>> import fastnn
    >>> y = fastnn.nn.functional.dropout(fastnn.ones(4), p=1.0)
    >>> y.tolist()
    [0.0, 0.0, 0.0, 0.0]
    """
    p = share("Dropout", "p", p)
    x = as_tensor(input)
    if not training or p == 0:
        return x
    seed, draw = default_generator.next_draw()
    y = np.empty(x.shape, x.dtype)
    _core.dropout(y, x._array, p, seed, draw)

    def backward(dy: Array) -> tuple[Array]:
        dx = np.empty(y.shape, y.dtype)
        _core.dropout(dx, dy, p, seed, draw)
        return (dx,)

    return record(y, "dropout", (x,), backward, op=("dropout", p))
