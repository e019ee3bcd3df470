"""How many threads the kernels use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from fastnn import _core
from fastnn.options import whole

__all__ = ["get_num_threads", "limited_threads", "set_num_threads"]

_limit = 0  # what `set_num_threads` was given last; 0 is no limit


def get_num_threads() -> int:
    """How many threads a large kernel would use now.

    The smallest of `set_num_threads`, OpenMP's own limit (OMP_NUM_THREADS, threadpoolctl), the
    cores this process may run on, and the CPU quota of its container; and no more than 64, or four
    for each core.

    >>> import fastnn
    >>> fastnn.get_num_threads() >= 1
    True
    """
    return _core.get_num_threads()


def set_num_threads(n: int) -> None:
    """Use at most `n` threads from now on; the results do not depend on it, bit for bit.

    Raises:
        TypeError: if `n` is not an integer.
        ValueError: if it is less than 1.

    >>> import fastnn
    >>> fastnn.set_num_threads(fastnn.get_num_threads())
    """
    _set(min(whole("set_num_threads", "n", n, 1), 2**31 - 1))


@contextmanager
def limited_threads(n: int | None) -> Iterator[None]:
    """Use at most `n` threads in a block, None as many as otherwise; then the limit of before.

    >>> with limited_threads(1):
    ...     get_num_threads()
    1
    """
    before = _limit
    if n is not None:
        set_num_threads(n)
    try:
        yield
    finally:
        if n is not None:
            _set(before)


def _set(n: int) -> None:
    global _limit
    _limit = n
    _core.set_num_threads(n)


def _from_environment() -> None:
    text = os.environ.get("FASTNN_NUM_THREADS", "").strip()
    if not text:
        return
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"FASTNN_NUM_THREADS: expected an integer of at least 1, got {text!r}")
    set_num_threads(int(text))


_from_environment()
