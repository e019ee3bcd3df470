"""Functions that make tensors, and functions of tensors that PyTorch has at its top level."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.autograd import Array
from fastnn.random import default_generator
from fastnn.tensor import Tensor, as_array, as_tensor, record

__all__ = ["allclose", "arange", "argmax", "bool", "cat", "equal", "exp", "float32", "float64",
           "from_numpy", "int64", "linspace", "log", "max", "mean", "ones", "rand", "randn",
           "stack", "sum", "tensor", "uint8", "zeros"]  # fmt: skip

float32 = np.dtype(np.float32)
float64 = np.dtype(np.float64)
int64 = np.dtype(np.int64)
uint8 = np.dtype(np.uint8)
bool = np.dtype(np.bool_)


def tensor(data: Any, dtype: Any = None, requires_grad: Any = False) -> Tensor:
    """A new tensor with a copy of `data`: a number, nested lists, an array or a tensor.

    Python floats become float32, whole numbers int64; arrays keep their type.

    Raises:
        TypeError: if `data` are not real numbers.
        ValueError: if a list is ragged.

    >>> import fastnn
    >>> fastnn.tensor([[1, 2], [3, 4]]).shape
    (2, 2)
    """
    array = as_array(data)
    if dtype is None:
        keeps_type = isinstance(data, np.ndarray | np.generic | Tensor)
        dtype = np.float32 if array.dtype == np.float64 and not keeps_type else array.dtype
    return Tensor(np.array(array, dtype=dtype, order="C"), requires_grad)


def from_numpy(array: Array) -> Tensor:
    """A tensor over the memory of `array`, not a copy.

    Raises:
        TypeError: if it is not a NumPy array of real numbers in native byte order.

    >>> import fastnn, numpy as np
    >>> fastnn.from_numpy(np.zeros(3)).dtype
    dtype('float64')
    """
    if not isinstance(array, np.ndarray):
        raise TypeError(
            f"from_numpy: expected a NumPy array, got {type(array).__name__}; "
            "fastnn.tensor(...) converts other things"
        )
    return Tensor(as_array(array))


def _size(shape: tuple[Any, ...]) -> tuple[int, ...]:
    if len(shape) == 1 and isinstance(shape[0], tuple | list):
        return tuple(shape[0])
    return shape


def zeros(*size: Any, dtype: Any = float32, requires_grad: Any = False) -> Tensor:
    """A tensor of zeros.

    >>> import fastnn
    >>> fastnn.zeros(2)
    tensor([0., 0.])
    """
    return Tensor(np.zeros(_size(size), dtype=dtype), requires_grad)


def ones(*size: Any, dtype: Any = float32, requires_grad: Any = False) -> Tensor:
    """A tensor of ones.

    >>> import fastnn
    >>> fastnn.ones(2)
    tensor([1., 1.])
    """
    return Tensor(np.ones(_size(size), dtype=dtype), requires_grad)


def randn(*size: Any, dtype: Any = float32, requires_grad: Any = False) -> Tensor:
    """Draws from the standard normal distribution.

    >>> import fastnn
    >>> fastnn.randn(3, 2).shape
    (3, 2)
    """
    return Tensor(default_generator.numpy.standard_normal(_size(size), dtype=dtype), requires_grad)


def rand(*size: Any, dtype: Any = float32, requires_grad: Any = False) -> Tensor:
    """Draws from the uniform distribution on [0, 1).

    >>> import fastnn
    >>> fastnn.rand(3, 2).shape
    (3, 2)
    """
    return Tensor(default_generator.numpy.random(_size(size), dtype=dtype), requires_grad)


def linspace(start: float, end: float, steps: int, dtype: Any = float32) -> Tensor:
    """`steps` values evenly spaced from `start` to `end`, both included.

    >>> import fastnn
    >>> fastnn.linspace(0, 1, 3)
    tensor([0. , 0.5, 1. ])
    """
    return Tensor(np.linspace(start, end, steps, dtype=dtype))


def arange(*bounds: Any, dtype: Any = None) -> Tensor:
    """Values from start (0) up to, not including, end, in steps of step (1).

    >>> import fastnn
    >>> fastnn.arange(3)
    tensor([0, 1, 2])
    """
    array = np.arange(*bounds)
    return Tensor(array.astype(dtype or (float32 if array.dtype.kind == "f" else int64)))


def cat(tensors: Any, dim: int = 0) -> Tensor:
    """Join tensors along a dimension they have.

    >>> import fastnn
    >>> fastnn.cat([fastnn.zeros(1), fastnn.ones(1)])
    tensor([0., 1.])
    """
    parts = tuple(as_tensor(t) for t in tensors)
    ends = np.cumsum([t.shape[dim] for t in parts])[:-1]
    joined = np.concatenate([t._array for t in parts], axis=dim)
    return record(joined, "cat", parts, lambda g: tuple(np.split(g, ends, axis=dim)))


def stack(tensors: Any, dim: int = 0) -> Tensor:
    """Join tensors of one shape along a new dimension.

    >>> import fastnn
    >>> fastnn.stack([fastnn.zeros(2), fastnn.ones(2)]).shape
    (2, 2)
    """
    return cat([as_tensor(t).unsqueeze(dim) for t in tensors], dim)


def exp(input: Any) -> Tensor:
    """`Tensor.exp`."""
    return as_tensor(input).exp()


def log(input: Any) -> Tensor:
    """`Tensor.log`."""
    return as_tensor(input).log()


def sum(input: Any, dim: Any = None, keepdim: Any = False) -> Tensor:
    """`Tensor.sum`."""
    return as_tensor(input).sum(dim, keepdim)


def mean(input: Any, dim: Any = None, keepdim: Any = False) -> Tensor:
    """`Tensor.mean`."""
    return as_tensor(input).mean(dim, keepdim)


def argmax(input: Any, dim: int | None = None, keepdim: Any = False) -> Tensor:
    """`Tensor.argmax`."""
    return as_tensor(input).argmax(dim, keepdim)


def max(input: Any, dim: int | None = None, keepdim: Any = False) -> Any:
    """`Tensor.max`."""
    return as_tensor(input).max(dim, keepdim)


def equal(input: Any, other: Any) -> Any:
    """Whether two tensors have the same shape and the same values.

    >>> import fastnn
    >>> fastnn.equal(fastnn.zeros(2), fastnn.zeros(2))
    True
    """
    return np.array_equal(as_array(input), as_array(other))


def allclose(input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08) -> Any:
    """Whether all values agree to `atol + rtol |other|`.

    >>> import fastnn
    >>> fastnn.allclose(fastnn.ones(2), fastnn.ones(2) + 1e-7)
    True
    """
    return np.allclose(as_array(input), as_array(other), rtol=rtol, atol=atol)
