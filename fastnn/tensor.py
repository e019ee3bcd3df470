"""`Tensor`: a NumPy array that remembers how it was computed.

Arithmetic, changes in place and types are here; the other operations are in `fastnn/ops`. All are
NumPy expressions with their gradients beside them; the heavy work of a training sits in layers,
losses and optimizers, which call the C++ kernels.
"""

from __future__ import annotations

import contextlib
import operator
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.autograd import (
    Array,
    BackwardFn,
    Node,
    Op,
    is_grad_enabled,
    note_read,
    run_backward,
)
from fastnn.devices import Device, target
from fastnn.missing import absent
from fastnn.ops.base import fit, quietly, together
from fastnn.ops.elementwise import Elementwise
from fastnn.ops.matmul import Products
from fastnn.ops.reductions import Reductions
from fastnn.ops.selection import Selection, as_index
from fastnn.ops.shapes import Shapes
from fastnn.printing import as_text
from fastnn.random import Generator, default_generator

__all__ = ["Tensor", "as_array", "as_stored", "as_tensor", "pair", "record", "values_or_zeros"]

Number = int | float | np.integer | np.floating | np.bool_  # bool is an int


class Tensor(Elementwise, Products, Reductions, Selection, Shapes):
    """An array with a gradient.

    Called, it makes a float32 tensor whatever it is given, as PyTorch's does; `fastnn.tensor`
    converts all kinds and keeps whole numbers whole.

    Args:
        *data: An array, tensor or list, which is copied; or the sizes of a tensor of zeros.
        requires_grad: Whether operations on it are recorded for `backward`.

    Raises:
        TypeError: if it is given something else than numbers.

    >>> import fastnn
    >>> x = fastnn.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    __slots__ = ("__weakref__", "_array", "_grad_buffer", "_node", "_version", "grad",
                 "requires_grad")  # fmt: skip
    __array_priority__ = 1000  # NumPy leaves `array + tensor` to the tensor

    def __init__(self, *data: Any, requires_grad: bool = False) -> None:
        self._hold(values_or_zeros("Tensor", data, np.float32), requires_grad)

    @staticmethod
    def of(array: Array, requires_grad: bool = False) -> Tensor:
        """A tensor over the memory of an array of real numbers: neither copied nor converted.

        Raises:
            TypeError: if a gradient is asked for of other than floating-point numbers.

        >>> Tensor.of(np.zeros(2)).dtype, Tensor(np.zeros(2)).dtype
        (dtype('float64'), dtype('float32'))
        """
        tensor = Tensor.__new__(Tensor)
        tensor._hold(array, requires_grad)
        return tensor

    def _hold(self, array: Array, requires_grad: bool) -> None:
        if requires_grad and array.dtype.kind != "f":
            raise TypeError(f"Tensor: only floating-point tensors have gradients, got "
                            f"{array.dtype}; use float()")  # fmt: skip
        self._array: np.ndarray[tuple[int, ...], np.dtype[Any]] = array
        self._node: Any = None
        self._version = [0]  # shared by views; counts changes in place
        self._grad_buffer: Array | None = None
        self.grad: Tensor | None = None
        self.requires_grad = requires_grad

    # --- what it is ---

    @property
    def is_leaf(self) -> bool:
        """Whether it was made by the user, not by a recorded operation."""
        return self._node is None

    @property
    def device(self) -> Device:
        """Where it is: on the CPU."""
        return Device("cpu")

    @property
    def is_cuda(self) -> bool:
        """Whether it is on a GPU: never."""
        return False

    @property
    def grad_fn(self) -> Any:
        """The recorded operation that made it; `None` for a leaf."""
        return self._node

    def dim(self) -> int:
        """The number of dimensions."""
        return self._array.ndim

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size along one dimension."""
        return self._array.shape if dim is None else self._array.shape[dim]

    def numel(self) -> int:
        """The number of elements."""
        return int(self._array.size)

    nelement = numel

    def element_size(self) -> int:
        """The bytes of one element."""
        return self._array.itemsize

    def is_floating_point(self) -> bool:
        """Whether its values are float32 or float64."""
        return self._array.dtype.kind == "f"

    def is_contiguous(self) -> bool:
        """Whether its values lie in memory in order, without gaps."""
        return self._array.flags.c_contiguous

    def __len__(self) -> int:
        if self._array.ndim == 0:
            raise TypeError("len() of a 0-d tensor: it has one value, see item()")
        return len(self._array)

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        text = as_text(self._array, "tensor(")
        if self.dtype not in (np.float32, np.int64, np.bool_):
            text += f", dtype={self.dtype}"
        if self._node is not None:
            text += f", grad_fn=<{self._node.name}>"
        elif self.requires_grad:
            text += ", requires_grad=True"
        return f"tensor({text})"

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self.ndim == 0 else format(str(self), spec)

    # --- out of the tape ---

    def item(self) -> Any:
        """The one value as a Python number; ValueError if there are more."""
        if self._array.size != 1:
            raise ValueError(f"item: expected a tensor of one element, got shape {self.shape}")
        note_read()
        return self._array.item()

    def tolist(self) -> Any:
        """The values as nested lists of Python numbers."""
        note_read()
        return self._array.tolist()

    def numpy(self) -> Array:
        """The array itself, not a copy; RuntimeError where a gradient is required."""
        if self.requires_grad:
            raise RuntimeError("numpy: the tensor requires a gradient; use detach().numpy()")
        note_read()
        return self._array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def detach(self) -> Tensor:
        """The same values, not on the tape."""
        out = Tensor.of(self._array)
        out._version = self._version
        return out

    @property
    def data(self) -> Tensor:
        """The same values, not on the tape; what is written there is written here.

        Assigning to it takes the memory of another tensor: what held the old values keeps them.
        """
        return Tensor.of(self._array)

    @data.setter
    def data(self, value: Any) -> None:
        try:
            array = as_array(value)
        except TypeError as error:
            raise TypeError(f"data: {error}") from None
        if self.requires_grad and array.dtype.kind != "f":
            raise TypeError(f"data: expected floating-point values for a tensor with a gradient, "
                            f"got {array.dtype}; use float()")  # fmt: skip
        if array.shape != self.shape or array.dtype != self.dtype:
            self._grad_buffer = None
        self._array = array

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if self._node is not None:
            raise RuntimeError("deepcopy: only a tensor that no operation made can be copied with "
                               "its gradient; use detach().clone()")  # fmt: skip
        copy = memo[id(self)] = Tensor.of(self._array.copy(), self.requires_grad)
        copy.grad = None if self.grad is None else self.grad.clone()
        return copy

    def __reduce__(self) -> tuple[Any, ...]:
        return Tensor.of, (self._array, self.is_leaf and self.requires_grad)

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __bool__(self) -> bool:
        if self._array.size != 1:
            raise ValueError(
                f"bool: a tensor of shape {self.shape} has no single truth; use all() or any()"
            )
        return bool(self.item())

    def __index__(self) -> int:
        return operator.index(self.item())

    # --- gradients ---

    def backward(
        self,
        gradient: Any = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Any = None,
    ) -> None:
        """Add d(self)/d(leaf) to `leaf.grad` for every leaf this was computed from.

        Args:
            gradient: d(something)/d(self), of this tensor's shape; 1 for a single value.
            retain_graph: Keep what the tape saved, to walk it again.
            create_graph: Only False: gradients of gradients are not recorded.
            inputs: Only None: every leaf gets its gradient.

        Raises:
            RuntimeError: if nothing requires a gradient, if the graph was walked already, or if a
                saved value was changed in place.
            ValueError: if `gradient` is missing for more than one value, or has another shape.
        """
        if create_graph or inputs is not None:
            raise ValueError(
                "backward: gradients of gradients (create_graph) and of some leaves only (inputs) "
                "are not here; fastnn.autograd.grad gives gradients of chosen tensors, and "
                "requires_grad_(False) freezes the others"
            )
        run_backward([(self, self._first_gradient(gradient))], bool(retain_graph))

    def _first_gradient(self, gradient: Any) -> Array:
        """What a walk back along the tape starts with: ones, or what was given."""
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
            return np.ones_like(self._array)
        grad = as_array(gradient).astype(self.dtype)
        if grad.shape != self.shape:
            raise ValueError(f"backward: expected a gradient of shape {self.shape}, "
                             f"got {grad.shape}")  # fmt: skip
        return grad

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set `requires_grad` and return the tensor.

        Raises:
            TypeError: if a gradient is asked for of other than floating-point numbers.
            RuntimeError: if it is refused by the result of an operation.
        """
        if requires_grad and self._array.dtype.kind != "f":
            raise TypeError(f"requires_grad_: only floating-point tensors have gradients, got "
                            f"{self.dtype}; use float()")  # fmt: skip
        if not requires_grad and self._node is not None:
            raise RuntimeError("requires_grad_: only a tensor that no operation made can be "
                               "frozen; use detach()")  # fmt: skip
        self.requires_grad = requires_grad
        return self

    def detach_(self) -> Tensor:
        """Take the tensor itself off the tape."""
        self._node, self.requires_grad = None, False
        return self

    def retain_grad(self) -> None:
        """Keep the gradient of an intermediate result in `grad`, as leaves do.

        Raises:
            RuntimeError: if the tensor requires no gradient.
        """
        if not self.requires_grad:
            raise RuntimeError("retain_grad: the tensor requires no gradient")
        if self._node is not None:
            this = weakref.ref(self)  # the tape must not keep its own end alive

            def keep(grad: Array) -> None:
                tensor = this()
                if tensor is not None:
                    tensor._accumulate(grad)

            self._node.watch(keep)

    def _grad_target(self) -> Array:
        """Memory a backward kernel may write this leaf's gradient to: its own where it is free."""
        if self.grad is not None or self._node is not None:
            return np.empty(self._array.shape, self._array.dtype)
        if self._grad_buffer is None:
            self._grad_buffer = np.empty(self._array.shape, self._array.dtype)
        elif sys.getrefcount(self._grad_buffer) > 2:  # the attribute and the argument
            return np.empty_like(self._grad_buffer)  # someone kept the last gradient: let it be
        return self._grad_buffer

    def _accumulate(self, grad: Array) -> None:
        if self.grad is not None:
            self.grad._array += grad
            return
        if grad is not self._grad_buffer:
            target = self._grad_target()
            target[...] = grad
            grad = target
        self.grad = Tensor.of(grad)

    # --- arithmetic, with broadcasting ---

    def __add__(self, other: Any) -> Tensor:
        a, b = pair(self, other)
        return record(together("+", np.add, a, b), "add", (a, b), lambda g: (
            fit(g, a), fit(g, b)), op=("combine", "add"))  # fmt: skip

    def __sub__(self, other: Any) -> Tensor:
        a, b = pair(self, other)
        return record(together("-", np.subtract, a, b), "sub", (a, b), lambda g: (
            fit(g, a), fit(-g, b)), op=("combine", "sub"))  # fmt: skip

    def __mul__(self, other: Any) -> Tensor:
        a, b = pair(self, other)
        x, y = a._array, b._array
        return record(together("*", np.multiply, a, b), "mul", (a, b), lambda g: (
            fit(g * y, a) if a.requires_grad else None,
            fit(g * x, b) if b.requires_grad else None,
        ), _needed(a, b), op=("combine", "mul"))  # fmt: skip

    def __truediv__(self, other: Any) -> Tensor:
        a, b = pair(self, other)
        if a._array.dtype.kind != "f":
            a, b = a.float(), b.float()
        y = b._array
        out = quietly(together, "/", np.divide, a, b)
        return record(out, "div", (a, b), lambda g: (
            fit(g / y, a), fit(-g * out / y, b) if b.requires_grad else None,
        ), (b,), b.requires_grad)  # fmt: skip

    def __pow__(self, exponent: Any) -> Tensor:
        a, b = pair(self, exponent)
        x, y = a._array, b._array
        out = quietly(together, "**", np.power, a, b)

        def backward(g: Array) -> tuple[Array | None, Array | None]:
            da = db = None
            if a.requires_grad:  # y x^(y-1), but x^0 is flat, at 0 too
                da = fit(np.where(y == 0, 0, g * y * np.power(x, y - 1)), a)
            if b.requires_grad:  # x^y log(x), but 0^y is flat for y >= 0
                db = fit(np.where((x == 0) & (y >= 0), 0, g * out * np.log(x)), b)
            return da, db

        return record(out, "pow", (a, b), backward, (a, b), b.requires_grad)

    def __floordiv__(self, other: Any) -> Tensor:
        a, b = pair(self, other)
        return self._constant(quietly(np.floor_divide, a._array, b._array))

    def __mod__(self, other: Any) -> Tensor:
        a, b = pair(self, other)
        x, y = a._array, b._array
        return record(quietly(np.remainder, x, y), "remainder", (a, b), lambda g: (
            fit(g, a), fit(-g * np.floor_divide(x, y), b) if b.requires_grad else None,
        ), (a, b) if b.requires_grad else ())  # fmt: skip

    def __neg__(self) -> Tensor:
        return self.neg()

    def __abs__(self) -> Tensor:
        return self.abs()

    __radd__ = __add__
    __rmul__ = __mul__

    def __rsub__(self, other: Any) -> Tensor:
        return self._operand(other) - self

    def __rtruediv__(self, other: Any) -> Tensor:
        return self._operand(other) / self

    def __rpow__(self, other: Any) -> Tensor:
        return self._operand(other) ** self

    def add(self, other: Any, alpha: float = 1) -> Tensor:
        """`self + alpha * other`."""
        return self + (other if alpha == 1 else self._operand(other) * alpha)

    def sub(self, other: Any, alpha: float = 1) -> Tensor:
        """`self - alpha * other`."""
        return self - (other if alpha == 1 else self._operand(other) * alpha)

    mul, div, pow = __mul__, __truediv__, __pow__

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

    def _become(self, name: str, compute: Callable[[Tensor], Tensor]) -> Tensor:
        """Take the values of `compute(self)`, and its place on the tape.

        This is `out += x` in a forward. The old values stay where they are, for the backward of
        what was computed from them.
        """
        if not is_grad_enabled():
            result = compute(self)
        else:
            before = Tensor.of(self._array)
            before._node, before.requires_grad = self._node, self.requires_grad
            result = compute(before)
        if result.dtype.kind == "f" != self.dtype.kind or result.shape != self.shape:
            kind = TypeError if result.shape == self.shape else ValueError
            raise kind(f"{name}: a tensor of {self.dtype} and shape {self.shape} cannot hold the "
                       f"result of {result.dtype} and shape {result.shape}")  # fmt: skip
        if result._node is None or (self.requires_grad and self.is_leaf):
            return self._changed(result._array)
        if sys.getrefcount(self._version) > 2:  # the attribute and the argument
            raise RuntimeError(
                f"{name}: a tensor of shape {self.shape} was changed in place that has views, or "
                "whose values a backward needs; compute a new one (x = x + y for x += y)"
            )
        self._array = result._array.astype(self.dtype, copy=False)
        self._node, self.requires_grad, self._version = result._node, True, [0]
        return self

    def __iadd__(self, other: Any) -> Tensor:
        return self._become("+=", lambda x: x + other)

    def __isub__(self, other: Any) -> Tensor:
        return self._become("-=", lambda x: x - other)

    def __imul__(self, other: Any) -> Tensor:
        return self._become("*=", lambda x: x * other)

    def __itruediv__(self, other: Any) -> Tensor:
        return self._become("/=", lambda x: x / other)

    def add_(self, other: Any, alpha: float = 1) -> Tensor:
        """`self += alpha * other`."""
        return self._become("add_", lambda x: x.add(other, alpha))

    def sub_(self, other: Any, alpha: float = 1) -> Tensor:
        """`self -= alpha * other`."""
        return self._become("sub_", lambda x: x.sub(other, alpha))

    def mul_(self, other: Any) -> Tensor:
        """`self *= other`."""
        return self._become("mul_", lambda x: x * other)

    def div_(self, other: Any) -> Tensor:
        """`self /= other`."""
        return self._become("div_", lambda x: x / other)

    def clamp_(self, min: Any = None, max: Any = None) -> Tensor:
        """Overwrite the values with `clamp(min, max)`."""
        return self._become("clamp_", lambda x: x.clamp(min, max))

    def masked_fill_(self, mask: Any, value: Any) -> Tensor:
        """Overwrite the values where `mask` is true."""
        return self._become("masked_fill_", lambda x: x.masked_fill(mask, value))

    def copy_(self, source: Any) -> Tensor:
        """Overwrite the values with those of `source`."""
        self[...] = source
        return self

    def fill_(self, value: float) -> Tensor:
        """Overwrite every value with one."""
        return self._changed(value)

    def zero_(self) -> Tensor:
        """Overwrite every value with 0."""
        return self._changed(0)

    def normal_(
        self, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None
    ) -> Tensor:
        """Overwrite the values with draws from a normal distribution."""
        draws = generator or default_generator
        return self._changed(draws.numpy.normal(mean, std, self.shape))

    def uniform_(
        self, low: float = 0.0, high: float = 1.0, *, generator: Generator | None = None
    ) -> Tensor:
        """Overwrite the values with draws from a uniform distribution."""
        draws = generator or default_generator
        return self._changed(draws.numpy.uniform(low, high, self.shape))

    def __setitem__(self, index: Any, value: Any) -> None:
        place, given = as_index(index), as_tensor(value)
        if not (is_grad_enabled() and (given.requires_grad or self.requires_grad)):
            self._array[place] = given._array
            self._version[0] += 1
            return

        def replaced(before: Tensor) -> Tensor:
            out = before._array.copy()
            out[place] = given._array

            def backward(g: Array) -> tuple[Array | None, Array | None]:
                kept = g.copy()
                kept[place] = 0
                return kept, fit(g[place], given)

            return record(out, "setitem", (before, given), backward)

        self._become("[...] =", replaced)

    # --- comparisons: no gradient ---

    def __eq__(self, other: object) -> Tensor:  # type: ignore[override]
        return self._constant(together("==", np.equal, self, self._operand(other)))

    def __ne__(self, other: object) -> Tensor:  # type: ignore[override]
        return self._constant(together("!=", np.not_equal, self, self._operand(other)))

    def __lt__(self, other: Any) -> Tensor:
        return self._constant(together("<", np.less, self, self._operand(other)))

    def __le__(self, other: Any) -> Tensor:
        return self._constant(together("<=", np.less_equal, self, self._operand(other)))

    def __gt__(self, other: Any) -> Tensor:
        return self._constant(together(">", np.greater, self, self._operand(other)))

    def __ge__(self, other: Any) -> Tensor:
        return self._constant(together(">=", np.greater_equal, self, self._operand(other)))

    def __and__(self, other: Any) -> Tensor:
        return self._constant(self._array & as_array(other))

    def __or__(self, other: Any) -> Tensor:
        return self._constant(self._array | as_array(other))

    def __xor__(self, other: Any) -> Tensor:
        return self._constant(self._array ^ as_array(other))

    def __invert__(self) -> Tensor:
        return Tensor.of(np.asarray(~self._array))

    eq, ne, lt, le, gt, ge = __eq__, __ne__, __lt__, __le__, __gt__, __ge__
    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__
    __hash__ = object.__hash__

    def equal(self, other: Any) -> bool:
        """Whether another tensor has the same shape and the same values."""
        return np.array_equal(self._array, as_array(other))

    def isclose(self, other: Any, rtol: float = 1e-05, atol: float = 1e-08) -> Tensor:
        """Where two values agree to `atol + rtol |other|`."""
        return self._constant(np.isclose(self._array, as_array(other), rtol=rtol, atol=atol))

    def allclose(self, other: Any, rtol: float = 1e-05, atol: float = 1e-08) -> bool:
        """Whether all values agree to `atol + rtol |other|`."""
        return np.allclose(self._array, as_array(other), rtol=rtol, atol=atol)

    # --- element by element ---

    def tanh(self) -> Tensor:
        """The hyperbolic tangent of each value."""
        from fastnn.nn.functional import tanh  # it is built on this file

        return tanh(self)

    def sigmoid(self) -> Tensor:
        """`1 / (1 + exp(-x))` of each value."""
        from fastnn.nn.functional import sigmoid  # it is built on this file

        return sigmoid(self)

    def relu(self) -> Tensor:
        """Each value, or 0 where it is negative."""
        from fastnn.nn.functional import relu  # it is built on this file

        return relu(self)

    def softmax(self, dim: int, dtype: Any = None) -> Tensor:
        """`exp` of the values over its sum along `dim`."""
        from fastnn.nn.functional import softmax  # it is built on this file

        return softmax(self, dim, dtype=dtype)

    def log_softmax(self, dim: int, dtype: Any = None) -> Tensor:
        """The logarithm of `softmax`."""
        from fastnn.nn.functional import log_softmax  # it is built on this file

        return log_softmax(self, dim, dtype=dtype)

    # --- copies and types ---

    def clone(self) -> Tensor:
        """A copy; gradients flow through it."""
        return record(self._array.copy(), "clone", (self,), lambda g: (g,))

    def contiguous(self) -> Tensor:
        """The tensor itself: kernels take any layout."""
        return self

    def to(self, *args: Any, **kwargs: Any) -> Tensor:
        """The values as another type: `to(dtype)`, `to(device)`, `to(device, dtype)`, `to(other)`.

        Raises:
            ValueError: for another device than the CPU.
        """
        kind = target("to", *args, **kwargs)
        if kind is None or kind == self.dtype:
            return self
        return record(self._array.astype(kind), "to", (self,), lambda g: (g.astype(self.dtype),))

    def type(self, dtype: Any = None) -> Any:
        """The values as another type; without one, the name of this one."""
        return str(self.dtype) if dtype is None else self.to(dtype)

    def type_as(self, other: Tensor) -> Tensor:
        """The values as the type of another tensor."""
        return self.to(other.dtype)

    def float(self) -> Tensor:
        """The values as float32."""
        return self.to(np.float32)

    def double(self) -> Tensor:
        """The values as float64."""
        return self.to(np.float64)

    def long(self) -> Tensor:
        """The values as int64."""
        return self.to(np.int64)

    def int(self) -> Tensor:
        """The values as int32."""
        return self.to(np.int32)

    def byte(self) -> Tensor:
        """The values as uint8."""
        return self.to(np.uint8)

    def bool(self) -> Tensor:
        """Whether each value is not 0."""
        return self.to(np.bool_)

    def cpu(self) -> Tensor:
        """The tensor itself: it is on the CPU."""
        return self

    # --- inside ---

    def _record(
        self,
        array: Any,
        name: str,
        backward: BackwardFn,
        saved: tuple[Any, ...] = (),
        saves_output: Any = False,
        others: tuple[Tensor, ...] = (),
        op: Op | None = None,
    ) -> Tensor:
        return record(array, name, (self, *others), backward, saved, saves_output, op)

    def _constant(self, array: Any) -> Tensor:
        return Tensor.of(np.asarray(array))

    def _operand(self, other: Any) -> Tensor:
        return other if isinstance(other, Tensor) else _number(other, self)

    if not TYPE_CHECKING:  # for checkers a missing attribute stays an error

        def __getattr__(self, name: str) -> Any:
            raise AttributeError(absent("Tensor", name, dir(Tensor)))


def record(
    array: Array,
    name: str,
    inputs: tuple[Tensor, ...],
    backward: BackwardFn,
    saved: tuple[Tensor, ...] = (),
    saves_output: bool = False,
    op: Op | None = None,
) -> Tensor:
    """Wrap the result of an operation, on the tape where a gradient may be asked for.

    `saved` (and the output itself with `saves_output`) are the values `backward` reads; `op` is
    what a compiled step knows the operation by.
    """
    out = Tensor.of(np.asarray(array))  # NumPy makes scalars of 0-d results
    if is_grad_enabled():
        for tensor in inputs:
            if tensor.requires_grad:
                out.requires_grad = True
                kept = (*saved, out) if saves_output else saved
                out._node = Node(name, inputs, backward, kept, op)
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
    array = as_stored(value)
    if not array.dtype.isnative or array.dtype.itemsize > 8 or array.dtype == np.float16:
        array = array.astype(_native(array.dtype))
    return array


def as_stored(value: Any) -> Array:
    """As `as_array`, but in the type and byte order of a file, which may not be computed with."""
    if isinstance(value, Tensor):
        return value._array
    if hasattr(value, "to_numpy"):  # a data frame or series
        from fastnn.data.frames import frame_to_array, is_frame

        value = frame_to_array(value) if is_frame(value) else value
    masked = sys.modules.get("numpy.ma")  # not imported for this: it takes 10 ms of the first save
    if masked is not None and isinstance(value, masked.MaskedArray):
        raise TypeError("expected an array of real numbers, got one with a mask; fill in the "
                        "masked values with filled(value)")  # fmt: skip
    if hasattr(value, "toarray"):  # before NumPy takes it for a single object
        raise TypeError(f"expected an array of real numbers, got a sparse {type(value).__name__}; "
                        "make it dense with toarray()")  # fmt: skip
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"expected an array of numbers, got a ragged list: {error}") from None
    if array.dtype.kind not in "fiub":
        raise TypeError(f"expected an array of real numbers, got {_kind_of(value)}")
    return array


def as_tensor(value: Any) -> Tensor:
    """`value` itself if it is a tensor, else its numbers as one, without a copy if possible."""
    return value if isinstance(value, Tensor) else Tensor.of(as_array(value))


def _native(dtype: np.dtype[Any]) -> np.dtype[Any]:
    if dtype.kind == "f":  # float16 and longdouble have no kernels
        return np.dtype(np.float32 if dtype.itemsize <= 4 else np.float64)
    return np.dtype(dtype.type)


def _kind_of(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}"
    return f"{type(value).__name__} {value!r:.60}"


def _number(value: Any, like: Tensor) -> Tensor:
    """A number as a tensor: of the type of `like`, unless that cannot hold its kind."""
    if isinstance(value, Number):
        kind = like._array.dtype
        if isinstance(value, float | np.floating) and kind.kind != "f":
            kind = np.dtype(np.float32)
        elif kind.kind == "b" and not isinstance(value, bool | np.bool_):
            kind = np.dtype(np.int64)
        with contextlib.suppress(OverflowError):  # 300 beside uint8
            return Tensor.of(np.asarray(value, dtype=kind))
    return Tensor.of(as_array(value))


def pair(a: Tensor, other: Any) -> tuple[Tensor, Tensor]:
    """Both sides of an operation in the type PyTorch gives the result (not NumPy's).

    Floating-point wins over whole numbers whatever its width, and among types of one kind those
    with dimensions win over single values.
    """
    b = other if isinstance(other, Tensor) else _number(other, a)
    one, two = a._array.dtype, b._array.dtype
    if one is two:
        return a, b
    rank = {"b": 0, "u": 1, "i": 1, "f": 2}
    if rank[one.kind] != rank[two.kind]:
        kind = one if rank[one.kind] > rank[two.kind] else two
    elif (a.ndim == 0) != (b.ndim == 0):
        kind = two if a.ndim == 0 else one
    else:
        kind = np.promote_types(one, two)
    return a.to(kind), b.to(kind)


def _needed(a: Tensor, b: Tensor) -> tuple[Tensor, ...]:
    """What the gradient of a product reads: the other side of what has one."""
    if not a.requires_grad:
        return (a,)
    return (a, b) if b.requires_grad else (b,)


def values_or_zeros(who: str, data: tuple[Any, ...], dtype: Any) -> Array:
    """What `Tensor([1, 2])` and `Tensor(2, 3)` hold: a copy of values, or zeros of some sizes.

    Raises:
        TypeError: if `data` are neither sizes nor one list, array or tensor.
    """
    if all(isinstance(n, int | np.integer) and not isinstance(n, bool) for n in data):
        return np.zeros(data or 0, dtype)
    if len(data) > 1 or not isinstance(data[0], list | tuple | np.ndarray | Tensor):
        raise TypeError(f"{who}: expected a list, an array, or sizes, got "
                        f"{', '.join(map(_kind_of, data))}; fastnn.tensor(...) converts other "
                        "things")  # fmt: skip
    return np.array(as_array(data[0]), dtype, order="C")
