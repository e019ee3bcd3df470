"""The data loader: batches of a data set, gathered whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from itertools import islice
from typing import Any, Generic, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from fastnn.data.collate import default_collate, default_convert
from fastnn.data.dataset import Indexable, IterableDataset, as_indices, fetch_batch
from fastnn.data.frames import is_frame
from fastnn.data.order import GeneratorLike, OrderSource, SeedSource, draw_seed, epoch_order
from fastnn.data.sampler import BatchSampler
from fastnn.options import flag, whole

__all__ = ["DataLoader"]

T_co = TypeVar("T_co", covariant=True)

# PyTorch's options for worker processes and pinned memory, of which there are none here.
_WORKER_OPTIONS = frozenset(
    {
        "in_order",
        "multiprocessing_context",
        "persistent_workers",
        "pin_memory_device",
        "prefetch_factor",
        "timeout",
        "worker_init_fn",
    }
)


class DataLoader(Generic[T_co]):
    """Iterate over a data set in batches, in order or shuffled anew on every pass.

    Each batch is gathered whole by the data set's `fetch` where it has one, so there is nothing
    for worker processes to win: `num_workers` and `pin_memory` are accepted, and loading
    happens in the calling process.

    With `generator=None` or a generator object every pass draws a new seed, so passes differ and
    all follow from `fastnn.manual_seed`. With an int seed, pass k has the order
    `epoch_order(len(dataset), seed, k)`; set `loader.epoch = k` to resume at that pass.

    Args:
        dataset: Anything with `__getitem__` and `__len__`, or an `IterableDataset`.
        batch_size: Samples in a batch; the last batch of a pass may have fewer. None gives the
            samples themselves, not batches, their arrays as Tensors.
        shuffle: Whether to visit the samples in a new random order on each pass.
        sampler: Indices to visit instead, drawn again on each pass.
        batch_sampler: Lists of indices, one a batch, instead of `batch_size`, `shuffle`,
            `sampler` and `drop_last`.
        num_workers: Accepted; batches are always loaded in-process.
        collate_fn: Makes a batch of a list of samples; by default `default_collate`. With
            `batch_size=None` it gets one sample.
        pin_memory: Accepted; CPU memory needs no pinning.
        drop_last: Whether to leave out a last batch of fewer than `batch_size` samples.
        generator: An int seed, a `fastnn.Generator` or a `numpy.random.Generator`; or an object
            whose `next_order(n)` gives the order of a pass over n samples.
        **worker_options: PyTorch's further options for worker processes; accepted and kept.

    Raises:
        TypeError: if an argument is of the wrong kind or has an unknown name.
        ValueError: if a size is out of range or options exclude each other.

    >>> from fastnn.data import TensorDataset
    >>> loader = DataLoader(TensorDataset(np.arange(10), np.zeros(10)), batch_size=4)
    >>> len(loader), [x.tolist() for x, _ in loader]
    (3, [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]])
    """

    def __init__(
        self,
        dataset: Indexable[T_co] | IterableDataset[T_co],
        batch_size: int | None = 1,
        shuffle: bool | None = False,
        sampler: Iterable[int] | None = None,
        batch_sampler: Iterable[Sequence[int]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        *,
        generator: GeneratorLike = None,
        **worker_options: Any,
    ) -> None:
        self.dataset: Any = _checked_dataset(dataset)
        self.batch_size = (
            None if batch_size is None else whole("DataLoader", "batch_size", batch_size, 1)
        )
        self.shuffle = flag("DataLoader", "shuffle", False if shuffle is None else shuffle)
        self.drop_last = flag("DataLoader", "drop_last", drop_last)
        self.num_workers = whole("DataLoader", "num_workers", num_workers, 0)
        self.sampler, self.batch_sampler = sampler, batch_sampler
        self.collate_fn, self.pin_memory = collate_fn, pin_memory
        self.generator, self.worker_options = generator, worker_options
        self.epoch = 0
        self._check_combination()

    def __len__(self) -> int:
        """Return the number of batches in a pass."""
        if self.batch_sampler is not None:
            return len(cast(Sized, self.batch_sampler))
        n = len(self.dataset if self.sampler is None else cast(Sized, self.sampler))
        if self.batch_size is None:
            return n
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        """Start a pass; its order is settled here, not at the first batch."""
        return self._pass(0)

    def iter_from(self, batch: int) -> Iterator[Any]:
        """Start a pass behind its first batches.

        They are not loaded; but a stream is read up to there, and so is a loader whose class has
        an `__iter__` of its own.

        Args:
            batch: How many are left out.

        >>> loader = DataLoader(list("abcdefg"), batch_size=3)
        >>> list(loader.iter_from(1))
        [['d', 'e', 'f'], ['g']]
        """
        whole("iter_from", "batch", batch, 0)
        if type(self).__iter__ is not DataLoader.__iter__:
            return _behind(iter(self), batch)
        return self._pass(batch)

    def _pass(self, first: int) -> Iterator[Any]:
        if isinstance(self.dataset, IterableDataset):
            return _behind(self._stream(self.dataset), first)
        if self.batch_size is None:
            convert = self.collate_fn or default_convert
            return (convert(self.dataset[i]) for i in _behind(iter(self._indices()), first))
        return map(self._load, _behind(self._index_batches(self.batch_size), first))

    def _stream(self, dataset: IterableDataset[Any]) -> Iterator[Any]:
        if self.batch_size is None:
            return map(self.collate_fn or default_convert, dataset)
        chunks = BatchSampler(dataset, self.batch_size, self.drop_last)
        return map(self.collate_fn or default_collate, chunks)

    def _load(self, indices: NDArray[np.int64]) -> Any:
        if self.collate_fn is not None and self.collate_fn is not default_collate:
            return self.collate_fn([self.dataset[i] for i in indices.tolist()])
        batch = fetch_batch(self.dataset, indices)
        return list(batch) if type(batch) is tuple else batch  # a list, as in PyTorch

    def _index_batches(self, size: int) -> Iterator[NDArray[np.int64]]:
        n = len(self.dataset)
        if self.batch_sampler is not None:
            return (as_indices(batch, n, "batch_sampler") for batch in self.batch_sampler)
        if self.sampler is not None:
            chunks = BatchSampler(self.sampler, size, self.drop_last)
            return (as_indices(chunk, n, "sampler") for chunk in chunks)
        order = self._order(n)
        return (order[i : i + size] for i in range(0, len(self) * size, size))

    def _rows_of_pass(self, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The rows of a pass, batch after batch, and how many each batch has."""
        if self.batch_sampler is not None or self.sampler is not None:
            batches = list(self._index_batches(size))
            rows = np.concatenate(batches) if batches else np.empty(0, np.int64)
            return rows, np.array(list(map(len, batches)), np.int64)
        rows = self._order(len(self.dataset))[: len(self) * size]
        return rows, np.minimum(size, len(rows) - np.arange(0, len(rows), size))

    def _indices(self) -> Iterable[int]:
        """One index after the other, where there are no batches."""
        if self.sampler is not None:
            return self.sampler
        return cast(list[int], self._order(len(self.dataset)).tolist())

    def _order(self, n: int) -> NDArray[np.int64]:
        if not self.shuffle:
            return np.arange(n)
        # not isinstance: of a protocol it was 1 % of a fit of small data
        next_order = getattr(self.generator, "next_order", None)
        if next_order is not None:
            return as_indices(next_order(n), n, "generator")
        seed = draw_seed(self.generator)
        if not isinstance(self.generator, int | np.integer):
            return epoch_order(n, seed)
        self.epoch += 1
        return epoch_order(n, seed, self.epoch - 1)

    def _check_combination(self) -> None:
        unknown = sorted(self.worker_options.keys() - _WORKER_OPTIONS)
        if unknown:
            raise TypeError(f"DataLoader: got unknown argument {unknown[0]!r}")
        if self.shuffle and self.sampler is not None:
            raise ValueError("DataLoader: expected either shuffle=True or a sampler, got both")
        batches_itself = self.batch_size != 1 or self.shuffle or self.drop_last
        if self.batch_sampler is not None and (batches_itself or self.sampler is not None):
            raise ValueError(
                "DataLoader: expected batch_sampler alone, got it together with batch_size, "
                "shuffle, sampler or drop_last"
            )
        if self.batch_size is None and self.drop_last:
            raise ValueError("DataLoader: expected drop_last=False with batch_size=None, got True")
        chooses = self.shuffle or self.sampler is not None or self.batch_sampler is not None
        if isinstance(self.dataset, IterableDataset) and chooses:
            raise ValueError(
                "DataLoader: expected an IterableDataset without shuffle, sampler and "
                "batch_sampler, for a stream has its own order"
            )
        if not isinstance(self.generator, np.random.Generator | SeedSource | OrderSource | None):
            draw_seed(self.generator)  # a plain seed: nothing is drawn, but it is checked


def _behind(items: Iterator[Any], count: int) -> Iterator[Any]:
    """The items after so many, which are drawn now."""
    next(islice(items, count, count), None)
    return items


def _checked_dataset(dataset: Any) -> Any:
    if isinstance(dataset, IterableDataset):
        return dataset
    missing = [m for m in ("__getitem__", "__len__") if not hasattr(dataset, m)]
    if missing:
        raise TypeError(
            f"DataLoader: expected a data set with __getitem__ and __len__, got "
            f"{type(dataset).__name__} without {' and '.join(missing)}"
        )
    if is_frame(dataset):
        raise TypeError("DataLoader: expected a data set, got a data frame or series; "
                        "TensorDataset(frame, labels) makes one of its rows")  # fmt: skip
    return dataset
