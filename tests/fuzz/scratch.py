"""Files in memory: a reader that wants a path gets one without a disk behind it."""

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

_MEMORY = "/dev/shm"


@cache
def folder() -> Path:
    """A folder for this process, in memory where the system has such a place."""
    place = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    made = tempfile.mkdtemp(prefix="fastnn-fuzz-", dir=place)
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return Path(made)


@cache
def _descriptor(name: str) -> tuple[str, int]:
    path = str(folder() / name)
    return path, os.open(path, os.O_RDWR | os.O_CREAT)


def put(content: bytes, name: str = "content") -> str:
    """The path of a file of that content; the same one for each call, as making one takes longer
    than most readers do.
    """
    path, descriptor = _descriptor(name)
    os.pwrite(descriptor, content, 0)
    os.ftruncate(descriptor, len(content))
    return path
