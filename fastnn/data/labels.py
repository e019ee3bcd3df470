"""Class labels: where a data set keeps them, and how much each class should weigh."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.data.dataset import Subset, TensorDataset
from fastnn.options import whole
from fastnn.tensor import Tensor, as_array

__all__ = ["class_weights", "labels_of"]


def class_weights(labels: Any, num_classes: int | None = None) -> Tensor:
    """Weights that let every class count alike, for `CrossEntropyLoss(weight=...)`.

    weight[c] = n / (k * count[c]) for n labels in k classes: scikit-learn's "balanced" weights.

    Args:
        labels: Class labels from 0 to k - 1, shape (n,), or a data set that has them.
        num_classes: k; by default one more than the largest label.

    Returns:
        Shape (k,), float32; the mean weight over all samples is 1.

    Raises:
        TypeError: if the labels are not integers.
        ValueError: if they are not one row of them, or a class has no sample.
        IndexError: if a label lies outside 0 .. k - 1.

    >>> class_weights([0, 0, 0, 1])
    tensor([0.6667, 2.0000])
    """
    array = labels_of(labels, "class_weights")
    if array.dtype.kind not in "iu":
        raise TypeError(f"class_weights: expected integer labels, got {array.dtype}")
    if num_classes is None:
        k = int(array.max()) + 1
    else:
        k = whole("class_weights", "num_classes", num_classes, 1)
    bad = (array < 0) | (array >= k)
    if bad.any():
        raise IndexError(
            f"class_weights: expected labels from 0 to {k - 1}, got {array[bad][0]} in row "
            f"{int(bad.argmax())}"
        )
    present, counts = np.unique(array, return_counts=True)
    if len(present) < k:  # told without an array of k counts: one label may be huge
        missing = next(c for c in range(k) if c >= len(present) or present[c] != c)
        raise ValueError(
            f"class_weights: expected samples of all {k} classes, got none of class {missing}"
        )
    return Tensor.of((len(array) / (k * counts)).astype(np.float32))


def labels_of(source: Any, who: str) -> NDArray[Any]:
    """Return the labels (N,) of a data set, or `source` itself where it is labels.

    They are `dataset.targets`, or the last tensor of a `TensorDataset`; those of a `Subset` are
    its parent's.

    Raises:
        TypeError: if the data set has no labels that can be known without reading every sample.
        ValueError: if they are not of shape (N,) or there are none.

    >>> labels_of(Subset(TensorDataset(np.zeros((3, 2)), [5, 6, 7]), [2, 0]), "example").tolist()
    [7, 5]
    """
    labels = _find(source, who)
    if labels.ndim != 1 or not labels.size:
        raise ValueError(f"{who}: expected labels of shape (N,), N > 0, got shape {labels.shape}")
    return labels


def _find(source: Any, who: str) -> NDArray[Any]:
    if isinstance(source, Subset):
        return _find(source.dataset, who)[source.indices]
    if isinstance(source, TensorDataset):
        return as_array(source.tensors[-1])
    if hasattr(source, "targets"):
        return _find(source.targets, who)
    if not isinstance(source, Tensor | list | tuple | range) and not hasattr(source, "__array__"):
        raise TypeError(
            f"{who}: {type(source).__name__} has no attribute `targets` to take labels from; "
            "pass the labels themselves"
        )
    names = np.asarray(source)
    return names if names.dtype.kind in "OUS" else as_array(source)  # class names are labels too
