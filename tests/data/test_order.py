"""Orders that a seed and an epoch determine."""

import numpy as np
import pytest

from fastnn import data as fd


@pytest.mark.parametrize("n", [0, 1, 2, 3, 255, 256, 257, 1000])
def test_epoch_order_is_a_permutation(n):
    order = fd.epoch_order(n, 0, 0)
    assert order.dtype == np.int64
    assert sorted(order.tolist()) == list(range(n))


def test_epoch_order_is_keyed_by_seed_and_epoch():
    keys = [(0, 0), (0, 1), (1, 0), (1, 1), (2**64 - 1, 0), (0, 2**64 - 1)]
    orders = {key: tuple(fd.epoch_order(50, *key).tolist()) for key in keys}
    assert len(set(orders.values())) == len(keys)
    assert all(tuple(fd.epoch_order(50, *key).tolist()) == orders[key] for key in keys)


def test_epoch_order_never_changes_between_releases():
    assert fd.epoch_order(10, 0, 0).tolist() == [2, 3, 5, 7, 0, 6, 1, 4, 9, 8]
    assert fd.epoch_order(10, 2**64 - 1, 3).tolist() == [2, 4, 1, 6, 7, 3, 8, 5, 0, 9]


def test_epoch_order_is_uniform():
    places = np.array([fd.epoch_order(5, 0, epoch) for epoch in range(5000)])
    counts = np.array([np.bincount(column, minlength=5) for column in places.T])
    chi2 = ((counts - 1000) ** 2 / 1000).sum()
    assert chi2 < 45  # 16 degrees of freedom: exceeded once in 7,000 seeds, and the seed is fixed
