"""Random and stratified splits, and weights of classes."""

from typing import ClassVar

import numpy as np
import pytest
from data_support import Foreign, Squares, X, Y, pairs

from fastnn import data as fd
from fastnn.data import Subset, TensorDataset, random_split
from fastnn.random import Generator, manual_seed
from fastnn.tensor import Tensor


@pytest.mark.parametrize(
    ("lengths", "sizes"),
    [
        ([7, 3], [7, 3]),
        ([10], [10]),
        ([1.0], [10]),
        ([0.5, 0.5], [5, 5]),
        ([0.7, 0.2, 0.1], [7, 2, 1]),
        ([0.33, 0.33, 0.34], [4, 3, 3]),
        ([0.25, 0.25, 0.25, 0.25], [3, 3, 2, 2]),
        ([0.1] * 10, [1] * 10),
        (np.array([4, 6]), [4, 6]),
    ],
)
def test_random_split_sizes(lengths, sizes):
    parts = random_split(pairs(), lengths, generator=0)
    assert [len(part) for part in parts] == sizes
    assert sorted(np.concatenate([part.indices for part in parts]).tolist()) == list(range(10))


def test_random_split_follows_the_seed():
    manual_seed(1)
    one, two = random_split(range(100), [50, 50]), random_split(range(100), [50, 50])
    manual_seed(1)
    again = random_split(range(100), [50, 50])
    assert one[0].indices.tolist() == again[0].indices.tolist()
    assert one[0].indices.tolist() != two[0].indices.tolist()


def test_random_split_warns_of_an_empty_part():
    with pytest.warns(UserWarning, match="a part is empty"):
        assert len(random_split(range(3), [3, 0])[1]) == 0


@pytest.mark.parametrize(
    ("lengths", "error", "message"),
    [
        ([5, 4], ValueError, "sum to 10 .*sum 9"),
        ([0.5, 0.4], ValueError, "sum 0.9"),
        ([5.5, 4.5], ValueError, "whole lengths"),
        ([11, -1], ValueError, "at least 0"),
        ([float("nan"), 1.0], ValueError, "at least 0"),
        ([], ValueError, "sum to 10"),
        ([True, 9], TypeError, "numbers"),
        (["9", 1], TypeError, "numbers"),
    ],
)
def test_random_split_errors(lengths, error, message):
    with pytest.raises(error, match=f"^random_split: expected .*{message}"):
        random_split(pairs(), lengths)


def test_split_as_in_the_tutorials():
    parts = random_split(pairs(), [0.8, 0.2], generator=Generator().manual_seed(42))
    again = random_split(pairs(), [8, 2], generator=Generator().manual_seed(42))
    assert [p.indices.tolist() for p in parts] == [p.indices.tolist() for p in again]


# --- classes: stratified splits and weights


@pytest.mark.parametrize(
    ("counts", "lengths"),
    [
        ([50, 50], [0.8, 0.2]),
        ([90, 9, 3], [0.7, 0.3]),
        ([5, 5, 5, 5, 5], [0.5, 0.25, 0.25]),
        ([7, 11, 13, 17, 4], [0.4, 0.3, 0.2, 0.1]),
        ([3, 3, 3, 3], [4, 4, 4]),
        ([100], [0.9, 0.1]),
        ([10, 10], [20, 0]),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:.*a part is empty")
@pytest.mark.parametrize("seed", range(3))
def test_stratified_split_keeps_proportions_within_one(counts, lengths, seed):
    classes = np.repeat(np.arange(len(counts)), counts)
    parts = fd.stratified_split(classes, lengths, generator=seed)
    random_parts = random_split(range(len(classes)), lengths)
    assert [len(part) for part in parts] == [len(part) for part in random_parts]
    taken = np.concatenate([part.indices for part in parts])
    assert sorted(taken.tolist()) == list(range(len(classes)))
    for part in parts:
        got = np.bincount(classes[part.indices], minlength=len(counts))
        exact = np.array(counts) * len(part) / len(classes)
        assert (np.abs(got - exact) < 1).all()


def test_round_table_finds_a_table_where_greedy_rounding_would_not():
    random = np.random.Generator(np.random.Philox(5))
    for _ in range(200):
        counts = random.integers(1, 20, random.integers(1, 6))
        cuts = np.sort(random.integers(0, counts.sum() + 1, random.integers(0, 5)))
        sizes = np.diff([0, *cuts, counts.sum()])
        table = fd.split._round_table(counts, sizes.tolist())
        assert table.sum(0).tolist() == sizes.tolist()
        assert table.sum(1).tolist() == counts.tolist()
        assert (np.abs(table - np.outer(counts, sizes) / counts.sum()) < 1).all()


def test_stratified_split_is_shuffled_and_follows_the_seed():
    classes = [0] * 50 + [1] * 50
    one, two = (fd.stratified_split(classes, [50, 50], generator=s)[0].indices for s in (0, 1))
    assert one.tolist() != two.tolist()
    assert one.tolist() == fd.stratified_split(classes, [0.5, 0.5], generator=0)[0].indices.tolist()
    assert set(np.diff(one) > 0) == {True, False}


class Labelled(Squares):
    targets: ClassVar = [0, 1] * 5


@pytest.mark.parametrize(
    "data",
    [
        TensorDataset(X, Y % 2),
        Labelled(),
        Subset(TensorDataset(X.repeat(2, 0), Y.repeat(2) % 2), range(0, 20, 2)),
        Tensor.of(Y % 2),
        ["even", "odd"] * 5,
        np.array(["b", "a"] * 5, dtype=object),
    ],
    ids=["TensorDataset", "targets", "Subset", "Tensor", "names", "objects"],
)
def test_where_labels_come_from(data):
    parts = fd.stratified_split(data, [0.6, 0.4], generator=0)
    assert [np.bincount(part.indices % 2).tolist() for part in parts] == [[3, 3], [2, 2]]
    assert parts[0].dataset is data


@pytest.mark.parametrize(
    ("data", "lengths", "error", "message"),
    [
        ([0, 0, 0, 1], [0.5, 0.5], ValueError, "at least 2 samples .*got 1 of class 1"),
        ([0, 1], [1, 2], ValueError, "stratified_split: expected whole lengths"),
        (Squares(), [5, 5], TypeError, "Squares has no attribute `targets`"),
        (Foreign(), [5, 5], TypeError, "Foreign has no attribute `targets`"),
        (TensorDataset(Y, X), [5, 5], ValueError, r"shape \(N,\).*got shape \(10, 2\)"),
        ([], [1.0], ValueError, r"N > 0, got shape \(0,\)"),
    ],
)  # fmt: skip
def test_stratified_split_errors(data, lengths, error, message):
    with pytest.raises(error, match=message):
        fd.stratified_split(data, lengths)


def test_class_weights():
    labels = np.array([2, 0, 0, 1, 0, 2, 0, 0])
    weights = fd.class_weights(labels)
    np.testing.assert_array_equal(weights.numpy(), np.float32([8 / 15, 8 / 3, 4 / 3]))
    assert weights.dtype == np.float32
    assert fd.class_weights(TensorDataset(np.zeros((8, 1)), labels)).tolist() == weights.tolist()
    np.testing.assert_allclose(weights.numpy()[labels].mean(), 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("labels", "k", "error", "message"),
    [
        ([0, 2, 2], None, ValueError, "all 3 classes, got none of class 1"),
        ([0, 1], 3, ValueError, "got none of class 2"),
        ([2**62], None, ValueError, "got none of class 0"),
        ([0, 3], 3, IndexError, "from 0 to 2, got 3 in row 1"),
        ([0, -1], None, IndexError, "got -1 in row 1"),
        ([0.0, 1.0], None, TypeError, "integer labels, got float64"),
        (["a"], None, TypeError, "integer labels"),
        ([[0, 1]], None, ValueError, r"shape \(1, 2\)"),
        ([], None, ValueError, "N > 0"),
        ([0], 0, ValueError, "num_classes >= 1, got 0"),
    ],
)
def test_class_weights_errors(labels, k, error, message):
    with pytest.raises(error, match=f"class_weights: .*{message}"):
        fd.class_weights(labels, k)
