"""Memory, descriptors and threads stay as they are, however long a process works."""

import contextlib
import gc
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from support import mlp

import fastnn
from fastnn import Trainer, nn, optim

TIMES, SHORT = 20, 0  # minutes
_MIB = 2**20


def prove(times: int) -> dict[str, object]:
    """Fit, predict, save, load and fail for so many minutes; the slope of resident memory."""
    data = np.random.default_rng(0).standard_normal((500, 20)).astype(np.float32)
    labels = np.arange(500) % 4
    samples: list[tuple[float, int]] = []
    rounds, start = 0, time.monotonic()
    _round(data, labels)
    counted = _counts()
    while time.monotonic() - start < 60 * times or rounds < 3:
        _round(data, labels)
        rounds += 1
        if rounds % 50 == 0:
            gc.collect()  # what waits for Python's collector is no growth
            samples.append((time.monotonic() - start, _resident()))
        assert _counts() == counted
    figures: dict[str, object] = {"rounds": rounds, "descriptors and threads": "constant"}
    if not times:
        return figures
    warm = [(t, r) for t, r in samples if t > 12 * times]  # the first fifth warms up
    slope = np.polyfit(*np.array(warm, float).T, 1)[0] * 3600 / _MIB
    assert slope < 1, f"resident memory grows by {slope:.2f} MiB/h"
    return {**figures, "minutes": times, "growth, MiB/h": round(float(slope), 3)}


def _round(data: np.ndarray, labels: np.ndarray) -> None:
    model = mlp(20, 30, 4)
    trainer = Trainer(model, nn.CrossEntropyLoss(), optim.Adam(model.parameters()))
    trainer.fit((data, labels), epochs=1, batch_size=50, verbose=0)
    trainer.predict(data)
    with tempfile.TemporaryDirectory() as folder:
        fastnn.save_model(model, Path(folder, "model"))
        fastnn.load_model(Path(folder, "model"))
        Path(folder, "bad").write_bytes(b"no model")
        with contextlib.suppress(ValueError):
            fastnn.load_model(Path(folder, "bad"))
    with contextlib.suppress(ValueError):
        model(data[:, :3])
    with contextlib.suppress(IndexError):
        trainer.fit((data, labels + 4), epochs=1, verbose=0)


def _counts() -> tuple[int, int]:
    return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
