"""The machine: what it is, and how every library is held to the same number of threads."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

LIBRARIES = ("numpy", "torch", "jax", "scikit-learn", "onnxruntime")
THREAD_VARIABLES = (
    "FASTNN_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NPROC",  # the size of XLA's thread pool
)


def available_cores() -> int:
    """Count the cores this process may run on: in a container often fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def limit_environment(threads: int) -> None:
    """Set what libraries read once, when they load; call before a worker starts."""
    for variable in THREAD_VARIABLES:
        os.environ[variable] = str(threads)
    if threads == 1:
        flags = os.environ.get("XLA_FLAGS", "")
        os.environ["XLA_FLAGS"] = f"{flags} --xla_cpu_multi_thread_eigen=false".strip()


def limit_process(threads: int) -> None:
    """Pin this process to its first `threads` cores: no library can use more, told or not."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def limit_libraries(threads: int) -> None:
    """Tell the libraries that have a call for it, those of them that are loaded."""
    for name in ("torch", "fastnn"):
        if name in sys.modules:
            sys.modules[name].set_num_threads(threads)


def allowed_threads() -> int:
    """What a contestant's process may use, for libraries that are told in a call of their own."""
    return min(int(os.environ["OMP_NUM_THREADS"]), available_cores())


class PeakMeter:
    """Measures the FMA peak of the cores with fastnn's own spin loop; lives in a worker."""

    def __init__(self, threads: int) -> None:
        import fastnn

        limit_libraries(threads)
        self._fastnn: Any = fastnn
        self._threads = threads

    def facts(self) -> dict[str, str]:
        return {"fastnn": self._fastnn.__version__, "isa": self._fastnn.isa()}

    def measure(self) -> float:
        """Measure GFLOP/s in float32, with the instructions that fastnn has chosen."""
        return float(self._fastnn._core.fma_peak(self._threads))


def describe(threads: int) -> dict[str, str]:
    """Tell what needs no import of the libraries; an absent library has no entry."""
    facts = {
        "cpu": _cpu_model(),
        "cores": _counted(available_cores(), "core"),
        "threads": _counted(threads, "thread"),
        "os": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
    }
    for name in LIBRARIES:
        try:
            facts[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return facts


def _cpu_model() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    return platform.processor() or platform.machine()


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
