"""Samplers: what they visit, and how often."""

import numpy as np
import pytest
from data_support import Y, labels, pairs, visited

from fastnn import data as fd
from fastnn.data import DataLoader


def test_sequential_and_subset_samplers():
    assert list(fd.SequentialSampler(pairs())) == list(range(10))
    sampler = fd.SubsetRandomSampler([5, 1, 5, 7])
    assert sorted(sampler) == sorted(visited(DataLoader(pairs(), sampler=sampler))) == [1, 5, 5, 7]
    assert len(sampler) == 4
    assert len({tuple(sampler) for _ in range(20)}) > 1


def test_random_sampler():
    sampler = fd.RandomSampler(pairs())
    passes = [list(sampler) for _ in range(5)]
    assert all(sorted(order) == Y.tolist() for order in passes)
    assert len(set(map(tuple, passes))) == 5
    seeded = fd.RandomSampler(pairs(), generator=3)
    assert list(seeded) == list(seeded)
    long = list(fd.RandomSampler(pairs(), num_samples=25))
    assert len(long) == 25
    assert sorted(long[:10]) == sorted(long[10:20]) == Y.tolist()
    assert long[:10] != long[10:20]


def test_sampling_with_replacement_is_uniform():
    sampler = fd.RandomSampler(range(10), replacement=True, num_samples=10_000, generator=0)
    counts = np.bincount(list(sampler), minlength=10)
    assert len(sampler) == counts.sum() == 10_000
    assert ((counts - 1000) ** 2 / 1000).sum() < 28  # 9 degrees of freedom: p = 0.001


@pytest.mark.parametrize("replacement", [True, False])
def test_weighted_sampler(replacement):
    weights = [0, 1, 2, 5, 0]
    firsts = [
        next(iter(fd.WeightedRandomSampler(weights, 3, replacement, generator=seed)))
        for seed in range(4000)
    ]
    counts, expected = np.bincount(firsts, minlength=5), np.array([500, 1000, 2500])
    assert counts[[0, 4]].tolist() == [0, 0]
    assert ((counts[1:4] - expected) ** 2 / expected).sum() < 14  # 2 degrees: p = 0.001
    drawn = list(fd.WeightedRandomSampler(np.array(weights), 3, replacement))
    assert len(drawn) == 3
    assert replacement or sorted(drawn) == [1, 2, 3]


def test_batch_sampler():
    batches = fd.BatchSampler(fd.SequentialSampler(range(10)), 4, drop_last=False)
    assert len(batches) == 3
    assert labels(DataLoader(pairs(), batch_sampler=batches)) == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9],
    ]
    short = fd.BatchSampler(range(10), 4, drop_last=True)
    assert (len(short), list(short)) == (2, [[0, 1, 2, 3], [4, 5, 6, 7]])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: fd.RandomSampler([]), ValueError, "num_samples >= 1, got 0"),
        (lambda: fd.RandomSampler([1], num_samples=1.0), TypeError, "integer num_samples, got 1.0"),
        (lambda: fd.BatchSampler([], 0, False), ValueError, "batch_size >= 1"),
        (lambda: fd.WeightedRandomSampler([1.0, -1], 1), ValueError, "at least 0"),
        (lambda: fd.WeightedRandomSampler([1.0, np.nan], 1), ValueError, "finite"),
        (lambda: fd.WeightedRandomSampler([0, 0], 1), ValueError, "not all 0"),
        (lambda: fd.WeightedRandomSampler([[1.0]], 1), ValueError, r"shape \(N,\)"),
        (lambda: fd.WeightedRandomSampler([1, 0], 2, False), ValueError, "at most 1 .*got 2"),
    ],
)
def test_sampler_errors(make, error, message):
    with pytest.raises(error, match=message):
        make()
