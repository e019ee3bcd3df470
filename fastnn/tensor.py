"""`Tensor`: a NumPy array that remembers how it was computed.

The operations here are NumPy expressions with their gradients beside them; the heavy work of a
training sits in layers, losses and optimizers, which call the C++ kernels.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastnn.autograd import Array, BackwardFn, Node, is_grad_enabled, run_backward
from fastnn.random import default_generator

__all__ = ["Tensor", "as_array", "as_tensor", "record"]


class MaxResult(NamedTuple):
    """What `max(dim)` returns: the largest values and where they are."""

    values: Tensor
    indices: Tensor


class Tensor:
    """An array with a gradient.

    Args:
        array: The NumPy array to wrap; it is not copied.
        requires_grad: Whether operations on it are recorded for `backward`.

    Raises:
        TypeError: if `array` is not a NumPy array of numbers or booleans; `fastnn.tensor` converts
            lists and arrays of other kinds.

    >>> import fastnn
    >>> x = fastnn.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    __slots__ = ("__weakref__", "_array", "_grad_buffer", "_node", "_version", "grad",
                 "requires_grad")  # fmt: skip
    __array_priority__ = 1000  # NumPy leaves `array + tensor` to the tensor

    def __init__(self, array: Array, requires_grad: bool = False) -> None:
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
            raise TypeError(
                f"Tensor: expected a NumPy array of numbers, got {_kind_of(array)}; "
                "fastnn.tensor(...) converts lists and scalars"
            )
        self._array: np.ndarray[tuple[int, ...], np.dtype[Any]] = array
        self._node: Any = None
        self._version = [0]  # shared by views; counts changes in place
        self._grad_buffer: Array | None = None
        self.grad: Tensor | None = None
        self.requires_grad = requires_grad

    # --- what it is ---

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

    @property
    def is_leaf(self) -> bool:
        """Whether it was made by the user, not by a recorded operation."""
        return self._node is None

    def dim(self) -> int:
        """The number of dimensions."""
        return self._array.ndim

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size along one dimension."""
        return self._array.shape if dim is None else self._array.shape[dim]

    def numel(self) -> int:
        """The number of elements."""
        return int(self._array.size)

    def __len__(self) -> int:
        if self._array.ndim == 0:
            raise TypeError("len() of a 0-d tensor: it has one value, see item()")
        return len(self._array)

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        text = np.array2string(self._array, separator=", ", prefix="tensor(", precision=4)
        if self.dtype not in (np.float32, np.int64, np.bool_):
            text += f", dtype={self.dtype}"
        if self._node is not None:
            text += f", grad_fn=<{self._node.name}>"
        elif self.requires_grad:
            text += ", requires_grad=True"
        return f"tensor({text})"

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self.ndim == 0 and spec else str(self)

    # --- out of the tape ---

    def item(self) -> Any:
        """The one value as a Python number; ValueError if there are more."""
        if self._array.size != 1:
            raise ValueError(f"item: expected a tensor of one element, got shape {self.shape}")
        return self._array.item()

    def tolist(self) -> Any:
        """The values as nested lists of Python numbers."""
        return self._array.tolist()

    def numpy(self) -> Array:
        """The array itself, not a copy; RuntimeError where a gradient is required."""
        if self.requires_grad:
            raise RuntimeError("numpy: the tensor requires a gradient; use detach().numpy()")
        return self._array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def detach(self) -> Tensor:
        """The same values, not on the tape."""
        out = Tensor(self._array)
        out._version = self._version
        return out

    @property
    def data(self) -> Tensor:
        """The same values, not on the tape; what is written there is written here."""
        return Tensor(self._array)

    @data.setter
    def data(self, value: Any) -> None:
        array = as_array(value)
        if array.shape == self.shape and array.dtype == self.dtype:
            self._array[...] = array  # in place: an optimizer's flat block stays whole
        else:
            self._array, self._grad_buffer = array, None

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __bool__(self) -> bool:
        if self._array.size != 1:
            raise ValueError(
                f"bool: a tensor of shape {self.shape} has no single truth; use all() or any()"
            )
        return bool(self._array.item())

    def __index__(self) -> int:
        return operator.index(self.item())

    # --- gradients ---

    def backward(self, gradient: Any = None, retain_graph: bool = False) -> None:
        """Add d(self)/d(leaf) to `leaf.grad` for every leaf this was computed from.

        Args:
            gradient: d(something)/d(self), of this tensor's shape; 1 for a single value.
            retain_graph: Keep what the tape saved, to walk it again.

        Raises:
            RuntimeError: if nothing requires a gradient, if the graph was walked already, or if a
                saved value was changed in place.
            ValueError: if `gradient` is missing for more than one value, or has another shape.
        """
        if not self.requires_grad:
            raise RuntimeError(
                "backward: nothing this tensor was computed from requires a gradient; "
                "was it computed under no_grad(), or with no parameter in it?"
            )
        if gradient is None:
            if self._array.size != 1:
                raise ValueError(
                    f"backward: expected a single value such as a loss, got shape {self.shape}; "
                    "reduce it with sum() or mean(), or pass gradient="
                )
            grad = np.ones_like(self._array)
        else:
            grad = as_array(gradient).astype(self.dtype)
            if grad.shape != self.shape:
                raise ValueError(f"backward: expected a gradient of shape {self.shape}, "
                                 f"got {grad.shape}")  # fmt: skip
        run_backward(self, grad, retain_graph)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set `requires_grad` and return the tensor."""
        self.requires_grad = requires_grad
        return self

    def _grad_target(self) -> Array:
        """Memory a backward kernel may write this leaf's gradient to: its own where it is free."""
        if self.grad is not None or self._node is not None:
            return np.empty_like(self._array)
        if self._grad_buffer is None:
            self._grad_buffer = np.empty_like(self._array)
        elif sys.getrefcount(self._grad_buffer) > 2:  # the attribute and the argument
            return np.empty_like(self._array)  # someone kept the last gradient: leave it alone
        return self._grad_buffer

    def _accumulate(self, grad: Array) -> None:
        if self.grad is not None:
            self.grad._array += grad
            return
        if grad is not self._grad_buffer:
            target = self._grad_target()
            target[...] = grad
            grad = target
        self.grad = Tensor(grad)

    # --- arithmetic, with broadcasting ---

    def __add__(self, other: Any) -> Tensor:
        other = _operand(other, self)
        return record(self._array + other._array, "add", (self, other), lambda g: (
            _fit(g, self), _fit(g, other)))  # fmt: skip

    def __sub__(self, other: Any) -> Tensor:
        other = _operand(other, self)
        return record(self._array - other._array, "sub", (self, other), lambda g: (
            _fit(g, self), _fit(-g, other)))  # fmt: skip

    def __mul__(self, other: Any) -> Tensor:
        other = _operand(other, self)
        return record(self._array * other._array, "mul", (self, other), lambda g: (
            _fit(g * other._array, self), _fit(g * self._array, other)), (self, other))  # fmt: skip

    def __truediv__(self, other: Any) -> Tensor:
        a, b = _floating(self), _floating(_operand(other, self))
        out = a._array / b._array
        return record(out, "div", (a, b), lambda g: (
            _fit(g / b._array, a), _fit(-g * out / b._array, b)), (a, b), True)  # fmt: skip

    def __pow__(self, other: Any) -> Tensor:
        a, b = self, _operand(other, self)
        out = a._array**b._array

        def backward(g: Array) -> tuple[Array | None, Array | None]:
            da = _fit(g * b._array * a._array ** (b._array - 1), a)
            if not b.requires_grad:
                return da, None
            return da, _fit(g * out * np.log(a._array), b)

        return record(out, "pow", (a, b), backward, (a, b), b.requires_grad)

    def __matmul__(self, other: Any) -> Tensor:
        a, b = self, _operand(other, self)
        if a.ndim != 2 or b.ndim not in (1, 2):
            raise ValueError(f"matmul: expected (n, k) @ (k, m) or (n, k) @ (k,), "
                             f"got {a.shape} @ {b.shape}")  # fmt: skip

        def backward(g: Array) -> tuple[Array, Array]:
            if b.ndim == 1:
                return np.outer(g, b._array), a._array.T @ g
            return g @ b._array.T, a._array.T @ g

        return record(a._array @ b._array, "matmul", (a, b), backward, (a, b))

    def __neg__(self) -> Tensor:
        return record(-self._array, "neg", (self,), lambda g: (-g,))

    __radd__ = __add__
    __rmul__ = __mul__

    def __rsub__(self, other: Any) -> Tensor:
        return _operand(other, self) - self

    def __rtruediv__(self, other: Any) -> Tensor:
        return _operand(other, self) / self

    def __rpow__(self, other: Any) -> Tensor:
        return _operand(other, self) ** self

    # --- in place ---

    def _changed(self, array: Any) -> Tensor:
        """Overwrite the values, as `w -= lr * w.grad` under no_grad does."""
        if self.requires_grad and is_grad_enabled():
            raise RuntimeError(
                "a tensor that requires a gradient was changed in place; do it under "
                "fastnn.no_grad(), or compute a new tensor"
            )
        self._array[...] = array
        self._version[0] += 1
        return self

    def __iadd__(self, other: Any) -> Tensor:
        return self._changed(self._array + as_array(other))

    def __isub__(self, other: Any) -> Tensor:
        return self._changed(self._array - as_array(other))

    def __imul__(self, other: Any) -> Tensor:
        return self._changed(self._array * as_array(other))

    def __itruediv__(self, other: Any) -> Tensor:
        return self._changed(self._array / as_array(other))

    def copy_(self, source: Any) -> Tensor:
        """Overwrite the values with those of `source`."""
        return self._changed(as_array(source))

    def fill_(self, value: float) -> Tensor:
        """Overwrite every value with one."""
        return self._changed(value)

    def zero_(self) -> Tensor:
        """Overwrite every value with 0."""
        return self._changed(0)

    def normal_(self, mean: float = 0.0, std: float = 1.0) -> Tensor:
        """Overwrite the values with draws from a normal distribution."""
        return self._changed(default_generator.numpy.normal(mean, std, self.shape))

    def uniform_(self, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Overwrite the values with draws from a uniform distribution."""
        return self._changed(default_generator.numpy.uniform(low, high, self.shape))

    # --- comparisons: no gradient ---

    def __eq__(self, other: object) -> Tensor:  # type: ignore[override]
        return Tensor(np.asarray(self._array == as_array(other)))

    def __ne__(self, other: object) -> Tensor:  # type: ignore[override]
        return Tensor(np.asarray(self._array != as_array(other)))

    def __lt__(self, other: Any) -> Tensor:
        return Tensor(np.asarray(self._array < as_array(other)))

    def __le__(self, other: Any) -> Tensor:
        return Tensor(np.asarray(self._array <= as_array(other)))

    def __gt__(self, other: Any) -> Tensor:
        return Tensor(np.asarray(self._array > as_array(other)))

    def __ge__(self, other: Any) -> Tensor:
        return Tensor(np.asarray(self._array >= as_array(other)))

    def __invert__(self) -> Tensor:
        return Tensor(np.asarray(~self._array))

    __hash__ = object.__hash__

    def all(self) -> Tensor:
        """Whether every value is true."""
        return Tensor(np.asarray(self._array.all()))

    def any(self) -> Tensor:
        """Whether some value is true."""
        return Tensor(np.asarray(self._array.any()))

    # --- element by element ---

    def exp(self) -> Tensor:
        """e to the power of each value."""
        out = np.exp(self._array)
        return record(out, "exp", (self,), lambda g: (g * out,), saves_output=True)

    def log(self) -> Tensor:
        """The natural logarithm of each value."""
        return record(np.log(self._array), "log", (self,), lambda g: (g / self._array,), (self,))

    def sqrt(self) -> Tensor:
        """The square root of each value."""
        out = np.sqrt(self._array)
        return record(out, "sqrt", (self,), lambda g: (g / (2 * out),), saves_output=True)

    def abs(self) -> Tensor:
        """The magnitude of each value; its gradient is 0 at 0."""
        return record(
            np.abs(self._array), "abs", (self,), lambda g: (g * np.sign(self._array),), (self,)
        )

    def tanh(self) -> Tensor:
        """The hyperbolic tangent of each value."""
        out = np.tanh(self._array)
        return record(out, "tanh", (self,), lambda g: (g * (1 - out * out),), saves_output=True)

    # --- reductions ---

    def sum(self, dim: int | tuple[int, ...] | None = None, keepdim: bool = False) -> Tensor:
        """The sum of all values, or along `dim`."""
        out = np.asarray(self._array.sum(axis=dim, keepdims=keepdim))
        return record(out, "sum", (self,), lambda g: (_spread(g, self, dim, keepdim),))

    def mean(self, dim: int | tuple[int, ...] | None = None, keepdim: bool = False) -> Tensor:
        """The mean of all values, or along `dim`."""
        if self.dtype.kind != "f":
            raise TypeError(f"mean: expected a floating-point tensor, got {self.dtype}; "
                            "use float() first")  # fmt: skip
        out = np.asarray(self._array.mean(axis=dim, keepdims=keepdim))
        share = self.dtype.type(out.size / max(self._array.size, 1))
        return record(out, "mean", (self,), lambda g: (_spread(g * share, self, dim, keepdim),))

    def argmax(self, dim: int | None = None, keepdim: bool = False) -> Tensor:
        """Where the largest value is: in the flattened tensor, or along `dim`."""
        return Tensor(np.asarray(np.argmax(self._array, axis=dim, keepdims=keepdim)))

    def max(self, dim: int | None = None, keepdim: bool = False) -> Any:
        """The largest value, or (values, indices) along `dim`."""
        if dim is None:
            at = np.unravel_index(int(self._array.argmax()), self.shape)
            return self[at]
        where = np.expand_dims(self._array.argmax(axis=dim), dim)

        def backward(g: Array) -> tuple[Array]:
            dx = np.zeros_like(self._array)
            np.put_along_axis(dx, where, g if keepdim else np.expand_dims(g, dim), axis=dim)
            return (dx,)

        values = np.take_along_axis(self._array, where, axis=dim)
        if not keepdim:
            values, where_out = values.squeeze(dim), where.squeeze(dim)
        else:
            where_out = where
        return MaxResult(record(values, "max", (self,), backward), Tensor(where_out))

    # --- shapes: views of the same memory ---

    def _view(self, array: Array, name: str) -> Tensor:
        out = record(array, name, (self,), lambda g: (g.reshape(self.shape),))
        out._version = self._version
        return out

    def reshape(self, *shape: Any) -> Tensor:
        """The same values in another shape; one size may be -1."""
        return self._view(self._array.reshape(_sizes(shape)), "reshape")

    view = reshape

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Tensor:
        """The dimensions from `start_dim` to `end_dim` as one."""
        if self.ndim == 0:
            return self.reshape(1)
        first, last = range(self.ndim)[start_dim], range(self.ndim)[end_dim]
        joined = int(np.prod(self.shape[first : last + 1]))
        return self.reshape((*self.shape[:first], joined, *self.shape[last + 1 :]))

    def squeeze(self, dim: int | None = None) -> Tensor:
        """Without dimensions of size 1, or without that one if its size is 1."""
        if dim is not None and self.shape[dim] != 1:
            return self
        return self._view(self._array.squeeze(dim), "squeeze")

    def unsqueeze(self, dim: int) -> Tensor:
        """With a new dimension of size 1 at `dim`."""
        return self._view(np.expand_dims(self._array, dim), "unsqueeze")

    def transpose(self, dim0: int, dim1: int) -> Tensor:
        """With two dimensions swapped."""
        out = record(self._array.swapaxes(dim0, dim1), "transpose", (self,), lambda g: (
            g.swapaxes(dim0, dim1),))  # fmt: skip
        out._version = self._version
        return out

    def t(self) -> Tensor:
        """The transpose of a matrix."""
        return self.transpose(0, 1) if self.ndim == 2 else self

    @property
    def T(self) -> Tensor:
        """The transpose of a matrix."""
        return self.t()

    def __getitem__(self, index: Any) -> Tensor:
        index = _index(index)

        def backward(g: Array) -> tuple[Array]:
            dx = np.zeros_like(self._array)
            np.add.at(dx, index, g)  # a row taken twice gets both gradients
            return (dx,)

        return record(np.asarray(self._array[index]), "index", (self,), backward)

    def __setitem__(self, index: Any, value: Any) -> None:
        array = self._array
        array_before = array if self.requires_grad else None
        if array_before is not None and is_grad_enabled():
            raise RuntimeError("a tensor that requires a gradient was changed in place; "
                               "do it under fastnn.no_grad()")  # fmt: skip
        array[_index(index)] = as_array(value)
        self._version[0] += 1

    # --- copies and types ---

    def clone(self) -> Tensor:
        """A copy; gradients flow through it."""
        return record(self._array.copy(), "clone", (self,), lambda g: (g,))

    def contiguous(self) -> Tensor:
        """The tensor itself: kernels take any layout."""
        return self

    def to(self, dtype: Any) -> Tensor:
        """The values as another type; "cpu" is where they are already."""
        if str(dtype) == "cpu":
            return self
        kind = np.dtype(dtype)
        if kind == self.dtype:
            return self
        return record(self._array.astype(kind), "to", (self,), lambda g: (g.astype(self.dtype),))

    type = to

    def float(self) -> Tensor:
        """The values as float32."""
        return self.to(np.float32)

    def double(self) -> Tensor:
        """The values as float64."""
        return self.to(np.float64)

    def long(self) -> Tensor:
        """The values as int64."""
        return self.to(np.int64)

    def cpu(self) -> Tensor:
        """The tensor itself: it is on the CPU."""
        return self


def record(
    array: Array,
    name: str,
    inputs: tuple[Tensor, ...],
    backward: BackwardFn,
    saved: tuple[Tensor, ...] = (),
    saves_output: bool = False,
) -> Tensor:
    """Wrap the result of an operation, on the tape where a gradient may be asked for.

    `saved` (and the output itself with `saves_output`) are the values `backward` reads.
    """
    out = Tensor(np.asarray(array))  # NumPy makes scalars of 0-d results
    if is_grad_enabled():
        for tensor in inputs:
            if tensor.requires_grad:
                out.requires_grad = True
                out._node = Node(name, inputs, backward, (*saved, out) if saves_output else saved)
                break
    return out


def as_array(value: Any) -> Array:
    """The values of a tensor, array, list or number, without a copy where there is none to make.

    Raises:
        TypeError: if they are not real numbers (complex, strings, objects, dates).
        ValueError: if a list is ragged.
    """
    if isinstance(value, Tensor):
        return value._array
    if hasattr(value, "to_numpy"):  # a data frame or series
        from fastnn.data.frames import frame_to_array, is_frame

        value = frame_to_array(value) if is_frame(value) else value
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"expected an array of numbers, got a ragged list: {error}") from None
    if array.dtype.kind not in "fiub":
        raise TypeError(f"expected an array of real numbers, got {_kind_of(value)}")
    if not array.dtype.isnative or array.dtype.itemsize > 8 or array.dtype == np.float16:
        array = array.astype(_native(array.dtype))
    return array


def as_tensor(value: Any) -> Tensor:
    """`value` itself if it is a tensor, else its numbers as one, without a copy if possible."""
    return value if isinstance(value, Tensor) else Tensor(as_array(value))


def _native(dtype: np.dtype[Any]) -> np.dtype[Any]:
    if dtype.kind == "f":  # float16 and longdouble have no kernels
        return np.dtype(np.float32 if dtype.itemsize <= 4 else np.float64)
    return dtype.newbyteorder("=")


def _kind_of(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}"
    return f"{type(value).__name__} {value!r:.60}"


def _operand(value: Any, like: Tensor) -> Tensor:
    """The other side of a binary operation; a number takes the tensor's type."""
    if isinstance(value, Tensor):
        return value
    if isinstance(value, float | np.floating) and like.dtype.kind != "f":
        return Tensor(np.asarray(value, dtype=np.float32))
    if isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
        return Tensor(np.asarray(value, dtype=like.dtype))
    return Tensor(as_array(value))


def _floating(tensor: Tensor) -> Tensor:
    return tensor if tensor.dtype.kind == "f" else tensor.to(np.float32)


def _fit(grad: Array, tensor: Tensor) -> Array | None:
    """Sum a gradient over the dimensions along which `tensor` was broadcast."""
    if not tensor.requires_grad:
        return None
    if grad.shape == tensor.shape:
        return grad
    extra = grad.ndim - tensor.ndim
    stretched = [
        i + extra for i, n in enumerate(tensor.shape) if n == 1 and grad.shape[i + extra] != 1
    ]
    axes = (*range(extra), *stretched)
    return np.asarray(grad.sum(axis=axes, keepdims=True)).reshape(tensor.shape)


def _spread(grad: Array, tensor: Tensor, dim: Any, keepdim: bool) -> Array:
    """The gradient of a reduction along `dim`, repeated over what was reduced."""
    if dim is not None and not keepdim:
        grad = np.expand_dims(grad, dim)
    return np.broadcast_to(grad, tensor.shape)


def _sizes(shape: Sequence[Any]) -> tuple[int, ...]:
    if len(shape) == 1 and isinstance(shape[0], tuple | list):
        shape = shape[0]
    return tuple(operator.index(n) for n in shape)


def _index(index: Any) -> Any:
    if isinstance(index, tuple):
        return tuple(_index(i) for i in index)
    return index._array if isinstance(index, Tensor) else index
