"""The bundled MNIST for programs that must not load fastnn: as bytes, as it is on disk."""

from __future__ import annotations

import gzip
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def load(train: bool) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return images (n, 784) and labels (n,)."""
    kind = "train" if train else "t10k"
    images = _read(f"{kind}-images-idx3-ubyte.gz", header=16).reshape(-1, 784)
    return images, _read(f"{kind}-labels-idx1-ubyte.gz", header=8).astype(np.int64)


def _read(name: str, header: int) -> NDArray[Any]:
    spec = importlib.util.find_spec("fastnn")  # finds it, and does not import it
    assert spec is not None
    assert spec.origin is not None
    with gzip.open(Path(spec.origin).parent / "datasets" / "mnist" / name) as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)
