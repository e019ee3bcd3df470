"""Samples made a batch, as in PyTorch."""

import numpy as np
import pytest
from data_support import Point

from fastnn import data as fd
from fastnn.data import default_collate
from fastnn.tensor import Tensor


@pytest.mark.parametrize(
    ("samples", "dtype", "expected"),
    [
        ([1, 2], np.int64, [1, 2]),
        ([0.5, 1.5], np.float64, [0.5, 1.5]),
        ([True, False], np.bool_, [True, False]),
        ([np.float32(1), np.float32(2)], np.float32, [1.0, 2.0]),
        ([np.array([1, 2], np.uint8)], np.uint8, [[1, 2]]),
        ([Tensor.of(np.zeros(2, np.float32))] * 2, np.float32, [[0.0, 0.0], [0.0, 0.0]]),
        ([Tensor.of(np.array(3)), Tensor.of(np.array(4))], np.int64, [3, 4]),
    ],
)
def test_collate_stacks(samples, dtype, expected):
    batch = default_collate(samples)
    assert isinstance(batch, Tensor)
    assert batch.numpy().dtype == dtype
    assert batch.tolist() == expected


def test_collate_looks_inside():
    assert default_collate(["a", "b"]) == ["a", "b"]
    batch = default_collate([{"x": (1, [2.0])}, {"x": (3, [4.0])}])
    assert batch["x"][0].tolist() == [1, 3]
    assert batch["x"][1][0].tolist() == [2.0, 4.0]
    point = default_collate([Point(1, 2), Point(3, 4)])
    assert isinstance(point, Point)
    assert point.y.tolist() == [2, 4]


@pytest.mark.parametrize(
    ("samples", "error", "message"),
    [
        ([], ValueError, "at least one sample"),
        ([np.zeros(2), np.zeros(2), np.zeros(3)], ValueError, r"\(2,\).*\(3,\) at position 2"),
        ([(1, 2), (1, 2, 3)], ValueError, "2 fields, got 3 at position 1"),
        ([None, None], TypeError, "NoneType.*collate_fn"),
        ([object()], TypeError, "object"),
    ],
)
def test_collate_errors(samples, error, message):
    with pytest.raises(error, match=message):
        default_collate(samples)


def test_convert_keeps_what_is_not_an_array():
    point = fd.default_convert(Point(np.float32(1), "a"))
    assert isinstance(point, Point)
    assert (point.x.item(), point.y) == (1.0, "a")
    assert fd.default_convert((1, [np.zeros(1)]))[1][0].tolist() == [0.0]
