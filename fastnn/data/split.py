"""Splitting a data set into parts that do not overlap."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fastnn.data.dataset import Indexable, Subset
from fastnn.data.labels import labels_of
from fastnn.data.order import GeneratorLike, draw_seed, epoch_order
from fastnn.options import is_number

__all__ = ["random_split", "stratified_split"]

T_co = TypeVar("T_co", covariant=True)


def random_split(
    dataset: Indexable[T_co],
    lengths: Sequence[int | float],
    generator: GeneratorLike = None,
) -> list[Subset[T_co]]:
    """Split a data set at random into parts that do not overlap.

    Args:
        dataset: The whole data set, of N samples.
        lengths: Sizes that sum to N, or fractions that sum to 1 (each is rounded down, then
            the samples left over go to the parts in turn, as in PyTorch).
        generator: Where the randomness comes from; see `draw_seed`.

    Raises:
        TypeError: if a length is not a number.
        ValueError: if the lengths are negative or do not sum to N.

    >>> train, validation = random_split(range(10), [0.8, 0.2], generator=0)
    >>> len(train), len(validation)
    (8, 2)
    """
    n = len(dataset)
    sizes = _sizes(n, lengths, "random_split")
    order = epoch_order(n, draw_seed(generator))
    cuts = accumulate(sizes, initial=0)
    return [Subset(dataset, order[start:stop]) for start, stop in pairwise(cuts)]


def stratified_split(
    dataset: Indexable[T_co],
    lengths: Sequence[int | float],
    generator: GeneratorLike = None,
) -> list[Subset[T_co]]:
    """Split a data set at random into parts that have the classes in the same proportions.

    Of n_c samples of class c, a part of m out of N samples gets n_c m / N, rounded down or up.
    The parts hold no sample twice and have the sizes that `random_split` would give them.

    Args:
        dataset: The whole data set, of N samples, with labels: it has an attribute `targets`, or
            is a `TensorDataset` whose last tensor is the labels, or a `Subset` of such. Bare
            labels (N,) will do: `part.indices` are then the rows to take from other arrays.
        lengths: Sizes that sum to N, or fractions that sum to 1.
        generator: Where the randomness comes from; see `draw_seed`.

    Raises:
        TypeError: if a length is not a number, or the data set has no labels.
        ValueError: if the lengths are negative or do not sum to N, or a class has fewer samples
            than there are parts.

    >>> labels = [0] * 8 + [1] * 4
    >>> train, test = stratified_split(labels, [0.75, 0.25], generator=0)
    >>> sorted(train[i] for i in range(len(train))), sorted(test[i] for i in range(len(test)))
    ([0, 0, 0, 0, 0, 0, 1, 1, 1], [0, 0, 1])
    """
    labels = labels_of(dataset, "stratified_split")
    n = len(labels)
    sizes = _sizes(n, lengths, "stratified_split")
    names, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    parts = len(sizes) - sizes.count(0)
    if counts.min() < parts:
        raise ValueError(
            f"stratified_split: expected at least {parts} samples of each class for {parts} parts, "
            f"got {counts.min()} of class {names[counts.argmin()]}"
        )
    order = epoch_order(n, draw_seed(generator))
    by_class = order[np.argsort(classes[order], kind="stable")]
    part_of = np.empty(n, np.int64)
    part_of[by_class] = np.repeat(
        np.tile(np.arange(len(sizes)), len(names)), _round_table(counts, sizes).ravel()
    )
    return [Subset(dataset, order[part_of[order] == part]) for part in range(len(sizes))]


def _round_table(counts: NDArray[np.int64], sizes: list[int]) -> NDArray[np.int64]:
    """Whole numbers, row sums `counts` and column sums `sizes`, within one of their products / N.

    Each entry is its exact share rounded down, plus at most one. Which get one is a bipartite
    matching of what the rows and the columns still lack; there always is one, since the exact
    fractions are such a matching in part (Bacharach, Matrix rounding problems, 1966).
    """
    products = np.outer(counts, np.array(sizes, np.int64))
    table, remainders = np.divmod(products, int(counts.sum()))
    free = np.array(sizes) - table.sum(0)
    up: list[set[int]] = [set() for _ in sizes]  # up[part]: the classes rounded up there

    def place(c: int, tried: set[int]) -> bool:
        for part in np.flatnonzero(remainders[c]).tolist():
            if part in tried or c in up[part]:
                continue
            tried.add(part)
            if len(up[part]) < free[part]:
                up[part].add(c)
                return True
            for other in sorted(up[part]):
                if place(other, tried):
                    up[part].remove(other)
                    up[part].add(c)
                    return True
        return False

    for c, lacking in enumerate((counts - table.sum(1)).tolist()):
        for _ in range(lacking):
            place(c, set())
    for part, classes in enumerate(up):
        table[list(classes), part] += 1
    return table


def _sizes(n: int, lengths: Sequence[int | float], who: str) -> list[int]:
    """Find whole sizes that sum to `n`, from sizes or fractions."""
    if not all(map(is_number, lengths)):
        raise TypeError(f"{who}: expected numbers as lengths, got {list(lengths)!r}")
    if any(not x >= 0 for x in lengths):
        raise ValueError(f"{who}: expected lengths of at least 0, got {list(lengths)!r}")
    if math.isclose(sum(lengths), 1):
        sizes = _shares(n, lengths)
    elif sum(lengths) != n or any(x != int(x) for x in lengths):
        raise ValueError(
            f"{who}: expected whole lengths that sum to {n} (the size of the data set) or "
            f"fractions that sum to 1, got {list(lengths)!r} with sum {sum(lengths)}"
        )
    else:
        sizes = [int(x) for x in lengths]
    if 0 in sizes:
        warnings.warn(f"{who}: a part is empty: {n} samples into {sizes}", stacklevel=3)
    return sizes


def _shares(n: int, fractions: Sequence[float]) -> list[int]:
    sizes = [math.floor(n * fraction) for fraction in fractions]
    for i in range(n - sum(sizes)):
        sizes[i % len(sizes)] += 1
    return sizes
