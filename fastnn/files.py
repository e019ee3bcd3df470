"""Files as they are given: what is no file is refused before it is opened."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from fastnn.errors import FileFormatError

__all__ = ["regular_size"]


def regular_size(path: str | os.PathLike[str], kind: str) -> int:
    """The size in bytes of a regular file.

    To open a pipe would wait for a writer, perhaps forever, and a device may never end.

    Args:
        path: Where it is.
        kind: What it should be, such as "an IDX file".

    Raises:
        OSError: if there is nothing, or nothing that may be looked at.
        FileFormatError: if it is a folder, a pipe or a device.

    >>> regular_size("/dev/null", "an IDX file")
    Traceback (most recent call last):
    fastnn.errors.FileFormatError: /dev/null: expected an IDX file, got a pipe or device
    """
    status = Path(path).stat()
    if not stat.S_ISREG(status.st_mode):
        found = "a directory" if stat.S_ISDIR(status.st_mode) else "a pipe or device"
        raise FileFormatError(f"{path}: expected {kind}, got {found}")
    return status.st_size
