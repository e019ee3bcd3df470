"""The data of an epoch as a compiled step takes it: rows of tables in memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastnn.autograd import Array
from fastnn.data import DataLoader, Subset, TensorDataset
from fastnn.data.collate import default_collate
from fastnn.data.dataset import fetch_batch
from fastnn.tensor import Tensor, as_array, as_tensor
from fastnn.training.batches import CastRows, parts

__all__ = ["Feed", "Table", "feeds"]

Indices = NDArray[np.int64]


class Table(NamedTuple):
    """The rows of a data set, as they lie in memory.

    Attributes:
        inputs: (n, columns), of any type of real numbers.
        values: What each byte of uint8 inputs stands for, (256,), or None where a number is itself.
        targets: (n,) or (n, ...).
        weights: How much each row counts, (n,); None: all the same.
    """

    inputs: Array
    values: Array | None
    targets: Array
    weights: Array | None = None


class Feed(NamedTuple):
    """Batches of a table, and the same from where the eager loop takes them.

    Attributes:
        table: What they are rows of.
        order: The rows, batch after batch.
        sizes: How many rows each batch has.
        fetch: Gives inputs, and targets and any weights, of some rows, as the data set does.
        batches: This and all that follows in the epoch, as the loader gives it.
    """

    table: Table
    order: Indices
    sizes: Indices
    fetch: Callable[[Indices], tuple[Tensor, list[Tensor]]]
    batches: Iterable[Any]

    def sample(self, rows: int) -> tuple[Tensor, list[Tensor]]:
        """Inputs, and targets and any weights, of a few rows."""
        return self.fetch(np.resize(self.order, rows))

    @property
    def largest(self) -> int:
        """Rows of the largest batch."""
        return int(self.sizes.max())

    @property
    def smallest(self) -> int:
        """Rows of the smallest batch."""
        return int(self.sizes.min())


def feeds(
    loader: DataLoader[Any],
    loss: object,
    together: int,
    done: int,
    drawn: AbstractContextManager[None],
) -> Iterator[Feed]:
    """A pass of a loader: as one table in memory or, where it is none, so many batches at a time.

    Args:
        loader: Gives the batches.
        loss: Says what parts they have.
        together: How many make a step.
        done: How many are left out at the beginning.
        drawn: Within it the pass begins.
    """
    found = resident(loader.dataset) if _takes_rows(loader) else None
    if found is not None:
        table, rows = found
        assert loader.batch_size is not None
        with drawn:
            order, sizes = loader._rows_of_pass(loader.batch_size)
        order, sizes = order[sizes[:done].sum() :], sizes[done:]
        if len(sizes):

            def fetch(indices: Indices) -> tuple[Tensor, list[Tensor]]:
                x, others = parts(fetch_batch(whole, indices), loss)
                return as_tensor(x), list(map(as_tensor, others))

            whole = _whole(loader.dataset)
            chosen = order if rows is None else rows[order]
            yield Feed(table, chosen, sizes, fetch, map(loader._load, _cut(order, sizes)))
        return
    with drawn:
        left = loader.iter_from(done)
    while group := list(itertools.islice(left, together)):
        yield _of_batches(group, left, loss)


def _cut(order: Indices, sizes: Indices) -> Iterator[Indices]:
    begin = 0
    for end in itertools.accumulate(sizes.tolist()):
        yield order[begin:end]
        begin = end


def _of_batches(group: list[Any], left: Iterator[Any], loss: object) -> Feed:
    given = [parts(batch, loss) for batch in group]
    columns = zip(*([as_array(p) for p in (x, *others)] for x, others in given), strict=True)
    x, y, *weights = (np.ascontiguousarray(np.concatenate(column)) for column in columns)
    return Feed(
        Table(x.reshape(len(x), -1), None, y, *weights),
        np.arange(len(x)),
        np.array([len(inputs) for inputs, _ in given], np.int64),
        lambda rows: (Tensor.of(x[rows]), [Tensor.of(a[rows]) for a in (y, *weights)]),
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
    if len(tensors) not in (2, 3):
        return None
    x, y, *weights = (t._array for t in tensors)
    if not all(map(_is_plain, (x, y, *weights))):
        return None
    return Table(x.reshape(len(x), -1), None, y, *weights)


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
