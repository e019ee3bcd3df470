"""`Parameter`, and the flat block of memory in which a model's parameters live."""

from __future__ import annotations

import operator
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn.autograd import Array
from fastnn.tensor import Tensor, as_array

__all__ = ["FlatBlock", "Parameter"]

_ALIGNMENT = 64  # bytes: a cache line, and the widest vector
_array = operator.attrgetter("_array")


class Parameter(Tensor):
    """A tensor that a module lists among its parameters and an optimizer updates.

    Args:
        data: The initial values, a tensor or an array of float32 or float64.
        requires_grad: False freezes it.

    Raises:
        TypeError: if the values are not floating-point.

    >>> import fastnn
    >>> fastnn.nn.Parameter(fastnn.zeros(2)).requires_grad
    True
    """

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        array = as_array(data)
        if array.dtype.kind != "f":
            raise TypeError(f"Parameter: expected float32 or float64 values, got {array.dtype}")
        self._hold(array, requires_grad)

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        copy = memo[id(self)] = Parameter(self._array.copy(), self.requires_grad)
        return copy

    def __reduce__(self) -> tuple[Any, ...]:
        return Parameter, (self._array.copy(), self.requires_grad)


class FlatBlock:
    """One aligned block of values and one of gradients; parameters become views into them.

    An optimizer's step, or a gradient's norm, is then one call of a kernel whatever the number of
    layers. Making a block moves the parameters' values (and gradients) into it.

    Args:
        parameters: What to lay out, in this order; all of one dtype.

    Raises:
        TypeError: if their dtypes differ.
        ValueError: if two of them share memory: each would get its own.
    """

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        dtypes = {p.dtype for p in parameters}
        if len(dtypes) > 1:
            raise TypeError(f"expected parameters of one dtype, got {sorted(map(str, dtypes))}")
        _refuse_shared_memory(parameters)
        self.parameters = list(parameters)
        ends = np.cumsum([p.numel() for p in parameters]).tolist()
        self.slices = [slice(end - p.numel(), end) for p, end in zip(parameters, ends, strict=True)]
        self.values = _aligned(ends[-1], dtypes.pop())
        self._views = []
        for p, place in zip(parameters, self.slices, strict=True):
            view = self.values[place].reshape(p.shape)
            view[...] = p._array
            p._array = view
            self._views.append(view)
        self._allocate_grads()

    def is_current(self) -> bool:
        """Whether the parameters still live here; `double()` or a later block moves them."""
        return all(map(operator.is_, map(_array, self.parameters), self._views))

    def gather_grads(self) -> None:
        """Bring in gradients that are elsewhere: set by hand, or while an earlier one is held."""
        away = [
            p for p in self.parameters if p.grad is not None and p.grad._array is not p._grad_buffer
        ]
        if not away:
            return
        if any(sys.getrefcount(p._grad_buffer) > 2 for p in away):
            self._allocate_grads()  # who holds the earlier gradients keeps their memory
        else:
            for p in away:
                self._adopt_grad(p)

    def free_grads(self) -> None:
        """Forget all gradients; who holds one keeps its memory, and the block gets another."""
        for p in self.parameters:
            p.grad = None
        if any(sys.getrefcount(p._grad_buffer) > 2 for p in self.parameters):
            self._allocate_grads()

    def _allocate_grads(self) -> None:
        self.grads = _aligned(self.values.size, self.values.dtype)
        for p, place in zip(self.parameters, self.slices, strict=True):
            # over a memoryview, so that views of the buffer hold the buffer, not the block's array:
            # its reference count then tells whether someone keeps a part of the gradient
            memory: Any = self.grads[place].reshape(p.shape)
            p._grad_buffer = np.asarray(memoryview(memory))
            self._adopt_grad(p)

    @staticmethod
    def _adopt_grad(p: Tensor) -> None:
        if p.grad is not None:
            assert p._grad_buffer is not None
            if p.grad.shape != p.shape:
                raise ValueError(f"expected a gradient of shape {p.shape}, got {p.grad.shape}")
            p._grad_buffer[...] = p.grad._array
            p.grad = Tensor.of(p._grad_buffer)


def _refuse_shared_memory(parameters: Sequence[Tensor]) -> None:
    places: dict[int, Tensor] = {}
    for p in parameters:
        other = places.setdefault(p._array.ctypes.data, p) if p.numel() else p
        if other is not p:
            raise ValueError(
                f"two parameters, of shapes {other.shape} and {p.shape}, share memory, as after "
                "b.weight.data = a.weight.data; for tied weights use one parameter, "
                "b.weight = a.weight or functional.linear(x, a.weight.t()), else clone()"
            )


def _aligned(count: int, dtype: np.dtype[Any]) -> Array:
    raw = np.zeros(count * dtype.itemsize + _ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % _ALIGNMENT
    return raw[start : start + count * dtype.itemsize].view(dtype)
