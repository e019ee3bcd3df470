"""Products of vectors, matrices and stacks of matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import _core
from fastnn.autograd import Array
from fastnn.ops.base import Operations, unbroadcast

if TYPE_CHECKING:
    from fastnn.tensor import Tensor

__all__ = ["Products"]


class Products(Operations):
    """Methods that sum products over a dimension."""

    __slots__ = ()

    def __matmul__(self, other: Any) -> Tensor:
        """Products over the last dimension of `self` and the last but one of `other`.

        A vector on the left is a row, on the right a column, and loses its 1 in the result; the
        dimensions before the last two broadcast.
        """
        b = self._operand(other)
        _check(self, b)
        left = self._array if self.ndim > 1 else self._array[None, :]
        right = b._array if b.ndim > 1 else b._array[:, None]
        full = _product(left, right)
        shape = full.shape
        drop = (-2,) * (self.ndim == 1) + (-1,) * (b.ndim == 1)

        def backward(g: Array) -> tuple[Array | None, Array | None]:
            g = g.reshape(shape)
            da = db = None
            if self.requires_grad:  # type: ignore[attr-defined]
                da = _product(g, right.swapaxes(-1, -2))
                da = unbroadcast(da, left.shape).reshape(self.shape)
            if b.requires_grad:
                db = _product(left.swapaxes(-1, -2), g)
                db = unbroadcast(db, right.shape).reshape(b.shape)
            return da, db

        return self._record(full.squeeze(drop), "matmul", backward, (self, b), others=(b,))

    def __rmatmul__(self, other: Any) -> Tensor:
        return self._operand(other).__matmul__(self)

    matmul = __matmul__

    def mm(self, mat2: Any) -> Tensor:
        """`@` of two matrices."""
        return self._product_of("mm", 2, mat2, 2)

    def mv(self, vec: Any) -> Tensor:
        """`@` of a matrix and a vector."""
        return self._product_of("mv", 2, vec, 1)

    def dot(self, other: Any) -> Tensor:
        """`@` of two vectors."""
        return self._product_of("dot", 1, other, 1)

    def bmm(self, mat2: Any) -> Tensor:
        """`@` of two stacks of matrices."""
        return self._product_of("bmm", 3, mat2, 3)

    def outer(self, vec2: Any) -> Tensor:
        """All products of two values of two vectors, `(n,)` and `(m,)`, as `(n, m)`."""
        x: Any = self
        return x.reshape(-1, 1) * self._operand(vec2).reshape(1, -1)  # type: ignore[no-any-return]

    def _product_of(self, name: str, ndim: int, other: Any, other_ndim: int) -> Tensor:
        b = self._operand(other)
        if (self.ndim, b.ndim) != (ndim, other_ndim):
            raise ValueError(f"{name}: expected {ndim} and {other_ndim} dimensions, got shapes "
                             f"{self.shape} and {b.shape}; matmul takes any")  # fmt: skip
        return self.__matmul__(b)


def _check(a: Operations, b: Operations) -> None:
    if a.ndim == 0 or b.ndim == 0 or a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise ValueError(f"matmul: expected (n, k) @ (k, m) or (n, k) @ (k,), "
                         f"got {a.shape} @ {b.shape}")  # fmt: skip
    if a.dtype != b.dtype:
        raise TypeError(f"matmul: expected two tensors of one type, got {a.dtype} @ {b.dtype}; "
                        "convert one with .float() or .double()")  # fmt: skip


def _product(a: Array, b: Array) -> Array:
    if a.ndim != 2 or b.ndim != 2 or a.dtype.kind != "f":
        return np.asarray(a @ b)
    out = np.empty((a.shape[0], b.shape[1]), a.dtype)
    _core.gemm(out, a, b)
    return out
