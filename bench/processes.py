"""Other Python programs: what they print, and the memory they need."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Outcome", "run_python"]

RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes


@dataclass(frozen=True)
class Outcome:
    """What a program printed, and its peak resident memory in bytes.

    Linux hands the peak of the process that starts a program down to it, so that process must be
    small: a worker that has loaded none of the libraries.
    """

    output: str
    peak_bytes: int

    def own_peak_bytes(self) -> int:
        """Return the peak that is the program's own.

        Raises:
            RuntimeError: if this process is the larger one.
        """
        if self.peak_bytes <= resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT:
            raise RuntimeError("this process is larger than the program it was to measure")
        return self.peak_bytes


def run_python(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> Outcome:
    """Run Python with these arguments, to its end.

    Raises:
        RuntimeError: if the program fails; it holds what the program wrote.
    """
    # A program finds the modules beside it. All else has to take the installed fastnn, not sources
    # in the current folder (-P).
    options = [] if arguments[0].endswith(".py") else ["-P"]
    process = subprocess.Popen(
        [sys.executable, *options, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    with process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(arguments)} ended with {process.returncode}:\n{output}")
    return Outcome(output, usage.ru_maxrss * RSS_UNIT)
