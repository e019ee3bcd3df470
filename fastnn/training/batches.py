"""What a training is given, as batches of the types that the model and the loss take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.data import DataLoader, IterableDataset, MinMaxScale, Standardize, TensorDataset
from fastnn.data.order import GeneratorLike
from fastnn.metrics import is_regression
from fastnn.nn import Flatten, Identity, Module, Sequential, WeightedLoss
from fastnn.tensor import Tensor, as_array, as_stored

__all__ = [
    "CastRows", "count_batches", "input_rows", "make_loader", "mass", "parts", "row_parts",
    "weight_dtype",
]  # fmt: skip

Loader = DataLoader[Any]
Dtype = np.dtype[Any] | None


class CastRows(TensorDataset):
    """Rows of arrays that are cast batch by batch: a mapped file is never in memory whole.

    What has the right type is not copied, as in `TensorDataset`.

    Args:
        columns: Arrays, tensors, data frames or lists of shape (N, ...), each with the type of its
            batches; None for the type it has, in the machine's byte order.

    >>> rows = CastRows([([[1, 2], [3, 4]], np.dtype(np.float32)), ([7, 8], None)])
    >>> rows[1]
    (tensor([3., 4.]), tensor(8))
    """

    def __init__(self, columns: Sequence[tuple[Any, Dtype]]) -> None:
        super().__init__(*(Tensor.of(as_stored(values)) for values, _ in columns))
        self.dtypes = [dtype for _, dtype in columns]

    def __getitem__(self, index: Any, /) -> tuple[Tensor, ...]:
        return tuple(map(_cast, super().__getitem__(index), self.dtypes))

    def fetch(self, indices: NDArray[np.int64]) -> tuple[Tensor, ...]:
        return tuple(map(_cast, super().fetch(indices), self.dtypes))


def row_parts(data: Sequence[Any], model: Module, loss: object) -> CastRows:
    """Inputs, targets and perhaps weights of rows, out of arrays.

    Real numbers get the type of the model's weights, classes stay as they are.

    Raises:
        ValueError: if there are other parts.
    """
    if len(data) != 2 and not (len(data) == 3 and isinstance(loss, WeightedLoss)):
        raise ValueError(f"expected data as (X, y), got {len(data)} parts{_hint(len(data))}")
    X, y, *weights = data
    stored = as_stored(y)
    real = stored.dtype.kind == "f" or is_regression(loss)
    dtype = weight_dtype(model)
    columns = [(X, _input_dtype(model)), (stored, dtype if real else None)]
    return CastRows([*columns, *((w, dtype) for w in weights)])


def input_rows(X: Any, model: Module) -> CastRows:
    """Inputs alone."""
    return CastRows([(X, _input_dtype(model))])


def make_loader(
    data: Any, batch_size: int, shuffle: bool, drop_last: bool, seed: GeneratorLike
) -> Loader:
    """A loader of any data; one that is given decides on everything, a stream on its order."""
    if isinstance(data, DataLoader):
        return data
    if isinstance(data, str | bytes | Mapping):  # they have lengths and items, as data sets do
        raise TypeError(f"expected arrays, a data set or a DataLoader, got {_shown(data)}")
    if isinstance(data, IterableDataset):
        shuffle = False
    return DataLoader(data, batch_size, shuffle, drop_last=drop_last, generator=seed)


def count_batches(loader: Loader) -> int | None:
    """How many batches a pass has; None for a stream, which only its end tells."""
    try:
        return len(loader)
    except TypeError:
        return None


def parts(batch: Any, loss: object) -> tuple[Any, list[Any]]:
    """The inputs of a batch, and what the loss gets besides outputs: targets, and any weights.

    Raises:
        ValueError: if it has other parts.
    """
    count = len(batch) if isinstance(batch, tuple | list) else 0
    if count != 2 and not (count == 3 and isinstance(loss, WeightedLoss)):
        got = f"{count} parts" if count else type(batch).__name__
        raise ValueError(f"expected batches of (inputs, targets), got {got}{_hint(count)}")
    return batch[0], list(batch[1:])


def mass(inputs: Any, targets: Sequence[Any]) -> float:
    """How much a batch counts: its rows, or their weights summed."""
    if len(targets) == 1:
        return float(len(inputs))
    return float(as_array(targets[1]).sum(dtype=np.float64))


def _shown(value: object) -> str:
    return f"{type(value).__name__} {value!r:.60}"


def _hint(count: int) -> str:
    return "; weights of rows, as a third part, need nn.WeightedLoss" if count == 3 else ""


def _cast(values: Tensor, dtype: Dtype) -> Tensor:
    array = as_array(values._array)  # the machine's byte order, and no half precision
    if dtype is None or array.dtype == dtype:
        return Tensor.of(array)
    with np.errstate(over="ignore"):  # infinities show in the loss, which says where
        return Tensor.of(array.astype(dtype))


def weight_dtype(model: Module) -> np.dtype[Any]:
    """The type of the model's weights; float32 where it has none."""
    return next((p.dtype for p in model.parameters()), np.dtype(np.float32))


def _input_dtype(model: Module) -> Dtype:
    """That of the weights; but a scaler in front takes numbers unrounded, and rounds itself."""
    for module in model.modules():
        if not isinstance(module, Sequential | Flatten | Identity):
            return None if isinstance(module, Standardize | MinMaxScale) else weight_dtype(model)
    return weight_dtype(model)
