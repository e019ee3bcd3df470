"""Functions that make tensors, and the types they may have."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.autograd import Array
from fastnn.devices import target
from fastnn.ops.base import sizes
from fastnn.random import Generator, default_generator
from fastnn.tensor import Tensor, as_array

__all__ = [
    "arange", "as_tensor", "asarray", "bool", "double", "empty", "empty_like",
    "eye", "float", "float32", "float64", "from_numpy", "full", "full_like", "get_default_dtype",
    "int", "int8", "int16", "int32", "int64", "linspace", "long", "normal", "ones", "ones_like",
    "rand", "rand_like", "randint", "randn", "randn_like", "randperm", "tensor", "uint8", "zeros",
    "zeros_like",
]  # fmt: skip

float32 = float = np.dtype(np.float32)
float64 = double = np.dtype(np.float64)
int64 = long = np.dtype(np.int64)
int32 = int = np.dtype(np.int32)
int16 = np.dtype(np.int16)
int8 = np.dtype(np.int8)
uint8 = np.dtype(np.uint8)
bool = np.dtype(np.bool_)


def get_default_dtype() -> np.dtype[Any]:
    """float32: what Python's floats become.

    >>> import fastnn
    >>> fastnn.get_default_dtype()
    dtype('float32')
    """
    return float32


# --- from values ---


def tensor(data: Any, dtype: Any = None, device: Any = None, requires_grad: Any = False) -> Tensor:
    """A new tensor with a copy of `data`: a number, nested lists, an array or a tensor.

    Python floats become float32, whole numbers int64; arrays keep their type.

    Raises:
        TypeError: if `data` are not real numbers.
        ValueError: if a list is ragged, or for another device than the CPU.

    >>> import fastnn
    >>> fastnn.tensor([[1, 2], [3, 4]]).shape
    (2, 2)
    """
    array = as_array(_plain(data))
    kind = target("tensor", device, dtype)
    if kind is None:
        keeps_type = isinstance(data, np.ndarray | np.generic | Tensor) or _holds_arrays(data)
        kind = float32 if array.dtype == np.float64 and not keeps_type else array.dtype
    return Tensor.of(np.array(array, dtype=kind, order="C"), requires_grad)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """`data` as a tensor, without a copy where it is an array or a tensor of that type already.

    >>> import fastnn
    >>> x = fastnn.ones(2)
    >>> fastnn.as_tensor(x) is x
    True
    """
    if isinstance(data, np.ndarray):
        data = from_numpy(data)
    return data.to(device, dtype) if isinstance(data, Tensor) else tensor(data, dtype, device)


asarray = as_tensor


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
    return Tensor.of(as_array(array))


# --- of one value ---


def full(
    size: Any, fill_value: Any, dtype: Any = None, device: Any = None, requires_grad: Any = False
) -> Tensor:
    """A tensor of one value.

    >>> import fastnn
    >>> fastnn.full((2,), 7)
    tensor([7, 7])
    """
    value = tensor(fill_value, dtype, device)._array
    return Tensor.of(np.full(sizes((size,)), value, value.dtype), requires_grad)


def zeros(
    *shape: Any, size: Any = None, dtype: Any = None, device: Any = None, requires_grad: Any = False
) -> Tensor:
    """A tensor of zeros.

    >>> import fastnn
    >>> fastnn.zeros(2)
    tensor([0., 0.])
    """
    return Tensor.of(
        np.zeros(sizes(shape or (size,)), _kind("zeros", device, dtype)), requires_grad
    )


def ones(
    *shape: Any, size: Any = None, dtype: Any = None, device: Any = None, requires_grad: Any = False
) -> Tensor:
    """A tensor of ones.

    >>> import fastnn
    >>> fastnn.ones(2)
    tensor([1., 1.])
    """
    return Tensor.of(np.ones(sizes(shape or (size,)), _kind("ones", device, dtype)), requires_grad)


def empty(
    *shape: Any, size: Any = None, dtype: Any = None, device: Any = None, requires_grad: Any = False
) -> Tensor:
    """A tensor of whatever its memory held.

    >>> import fastnn
    >>> fastnn.empty(2, 3).shape
    (2, 3)
    """
    return Tensor.of(
        np.empty(sizes(shape or (size,)), _kind("empty", device, dtype)), requires_grad
    )


def eye(
    n: Any, m: Any = None, dtype: Any = None, device: Any = None, requires_grad: Any = False
) -> Tensor:
    """Ones on the diagonal of an (n, m) matrix of zeros, square by default.

    >>> import fastnn
    >>> fastnn.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    return Tensor.of(np.eye(n, m, dtype=_kind("eye", device, dtype)), requires_grad)


# --- of random values ---


def randn(
    *shape: Any,
    size: Any = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: Any = False,
    generator: Generator | None = None,
) -> Tensor:
    """Draws from the standard normal distribution.

    >>> import fastnn
    >>> fastnn.randn(3, 2).shape
    (3, 2)
    """
    kind: Any = _kind("randn", device, dtype)
    draws = (generator or default_generator).numpy
    return Tensor.of(
        np.asarray(draws.standard_normal(sizes(shape or (size,)), dtype=kind)), requires_grad
    )


def rand(
    *shape: Any,
    size: Any = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: Any = False,
    generator: Generator | None = None,
) -> Tensor:
    """Draws from the uniform distribution on [0, 1).

    >>> import fastnn
    >>> fastnn.rand(3, 2).shape
    (3, 2)
    """
    kind: Any = _kind("rand", device, dtype)
    draws = (generator or default_generator).numpy
    return Tensor.of(np.asarray(draws.random(sizes(shape or (size,)), dtype=kind)), requires_grad)


def randint(
    low: Any,
    high: Any = None,
    size: Any = None,
    *,
    dtype: Any = None,
    device: Any = None,
    generator: Generator | None = None,
) -> Tensor:
    """Whole numbers from `low` (0 by default) up to, not including, `high`.

    Raises:
        TypeError: if there is no size.
        ValueError: if there is no number between the two.

    >>> import fastnn
    >>> fastnn.randint(10, (3, 2)).shape
    (3, 2)
    """
    if isinstance(high, tuple | list):  # randint(high, size)
        high, size = None, high
    low, high = (0, low) if high is None else (low, high)
    if size is None:
        raise TypeError(f"randint: expected a size such as randint({low}, {high}, (3,))")
    if not low < high:
        raise ValueError(f"randint: expected low < high, got {low} and {high}")
    kind = target("randint", device, dtype) or int64
    draws = (generator or default_generator).numpy
    return Tensor.of(np.asarray(draws.integers(low, high, tuple(size))).astype(kind))


def randperm(n: Any, *, device: Any = None, generator: Generator | None = None) -> Tensor:
    """The numbers from 0 to n - 1 in random order.

    >>> import fastnn
    >>> fastnn.randperm(4).sort().values
    tensor([0, 1, 2, 3])
    """
    target("randperm", device)
    return Tensor.of((generator or default_generator).numpy.permutation(n).astype(int64))


def normal(
    mean: Any = 0.0,
    std: Any = 1.0,
    size: Any = None,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: Any = False,
    generator: Generator | None = None,
) -> Tensor:
    """Draws from normal distributions: of `size`, or one for each value of `mean` and `std`.

    >>> import fastnn
    >>> fastnn.normal(0, 0.01, (3, 2)).shape
    (3, 2)
    """
    centre, width = as_array(mean), as_array(std)
    shape = np.broadcast_shapes(centre.shape, width.shape) if size is None else sizes((size,))
    kind = _kind("normal", device, dtype)
    drawn = randn(shape, dtype=kind, generator=generator)._array
    return Tensor.of(np.asarray(drawn * width.astype(kind) + centre.astype(kind)), requires_grad)


# --- like another tensor ---


def zeros_like(
    input: Any, dtype: Any = None, device: Any = None, requires_grad: Any = False
) -> Tensor:
    """Zeros in the shape and type of another tensor.

    >>> import fastnn
    >>> fastnn.zeros_like(fastnn.ones(2))
    tensor([0., 0.])
    """
    return full_like(input, 0, dtype, device, requires_grad)


def ones_like(
    input: Any, dtype: Any = None, device: Any = None, requires_grad: Any = False
) -> Tensor:
    """Ones in the shape and type of another tensor.

    >>> import fastnn
    >>> fastnn.ones_like(fastnn.zeros(2))
    tensor([1., 1.])
    """
    return full_like(input, 1, dtype, device, requires_grad)


def full_like(
    input: Any, fill_value: Any, dtype: Any = None, device: Any = None, requires_grad: Any = False
) -> Tensor:
    """One value in the shape and type of another tensor.

    >>> import fastnn
    >>> fastnn.full_like(fastnn.zeros(2), 7)
    tensor([7., 7.])
    """
    like = as_array(input)
    return full(like.shape, fill_value, dtype or like.dtype, device, requires_grad)


def empty_like(
    input: Any, dtype: Any = None, device: Any = None, requires_grad: Any = False
) -> Tensor:
    """Whatever memory held, in the shape and type of another tensor.

    >>> import fastnn
    >>> fastnn.empty_like(fastnn.zeros(2)).shape
    (2,)
    """
    like = as_array(input)
    kind = dtype or like.dtype
    return empty(like.shape, dtype=kind, device=device, requires_grad=requires_grad)


def rand_like(
    input: Any, dtype: Any = None, device: Any = None, requires_grad: Any = False
) -> Tensor:
    """Draws from the uniform distribution on [0, 1), in the shape and type of another tensor.

    >>> import fastnn
    >>> fastnn.rand_like(fastnn.zeros(2)).shape
    (2,)
    """
    like = as_array(input)
    kind = dtype or like.dtype
    return rand(like.shape, dtype=kind, device=device, requires_grad=requires_grad)


def randn_like(
    input: Any, dtype: Any = None, device: Any = None, requires_grad: Any = False
) -> Tensor:
    """Draws from the standard normal distribution, in the shape and type of another tensor.

    >>> import fastnn
    >>> fastnn.randn_like(fastnn.zeros(2)).shape
    (2,)
    """
    like = as_array(input)
    kind = dtype or like.dtype
    return randn(like.shape, dtype=kind, device=device, requires_grad=requires_grad)


# --- evenly spaced ---


def linspace(
    start: Any,
    end: Any,
    steps: Any,
    dtype: Any = None,
    device: Any = None,
    requires_grad: Any = False,
) -> Tensor:
    """`steps` values evenly spaced from `start` to `end`, both included.

    >>> import fastnn
    >>> fastnn.linspace(0, 1, 3)
    tensor([0.0000, 0.5000, 1.0000])
    """
    kind = _kind("linspace", device, dtype)
    return Tensor.of(np.linspace(start, end, steps, dtype=kind), requires_grad)


def arange(
    start: Any,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: Any = False,
) -> Tensor:
    """Values from start (0) up to, not including, end, in steps of step (1).

    >>> import fastnn
    >>> fastnn.arange(3)
    tensor([0, 1, 2])
    """
    array = np.arange(0, start, step) if end is None else np.arange(start, end, step)
    kind = target("arange", device, dtype) or (float32 if array.dtype.kind == "f" else int64)
    return Tensor.of(array.astype(kind), requires_grad)


# --- inside ---


def _kind(who: str, device: Any, dtype: Any) -> np.dtype[Any]:
    return target(who, device, dtype) or float32


def _plain(data: Any) -> Any:
    """Lists of tensors of one value as lists of arrays: NumPy would read them one by one."""
    if isinstance(data, list | tuple) and any(isinstance(item, Tensor) for item in data):
        return [as_array(item) for item in data]
    return data


def _holds_arrays(data: Any) -> Any:
    first = data
    while isinstance(first, list | tuple) and first:
        first = first[0]
    return isinstance(first, np.ndarray | np.generic)
