"""The order in which rows are visited: counter-based, so any epoch can be replayed by itself."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from fastnn import options
from fastnn import random as _random

__all__ = ["GeneratorLike", "OrderSource", "SeedSource", "draw_seed", "epoch_order", "uniforms"]

# Last word of the Philox counter: keeps orders apart from other streams started from the same seed.
_ORDER_STREAM = 0x6F72646572
_UNIFORM_STREAM = 0x756E69666F726D


@runtime_checkable
class SeedSource(Protocol):
    """Whatever hands out 64-bit seeds, as `fastnn.Generator` does."""

    def next_seed(self) -> int: ...


@runtime_checkable
class OrderSource(Protocol):
    """Whatever hands out the orders of a `DataLoader`'s passes itself."""

    def next_order(self, n: int) -> NDArray[np.int64]: ...


# A string: to name np.random would import it, 6 ms that `import fastnn` need not spend.
GeneratorLike: TypeAlias = (
    "int | np.integer[Any] | np.random.Generator | SeedSource | OrderSource | None"
)
_KINDS = "None, an int, a numpy.random.Generator or a fastnn.Generator"


def draw_seed(generator: GeneratorLike = None) -> int:
    """Take a 64-bit seed from whatever a caller may pass as `generator=`.

    Args:
        generator: None draws from the state that `fastnn.manual_seed` sets; a `fastnn.Generator`
            or `numpy.random.Generator` is drawn from and moves on; an int is itself the seed.

    Raises:
        TypeError: if `generator` is none of these.
        ValueError: if an int lies outside 0 .. 2**64 - 1.

    >>> draw_seed(7)
    7
    """
    if generator is None:
        return _random.next_seed()
    if isinstance(generator, np.random.Generator):
        return int(generator.integers(0, 2**64, dtype=np.uint64))
    if isinstance(generator, SeedSource):
        return generator.next_seed()
    if isinstance(generator, bool) or not hasattr(generator, "__index__"):
        raise TypeError(f"generator: expected {_KINDS}, got {generator!r}")
    return options.seed("generator", generator)


def epoch_order(n: int, seed: int, epoch: int = 0) -> NDArray[np.int64]:
    """Shuffle the numbers of `n` rows for one epoch: a pure function of its arguments.

    Each row gets a 64-bit key, random bits above and its own number below, and the keys are
    sorted. This rests only on the raw Philox stream, which NumPy promises never to change
    (it makes no such promise for `Generator.permutation`), and ties cannot occur.

    Args:
        n: Number of rows.
        seed: From 0 to 2**64 - 1.
        epoch: From 0 to 2**64 - 1; every epoch has an order of its own.

    Returns:
        A permutation of 0 .. n - 1, shape (n,), int64.

    >>> epoch_order(6, seed=0, epoch=3).tolist() == epoch_order(6, seed=0, epoch=3).tolist()
    True
    >>> sorted(epoch_order(6, seed=0).tolist())
    [0, 1, 2, 3, 4, 5]
    """
    keys = _raw(n, seed, epoch, _ORDER_STREAM)
    low = np.uint64((1 << max(n - 1, 0).bit_length()) - 1)
    keys &= ~low
    keys |= np.arange(n, dtype=np.uint64)
    keys.sort()
    keys &= low
    return keys.astype(np.int64)


def uniforms(n: int, seed: int) -> NDArray[np.float64]:
    """Draw `n` numbers from 0 (included) to 1 (excluded), multiples of 2**-53.

    As with `epoch_order`, they rest only on the raw stream, which never changes.

    >>> bool((uniforms(3, seed=0) < 1).all())
    True
    """
    return (_raw(n, seed, 0, _UNIFORM_STREAM) >> np.uint64(11)) * np.float64(2**-53)


def _raw(n: int, seed: int, epoch: int, stream: int) -> NDArray[np.uint64]:
    key = np.array([seed, epoch], dtype=np.uint64)
    counter = np.array([0, 0, 0, stream], dtype=np.uint64)
    return np.random.Philox(key=key, counter=counter).random_raw(n)
