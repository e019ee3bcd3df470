"""The library's random state: one seed, from which weights, shuffles and masks all follow."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from fastnn import options

__all__ = ["Generator", "default_generator", "fork_rng", "initial_seed", "manual_seed",
           "next_seed"]  # fmt: skip


class Generator:
    """The random numbers that one seed determines.

    Weights, shuffles and samples come from a stream, NumPy's Philox4x64-10. The masks of dropout
    come from Philox4x32-10 by counting: mask number `draw` is a function of `(seed, draw)`.

    Args:
        seed: An integer from 0 to 2**64 - 1; by default one is drawn from the system.

    Attributes:
        draws: How many masks were drawn since the seed was set. Masks go on where they were if it
            is set to what it was.

    Raises:
        TypeError: if the seed is not an integer.
        ValueError: if it lies outside 0 .. 2**64 - 1.

    >>> a, b = Generator(7), Generator(7)
    >>> a.next_seed() == b.next_seed()
    True
    """

    def __init__(self, seed: int | None = None) -> None:
        self.manual_seed(int.from_bytes(os.urandom(8)) if seed is None else seed)

    def manual_seed(self, seed: int) -> Generator:
        """Start the stream again from `seed`."""
        self._seed = options.seed("manual_seed", seed)
        self.draws = 0
        self.__dict__.pop("numpy", None)
        return self

    @functools.cached_property  # numpy.random takes 6 ms to import: not at `import fastnn`
    def numpy(self) -> np.random.Generator:
        """The stream as NumPy's generator."""
        return np.random.Generator(np.random.Philox(key=self._seed))

    def initial_seed(self) -> int:
        """The seed the stream was started from."""
        return self._seed

    def next_draw(self) -> tuple[int, int]:
        """Take one mask: the seed and the number that `_core.dropout` makes it from.

        >>> generator = Generator(7)
        >>> generator.next_draw(), generator.next_draw()
        ((7, 0), (7, 1))
        """
        draw = self.draws
        self.draws = draw + 1
        return self._seed, draw

    def next_seed(self) -> int:
        """Draw a 64-bit seed for a stream of its own, such as one data loader's shuffles."""
        return int(self.numpy.integers(0, 2**64, dtype=np.uint64))

    def get_state(self) -> dict[str, Any]:
        """Where the stream stands, for `set_state`; made of what `fastnn.save` can write."""
        stream = self.__dict__.get("numpy")
        return {**self.__dict__, "numpy": stream and stream.bit_generator.state}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from where the stream stood at `get_state`."""
        if not isinstance(state, dict) or not {"_seed", "numpy"} <= state.keys():
            raise TypeError(f"set_state: expected what get_state() returned, got {state!r:.60}")
        self.__dict__.update((name, value) for name, value in state.items() if name != "numpy")
        if state["numpy"] is None:
            self.__dict__.pop("numpy", None)
        else:
            self.numpy.bit_generator.state = state["numpy"]


default_generator = Generator()


def manual_seed(seed: int) -> Generator:
    """Seed everything random in fastnn; the same seed gives the same run, bit for bit.

    Args:
        seed: An integer from 0 to 2**64 - 1.

    Returns:
        The generator that was seeded, as `torch.manual_seed` does.

    Raises:
        TypeError: if the seed is not an integer.
        ValueError: if it lies outside 0 .. 2**64 - 1.

    >>> import fastnn
    >>> _ = fastnn.manual_seed(0)
    >>> first = fastnn.rand(2)
    >>> _ = fastnn.manual_seed(0)
    >>> bool((first == fastnn.rand(2)).all())
    True
    """
    return default_generator.manual_seed(seed)


@contextmanager
def fork_rng() -> Iterator[Generator]:
    """The default generator for a block; afterwards it goes on as if nothing had been drawn.

    >>> import fastnn
    >>> _ = fastnn.manual_seed(0)
    >>> with fork_rng() as generator:
    ...     _ = generator.manual_seed(1)
    ...     _ = fastnn.rand(2)
    >>> fastnn.initial_seed()
    0
    """
    state = default_generator.get_state()
    try:
        yield default_generator
    finally:
        default_generator.set_state(state)


def initial_seed() -> int:
    """The seed of the default generator."""
    return default_generator.initial_seed()


def next_seed() -> int:
    """Draw a 64-bit seed from the default generator."""
    return default_generator.next_seed()
