"""Operations that pick values by place or by order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.autograd import Array
from fastnn.ops.base import Operations, ValuesAndIndices, dim_or_axis

if TYPE_CHECKING:
    from fastnn.tensor import Tensor

__all__ = ["Selection", "as_index", "is_view"]


class Selection(Operations):
    """Methods that take indices, masks or an order."""

    __slots__ = ()

    def __getitem__(self, index: Any) -> Tensor:
        index = as_index(index)

        def backward(g: Array) -> tuple[Array]:
            dx = np.zeros_like(self._array)
            if view:
                dx[index] = g
            else:
                np.add.at(dx, index, g)  # a row taken twice gets both gradients
            return (dx,)

        view = is_view(index)
        out = self._record(self._array[index], "index", backward)
        if view:
            out._version = self._version
        return out

    def gather(self, dim: int, index: Any) -> Tensor:
        """`out[i][j] = x[index[i][j]][j]` for `dim` 0, `x[i][index[i][j]]` for 1, and so on.

        Args:
            dim: Along which dimension the indices count.
            index: Whole numbers, with as many dimensions as the tensor.

        Raises:
            TypeError: if the indices are not whole numbers.
            ValueError: if they have another number of dimensions, or reach beyond one.
            IndexError: if one lies outside the dimension.
        """
        place = self._along(dim, self._indices("gather", index, dim))
        return self[place]

    def diag(self) -> Tensor:
        """The diagonal of a matrix, or the matrix of zeros that has a vector on its diagonal.

        Raises:
            ValueError: if there are more than two dimensions, or none.
        """
        if self.ndim == 1:
            return self._record(np.diag(self._array), "diag", lambda g: (np.diagonal(g),))
        if self.ndim != 2:
            raise ValueError(f"diag: expected a vector or a matrix, got shape {self.shape}")
        places = np.arange(min(self.shape))
        return self[places, places]

    def scatter_(self, dim: int, index: Any, src: Any) -> Tensor:
        """`x[index[i][j]][j] = src[i][j]` for `dim` 0, and so on, in place; `src` may be a number.

        Raises:
            TypeError: if the indices are not whole numbers.
            ValueError: if they have another number of dimensions, or reach beyond one.
            IndexError: if one lies outside the dimension.
        """
        given = self._indices("scatter_", index, dim)
        values = self._operand(src)
        if values.ndim:
            values = values[tuple(slice(n) for n in given.shape)]
        this: Any = self
        this[self._along(dim, given)] = values
        return this  # type: ignore[no-any-return]

    def index_select(self, dim: int, index: Any) -> Tensor:
        """The parts with these numbers along `dim`."""
        place: list[Any] = [slice(None)] * self.ndim
        place[dim] = self._operand(index)._array
        return self[tuple(place)]

    def masked_select(self, mask: Any) -> Tensor:
        """The values where `mask` is true, in one dimension."""
        array = self._operand(mask)._array
        return self[np.broadcast_to(array, self.shape)]

    def nonzero(self) -> Tensor:
        """The place of each value that is not 0, one a row."""
        return self._constant(np.argwhere(self._array))

    # --- order ---

    @dim_or_axis
    def sort(self, dim: int = -1, descending: bool = False, stable: bool = True) -> Any:
        """`(values, indices)` in order along `dim`; equal values stay in theirs."""
        order = self.argsort(dim, descending)
        if self.ndim == 0:
            return ValuesAndIndices(self[()], order)
        return ValuesAndIndices(self.gather(dim, order), order)

    @dim_or_axis
    def argsort(self, dim: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
        """Where the values in order along `dim` are."""
        x = self._array
        if self.ndim == 0:
            return self._constant(np.zeros((), np.int64))
        if not descending:
            return self._constant(np.argsort(x, axis=dim, kind="stable"))
        # backwards twice: equal values stay in order, and NaN comes first as the largest
        backwards = np.argsort(np.flip(x, dim), axis=dim, kind="stable")
        return self._constant(np.ascontiguousarray(x.shape[dim] - 1 - np.flip(backwards, dim)))

    @dim_or_axis
    def topk(self, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
        """`(values, indices)` of the k largest (or smallest) along `dim`, in order.

        Raises:
            ValueError: if there are fewer than k.
        """
        if not 0 <= k <= self.shape[dim]:
            raise ValueError(f"topk: expected k from 0 to {self.shape[dim]}, got {k}")
        order = self.argsort(dim, descending=largest)
        best = np.take(order._array, np.arange(k), axis=dim)
        return ValuesAndIndices(self.gather(dim, best), self._constant(best))

    def unique(
        self, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False
    ) -> Any:
        """The different values in order, and where asked for their places and their numbers."""
        found: Any = np.unique(self._array, False, return_inverse, return_counts)  # type: ignore[call-overload]
        if isinstance(found, tuple):
            return tuple(self._constant(array) for array in found)
        return self._constant(found)

    def bincount(self, minlength: int = 0) -> Tensor:
        """How often each whole number from 0 on occurs."""
        return self._constant(np.bincount(self._array, minlength=minlength))

    # --- inside ---

    def _indices(self, name: str, index: Any, dim: int) -> Array:
        array = self._operand(index)._array
        if array.dtype.kind not in "iu":
            raise TypeError(f"{name}: expected whole numbers as indices, got {array.dtype}")
        fits = array.ndim == self.ndim and all(
            n <= limit or i == dim % self.ndim
            for i, (n, limit) in enumerate(zip(array.shape, self.shape, strict=True))
        )
        if not fits:
            raise ValueError(
                f"{name}: expected indices with {self.ndim} dimensions for a tensor of shape "
                f"{self.shape}, got shape {array.shape}; index.view(-1, 1) makes a column"
            )
        limit = self.shape[dim]
        if array.size and not (array.min() >= 0 and array.max() < limit):
            raise IndexError(f"{name}: expected indices in 0 .. {limit - 1}, "
                             f"got {array.min()} .. {array.max()}")  # fmt: skip
        return array

    def _along(self, dim: int, index: Array) -> tuple[Array, ...]:
        """The index of every dimension: its own number, but `index` along `dim`."""
        place: list[Array] = list(np.indices(index.shape, sparse=True))
        place[dim] = index
        return tuple(place)


def as_index(index: Any) -> Any:
    """What NumPy takes as an index: arrays for tensors, also inside a tuple or list."""
    if isinstance(index, tuple):
        return tuple(as_index(i) for i in index)
    if isinstance(index, Operations):
        return index._array if index.ndim or index.dtype.kind == "b" else int(index._array)
    return np.asarray(index, int) if isinstance(index, range) else index


def is_view(index: Any) -> bool:
    """Whether an index takes a regular part: a view, in which no value occurs twice."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        part is None or part is Ellipsis or isinstance(part, slice | int | np.integer)
        for part in parts
    ) and not any(isinstance(part, bool) for part in parts)
