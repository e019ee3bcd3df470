"""The data of an epoch as a compiled step takes it: rows of tables in memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastnn.autograd import Array
from fastnn.data import DataLoader, Subset, TensorDataset
from fastnn.data.collate import default_collate
from fastnn.data.dataset import fetch_batch
from fastnn.tensor import Tensor, as_array, as_tensor
from fastnn.training.batches import CastRows, pair

__all__ = ["Feed", "Table", "feeds"]

Indices = NDArray[np.int64]


class Table(NamedTuple):
    """The rows of a data set, as they lie in memory.

    Attributes:
        inputs: (n, columns), of any type of real numbers.
        values: What each byte of uint8 inputs stands for, (256,), or None where a number is itself.
        targets: (n,) or (n, ...).
    """

    inputs: Array
    values: Array | None
    targets: Array


class Feed(NamedTuple):
    """Batches of a table, and the same from where the eager loop takes them.

    Attributes:
        table: What they are rows of.
        order: The rows, batch after batch.
        sizes: How many rows each batch has.
        fetch: Gives inputs and targets of some rows, as the data set does.
        batches: This and all that follows in the epoch, as the loader gives it.
    """

    table: Table
    order: Indices
    sizes: Indices
    fetch: Callable[[Indices], tuple[Tensor, Tensor]]
    batches: Iterable[Any]

    def sample(self, rows: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets of a few rows."""
        return self.fetch(np.resize(self.order, rows))

    @property
    def largest(self) -> int:
        """Rows of the largest batch."""
        return int(self.sizes.max())


def feeds(loader: DataLoader[Any], together: int) -> Iterator[Feed]:
    """A pass of a loader: as one table in memory or, where it is none, so many batches at a time.

    Raises:
        NotLowerable: if batches are not pairs of arrays.
    """
    found = resident(loader.dataset) if _takes_rows(loader) else None
    if found is not None:
        table, rows = found
        assert loader.batch_size is not None
        batches = list(loader._index_batches(loader.batch_size))
        if batches:
            order = np.concatenate(batches)
            sizes = np.array([len(batch) for batch in batches], np.int64)

            def fetch(indices: Indices) -> tuple[Tensor, Tensor]:
                x, y = pair(fetch_batch(whole, indices))
                return as_tensor(x), as_tensor(y)

            whole = _whole(loader.dataset)
            chosen = order if rows is None else rows[order]
            yield Feed(table, chosen, sizes, fetch, map(loader._load, batches))
        return
    left = iter(loader)
    while group := list(itertools.islice(left, together)):
        yield _of_batches(group, left)


def _of_batches(group: list[Any], left: Iterator[Any]) -> Feed:
    pairs = [[as_array(part) for part in pair(batch)] for batch in group]
    x, y = (np.ascontiguousarray(np.concatenate(parts)) for parts in zip(*pairs, strict=True))
    sizes = np.array([len(inputs) for inputs, _ in pairs], np.int64)
    return Feed(
        Table(x.reshape(len(x), -1), None, y),
        np.arange(len(x)),
        sizes,
        lambda indices: (Tensor.of(x[indices]), Tensor.of(y[indices])),
        itertools.chain(group, left),
    )


def _takes_rows(loader: DataLoader[Any]) -> bool:
    """Whether the rows of each batch are known, and nothing is done to them."""
    if type(loader) is not DataLoader or loader.batch_size is None:
        return False
    return loader.collate_fn in (None, default_collate) and hasattr(loader.dataset, "__len__")


def _whole(dataset: Any) -> Any:
    while type(dataset) is Subset:
        dataset = dataset.dataset
    return dataset


def resident(dataset: Any) -> tuple[Table, Indices | None] | None:
    """A data set as tables, and which of their rows it has (None: all); None if it is no table."""
    if type(dataset) is Subset:
        whole = resident(dataset.dataset)
        if whole is None:
            return None
        rows = dataset.indices if whole[1] is None else whole[1][dataset.indices]
        return whole[0], rows
    if type(dataset) in (TensorDataset, CastRows):
        table = _of_tensors(dataset.tensors)
    else:
        table = _of_images(dataset)
    return None if table is None else (table, None)


def _of_tensors(tensors: tuple[Tensor, ...]) -> Table | None:
    if len(tensors) != 2:
        return None
    x, y = (t._array for t in tensors)
    if not (_is_plain(x) and _is_plain(y)):
        return None
    return Table(x.reshape(len(x), -1), None, y)


def _is_plain(array: Array) -> bool:
    """Whether the compiled step can read the memory as it is."""
    return bool(
        array.flags.c_contiguous
        and array.flags.aligned
        and array.dtype.isnative
        and array.dtype.kind in "fiub"
        and (array.itemsize in (4, 8) or array.dtype.kind != "f")
        and array.size
    )


def _of_images(dataset: Any) -> Table | None:
    from fastnn.vision import datasets, transforms
    from fastnn.vision.transforms.base import steps_of

    if type(dataset) not in (datasets.MNIST, datasets.FashionMNIST):
        return None
    steps = steps_of(dataset.transform or transforms.ToTensor())
    pixels, labels = dataset.data._array, dataset.targets._array
    by_value = [type(step) in (transforms.ToTensor, transforms.Normalize) for step in steps]
    if dataset.target_transform is not None or not steps or not all(by_value):
        return None
    if type(steps[0]) is not transforms.ToTensor or not (_is_plain(pixels) and _is_plain(labels)):
        return None
    every_byte = np.arange(256, dtype=np.uint8)[:, None, None]
    values: Any = every_byte
    for step in steps:
        values = transforms.apply_batch(step, values)
    if values.shape != (256, 1, 1, 1):  # a Normalize of several channels makes several
        return None
    return Table(pixels.reshape(len(pixels), -1), values._array.reshape(256), labels)
