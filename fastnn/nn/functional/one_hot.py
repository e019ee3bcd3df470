"""Labels as rows of zeros and a one."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.tensor import Tensor, as_array

__all__ = ["one_hot"]


def one_hot(tensor: Any, num_classes: int = -1) -> Tensor:
    """`y[..., c] = 1` where the label is c, else 0 (`torch.nn.functional.one_hot`).

    Args:
        tensor: Labels from 0 on, whole numbers of any shape `(*)`.
        num_classes: How many classes; by default one more than the largest label.

    Returns:
        `(*, num_classes)`, int64; `.float()` makes targets for MSE or cross-entropy of it.

    Raises:
        TypeError: if the labels are not whole numbers.
        IndexError: if one lies outside 0 .. num_classes - 1.
        ValueError: if there is neither a label nor a number of classes.

    >>> import fastnn
    >>> fastnn.nn.functional.one_hot(fastnn.tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    labels = as_array(tensor)
    if labels.dtype.kind not in "iu":
        raise TypeError(f"one_hot: expected whole numbers as labels, got {labels.dtype}; "
                        "use long()")  # fmt: skip
    if num_classes < 1 and labels.size == 0:
        raise ValueError("one_hot: expected labels, or num_classes, got neither")
    n = num_classes if num_classes > 0 else int(labels.max()) + 1
    if labels.size and not (labels.min() >= 0 and labels.max() < n):
        raise IndexError(f"one_hot: expected labels in 0 .. {n - 1}, "
                         f"got {labels.min()} .. {labels.max()}")  # fmt: skip
    return Tensor.of((labels[..., None] == np.arange(n)).astype(np.int64))
