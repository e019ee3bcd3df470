"""Loads the C++ core with OpenMP told how long an idle thread may spin.

libgomp's threads spin for milliseconds before they sleep. Where another process shares the cores, a
thread that spins keeps the one it waits for from running: a training step of 3 ms then took 65,
and takes 7 with this. 20000 turns, some 0.3 ms, bridge the gaps between kernels and no more. The
variable is set only while libgomp loads and reads it; a choice of the user's own stands.
"""

import os
from importlib.util import find_spec
from pathlib import Path

_SPIN = "GOMP_SPINCOUNT"

if find_spec("fastnn._core") is None:
    raise ImportError(
        "fastnn: expected its compiled core beside its sources, got none in "
        f"{Path(__file__).parent}; Python took the sources' folder for the installed package: "
        "start it in another folder, or with `python -P`, after `pip install .`"
    )
if _SPIN in os.environ or "OMP_WAIT_POLICY" in os.environ:
    from fastnn import _core as _core
else:
    os.environ[_SPIN] = "20000"
    try:
        from fastnn import _core as _core
    finally:
        del os.environ[_SPIN]
