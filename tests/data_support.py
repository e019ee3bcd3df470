"""Data sets that the tests of `fastnn.data` share, and what a loader visits."""

from collections import namedtuple

import numpy as np

from fastnn.data import Dataset, TensorDataset
from fastnn.tensor import Tensor

X = np.arange(20, dtype=np.float32).reshape(10, 2)
Y = np.arange(10)
Point = namedtuple("Point", "x y")


class Squares(Dataset):
    """A data set of the kind people write: no `fetch`."""

    def __len__(self):
        return 10

    def __getitem__(self, index):
        return Tensor.of(X[index]), index * index


class Foreign:
    """One that is not even derived from ours."""

    def __len__(self):
        return 10

    def __getitem__(self, index):
        return {"x": X[index], "y": float(index), "name": f"row {index}"}


class Negated(TensorDataset):
    """One that changes what a sample is, over an inherited `fetch`."""

    def __getitem__(self, index):
        x, y = super().__getitem__(index)
        return Tensor.of(-x.numpy()), y


def labels(loader):
    return [batch[1].tolist() for batch in loader]


def visited(loader):
    return [label for batch in labels(loader) for label in batch]


def pairs():
    return TensorDataset(Tensor.of(X), Y)
