"""What an operation may ask of its tensor, and what becomes of gradients under broadcasting."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from fastnn.autograd import Array, BackwardFn, Op

if TYPE_CHECKING:
    from fastnn.tensor import Tensor

__all__ = ["Operations", "ValuesAndIndices", "dim_or_axis", "fit", "quietly", "sizes",
           "spread", "together", "unbroadcast"]  # fmt: skip

_R = TypeVar("_R")


class Operations:
    """The side of `Tensor` that its operations see."""

    __slots__ = ()
    _array: np.ndarray[tuple[int, ...], np.dtype[Any]]
    _version: list[int]

    @property
    def shape(self) -> tuple[int, ...]:
        """The size along each dimension."""
        return self._array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of an element."""
        return self._array.dtype

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self._array.ndim

    def _record(
        self,
        array: Any,
        name: str,
        backward: BackwardFn,
        saved: tuple[Any, ...] = (),
        saves_output: bool = False,
        others: tuple[Tensor, ...] = (),
        op: Op | None = None,
    ) -> Tensor:
        """Put an operation on this tensor (and others) on the tape: see `fastnn.tensor.record`."""
        raise NotImplementedError

    def _constant(self, array: Any) -> Tensor:
        """A tensor that is not on the tape."""
        raise NotImplementedError

    def _operand(self, other: Any) -> Tensor:
        """The other side of an operation as a tensor; a number takes this tensor's type."""
        raise NotImplementedError


class ValuesAndIndices(NamedTuple):
    """What `max(dim)`, `sort` and `topk` return: values, and where along `dim` they were."""

    values: Tensor
    indices: Tensor


def dim_or_axis(method: Callable[..., _R]) -> Callable[..., _R]:
    """Let a method take `axis` for `dim` and `keepdims` for `keepdim`, as PyTorch's do.

    A dimension that is not there becomes an IndexError that says who wanted it.
    """

    @functools.wraps(method)
    def with_both_names(self: Any, *args: Any, **kwargs: Any) -> _R:
        if "axis" in kwargs:
            kwargs["dim"] = kwargs.pop("axis")
        if "keepdims" in kwargs:
            kwargs["keepdim"] = kwargs.pop("keepdims")
        try:
            return method(self, *args, **kwargs)
        except np.exceptions.AxisError as error:
            raise IndexError(
                f"{method.__name__}: expected a dimension of a tensor of shape {self.shape}, "
                f"from {-self.ndim} to {self.ndim - 1}: {error}"
            ) from None

    return with_both_names


def quietly(function: Callable[..., Any], *args: Any) -> Any:
    """Call a NumPy function whose infinities and NaNs are results, not news."""
    with np.errstate(all="ignore"):
        return function(*args)


def together(name: str, function: Callable[..., Any], a: Any, b: Any) -> Any:
    """A NumPy function of two tensors' values, whose shapes must broadcast."""
    try:
        return function(a._array, b._array)
    except ValueError:
        raise ValueError(
            f"{name}: expected shapes that are equal, or 1, counted from the right, "
            f"got {a.shape} and {b.shape}; reshape(...) or unsqueeze(dim) one of them"
        ) from None


def fit(grad: Array, tensor: Tensor) -> Array | None:
    """The gradient of an operand that was broadcast; `None` where it needs none."""
    if not tensor.requires_grad:
        return None
    shape = tensor._array.shape
    return grad if grad.shape == shape else unbroadcast(grad, shape)


def unbroadcast(grad: Array, shape: tuple[int, ...]) -> Array:
    """Sum a gradient over the dimensions along which an operand of `shape` was broadcast."""
    if grad.shape == shape:
        return grad
    extra = grad.ndim - len(shape)
    stretched = [i + extra for i, n in enumerate(shape) if n == 1 and grad.shape[i + extra] != 1]
    axes = (*range(extra), *stretched)
    return np.asarray(grad.sum(axis=axes, keepdims=True)).reshape(shape)


def spread(grad: Array, shape: tuple[int, ...], dim: Any, keepdim: bool) -> Array:
    """The gradient of a reduction along `dim`, repeated over what was reduced."""
    if dim is not None and not keepdim:
        grad = np.expand_dims(grad, dim)
    return np.broadcast_to(grad, shape)


def sizes(shape: Sequence[Any]) -> tuple[int, ...]:
    """A shape given as several integers, or as one tuple or list of them."""
    if len(shape) == 1 and isinstance(shape[0], tuple | list):
        shape = shape[0]
    return tuple(operator.index(n) for n in shape)
