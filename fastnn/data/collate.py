"""Turning a list of samples into one batch, by PyTorch's rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastnn.tensor import Tensor, as_array

__all__ = ["default_collate", "default_convert", "stack_arrays"]


def default_collate(samples: Sequence[Any]) -> Any:
    """Stack samples along a new first axis, looking inside tuples, lists and dicts.

    Tensors and NumPy arrays of shape S become one Tensor (B, *S); ints become an int64 Tensor
    (B,) and floats a float64 one, as in PyTorch; strings stay a list; a tuple or list of k
    fields becomes a list of k batches; a dict keeps its keys and a named tuple its type.

    Args:
        samples: B samples of one structure.

    Raises:
        TypeError: if a sample is of a kind that cannot be stacked.
        ValueError: if there are no samples, or their shapes or lengths differ.

    >>> images, labels = default_collate([(np.zeros(3), 0), (np.ones(3), 1)])
    >>> images.shape, labels.tolist()
    ((2, 3), [0, 1])
    """
    if not samples:
        raise ValueError("default_collate: expected at least one sample, got none")
    first = samples[0]
    if isinstance(first, Tensor | np.ndarray | np.generic | int | float):
        return Tensor.of(stack_arrays(samples))
    if isinstance(first, str | bytes):
        return list(samples)
    if isinstance(first, Mapping):
        return {key: default_collate([sample[key] for sample in samples]) for key in first}
    if isinstance(first, tuple | list):
        return _collate_fields(samples)
    raise TypeError(
        "default_collate: expected Tensors, NumPy arrays, numbers, strings, or tuples, lists or "
        f"dicts of them, got {type(first).__name__}; pass DataLoader a collate_fn for others"
    )


def default_convert(sample: Any) -> Any:
    """Make Tensors of the NumPy arrays in one sample; everything else stays as it is.

    >>> default_convert({"x": np.zeros(2), "name": "zero"})
    {'x': tensor([0., 0.], dtype=float64), 'name': 'zero'}
    """
    if isinstance(sample, np.ndarray | np.generic):
        return Tensor.of(as_array(sample))
    if isinstance(sample, Mapping):
        return {key: default_convert(field) for key, field in sample.items()}
    if isinstance(sample, tuple) and hasattr(sample, "_fields"):
        return type(sample)(*map(default_convert, sample))
    if isinstance(sample, tuple | list):
        return [default_convert(field) for field in sample]
    return sample


def stack_arrays(samples: Sequence[Any]) -> np.ndarray[Any, Any]:
    """Stack Tensors, arrays or numbers of shape S into one array of shape (B, *S).

    Raises:
        ValueError: if the shapes differ.

    >>> stack_arrays([1, 2, 3]).shape
    (3,)
    """
    arrays = [as_array(sample) for sample in samples]
    for i, array in enumerate(arrays):
        if array.shape != arrays[0].shape:
            raise ValueError(
                f"default_collate: expected samples of one shape, got {arrays[0].shape} first and "
                f"{array.shape} at position {i} of the batch; pad them in the data set or pass "
                "DataLoader a collate_fn"
            )
    return np.stack(arrays)


def _collate_fields(samples: Sequence[Any]) -> Any:
    first = samples[0]
    for i, sample in enumerate(samples):
        if len(sample) != len(first):
            raise ValueError(
                f"default_collate: expected samples of {len(first)} fields, "
                f"got {len(sample)} at position {i} of the batch"
            )
    fields = [default_collate(field) for field in zip(*samples, strict=True)]
    is_named = isinstance(first, tuple) and hasattr(first, "_fields")
    return type(first)(*fields) if is_named else fields
