"""Samplers: which samples a pass visits, and in which order (`torch.utils.data.sampler`)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import islice
from typing import Any, Generic, TypeVar, cast

import numpy as np

from fastnn.data.order import GeneratorLike, draw_seed, epoch_order, uniforms
from fastnn.options import whole
from fastnn.tensor import as_array

__all__ = ["BatchSampler", "RandomSampler", "Sampler", "SequentialSampler", "SubsetRandomSampler",
           "WeightedRandomSampler"]  # fmt: skip

T_co = TypeVar("T_co", covariant=True)


class Sampler(ABC, Generic[T_co]):
    """Base class of samplers: define `__iter__`, and `__len__` where it is known.

    A sampler that draws takes a new seed from its `generator` on every pass; with an int as
    `generator` all passes are alike.

    >>> class EverySecond(Sampler):
    ...     def __init__(self, data):
    ...         self.data = data
    ...     def __iter__(self):
    ...         return iter(range(0, len(self.data), 2))
    >>> list(EverySecond("abcde"))
    [0, 2, 4]
    """

    @abstractmethod
    def __iter__(self) -> Iterator[T_co]:
        """Start a pass."""


class SequentialSampler(Sampler[int]):
    """All samples in their order.

    >>> list(SequentialSampler("abc"))
    [0, 1, 2]
    """

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """Samples in random order, or drawn with replacement.

    Args:
        data_source: The data set, of N samples.
        replacement: Whether a sample can come several times.
        num_samples: How many to draw in a pass; by default N. More than N without replacement
            go through the data several times.
        generator: See `draw_seed`.

    Raises:
        ValueError: if there are no samples, or `num_samples` is below 1.

    >>> sorted(RandomSampler("abc", generator=0))
    [0, 1, 2]
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: GeneratorLike = None,
    ) -> None:
        self.data_source, self.replacement, self.generator = data_source, replacement, generator
        wanted = len(data_source) if num_samples is None else num_samples
        self.num_samples = whole("RandomSampler", "num_samples", wanted, 1)

    def __iter__(self) -> Iterator[int]:
        n, wanted, seed = len(self.data_source), self.num_samples, draw_seed(self.generator)
        if self.replacement:
            return iter((uniforms(wanted, seed) * n).astype(np.int64).tolist())
        orders = [epoch_order(n, seed, k) for k in range(-(-wanted // n))]
        return iter(np.concatenate(orders)[:wanted].tolist())

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """The given samples in random order.

    >>> sorted(SubsetRandomSampler([4, 2, 9], generator=0))
    [2, 4, 9]
    """

    def __init__(self, indices: Sequence[int], generator: GeneratorLike = None) -> None:
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator[int]:
        order = epoch_order(len(self.indices), draw_seed(self.generator)).tolist()
        return (self.indices[i] for i in order)

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """Samples drawn with chances in proportion to their weights, such as rare classes more often.

    Without replacement each draw is from those that are left (Efraimidis and Spirakis, Weighted
    random sampling with a reservoir, 2006).

    Args:
        weights: One for each sample, shape (N,), not negative; they need not sum to 1.
        num_samples: How many to draw in a pass.
        replacement: Whether a sample can come several times.
        generator: See `draw_seed`.

    Raises:
        ValueError: if a weight is negative or not finite, all are 0, or fewer than `num_samples`
            are above 0 without replacement.

    >>> set(WeightedRandomSampler([0.0, 1.0, 3.0], num_samples=50, generator=0))
    {1, 2}
    """

    def __init__(
        self,
        weights: Any,
        num_samples: int,
        replacement: bool = True,
        generator: GeneratorLike = None,
    ) -> None:
        self.weights = as_array(weights).astype(np.float64)
        self.num_samples = whole("WeightedRandomSampler", "num_samples", num_samples, 1)
        self.replacement, self.generator = replacement, generator
        finite = np.isfinite(self.weights) & (self.weights >= 0)
        if self.weights.ndim != 1 or not finite.all() or not 0 < self.weights.sum() < np.inf:
            raise ValueError(
                "WeightedRandomSampler: expected weights of shape (N,), finite, at least 0 and not "
                f"all 0, got {self.weights}"
            )
        possible = np.count_nonzero(self.weights)
        if not replacement and possible < num_samples:
            raise ValueError(
                f"WeightedRandomSampler: expected at most {possible} as num_samples without "
                f"replacement (the weights above 0), got {num_samples}"
            )

    def __iter__(self) -> Iterator[int]:
        seed, n = draw_seed(self.generator), len(self.weights)
        if self.replacement:
            ends = np.cumsum(self.weights)
            places = uniforms(self.num_samples, seed) * ends[-1]
            drawn = np.searchsorted(ends, places, side="right")
            # rounding may reach the end: then the last sample that has a weight
            return iter(np.minimum(drawn, np.flatnonzero(self.weights)[-1]).tolist())
        turns = np.full(n, np.inf)  # of weight 0: never
        np.divide(-np.log1p(-uniforms(n, seed)), self.weights, out=turns, where=self.weights > 0)
        return iter(np.argsort(turns, kind="stable")[: self.num_samples].tolist())

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[Any]]):
    """Lists of indices from another sampler, one list a batch.

    Args:
        sampler: Indices, possibly without an end.
        batch_size: How many make a batch.
        drop_last: Whether to leave out a last batch of fewer.

    Raises:
        TypeError: if `batch_size` is not an integer.
        ValueError: if it is below 1.

    >>> list(BatchSampler(range(5), batch_size=2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[Any], batch_size: int, drop_last: bool) -> None:
        self.sampler, self.drop_last = sampler, drop_last
        self.batch_size = whole("BatchSampler", "batch_size", batch_size, 1)

    def __iter__(self) -> Iterator[list[Any]]:
        indices = iter(self.sampler)
        while chunk := list(islice(indices, self.batch_size)):
            if len(chunk) == self.batch_size or not self.drop_last:
                yield chunk

    def __len__(self) -> int:
        n = len(cast(Sized, self.sampler))
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)
