"""Data sets: a length, samples by index, and whole batches by an array of indices."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastnn.data.collate import default_collate
from fastnn.tensor import Tensor, as_array, as_tensor

if TYPE_CHECKING:
    from fastnn.data.concat import ConcatDataset

__all__ = [
    "Dataset",
    "Indexable",
    "IterableDataset",
    "Subset",
    "TensorDataset",
    "as_indices",
    "fetch_batch",
    "overrides",
]

T_co = TypeVar("T_co", covariant=True)


class Indexable(Protocol[T_co]):
    """What a data set must have: a length and samples by index, as a list has."""

    def __getitem__(self, index: int, /) -> T_co: ...

    def __len__(self) -> int: ...


class Dataset(ABC, Generic[T_co]):
    """Base class of data sets: define `__getitem__` and `__len__`, and batches work.

    A data set that can produce many samples at once faster than one by one also defines
    `fetch`; it must give what stacking the samples would give.

    >>> class Squares(Dataset):
    ...     def __len__(self):
    ...         return 5
    ...     def __getitem__(self, i):
    ...         return float(i), i * i
    >>> x, y = Squares().fetch(np.array([1, 3]))
    >>> x.tolist(), y.tolist()
    ([1.0, 3.0], [1, 9])
    """

    @abstractmethod
    def __getitem__(self, index: int, /) -> T_co:
        """Return the sample at `index`."""

    @abstractmethod
    def __len__(self) -> int:
        """Return how many samples there are."""

    def fetch(self, indices: NDArray[np.int64]) -> Any:
        """Stack the samples at `indices`, shape (B,), to one batch by `default_collate`."""
        return default_collate([self[i] for i in indices.tolist()])

    def __add__(self, other: Indexable[Any]) -> ConcatDataset[Any]:
        from fastnn.data.concat import ConcatDataset

        return ConcatDataset([self, other])


class IterableDataset(ABC, Generic[T_co]):
    """Base class of streams, whose samples come one after the other: define `__iter__`.

    A `DataLoader` gathers them to batches in the order in which they come.

    >>> class Countdown(IterableDataset):
    ...     def __iter__(self):
    ...         return iter(range(3, 0, -1))
    >>> list(Countdown())
    [3, 2, 1]
    """

    @abstractmethod
    def __iter__(self) -> Iterator[T_co]:
        """Start the stream."""


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Rows of one or more tensors of equal length, the usual data set for `(X, y)`.

    Args:
        *tensors: Tensors, arrays, data frames or lists of shape (N, ...). Tensors and NumPy
            arrays are not copied, unless their type is not one that fastnn computes with; of a
            memory-mapped file (`np.load(path, mmap_mode="r")`) each batch reads its rows only.

    Raises:
        TypeError: if an argument does not hold real numbers.
        ValueError: if there are none, or their first dimensions differ.

    >>> data = TensorDataset(np.zeros((4, 2)), np.arange(4))
    >>> len(data), data[3][1].item()
    (4, 3)
    """

    def __init__(self, *tensors: Any) -> None:
        self.tensors = tuple(as_tensor(tensor) for tensor in tensors)
        shapes = [tensor.shape for tensor in self.tensors]
        if not shapes or any(not shape or shape[0] != shapes[0][0] for shape in shapes):
            raise ValueError(
                "TensorDataset: expected at least one tensor, all of shape (N, ...) with the same "
                f"N, got shapes {shapes}"
            )

    def __getitem__(self, index: Any, /) -> tuple[Tensor, ...]:
        """Return the rows at `index`, one Tensor for each tensor of the data set."""
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return int(self.tensors[0].shape[0])

    def fetch(self, indices: NDArray[np.int64]) -> tuple[Tensor, ...]:
        """Copy the rows at `indices`, shape (B,), to a Tensor (B, ...) for each tensor."""
        return tuple(Tensor.of(_rows(as_array(tensor), indices)) for tensor in self.tensors)


class Subset(Dataset[T_co]):
    """The part of a data set at the given indices, in their order.

    Args:
        dataset: The whole data set.
        indices: Integers, negative ones counting from the end; repeats are allowed.

    Raises:
        TypeError: if the indices are not integers.
        IndexError: if an index lies outside the data set.

    >>> part = Subset(["a", "b", "c", "d"], [3, 0])
    >>> len(part), part[0]
    (2, 'd')
    """

    def __init__(self, dataset: Indexable[T_co], indices: Iterable[int]) -> None:
        self.dataset = dataset
        self.indices = as_indices(indices, len(dataset), "Subset")

    def __getitem__(self, index: int, /) -> T_co:
        """Return the sample at place `index` of this part."""
        return self.dataset[int(self.indices[operator.index(index)])]

    def __len__(self) -> int:
        return len(self.indices)

    def fetch(self, indices: NDArray[np.int64]) -> Any:
        """Fetch the samples at places `indices`, shape (B,), whole from the parent."""
        return fetch_batch(self.dataset, self.indices[indices])


def fetch_batch(dataset: Indexable[Any], indices: NDArray[np.int64]) -> Any:
    """Make one batch of any data set, by its `fetch` where that is safe, else sample by sample.

    A class that overrides `__getitem__` below the class whose `fetch` it inherits has changed
    what a sample is, so its samples are taken one by one.

    Args:
        dataset: Anything with `__getitem__` and `__len__`.
        indices: Shape (B,), int64, from 0 to len(dataset) - 1.

    >>> fetch_batch([10, 20, 30], np.array([2, 0])).tolist()
    [30, 10]
    """
    if overrides(dataset, "fetch", than="__getitem__"):
        return dataset.fetch(indices)  # type: ignore[attr-defined]
    return default_collate([dataset[i] for i in indices.tolist()])


def overrides(obj: object, fast: str, *, than: str) -> bool:
    """Tell whether the class of `obj` defines `fast` at or below where it defines `than`.

    >>> class Doubled(TensorDataset):
    ...     def __getitem__(self, index):
    ...         return tuple(2 * t for t in super().__getitem__(index))
    >>> overrides(Doubled(np.ones(3)), "fetch", than="__getitem__")
    False
    """
    for cls in type(obj).__mro__:
        if fast in vars(cls):
            return True
        if than in vars(cls):
            return False
    return False


def as_indices(indices: Iterable[int], n: int, who: str) -> NDArray[np.int64]:
    """Check indices into `n` rows and return them as int64, negative ones counted from the end.

    Raises:
        TypeError: if they are not a flat sequence of integers.
        IndexError: if one lies outside -n .. n - 1.

    >>> as_indices([0, -1], 5, "Subset")
    array([0, 4])
    """
    given = np.asarray(indices if isinstance(indices, np.ndarray) else list(indices))
    if given.size == 0:
        return np.empty(0, np.int64)
    if given.dtype.kind not in "iu" or given.ndim != 1:
        raise TypeError(
            f"{who}: expected a flat sequence of integer indices, got {given.dtype} values of "
            f"shape {given.shape}; for a boolean mask pass np.flatnonzero(mask)"
        )
    if given.dtype == np.int64 and given.view(np.uint64).max() < n:
        return given.copy()  # all as they are to be: negative ones would be the largest
    least = given.min()
    if least < -n or given.max() >= n:
        bad = (given < -n) | (given >= n)
        raise IndexError(
            f"{who}: expected indices from {-n} to {n - 1} into {n} samples, "
            f"got {given[bad][0]} at position {int(bad.argmax())}"
        )
    rows = given.astype(np.int64)
    if least < 0:
        rows[rows < 0] += n
    return rows


def _rows(array: np.ndarray[Any, Any], indices: NDArray[np.int64]) -> np.ndarray[Any, Any]:
    # np.take copies the whole of a non-contiguous array first: once a batch, for F-ordered data;
    # so it does for values at odd addresses, as in a file mapped behind its header.
    if array.flags.c_contiguous and array.flags.aligned:
        return np.take(array, indices, axis=0)
    return np.ascontiguousarray(array[indices])
