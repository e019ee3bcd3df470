"""Two tests of laws: chi-square for counts, Kolmogorov-Smirnov for continuous draws.

Each returns the probability of a deviation at least as large if the law holds. With seeds fixed a
test either always passes or never; `LEVEL` makes the first likely, and far smaller values than it
come out where a law is broken.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

LEVEL = 1e-4


def chi_square(observed: Any, expected: Any) -> float:
    """Of counts against expected counts of the same sum (Pearson 1900), cells - 1 free.

    The tail of k degrees of freedom follows from that of k - 2 by integrating by parts:
    Q(x, k) = Q(x, k - 2) + (x/2)^(k/2 - 1) e^(-x/2) / Gamma(k/2), Q(x, 1) = erfc(sqrt(x/2)),
    Q(x, 2) = e^(-x/2).
    """
    observed = np.ravel(np.asarray(observed, np.float64))
    expected = np.broadcast_to(np.ravel(np.asarray(expected, np.float64)), observed.shape)
    assert math.isclose(observed.sum(), expected.sum())
    assert expected.min() >= 5, "too few draws for so many cells"
    half, free = float(((observed - expected) ** 2 / expected).sum()) / 2, observed.size - 1
    tail = math.erfc(math.sqrt(half)) if free % 2 else math.exp(-half)
    for k in range(3 if free % 2 else 4, free + 1, 2):
        if half:
            tail += math.exp((k / 2 - 1) * math.log(half) - half - math.lgamma(k / 2))
    return min(tail, 1.0)


def kolmogorov(draws: Any, law: Callable[[np.ndarray], np.ndarray]) -> float:
    """Of draws against a distribution function (Kolmogorov 1933, Stephens' factor for finite n)."""
    x = np.sort(np.ravel(np.asarray(draws, np.float64)))
    n, F = x.size, law(x)
    distance = max((np.arange(1, n + 1) / n - F).max(), (F - np.arange(n) / n).max())
    size = distance * (math.sqrt(n) + 0.12 + 0.11 / math.sqrt(n))
    if size < 0.2:
        return 1.0  # to fifteen digits; the sum below converges too slowly
    terms = ((-1) ** (k - 1) * math.exp(-2 * (k * size) ** 2) for k in range(1, 101))
    return min(2 * math.fsum(terms), 1.0)


def uniform(low: float, high: float) -> Callable[[np.ndarray], np.ndarray]:
    """The distribution function of the uniform law on [low, high]."""
    return lambda x: np.clip((x - low) / (high - low), 0, 1)


def normal(mean: float = 0.0, std: float = 1.0) -> Callable[[np.ndarray], np.ndarray]:
    """The distribution function of the normal law."""
    erf = np.vectorize(math.erf, otypes=[np.float64])
    return lambda x: 0.5 + 0.5 * erf((x - mean) / (std * math.sqrt(2)))


def truncated(
    law: Callable[[np.ndarray], np.ndarray], low: float, high: float
) -> Callable[[np.ndarray], np.ndarray]:
    """The distribution function of a law cut to [low, high]."""
    bottom, top = law(np.array([low, high]))
    return lambda x: np.clip((law(x) - bottom) / (top - bottom), 0, 1)
