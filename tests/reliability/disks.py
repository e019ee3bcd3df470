"""A disk that is full or read-only is an OSError with the path; training goes on when it is not."""

import errno
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from resume_support import make_run, outcome
from support import state_bits

from fastnn.callbacks import Callback

TIMES, SHORT = 20, 1
_SIZE = 256 * 1024
Undo = Callable[[], object]


def available() -> bool:
    """Whether this process may mount file systems."""
    with tempfile.TemporaryDirectory() as folder:
        if _mount(folder, "size=64k"):
            return False
        return subprocess.run(["umount", folder], check=False).returncode == 0


def prove(times: int) -> dict[str, object]:
    """Fill a file system during a training, and make one read-only, so many times each."""
    for number in range(times):
        for fault in (_fill, _read_only):
            with tempfile.TemporaryDirectory() as folder:
                assert _mount(folder, f"size={_SIZE}") == 0
                try:
                    _one(Path(folder), fault, 1 + number % 3)
                finally:
                    subprocess.run(["umount", "-l", folder], check=True)
    return {"faults": 2 * times, "runs that went on to the same bits": 2 * times}


class _At(Callback):
    def __init__(self, epoch: int, do: Callable[[object], None]) -> None:
        self.left, self.do = epoch, do

    def on_epoch_end(self, *_: object) -> None:
        self.left -= 1
        if not self.left:
            self.do(self.trainer)


def _one(folder: Path, fault: Callable[[Path], Undo], epoch: int) -> None:
    trainer, given = make_run(layers="dropout")
    seen, undo = [], []

    def break_it(_: object) -> None:
        undo.append(fault(folder))
        seen.append(state_bits(trainer.model))

    trainer.callbacks = [_At(epoch, break_it)]
    with pytest.raises(OSError, match=str(folder)) as refused:
        trainer.fit(**given, checkpoint_dir=folder)
    assert refused.value.errno in (errno.ENOSPC, errno.EROFS)
    assert state_bits(trainer.model) == seen[0]
    assert not [name for name in os.listdir(folder) if name.endswith(".tmp")]
    undo[0]()
    trainer.callbacks = []
    trainer.fit(**given, checkpoint_dir=folder, resume=True)
    expected, given = make_run(layers="dropout")
    expected.fit(**given)
    assert outcome(trainer) == outcome(expected)


def _fill(folder: Path) -> Undo:
    ballast = folder / "ballast"
    room = os.statvfs(folder)
    ballast.write_bytes(bytes(room.f_bavail * room.f_frsize))
    return ballast.unlink


def _read_only(folder: Path) -> Undo:
    _mount(folder, "remount,ro")
    return lambda: _mount(folder, "remount,rw")


def _mount(folder: object, options: str) -> int:
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode
