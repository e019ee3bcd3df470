"""Several data sets as one."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from itertools import accumulate
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastnn.data.dataset import Dataset, Indexable, fetch_batch

__all__ = ["ConcatDataset"]

T_co = TypeVar("T_co", covariant=True)


class ConcatDataset(Dataset[T_co]):
    """Data sets one after the other (`torch.utils.data.ConcatDataset`); `a + b` makes one too.

    A batch that lies within one of them is fetched whole from it; other batches are put together
    sample by sample.

    Args:
        datasets: At least one data set.

    Raises:
        ValueError: if there is none.

    >>> both = ConcatDataset([["a", "b"], ["c"]])
    >>> len(both), both[2], both[-3]
    (3, 'c', 'a')
    """

    def __init__(self, datasets: Iterable[Indexable[T_co]]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ValueError("ConcatDataset: expected at least one data set, got none")
        self.cumulative_sizes = list(accumulate(len(dataset) for dataset in self.datasets))

    def __getitem__(self, index: int, /) -> T_co:
        """Return the sample at `index`, counted over all data sets."""
        n = len(self)
        place = operator.index(index)
        if not -n <= place < n:
            raise IndexError(f"ConcatDataset: expected an index from {-n} to {n - 1}, got {place}")
        which, start = self._part(place % n)
        return self.datasets[which][place % n - start]

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def fetch(self, indices: NDArray[np.int64]) -> Any:
        """Fetch the samples at `indices`, shape (B,)."""
        if indices.size:
            which, start = self._part(int(indices.min()))
            if indices.max() < self.cumulative_sizes[which]:
                return fetch_batch(self.datasets[which], indices - start)
        return super().fetch(indices)

    def _part(self, place: int) -> tuple[int, int]:
        """Which data set a place lies in, and where that one starts."""
        which = int(np.searchsorted(self.cumulative_sizes, place, side="right"))
        return which, self.cumulative_sizes[which] - len(self.datasets[which])
