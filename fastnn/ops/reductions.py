"""Operations that make fewer values of many: sums, means, extremes, norms."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.autograd import Array
from fastnn.ops.base import Operations, ValuesAndIndices, dim_or_axis, quietly, spread

if TYPE_CHECKING:
    from fastnn.tensor import Tensor

__all__ = ["Reductions"]

Dim = int | tuple[int, ...] | list[int] | None


class Reductions(Operations):
    """Methods that take `dim` (or `axis`), all dimensions by default, and `keepdim`."""

    __slots__ = ()

    # --- sums and means ---

    @dim_or_axis
    def sum(self, dim: Dim = None, keepdim: bool = False, dtype: Any = None) -> Tensor:
        """The sum of all values, or along `dim`; of whole numbers an int64."""
        dim = _dims(dim)
        if dtype is None and self.dtype.kind != "f":
            dtype = np.int64
        out = self._array.sum(axis=dim, keepdims=keepdim, dtype=dtype)
        return self._record(out, "sum", lambda g: (spread(g, self.shape, dim, keepdim),))

    @dim_or_axis
    def mean(self, dim: Dim = None, keepdim: bool = False) -> Tensor:
        """The mean of all values, or along `dim`; of no values NaN.

        Raises:
            TypeError: if they are not floating-point.
        """
        dim, n = _dims(dim), self._count("mean", dim)
        out = quietly(np.divide, self._array.sum(axis=dim, keepdims=keepdim), n)
        share = self.dtype.type(1 / max(n, 1))
        return self._record(out, "mean", lambda g: (spread(g * share, self.shape, dim, keepdim),))

    @dim_or_axis
    def var(
        self,
        dim: Dim = None,
        unbiased: bool = True,
        keepdim: bool = False,
        *,
        correction: float | None = None,
    ) -> Tensor:
        """The variance: `sum((x - mean)^2) / (n - correction)`.

        Args:
            dim: Along which dimensions; all by default.
            unbiased: Divide by n - 1; False divides by n.
            keepdim: Keep the dimension with size 1.
            correction: What to subtract from n, in place of `unbiased`.

        Raises:
            TypeError: if the values are not floating-point.
        """
        if isinstance(dim, bool):  # var(False) is PyTorch's older form
            return self.var(None, dim, keepdim)
        dim, n = _dims(dim), self._count("var", dim)
        free = max(n - (int(unbiased) if correction is None else correction), 0)
        from_mean = self._array - quietly(np.mean, self._array, dim, None, None, True)
        squares = np.square(from_mean).sum(axis=dim, keepdims=keepdim)
        out = quietly(np.divide, squares, self.dtype.type(free))
        return self._record(out, "var", lambda g: (
            spread(g, self.shape, dim, keepdim) * (2 * from_mean / self.dtype.type(free)),
        ))  # fmt: skip

    @dim_or_axis
    def std(
        self,
        dim: Dim = None,
        unbiased: bool = True,
        keepdim: bool = False,
        *,
        correction: float | None = None,
    ) -> Tensor:
        """The standard deviation: the square root of `var`. Its gradient is 0 where it is 0."""
        return _root(self.var(dim, unbiased, keepdim, correction=correction))

    @dim_or_axis
    def norm(self, p: Any = 2, dim: Dim = None, keepdim: bool = False) -> Tensor:
        """The p-norm `(sum |x|^p)^(1/p)` of all values together, or along `dim`.

        Args:
            p: A positive number, infinity, or "fro", which is 2.
            dim: Along which dimensions; all by default.
            keepdim: Keep the dimension with size 1.

        Raises:
            ValueError: for another p.
        """
        p = 2 if p in ("fro", None) else p
        if isinstance(p, str) or not p > 0:
            raise ValueError(f"norm: expected p > 0, infinity or 'fro', got {p!r}")
        self._count("norm", None)
        x: Any = self
        if p == math.inf:
            return x.abs().amax(dim, keepdim)  # type: ignore[no-any-return]
        if p == 1:
            return x.abs().sum(dim, keepdim)  # type: ignore[no-any-return]
        if p == 2:
            return _root(x.square().sum(dim, keepdim))
        return (x.abs() ** p).sum(dim, keepdim) ** (1 / p)  # type: ignore[no-any-return]

    @dim_or_axis
    def prod(self, dim: int | None = None, keepdim: bool = False) -> Tensor:
        """The product of all values, or along `dim`; of whole numbers an int64."""
        x: Any = self._array if dim is not None else self._array.reshape(-1)
        axis, dtype = 0 if dim is None else dim, None if self.dtype.kind == "f" else np.int64
        out = quietly(np.prod, x, axis, dtype, None, keepdim and dim is not None)

        def backward(g: Array) -> tuple[Array]:
            shared = g if dim is None or keepdim else np.expand_dims(g, dim)
            return ((shared * _products_of_others(x, axis)).reshape(self.shape),)

        return self._record(out, "prod", backward, (self,))

    @dim_or_axis
    def logsumexp(self, dim: Dim = None, keepdim: bool = False) -> Tensor:
        """`log(sum(exp(x)))` without overflow."""
        dim = _dims(dim)
        self._count("logsumexp", dim)
        peak = self._array.max(axis=dim, keepdims=True)
        peak = np.where(np.isfinite(peak), peak, 0)
        total = np.exp(self._array - peak).sum(axis=dim, keepdims=True)
        out = quietly(np.log, total) + peak

        def backward(g: Array) -> tuple[Array]:
            return (spread(g, self.shape, dim, keepdim) * np.exp(self._array - out),)

        shaped = out if keepdim else out.squeeze(dim)
        return self._record(shaped, "logsumexp", backward, (self,))

    @dim_or_axis
    def cumsum(self, dim: int) -> Tensor:
        """The sums of the values up to each along `dim`."""
        dtype = self.dtype if self.dtype.kind == "f" else np.int64
        out = np.cumsum(self._array, axis=dim, dtype=dtype)
        return self._record(out, "cumsum", lambda g: (
            np.flip(np.cumsum(np.flip(g, dim), axis=dim), dim),))  # fmt: skip

    # --- extremes ---

    @dim_or_axis
    def max(self, dim: Any = None, keepdim: bool = False) -> Any:
        """The largest value; `(values, indices)` along `dim`; or the larger of this and a tensor.

        The gradient of a tie goes to the first along `dim`, in equal parts to all otherwise.
        """
        return self._extreme("max", dim, keepdim)

    @dim_or_axis
    def min(self, dim: Any = None, keepdim: bool = False) -> Any:
        """The smallest value, as `max`."""
        return self._extreme("min", dim, keepdim)

    @dim_or_axis
    def amax(self, dim: Dim = None, keepdim: bool = False) -> Tensor:
        """The largest value, of all or along `dim`; a tie shares the gradient."""
        return self._shared_extreme("max", _dims(dim), keepdim)

    @dim_or_axis
    def amin(self, dim: Dim = None, keepdim: bool = False) -> Tensor:
        """The smallest value, of all or along `dim`; a tie shares the gradient."""
        return self._shared_extreme("min", _dims(dim), keepdim)

    @dim_or_axis
    def argmax(self, dim: int | None = None, keepdim: bool = False) -> Tensor:
        """Where the largest value is: in the flattened tensor, or along `dim`."""
        self._some_values("argmax", dim)
        return self._constant(np.argmax(self._array, axis=dim, keepdims=keepdim))

    @dim_or_axis
    def argmin(self, dim: int | None = None, keepdim: bool = False) -> Tensor:
        """Where the smallest value is: in the flattened tensor, or along `dim`."""
        self._some_values("argmin", dim)
        return self._constant(np.argmin(self._array, axis=dim, keepdims=keepdim))

    # --- questions ---

    @dim_or_axis
    def all(self, dim: Dim = None, keepdim: bool = False) -> Tensor:
        """Whether every value is true."""
        return self._constant(self._array.all(axis=_dims(dim), keepdims=keepdim))

    @dim_or_axis
    def any(self, dim: Dim = None, keepdim: bool = False) -> Tensor:
        """Whether some value is true."""
        return self._constant(self._array.any(axis=_dims(dim), keepdims=keepdim))

    @dim_or_axis
    def count_nonzero(self, dim: Dim = None) -> Tensor:
        """How many values are not 0."""
        return self._constant(np.count_nonzero(self._array, axis=_dims(dim)))

    # --- inside ---

    def _count(self, name: str, dim: Any) -> int:
        """How many values become one."""
        if self.dtype.kind != "f":
            raise TypeError(f"{name}: expected a floating-point tensor, got {self.dtype}; "
                            "use float() first")  # fmt: skip
        if dim is None:
            return self._array.size
        axes = np.lib.array_utils.normalize_axis_tuple(dim, self.ndim)
        return math.prod(self.shape[i] for i in axes)

    def _some_values(self, name: str, dim: Any) -> None:
        if self._array.size == 0 and (dim is None or self.shape[dim] == 0):
            raise ValueError(f"{name}: expected at least one value, got shape {self.shape}")

    def _extreme(self, name: str, dim: Any, keepdim: bool) -> Any:
        if dim is None:
            return self._shared_extreme(name, None, False)
        if not isinstance(dim, int):
            return getattr(self, f"{name}imum")(dim)
        where = getattr(self, f"arg{name}")(dim, keepdim=True)._array

        def backward(g: Array) -> tuple[Array]:
            dx = np.zeros_like(self._array)
            np.put_along_axis(dx, where, g if keepdim else np.expand_dims(g, dim), axis=dim)
            return (dx,)

        values = np.take_along_axis(self._array, where, axis=dim)
        shaped = [a if keepdim else a.squeeze(dim) for a in (values, where)]
        return ValuesAndIndices(self._record(shaped[0], name, backward), self._constant(shaped[1]))

    def _shared_extreme(self, name: str, dim: Any, keepdim: bool) -> Tensor:
        self._some_values(name, dim if isinstance(dim, int) else None)
        x = self._array
        out = getattr(x, name)(axis=dim, keepdims=True)

        def backward(g: Array) -> tuple[Array]:
            hit = (x == out) | ((x != x) & (out != out))  # NaN is the extreme where there is one
            share = hit / hit.sum(axis=dim, keepdims=True, dtype=x.dtype)
            return (spread(g, x.shape, dim, keepdim) * share,)

        return self._record(out if keepdim else out.squeeze(dim), name, backward, (self,))


def _dims(dim: Any) -> Any:
    """NumPy's form of `dim`; an empty list means all, as in PyTorch."""
    if isinstance(dim, list | tuple):
        return tuple(dim) or None
    return dim


def _products_of_others(x: Array, axis: int) -> Array:
    """For each value along `axis` the product of the others: exact where values are 0."""
    x = np.moveaxis(x, axis, 0)
    before, after = np.ones_like(x), np.ones_like(x)
    before[1:] = quietly(np.cumprod, x[:-1], 0)
    after[:-1] = quietly(np.cumprod, x[:0:-1], 0)[::-1]
    return np.moveaxis(before * after, 0, axis)


def _root(square: Tensor) -> Tensor:
    """The square root, with gradient 0 at 0, as PyTorch has it in `std` and `norm`."""
    out = np.sqrt(square._array)
    return square._record(
        out, "sqrt", lambda g: (np.where(out == 0, 0, g / (2 * out)),), saves_output=True
    )
