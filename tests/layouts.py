"""Arrays of the same values that lie otherwise in memory, or may not be written."""

import numpy as np


def frozen(array: np.ndarray) -> np.ndarray:
    """A copy that cannot be written."""
    array = array.copy()
    array.flags.writeable = False
    return array


def misaligned(array: np.ndarray, offset: int = 1) -> np.ndarray:
    """A copy that begins so many bytes after where memory does."""
    memory = np.zeros(array.nbytes + offset, np.uint8)
    view = memory[offset:].view(array.dtype).reshape(array.shape)
    view[...] = array
    assert not view.size or view.flags.aligned == (offset % array.itemsize == 0)
    return view
