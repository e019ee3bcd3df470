"""Files: state dicts as safetensors, written so that no moment of failure loses the old file."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fastnn.errors import FileFormatError
from fastnn.tensor import Tensor, as_array

__all__ = ["load", "save"]


def save(state_dict: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Write tensors by name to a safetensors file.

    The file appears whole or not at all: it is written beside its place, synced, and renamed.

    Args:
        state_dict: Tensors or arrays by name, such as `model.state_dict()`.
        path: The file; one that exists is replaced.

    Raises:
        TypeError: if `state_dict` is not a mapping of names to arrays.
        OSError: if the file cannot be written.

    >>> import fastnn, tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "w.safetensors")
    >>> fastnn.save({"w": fastnn.ones(2)}, path)
    >>> fastnn.load(path)
    {'w': tensor([1., 1.])}
    """
    from safetensors.numpy import save as to_bytes

    if not isinstance(state_dict, Mapping):
        raise TypeError(
            f"save: expected a mapping of names to tensors such as model.state_dict(), "
            f"got {type(state_dict).__name__}"
        )
    arrays = {str(name): np.asarray(as_array(t), order="C") for name, t in state_dict.items()}
    write_atomically(Path(path), to_bytes(arrays))


def load(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Read the tensors of a safetensors file. Nothing in a file can run code.

    Args:
        path: A file that `save`, or anything else that writes safetensors, has written.

    Raises:
        FileFormatError: if it is not a whole safetensors file.
        OSError: if it cannot be read.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load as from_bytes

    raw = Path(path).read_bytes()
    try:
        return {name: Tensor(array) for name, array in from_bytes(raw).items()}
    except (SafetensorError, KeyError) as error:
        raise FileFormatError(f"{path}: expected a safetensors file: {error}") from None


def write_atomically(path: Path, content: bytes) -> None:
    """Replace `path` by `content`: the old file stays until the new one is safely on disk."""
    import tempfile

    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the rename itself
    finally:
        os.close(folder)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
