"""Scaling of features: fitted on the training part, and part of the model if one likes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastnn.autograd import Op
from fastnn.data.frames import column_names
from fastnn.nn.module import Module
from fastnn.options import whole
from fastnn.tensor import Tensor, as_array, as_stored, as_tensor, record

__all__ = ["MinMaxScale", "Standardize"]

Floats: TypeAlias = NDArray[np.float64]
_BLOCK = 1 << 20  # values at a time, so that a memory-mapped table is never in memory whole


class _Affine(NamedTuple):
    """out = (x - shift) / divisor + offset."""

    shift: Floats
    divisor: Floats
    offset: float


class _Scaler(Module):
    """What both have in common; a derived class says what is measured and how it is applied.

    The statistics are float64 buffers, whatever type the model has, and the arithmetic is done in
    float64. A layer's results are of `dtype`, that of the layers behind it; those of `transform`
    and `inverse_transform` have the type of their input, float32 where that was not
    floating-point.
    """

    num_features: int | None

    def __init__(self, num_features: int | None, statistics: Sequence[str], dtype: Any) -> None:
        super().__init__()
        self.dtype = np.dtype(dtype)
        if self.dtype not in (np.float32, np.float64):
            raise TypeError(f"{self._name}: expected dtype float32 or float64, got {self.dtype}")
        if num_features is not None:
            num_features = whole(self._name, "num_features", num_features, 1)
        self.num_features = num_features
        for name in statistics:
            self.register_buffer(name, Tensor.of(np.zeros(num_features or 0)))
        self.register_buffer("count", Tensor.of(np.zeros((), np.int64)))  # rows seen; 0: not fitted

    def fit(self, X: Any, y: Any = None) -> Self:
        """Measure the columns of the training part.

        Args:
            X: Shape (N, F), or (N,) for one column such as a target; an array, a Tensor or a
                data frame.
            y: Ignored; there so that the call is scikit-learn's.

        Raises:
            TypeError: if X does not hold real numbers.
            ValueError: if X has no rows or columns, another shape or number of columns, or holds
                NaN or infinity; the column is named.
        """
        table = self._columns(X)
        if self.num_features not in (None, table.shape[1]):
            raise ValueError(
                f"{self._name}: expected {self.num_features} columns, got X of shape {table.shape}"
            )
        with np.errstate(over="ignore", invalid="ignore"):
            statistics = self._measure(table, column_names(X))
        if not all(np.isfinite(values).all() for values in statistics.values()):
            raise ValueError(f"{self._name}: X holds values too large to add up in float64")
        for name, values in statistics.items():
            self.register_buffer(name, Tensor.of(values))
        self.register_buffer("count", Tensor.of(np.array(len(table), np.int64)))
        self.num_features = table.shape[1]
        return self

    def transform(self, X: Any) -> Any:
        """Scale the columns of X, shape (N, F) or (N,): a Tensor to a Tensor, others to an array.

        Raises:
            RuntimeError: before `fit`.
            ValueError: if X has another number of columns, or holds NaN or infinity.
        """
        return self._table(X, self._scale)

    def fit_transform(self, X: Any, y: Any = None) -> Any:
        """Fit to X, then scale it."""
        return self.fit(X).transform(X)

    def inverse_transform(self, X: Any) -> Any:
        """Undo `transform`, for instance to have predictions in the unit of the target."""
        return self._table(X, self._inverse)

    def forward(self, input: Any) -> Tensor:
        """Scale (*, F) and round to `dtype`; gradients flow through, NaN stays NaN."""
        return self._scale(input, self.dtype)

    def extra_repr(self) -> str:
        """How many columns, once that is known."""
        return f"num_features={self.num_features}"

    # --- inside ---

    @abstractmethod
    def _measure(self, table: NDArray[Any], names: list[str] | None) -> dict[str, Floats]:
        """The buffers, from a table (N, F)."""

    @abstractmethod
    def _fitted(self) -> _Affine:
        """The scaling, from the buffers."""

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _convert(self, kind: np.dtype[Any]) -> None:
        self.dtype = kind  # of results; rounded statistics would be others

    def _scale(self, input: Any, dtype: np.dtype[Any] | None = None) -> Tensor:
        shift, divisor, offset = self._affine(input)
        return _apply(
            self._name,
            as_tensor(input),
            lambda x: (x - shift) / divisor + offset,
            lambda g: g / divisor,
            dtype,
            ("affine", shift, divisor, offset),
        )

    def _inverse(self, input: Any) -> Tensor:
        shift, divisor, offset = self._affine(input)
        return _apply(
            f"{self._name}.inverse",
            as_tensor(input),
            lambda x: (x - offset) * divisor + shift,
            lambda g: g * divisor,
        )

    def _affine(self, input: Any) -> _Affine:
        """The scaling, if the input fits it."""
        if not as_array(self.count).any():
            raise RuntimeError(
                f"{self._name}: not fitted yet; call fit(X) with the training part, or load the "
                "state of one that was fitted"
            )
        shape = as_array(input).shape
        if shape[-1:] != (self.num_features,) and not (self.num_features == 1 and len(shape) == 1):
            raise ValueError(
                f"{self._name}(num_features={self.num_features}): expected input of shape "
                f"(N, {self.num_features}), got {shape}"
            )
        return self._fitted()

    def _table(self, X: Any, function: Any) -> Any:
        table = self._columns(X)
        self._affine(table)  # a shape that does not fit is told before any value
        for _ in _blocks(self._name, table, column_names(X)):
            pass
        return function(X) if isinstance(X, Tensor) else function(as_array(X)).numpy()

    def _columns(self, X: Any) -> NDArray[Any]:
        """X as (N, F), in the type of its file: `_blocks` converts."""
        array = as_stored(X)
        if array.ndim not in (1, 2) or not array.size:
            raise ValueError(
                f"{self._name}: expected X of shape (N, F), or (N,) for one column, N and F > 0, "
                f"got {array.shape}"
            )
        return array.reshape(-1, 1) if array.ndim == 1 else array


class Standardize(_Scaler):
    """Give each column mean 0 and standard deviation 1: out = (x - mean) / std.

    std is that of the rows themselves, sqrt(mean((x - mean)^2)), as in scikit-learn's
    `StandardScaler`. A column that is constant in the training part becomes 0: it is shifted,
    not divided.

    Fit it on the training part only, then transform all parts. As a layer,
    `nn.Sequential(scaler, nn.Linear(...), ...)`, it takes raw rows, and its statistics are saved
    with the model. Rows of float64 or whole numbers need not be rounded to float32 before: the
    mean is subtracted in float64, so a column of 1e8 +- 1 keeps its digits.

    Args:
        num_features: F; by default that of the rows it is fitted on. Give it where a state is
            loaded instead.
        dtype: Of a layer's results: float32, or float64 in a model of float64.

    Raises:
        TypeError: if `num_features` is not an integer, or for another `dtype`.
        ValueError: if it is below 1.

    >>> scaler = Standardize()
    >>> scaler.fit_transform(np.array([[1.0, 5.0], [3.0, 5.0]])).tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    >>> scaler.inverse_transform(np.array([[2.0, 0.0]])).tolist()
    [[4.0, 5.0]]
    """

    def __init__(self, num_features: int | None = None, *, dtype: Any = np.float32) -> None:
        super().__init__(num_features, ("mean", "std"), dtype)

    def _measure(self, table: NDArray[Any], names: list[str] | None) -> dict[str, Floats]:
        n, F = table.shape
        low, high, total = np.full(F, np.inf), np.full(F, -np.inf), np.zeros(F)
        for block in _blocks(self._name, table, names):
            low, high = np.minimum(low, block.min(0)), np.maximum(high, block.max(0))
            total += block.sum(0)
        mean = total / n
        # in units of the largest deviation no square over- or underflows
        unit = np.maximum(high - mean, mean - low)
        unit[low == high] = 1.0
        first, second = np.zeros(F), np.zeros(F)
        for block in _blocks(self._name, table, names):
            block -= mean
            block /= unit
            first += block.sum(0)
            second += np.square(block).sum(0)
        # `first` is what rounding left in the mean (Chan, Golub and LeVeque 1983, eq. 1.7)
        std = unit * np.sqrt(second / n - np.square(first / n))
        mean += unit * (first / n)
        # rounding would leave a constant column a mean beside it, and noise to blow up
        return {"mean": np.where(low == high, low, mean), "std": np.where(low == high, 0.0, std)}

    def _fitted(self) -> _Affine:
        return _Affine(as_array(self.mean), _divisor(as_array(self.std)), 0.0)


class MinMaxScale(_Scaler):
    """Bring each column to a range: out = (x - min) / (max - min) * (high - low) + low.

    min and max are those of the training part; what lies outside them comes to lie outside the
    range. A column that is constant in the training part becomes `low`. Otherwise as
    `Standardize`; scikit-learn's `MinMaxScaler`.

    Args:
        num_features: F; by default that of the rows it is fitted on.
        feature_range: (low, high).
        dtype: Of a layer's results: float32, or float64 in a model of float64.

    Raises:
        TypeError: if `num_features` is not an integer, or for another `dtype`.
        ValueError: if it is below 1, or low < high does not hold.

    >>> MinMaxScale().fit_transform(np.array([10.0, 15.0, 20.0])).tolist()
    [0.0, 0.5, 1.0]
    """

    def __init__(
        self,
        num_features: int | None = None,
        feature_range: Sequence[float] = (0.0, 1.0),
        *,
        dtype: Any = np.float32,
    ) -> None:
        super().__init__(num_features, ("min", "max"), dtype)
        bounds = as_array(feature_range)
        if bounds.shape != (2,) or not np.isfinite(bounds).all() or not bounds[0] < bounds[1]:
            raise ValueError(
                f"MinMaxScale: expected feature_range as (low, high), low < high, "
                f"got {feature_range}"
            )
        self.feature_range = (float(bounds[0]), float(bounds[1]))

    def extra_repr(self) -> str:
        """How many columns, and to where they are brought."""
        return f"{super().extra_repr()}, feature_range={self.feature_range}"

    def _measure(self, table: NDArray[Any], names: list[str] | None) -> dict[str, Floats]:
        blocks = [(b.min(0), b.max(0)) for b in _blocks(self._name, table, names)]
        low, high = (np.array(values) for values in zip(*blocks, strict=True))
        return {"min": low.min(0), "max": high.max(0)}

    def _fitted(self) -> _Affine:
        (low, high), start = self.feature_range, as_array(self.min)
        return _Affine(start, _divisor((as_array(self.max) - start) / (high - low)), low)


def _divisor(spread: NDArray[Any]) -> Floats:
    return np.where(spread == 0, 1.0, spread)


def _apply(
    name: str,
    x: Tensor,
    function: Any,
    slope: Any,
    dtype: np.dtype[Any] | None = None,
    op: Op | None = None,
) -> Tensor:
    """Record an affine function, computed in float64 and rounded once."""
    if dtype is None:
        dtype = x.dtype if x.dtype.kind == "f" else np.dtype(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):  # infinities show themselves
        out = function(as_array(x).astype(np.float64)).astype(dtype)
    return record(out, name, (x,), lambda g: (slope(g).astype(x.dtype),), op=op)


def _blocks(who: str, table: NDArray[Any], names: list[str] | None) -> Iterator[Floats]:
    """Rows of a table in float64, some at a time, checked to be finite."""
    rows = max(1, _BLOCK // table.shape[1])
    for start in range(0, len(table), rows):
        block = table[start : start + rows].astype(np.float64, order="C")  # sums by that order
        bad = ~np.isfinite(block)
        if bad.any():
            row, column = map(int, np.argwhere(bad)[0])
            which = repr(names[column]) if names else column
            raise ValueError(
                f"{who}: expected finite numbers, got {block[row, column]} in column {which}, row "
                f"{start + row}; fill missing values or leave their rows out"
            )
        yield block
