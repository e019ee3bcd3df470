"""How many threads the kernels use."""

from __future__ import annotations

import os

from fastnn import _core
from fastnn.options import whole

__all__ = ["get_num_threads", "set_num_threads"]


def get_num_threads() -> int:
    """How many threads a large kernel would use now.

    The smallest of `set_num_threads`, OpenMP's own limit (OMP_NUM_THREADS, threadpoolctl), the
    cores this process may run on, and the CPU quota of its container.

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
    _core.set_num_threads(min(whole("set_num_threads", "n", n, 1), 2**31 - 1))


def _from_environment() -> None:
    text = os.environ.get("FASTNN_NUM_THREADS", "").strip()
    if not text:
        return
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"FASTNN_NUM_THREADS: expected an integer of at least 1, got {text!r}")
    set_num_threads(int(text))


_from_environment()
