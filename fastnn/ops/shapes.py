"""Operations that change the shape and not the values: mostly views of the same memory."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.autograd import Array, BackwardFn
from fastnn.ops.base import Operations, dim_or_axis, sizes, unbroadcast

if TYPE_CHECKING:
    from fastnn.tensor import Tensor

__all__ = ["Shapes"]


class Shapes(Operations):
    """Methods that give the same values in another shape."""

    __slots__ = ()

    def _view(self, array: Array, name: str, backward: BackwardFn | None = None) -> Tensor:
        """Record a view: it shares the count of changes in place."""
        shape = self._array.shape
        op = ("reshape", array.shape) if backward is None else None
        out = self._record(array, name, backward or (lambda g: (g.reshape(shape),)), op=op)
        out._version = self._version
        return out

    # --- the same order of values ---

    def reshape(self, *shape: Any) -> Tensor:
        """The same values in another shape; one size may be -1."""
        wanted = sizes(shape)
        try:
            array = self._array.reshape(wanted)
        except ValueError:
            raise ValueError(f"reshape: expected sizes for {self._array.size} values of shape "
                             f"{self.shape}, got {wanted}; one may be -1") from None  # fmt: skip
        return self._view(array, "reshape")

    view = reshape

    def reshape_as(self, other: Tensor) -> Tensor:
        """The same values in the shape of another tensor."""
        return self.reshape(other.shape)

    view_as = reshape_as

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Tensor:
        """The dimensions from `start_dim` to `end_dim` as one."""
        if self.ndim == 0:
            return self.reshape(1)
        first, last = range(self.ndim)[start_dim], range(self.ndim)[end_dim]
        joined = math.prod(self.shape[first : last + 1])
        return self.reshape((*self.shape[:first], joined, *self.shape[last + 1 :]))

    def ravel(self) -> Tensor:
        """All values in one dimension."""
        return self.reshape(-1)

    @dim_or_axis
    def squeeze(self, dim: int | tuple[int, ...] | None = None) -> Tensor:
        """Without dimensions of size 1, or without those of `dim` whose size is 1."""
        if dim is None:
            return self._view(self._array.squeeze(), "squeeze")
        given = dim if isinstance(dim, tuple) else (dim,)
        axes = np.lib.array_utils.normalize_axis_tuple(given, self.ndim)
        single = tuple(i for i in axes if self.shape[i] == 1)
        return self._view(self._array.squeeze(single), "squeeze")

    @dim_or_axis
    def unsqueeze(self, dim: int) -> Tensor:
        """With a new dimension of size 1 at `dim`."""
        return self._view(np.expand_dims(self._array, dim), "unsqueeze")

    # --- another order of dimensions ---

    @dim_or_axis
    def transpose(self, dim0: int, dim1: int) -> Tensor:
        """With two dimensions swapped."""
        return self._view(self._array.swapaxes(dim0, dim1), "transpose", lambda g: (
            g.swapaxes(dim0, dim1),))  # fmt: skip

    swapaxes = transpose

    def t(self) -> Tensor:
        """The transpose of a matrix; a vector is its own."""
        if self.ndim > 2:
            raise ValueError(f"t: expected at most 2 dimensions, got shape {self.shape}; "
                             "transpose(-2, -1) swaps the last two")  # fmt: skip
        return self.permute(*reversed(range(self.ndim)))

    @property
    def T(self) -> Tensor:
        """The transpose of a matrix."""
        return self.t()

    @property
    def mT(self) -> Tensor:
        """With the last two dimensions swapped."""
        return self.transpose(-2, -1)

    @dim_or_axis
    def permute(self, *dims: Any) -> Tensor:
        """With the dimensions in another order."""
        order = sizes(dims)
        return self._view(self._array.transpose(order), "permute", lambda g: (
            g.transpose(np.argsort([i % self.ndim for i in order])),))  # fmt: skip

    @dim_or_axis
    def flip(self, *axes: Any, dims: Any = None) -> Tensor:
        """A copy with the values along some dimensions in reverse order."""
        along = sizes(axes if dims is None else (dims,))
        return self._record(np.flip(self._array, along).copy(), "flip", lambda g: (
            np.flip(g, along),))  # fmt: skip

    # --- repeated values ---

    def expand(self, *shape: Any) -> Tensor:
        """With dimensions of size 1 repeated, and new ones in front; -1 keeps a size."""
        wanted = sizes(shape)
        own = (1,) * (len(wanted) - self.ndim) + self.shape
        full = tuple(n if n != -1 else old for n, old in zip(wanted, own, strict=False))
        try:
            out = np.broadcast_to(self._array, full)
        except ValueError:
            raise ValueError(f"expand: expected sizes that repeat dimensions of size 1 of "
                             f"{self.shape}, got {wanted}") from None  # fmt: skip
        return self._view(out, "expand", lambda g: (unbroadcast(g, self.shape),))

    def expand_as(self, other: Tensor) -> Tensor:
        """Repeated to the shape of another tensor."""
        return self.expand(other.shape)

    def repeat(self, *repeats: Any) -> Tensor:
        """A copy laid end to end so many times along each dimension."""
        times = sizes(repeats)
        if len(times) < self.ndim:
            raise ValueError(f"repeat: expected a number for each dimension of {self.shape}, "
                             f"got {times}")  # fmt: skip
        own = (1,) * (len(times) - self.ndim) + self.shape
        pairs = tuple(n for pair in zip(times, own, strict=True) for n in pair)

        def backward(g: Array) -> tuple[Array]:
            summed = g.reshape(pairs).sum(axis=tuple(range(0, len(pairs), 2)))
            return (summed.reshape(self.shape),)

        return self._record(np.tile(self._array, times), "repeat", backward)

    # --- parts ---

    @dim_or_axis
    def split(self, split_size_or_sections: int | list[int], dim: int = 0) -> tuple[Tensor, ...]:
        """Views of parts along `dim`.

        Args:
            split_size_or_sections: The size of each part (the last may be smaller), or all sizes.
            dim: Which dimension to split.

        Raises:
            ValueError: if the sizes do not add up to the dimension's.
        """
        given, n = split_size_or_sections, self.shape[dim]
        if isinstance(given, int):
            if given < 1:
                raise ValueError(f"split: expected a size of at least 1, got {given}")
            parts = [min(given, n - i) for i in range(0, max(n, 1), given)]
        else:
            parts = list(given)
        if sum(parts) != n or min(parts, default=0) < 0:
            raise ValueError(f"split: expected sizes that add up to {n}, got {parts}")
        ends = np.cumsum(parts).tolist()
        return tuple(
            self._slice(dim, end - size, end) for end, size in zip(ends, parts, strict=True)
        )

    @dim_or_axis
    def chunk(self, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
        """Views of at most `chunks` parts of one size along `dim`; the last may be smaller."""
        if chunks < 1:
            raise ValueError(f"chunk: expected at least 1 chunk, got {chunks}")
        return self.split(max(-(-self.shape[dim] // chunks), 1), dim)

    @dim_or_axis
    def unbind(self, dim: int = 0) -> tuple[Tensor, ...]:
        """Views of all parts of size 1 along `dim`, without that dimension."""
        return tuple(part.squeeze(dim) for part in self.split(1, dim) if part.shape[dim])

    def _slice(self, dim: int, start: int, end: int) -> Tensor:
        place = [slice(None)] * self.ndim
        place[dim] = slice(start, end)
        part: Tensor = self[tuple(place)]  # type: ignore[index]
        return part
