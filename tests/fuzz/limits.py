"""What one reading may cost: a second of the processor, and 512 MiB of memory."""

import faulthandler
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SECONDS = 1.0
BYTES = 512 << 20
ADDRESSES = 6 << 30  # Pillow reserves as much as a chunk's 32-bit length says, and does not use it
STUCK = 600  # seconds for a thousand readings that wait instead of compute; then the process ends


class TooLongError(BaseException):
    """No `Exception`: readers catch those."""


def _too_long(signum: int, frame: FrameType | None) -> None:
    raise TooLongError(f"more than {SECONDS} s of the processor")


@contextmanager
def limited_memory() -> Iterator[None]:
    """Keep the process from taking all memory there is: beyond `ADDRESSES` is a MemoryError."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + ADDRESSES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def arm() -> None:
    """Have `start` count the processor's time."""
    signal.signal(signal.SIGPROF, _too_long)


def start() -> None:
    signal.setitimer(signal.ITIMER_PROF, SECONDS)


def stop() -> None:
    signal.setitimer(signal.ITIMER_PROF, 0)


def watch() -> None:
    """End the process, and say where it is, unless this is called again soon."""
    faulthandler.dump_traceback_later(STUCK, exit=True, file=sys.__stderr__)  # pytest's has no file


def peak() -> int:
    """The most memory that the process has held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def unwatch() -> None:
    faulthandler.cancel_dump_traceback_later()
