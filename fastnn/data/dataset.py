"""Data sets: a length, samples by index, and whole batches by an array of indices."""

from __future__ import annotations

import math
import operator
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastnn.data.collate import default_collate
from fastnn.data.order import GeneratorLike, draw_seed, epoch_order
from fastnn.tensor import Tensor, as_array, as_tensor

__all__ = [
    "Dataset",
    "Indexable",
    "Subset",
    "TensorDataset",
    "as_indices",
    "fetch_batch",
    "overrides",
    "random_split",
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


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Rows of one or more tensors of equal length, the usual data set for `(X, y)`.

    Args:
        *tensors: Tensors or array-likes of shape (N, ...). Tensors and NumPy arrays are not
            copied, unless their type is not one that fastnn computes with.

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
        return tuple(Tensor(_rows(as_array(tensor), indices)) for tensor in self.tensors)


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
    bad = (given < -n) | (given >= n)
    if bad.any():
        raise IndexError(
            f"{who}: expected indices from {-n} to {n - 1} into {n} samples, "
            f"got {given[bad][0]} at position {int(bad.argmax())}"
        )
    rows = given.astype(np.int64)
    return np.where(rows < 0, rows + n, rows)


def random_split(
    dataset: Indexable[T_co],
    lengths: Sequence[int | float],
    generator: GeneratorLike = None,
) -> list[Subset[T_co]]:
    """Split a data set at random into parts that do not overlap.

    Args:
        dataset: The whole data set, of N samples.
        lengths: Sizes that sum to N, or fractions that sum to 1 (each is rounded down, then
            the samples left over go to the parts in turn, as in PyTorch).
        generator: Where the randomness comes from; see `draw_seed`.

    Raises:
        TypeError: if a length is not a number.
        ValueError: if the lengths are negative or do not sum to N.

    >>> train, validation = random_split(range(10), [0.8, 0.2], generator=0)
    >>> len(train), len(validation)
    (8, 2)
    """
    n = len(dataset)
    sizes = _sizes(n, lengths)
    if 0 in sizes:
        warnings.warn(f"random_split: a part is empty: {n} samples into {sizes}", stacklevel=2)
    order = epoch_order(n, draw_seed(generator))
    cuts = accumulate(sizes, initial=0)
    return [Subset(dataset, order[start:stop]) for start, stop in pairwise(cuts)]


def _sizes(n: int, lengths: Sequence[int | float]) -> list[int]:
    """Find whole sizes that sum to `n`, from sizes or fractions."""
    if any(isinstance(x, bool) or not isinstance(x, int | float | np.number) for x in lengths):
        raise TypeError(f"random_split: expected numbers as lengths, got {list(lengths)!r}")
    if any(not x >= 0 for x in lengths):
        raise ValueError(f"random_split: expected lengths of at least 0, got {list(lengths)!r}")
    if math.isclose(sum(lengths), 1):
        return _shares(n, lengths)
    if sum(lengths) != n or any(x != int(x) for x in lengths):
        raise ValueError(
            f"random_split: expected whole lengths that sum to {n} (the size of the data set) or "
            f"fractions that sum to 1, got {list(lengths)!r} with sum {sum(lengths)}"
        )
    return [int(x) for x in lengths]


def _shares(n: int, fractions: Sequence[float]) -> list[int]:
    sizes = [math.floor(n * fraction) for fraction in fractions]
    for i in range(n - sum(sizes)):
        sizes[i % len(sizes)] += 1
    return sizes


def _rows(array: np.ndarray[Any, Any], indices: NDArray[np.int64]) -> np.ndarray[Any, Any]:
    # np.take copies the whole of a non-contiguous array first: once a batch, for F-ordered data.
    if array.flags.c_contiguous:
        return np.take(array, indices, axis=0)
    return np.ascontiguousarray(array[indices])
