"""Tensors of a type, under the names that older programs make them and convert by."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.creation import float32, float64, int32, int64, uint8
from fastnn.tensor import Tensor, values_or_zeros

__all__ = ["BoolTensor", "ByteTensor", "DoubleTensor", "FloatTensor", "IntTensor", "LongTensor"]


class TensorType:
    """A tensor of one type, as older programs make it: of values, or of sizes.

    >>> import fastnn
    >>> fastnn.FloatTensor([1, 2]), fastnn.LongTensor([1, 2]), fastnn.FloatTensor(2, 3).shape
    (tensor([1., 2.]), tensor([1, 2]), (2, 3))
    >>> fastnn.ones(2).type(fastnn.LongTensor)
    tensor([1, 1])
    """

    def __init__(self, name: str, dtype: np.dtype[Any]) -> None:
        self.name, self.dtype = name, dtype

    def __call__(self, *data: Any) -> Tensor:
        return Tensor.of(values_or_zeros(self.name, data, self.dtype))

    def __instancecheck__(self, instance: Any) -> bool:
        return isinstance(instance, Tensor) and instance.dtype == self.dtype

    def __repr__(self) -> str:
        return f"fastnn.{self.name}"


FloatTensor, DoubleTensor = TensorType("FloatTensor", float32), TensorType("DoubleTensor", float64)
LongTensor, IntTensor = TensorType("LongTensor", int64), TensorType("IntTensor", int32)
ByteTensor, BoolTensor = (
    TensorType("ByteTensor", uint8),
    TensorType("BoolTensor", np.dtype(np.bool_)),
)
