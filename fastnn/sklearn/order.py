"""The order in which scikit-learn visits rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Shuffles"]


class Shuffles:
    """The shuffles of scikit-learn's networks: the same `rng` gives the same batches.

    Each pass shuffles the order of the pass before.

    Args:
        rng: What is drawn from.

    >>> Shuffles(np.random.RandomState(0)).next_order(4).tolist()
    [2, 3, 1, 0]
    """

    def __init__(self, rng: np.random.RandomState) -> None:
        self.rng = rng
        self.order: NDArray[np.int64] | None = None

    def next_order(self, n: int) -> NDArray[np.int64]:
        """The next pass over n rows."""
        shuffle = np.arange(n)
        self.rng.shuffle(shuffle)
        self.order = shuffle if self.order is None else self.order[shuffle]
        return self.order
