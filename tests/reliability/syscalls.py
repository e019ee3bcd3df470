"""A save that is killed or fails at any system call leaves the file that was there."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from support import environment

import fastnn

TIMES, SHORT = 10**6, 1  # of each call and fault; there are fewer
_NO_FILES = {"getppid", "getrandom", "exit_group"}
_FAULTS = ("signal=KILL", "error=ENOSPC", "error=EIO", "error=EINTR")
_CODE = """
import os, sys, tempfile, numpy as np, fastnn
with tempfile.TemporaryDirectory() as folder:
    fastnn.save({"x": [2.0]}, os.path.join(folder, "file"))  # what is imported late, is imported
os.getppid()  # from here on
try:
    fastnn.save({"x": np.full(5000, 2.0)}, os.path.join(sys.argv[1], "file"))
except OSError as error:
    os._exit(3 if "file" in str(error) else 4)
os._exit(0)
"""


def available() -> bool:
    """Whether strace is at hand, and may trace; what is preloaded, it would load as well."""
    known = shutil.which("strace") is not None and "LD_PRELOAD" not in os.environ
    return known and not _strace([], ["true"])[0]


def _strace(options: list[str], command: list[str]) -> tuple[int, str]:
    done = subprocess.run(["strace", "-f", "-o", "/dev/stdout", *options, *command],
                          env=environment(OMP_NUM_THREADS="1"), cwd="/", capture_output=True,
                          text=True, check=False)  # fmt: skip
    return done.returncode, done.stdout


def prove(times: int) -> dict[str, object]:
    """Fail each system call of a save, one after another, in each way."""
    faults = refused = 0
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", _CODE, folder]
        path = Path(folder, "file")
        for call, first, count in _calls_of_save(command, path):
            if times < TIMES and call not in ("fsync", "rename"):
                continue
            for number in range(first, first + min(count, times)):
                for fault in _FAULTS:
                    inject = f"inject={call}:{fault}:when={number}"
                    status, log = _strace(["-e", inject], command)
                    faults += 1
                    refused += status == 3
                    _landed(log, inject)
                    _check(path, status, inject)
    return {"faults": faults, "refused with the file's name": refused, "files lost": 0}


def _old(path: Path) -> None:
    fastnn.save({"x": [1.0]}, path)


def _calls_of_save(command: list[str], path: Path) -> list[tuple[str, int, int]]:
    """Each call of a save, the number of its first one in the process, and how many it makes."""
    _old(path)
    status, log = _strace([], command)
    assert status == 0, log[-500:]
    before, after = log.split("getppid()", 1)
    _old(path)

    def count(call: str, text: str) -> int:
        return len(re.findall(rf"^\d+ +{call}\(", text, re.MULTILINE))

    calls = sorted(set(re.findall(r"^\d+ +(\w+)\(", after, re.MULTILINE)) - _NO_FILES)
    assert {"openat", "write", "fsync", "rename", "close"} <= set(calls), calls
    return [(call, count(call, before) + 1, count(call, after)) for call in calls]


def _landed(log: str, inject: str) -> None:
    """The fault came within the save, or nothing was proved."""
    assert re.search(r"\(INJECTED\)|killed by SIGKILL", log.split("getppid()", 1)[-1]), inject


def _check(path: Path, status: int, what: str) -> None:
    """The old or the new content, nothing beside it but what a kill left, and the right end."""
    value = fastnn.load(path)["x"]
    new = not isinstance(value, list)
    assert status in (0, 3, 137, -9), f"{what}: exit code {status}"
    assert status != 0 or new, f"{what}: reported as saved, and is not"
    beside = set(os.listdir(path.parent)) - {path.name}
    assert status in (137, -9) or not beside, f"{what}: left {beside}"
    for name in beside:
        path.with_name(name).unlink()
    _old(path)
