"""What a call costs and what it leaves behind, of all that a caller may rely on."""

import os
import signal
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from support import SANITIZED

import fastnn

SECONDS = 10.0 if SANITIZED else 1.0  # of processor time: other work on the machine does not count
MEBIBYTES = 256
_SELF = Path("/proc/self")


@dataclass
class Cost:
    """Of a call."""

    seconds: float = 0.0
    mebibytes: float = 0.0  # resident memory at its most, beyond what there was before


@contextmanager
def cost() -> Iterator[Cost]:
    """Measure what happens inside."""
    (_SELF / "clear_refs").write_text("5")  # the highest resident size starts anew
    before, start, spent = _resident("VmRSS"), time.process_time(), Cost()
    yield spent
    spent.seconds = time.process_time() - start
    spent.mebibytes = (_resident("VmHWM") - before) / 1024


def _resident(field: str) -> int:
    lines = (_SELF / "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field + ":"))


def leftovers() -> dict[str, Any]:
    """What a call must leave as it was, beside its model: resources, and the process's settings."""
    return {
        "threads": len(os.listdir(_SELF / "task")),
        "Python threads": threading.active_count(),
        "descriptors": len(os.listdir(_SELF / "fd")),
        "temporary files": sorted(os.listdir(tempfile.gettempdir())),
        "folder": os.getcwd(),
        "environment": dict(os.environ),
        "handlers": [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGFPE)],
        "warnings": list(warnings.filters),
        "random numbers": repr(np.random.get_state()),
        "floating-point errors": np.geterr(),
        "gradients": fastnn.is_grad_enabled(),
        "settings": (fastnn.isa(), fastnn.get_num_threads()),
    }
