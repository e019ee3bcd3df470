"""Where a run took place: versions, instructions, threads, processor."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import numpy as np

from fastnn import _core
from fastnn.threads import get_num_threads

__all__ = ["cpu_model", "environment"]


def environment() -> dict[str, str]:
    """What a result may depend on, by name; nothing that tells whose machine it is.

    >>> list(environment())
    ['fastnn', 'instructions', 'threads', 'numpy', 'python', 'cpu', 'system']
    """
    from fastnn import __version__

    return {
        "fastnn": __version__,
        "instructions": _core.isa(),
        "threads": str(get_num_threads()),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "cpu": cpu_model(),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
    }


def cpu_model() -> str:
    """The processor's name, or its family where the system does not tell."""
    if sys.platform == "linux":
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        for line in lines:
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    return platform.processor() or platform.machine()
