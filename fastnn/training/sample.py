"""A few rows of the training data, looked at without disturbing anything."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.data import Subset, TensorDataset
from fastnn.data.dataset import fetch_batch
from fastnn.training.batches import CastRows, Loader

__all__ = ["sample"]


def sample(loader: Loader, rows: int) -> tuple[Any, Any] | None:
    """Inputs and targets of at most `rows` rows, spread over the data set.

    None where looking could change what comes, take long, or give another thing than batches are:
    streams, data sets of other classes, transforms of other classes, a loader that collates.

    >>> from fastnn.data import DataLoader
    >>> data = TensorDataset(np.arange(10.0), np.arange(10))
    >>> sample(DataLoader(data, 4), 3)[1]
    tensor([0, 4, 9])
    """
    dataset = loader.dataset
    if loader.collate_fn is not None or not _is_steady(dataset) or not len(dataset):
        return None
    chosen = np.linspace(0, len(dataset) - 1, min(rows, len(dataset))).astype(np.int64)
    batch = fetch_batch(dataset, chosen)
    return (batch[0], batch[1]) if len(batch) > 1 else None


def _is_steady(dataset: Any) -> bool:
    """Whether its rows are the same whenever asked for, and asking draws no random number."""
    if type(dataset) is Subset:
        return _is_steady(dataset.dataset)
    return type(dataset) in (TensorDataset, CastRows) or _are_steady_images(dataset)


def _are_steady_images(dataset: Any) -> bool:
    from fastnn.vision import datasets, transforms
    from fastnn.vision.transforms.base import steps_of

    if type(dataset) not in (datasets.MNIST, datasets.FashionMNIST):
        return False
    steady = (
        transforms.CenterCrop, transforms.ConvertImageDtype, transforms.Grayscale,
        transforms.Invert, transforms.Normalize, transforms.PILToTensor, transforms.Resize,
        transforms.ToTensor,
    )  # fmt: skip
    steps = steps_of(dataset.transform) if dataset.transform is not None else []
    return dataset.target_transform is None and all(type(step) in steady for step in steps)
