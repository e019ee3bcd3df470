"""Data sets: PyTorch's meaning of rows, parts and sums."""

import numpy as np
import pytest
from data_support import Squares, X, Y, pairs

from fastnn import data as fd
from fastnn.data import DataLoader, Dataset, Subset, TensorDataset


@pytest.mark.parametrize(
    "x",
    [X, np.asfortranarray(X), np.repeat(X, 2, axis=0)[::2], X[::-1], X.astype(">f8"), X.T.copy().T],
    ids=["C", "F", "strided", "reversed", "big-endian", "transposed"],
)
def test_tensor_dataset_fetches_rows_of_any_layout(x):
    indices = np.array([9, 0, 0, 4])
    rows, again = TensorDataset(x, x).fetch(indices)
    np.testing.assert_array_equal(rows.numpy(), x[indices])
    np.testing.assert_array_equal(again.numpy(), x[indices])
    assert rows.numpy().flags.c_contiguous


def test_tensor_dataset_is_a_sequence_of_rows():
    data = pairs()
    assert len(data) == len(list(data)) == 10
    x, y = data[-1]
    assert (x.tolist(), y.item()) == ([18.0, 19.0], 9)
    assert data[2:4][0].shape == (2, 2)
    with pytest.raises(IndexError):
        data[10]


def test_tensor_dataset_takes_lists_and_other_types():
    x, y = TensorDataset(X.astype(np.float16), [True] * 10).fetch(np.array([1]))
    assert (x.numpy().dtype, y.numpy().dtype) == (np.float32, np.bool_)


def test_tensor_dataset_does_not_copy():
    x = X.copy()
    data = TensorDataset(x)
    x[3] = -1
    assert data.fetch(np.array([3]))[0].tolist() == [[-1.0, -1.0]]


@pytest.mark.parametrize(
    ("tensors", "error", "message"),
    [
        ((), ValueError, r"at least one tensor.*\[\]"),
        ((X, Y[:9]), ValueError, r"same N, got shapes \[\(10, 2\), \(9,\)\]"),
        ((np.array(1.0),), ValueError, r"\[\(\)\]"),
        ((X, ["a"] * 10), TypeError, "real numbers, got list"),
        ((X.astype(complex),), TypeError, "real numbers, got an array of complex"),
    ],
)
def test_tensor_dataset_errors(tensors, error, message):
    with pytest.raises(error, match=f"expected .*{message}"):
        TensorDataset(*tensors)


def test_dataset_is_abstract():
    with pytest.raises(TypeError, match="__len__"):
        Dataset()


@pytest.mark.parametrize("indices", [[3, 1, -1], np.array([3, 1, 9], np.uint8), (3, 1, 9)])
@pytest.mark.parametrize("dataset", [pairs(), Squares()], ids=["fetch", "samples"])
def test_subset(dataset, indices):
    part = Subset(dataset, indices)
    assert len(part) == 3
    assert [np.asarray(part[i][0]).tolist() for i in (0, -1)] == [X[3].tolist(), X[9].tolist()]
    x, _ = part.fetch(np.array([2, 0]))
    assert x.tolist() == X[[9, 3]].tolist()
    inner, _ = Subset(part, [1]).fetch(np.array([0]))
    assert inner.tolist() == X[[1]].tolist()
    with pytest.raises(IndexError):
        part[3]


def test_empty_subset():
    part = Subset(pairs(), [])
    assert len(part) == len(DataLoader(part)) == 0
    assert list(DataLoader(part, shuffle=True)) == []


@pytest.mark.parametrize(
    ("indices", "error", "message"),
    [
        ([0, 10], IndexError, "from -10 to 9 into 10 samples, got 10 at position 1"),
        ([-11], IndexError, "got -11 at position 0"),
        (np.array([2**63], np.uint64), IndexError, "got 9223372036854775808"),
        ([0.0, 1.0], TypeError, "float64"),
        (np.ones(10, bool), TypeError, r"np\.flatnonzero"),
        (np.zeros((2, 2), int), TypeError, r"shape \(2, 2\)"),
        (["a"], TypeError, "integer"),
    ],
)
def test_subset_errors(indices, error, message):
    with pytest.raises(error, match=f"^Subset: expected .*{message}"):
        Subset(pairs(), indices)


# --- concatenation


@pytest.mark.parametrize("first", [pairs(), Squares()], ids=["fetch", "samples"])
def test_concat(first):
    both = fd.ConcatDataset([first, TensorDataset(-X[:3], Y[:3])])
    added = first + TensorDataset(-X[:3], Y[:3])
    expected = np.concatenate([X, -X[:3]])
    assert len(both) == len(added) == 13
    for data in both, added:
        for rows in [0, 9], [10, 12], [12, 0, 10, 9], [11]:
            x, _ = fd.fetch_batch(data, np.array(rows))
            np.testing.assert_array_equal(x.numpy(), expected[rows])
    assert both[-1][0].tolist() == both[12][0].tolist() == (-X[2]).tolist()
    for index in 13, -14:
        with pytest.raises(IndexError, match=f"from -13 to 12, got {index}"):
            both[index]
    with pytest.raises(ValueError, match="at least one data set"):
        fd.ConcatDataset([])


def test_concat_of_empty_parts():
    data = fd.ConcatDataset([[], [5], [], [6, 7]])
    assert [data[i] for i in range(3)] == [5, 6, 7]
    assert [b.tolist() for b in DataLoader(data, batch_size=2)] == [[5, 6], [7]]
    assert list(DataLoader(fd.ConcatDataset([[]]))) == []
