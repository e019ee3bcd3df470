"""Activations: each calls its kernel and puts its gradient on the tape."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from fastnn import _core
from fastnn.autograd import Array
from fastnn.options import integer, number, one_of
from fastnn.tensor import Tensor, as_tensor, record

__all__ = ["elu", "gelu", "leaky_relu", "log_softmax", "relu", "sigmoid", "silu", "softmax",
           "softplus", "tanh"]  # fmt: skip


def relu(input: Any, inplace: bool = False) -> Tensor:
    """`max(x, 0)`, element by element (`torch.nn.functional.relu`); the gradient at 0 is 0.

    Args:
        input: Any shape, float32 or float64.
        inplace: Accepted for PyTorch's sake; the output is always a new tensor.

    Raises:
        TypeError: if the input is not floating-point.

    >>> import fastnn
    >>> fastnn.nn.functional.relu(fastnn.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return _apply("relu", input, _core.relu_forward, _core.relu_backward, "output")


def leaky_relu(input: Any, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """`x` where it is positive, else `negative_slope * x` (`torch.nn.functional.leaky_relu`).

    The gradient at 0 is `negative_slope`. Maas, Hannun & Ng 2013, "Rectifier nonlinearities
    improve neural network acoustic models".

    Args:
        input: Any shape, float32 or float64.
        negative_slope: The slope left of 0.
        inplace: Accepted for PyTorch's sake; the output is always a new tensor.

    Raises:
        TypeError: if the input is not floating-point, or the slope not a number.

    >>> import fastnn
    >>> fastnn.nn.functional.leaky_relu(fastnn.tensor([-1.0, 2.0]), 0.1)
    tensor([-0.1000,  2.0000])
    """
    slope = number("leaky_relu", "negative_slope", negative_slope)
    return _apply("leaky_relu", input, _core.leaky_relu_forward, _core.leaky_relu_backward, "input",
                  slope)  # fmt: skip


def elu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """`x` where it is positive, else `alpha * (exp(x) - 1)` (`torch.nn.functional.elu`).

    The gradient at 0 is `alpha`. Clevert, Unterthiner & Hochreiter 2016, arXiv:1511.07289.

    Args:
        input: Any shape, float32 or float64.
        alpha: Minus the limit far left of 0.
        inplace: Accepted for PyTorch's sake; the output is always a new tensor.

    Raises:
        TypeError: if the input is not floating-point, or `alpha` not a number.

    >>> import fastnn
    >>> fastnn.nn.functional.elu(fastnn.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.0000])
    """
    scale = number("elu", "alpha", alpha)
    return _apply("elu", input, _core.elu_forward, _core.elu_backward, "input", scale)


def gelu(input: Any, approximate: str = "none") -> Tensor:
    """`x * P(X <= x)` with X normally distributed (`torch.nn.functional.gelu`).

    With `approximate="tanh"` it is `0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))`. Hendrycks
    & Gimpel 2016, arXiv:1606.08415.

    Args:
        input: Any shape, float32 or float64.
        approximate: "none" or "tanh".

    Raises:
        TypeError: if the input is not floating-point.
        ValueError: for another approximation.

    >>> import fastnn
    >>> fastnn.nn.functional.gelu(fastnn.tensor([-1.0, 2.0]))
    tensor([-0.1587,  1.9545])
    """
    if one_of("gelu", "approximate", approximate, "none", "tanh") == "tanh":
        return _apply("gelu", input, _core.gelu_tanh_forward, _core.gelu_tanh_backward, "input")
    return _apply("gelu", input, _core.gelu_forward, _core.gelu_backward, "input")


def silu(input: Any, inplace: bool = False) -> Tensor:
    """`x / (1 + exp(-x))`, also called swish (`torch.nn.functional.silu`).

    Elfwing, Uchibe & Doya 2017, arXiv:1702.03118.

    Args:
        input: Any shape, float32 or float64.
        inplace: Accepted for PyTorch's sake; the output is always a new tensor.

    Raises:
        TypeError: if the input is not floating-point.

    >>> import fastnn
    >>> fastnn.nn.functional.silu(fastnn.tensor([-1.0, 2.0]))
    tensor([-0.2689,  1.7616])
    """
    return _apply("silu", input, _core.silu_forward, _core.silu_backward, "input")


def sigmoid(input: Any) -> Tensor:
    """`1 / (1 + exp(-x))`, element by element (`torch.nn.functional.sigmoid`).

    Args:
        input: Any shape, float32 or float64.

    Raises:
        TypeError: if the input is not floating-point.

    >>> import fastnn
    >>> fastnn.sigmoid(fastnn.tensor([0.0, 2.0]))
    tensor([0.5000, 0.8808])
    """
    return _apply("sigmoid", input, _core.sigmoid_forward, _core.sigmoid_backward, "output")


def tanh(input: Any) -> Tensor:
    """The hyperbolic tangent, element by element (`torch.nn.functional.tanh`).

    Args:
        input: Any shape, float32 or float64.

    Raises:
        TypeError: if the input is not floating-point.

    >>> import fastnn
    >>> fastnn.tanh(fastnn.tensor([0.0, 2.0]))
    tensor([0.0000, 0.9640])
    """
    return _apply("tanh", input, _core.tanh_forward, _core.tanh_backward, "output")


def softplus(input: Any, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """`log(1 + exp(beta x)) / beta`, a smooth ReLU (`torch.nn.functional.softplus`).

    Where `beta x > threshold` it is `x` itself, as in PyTorch.

    Args:
        input: Any shape, float32 or float64.
        beta: How sharply it bends; not 0.
        threshold: Where the straight line begins.

    Raises:
        TypeError: if the input is not floating-point, or an option not a number.
        ValueError: if `beta` is 0 or not finite, or `threshold` is NaN.

    >>> import fastnn
    >>> fastnn.nn.functional.softplus(fastnn.tensor([0.0, 30.0]))
    tensor([ 0.6931, 30.0000])
    """
    options = number("softplus", "beta", beta), number("softplus", "threshold", threshold)
    if beta == 0 or not math.isfinite(beta):
        raise ValueError(f"softplus: expected a finite beta other than 0, got {beta!r}")
    return _apply("softplus", input, _core.softplus_forward, _core.softplus_backward, "input",
                  *options)  # fmt: skip


def softmax(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """`y_i = exp(x_i) / sum_j exp(x_j)` along a dimension (`torch.nn.functional.softmax`).

    Args:
        input: Any shape, float32 or float64.
        dim: The dimension whose values add up to 1. It may be left out for 1 or 2 dimensions: it
            is the last one then, the classes of a batch.
        _stacklevel: Accepted for PyTorch's sake.
        dtype: A type to convert the input to first.

    Raises:
        TypeError: if the input is not floating-point, or `dim` not an integer.
        ValueError: if `dim` is left out and the input has neither 1 nor 2 dimensions.
        IndexError: if the input has no such dimension.

    >>> import fastnn
    >>> fastnn.softmax(fastnn.tensor([[0.0, 0.0], [0.0, 1.0]]), dim=1)
    tensor([[0.5000, 0.5000],
            [0.2689, 0.7311]])
    """
    return _along("softmax", input, dim, dtype, _core.softmax_forward, _core.softmax_backward)


def log_softmax(
    input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Tensor:
    """`y_i = x_i - log(sum_j exp(x_j))` along a dimension (`torch.nn.functional.log_softmax`).

    The logarithm of `softmax`, right where that is too small to have one.

    Args:
        input: Any shape, float32 or float64.
        dim: The dimension whose values add up to 1 after `exp`. It may be left out for 1 or 2
            dimensions: it is the last one then, the classes of a batch.
        _stacklevel: Accepted for PyTorch's sake.
        dtype: A type to convert the input to first.

    Raises:
        TypeError: if the input is not floating-point, or `dim` not an integer.
        ValueError: if `dim` is left out and the input has neither 1 nor 2 dimensions.
        IndexError: if the input has no such dimension.

    >>> import fastnn
    >>> fastnn.log_softmax(fastnn.tensor([0.0, 1000.0]), dim=0)
    tensor([-1000.,     0.])
    """
    return _along("log_softmax", input, dim, dtype, _core.log_softmax_forward,
                  _core.log_softmax_backward)  # fmt: skip


def _apply(
    name: str,
    input: Any,
    forward: Callable[..., None],
    backward: Callable[..., None],
    saves: Literal["input", "output"],
    *options: float,
) -> Tensor:
    """An activation that works element by element, whose gradient reads its input or output."""
    x = _floating(name, input)
    array = x._array
    y = np.empty(array.shape, array.dtype)
    forward(y, array, *options)
    saved = array if saves == "input" else y

    def gradient(dy: Array) -> tuple[Array]:
        dx = np.empty(y.shape, y.dtype)
        backward(dx, dy, saved, *options)
        return (dx,)

    op = "activation", forward.__name__.removesuffix("_forward"), options
    if saves == "input":
        return record(y, name, (x,), gradient, (x,), op=op)
    return record(y, name, (x,), gradient, saves_output=True, op=op)


def _along(
    name: str,
    input: Any,
    dim: int | None,
    dtype: Any,
    forward: Callable[..., None],
    backward: Callable[..., None],
) -> Tensor:
    """An activation along a dimension: the kernels take rows, so that dimension goes last."""
    x = _floating(name, input if dtype is None else as_tensor(input).to(dtype))
    axis = _axis(name, dim, x.ndim)

    def rows(array: Array) -> Array:
        last = np.moveaxis(array, axis, -1) if x.ndim else array.reshape(1)
        return last.reshape(math.prod(last.shape[:-1]), last.shape[-1])

    def whole(matrix: Array) -> Array:
        shape = (*x.shape[:axis], *x.shape[axis + 1 :], matrix.shape[1])
        return np.moveaxis(matrix.reshape(shape), -1, axis) if x.ndim else matrix.reshape(())

    given = rows(x._array)
    y = np.empty(given.shape, x.dtype)
    forward(y, given)

    def gradient(dy: Array) -> tuple[Array]:
        dx = np.empty(y.shape, y.dtype)
        backward(dx, rows(dy), y)
        return (whole(dx),)

    op = (name, x.shape[-1]) if x.ndim and axis == x.ndim - 1 else None
    return record(whole(y), name, (x,), gradient, saves_output=True, op=op)


def _floating(name: str, input: Any) -> Tensor:
    x = as_tensor(input)
    if x._array.dtype.kind != "f":
        raise TypeError(f"{name}: expected an input of float32 or float64, got an array of "
                        f"{x.dtype}; convert it with .float()")  # fmt: skip
    return x


def _axis(name: str, dim: int | None, ndim: int) -> int:
    if dim is None:
        if ndim not in (1, 2):
            raise ValueError(f"{name}: expected dim for an input of {ndim} dimensions; "
                             "dim=1 is that of the classes in a batch")  # fmt: skip
        return ndim - 1
    axis = integer(name, "dim", dim)
    size = max(ndim, 1)  # a single value counts as one dimension, as in PyTorch
    if not -size <= axis < size:
        raise IndexError(f"{name}: expected dim in {-size} .. {size - 1} for an input of {ndim} "
                         f"dimensions, got {dim}")  # fmt: skip
    return axis % size
