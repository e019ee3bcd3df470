"""What the tests of kernels share: values at awkward sizes and places, and bounds on errors."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from support import awkward_sizes, empty, place

from fastnn import _core

OFFSETS = (0, 1, 3)
SPECIAL = (np.nan, np.inf, -np.inf, 0.0, -0.0, 3e-38, -3e-38, 3e38)  # denormals may count as 0


def draws(n: int, dtype: Any, seed: int = 0, special: bool = False) -> np.ndarray:
    """Normal draws in `dtype`, some of them special values."""
    x = np.random.default_rng(seed).standard_normal(n)
    if special:
        x[3::7] = np.resize(SPECIAL, len(x[3::7]))
    with np.errstate(over="ignore"):
        return x.astype(dtype)


def arrays(dtype: Any, special: bool = False) -> Iterator[tuple[np.ndarray, int]]:
    """(values, offset) over all awkward sizes and places."""
    for n in awkward_sizes(dtype):
        for offset in OFFSETS:
            yield place(draws(n, dtype, n, special), offset), offset


def assert_near(got: np.ndarray, expected: np.ndarray, magnitude: Any, times: float) -> None:
    """|got - expected| <= times eps magnitude, element by element."""
    bound = times * np.finfo(got.dtype).eps * np.broadcast_to(magnitude, got.shape)
    error = abs(got.astype(np.float64) - expected)
    worst = np.flatnonzero(~(error <= bound))
    assert not worst.size, (
        f"{worst.size} of {got.size} are wrong, the first at {worst[0]}: expected "
        f"{np.ravel(expected)[worst[0]]!r} within {np.ravel(bound)[worst[0]]:.3g}, "
        f"got {np.ravel(got)[worst[0]]!r}"
    )


def run_cross_entropy(
    logits: np.ndarray, labels: np.ndarray, offset: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    losses = empty(len(logits), logits.dtype, offset)
    probabilities = empty(logits.shape, logits.dtype, offset)
    _core.softmax_cross_entropy_forward(losses, probabilities, logits, labels)
    return losses, probabilities
