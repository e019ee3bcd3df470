"""What all tests share: ISAs and teams to run on, and a clean state after each test."""

# ruff: noqa: E402 (the environment and the path come first)

import importlib.util
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# A team may be larger than the machine; the limit is read when fastnn is loaded.
os.environ["OMP_NUM_THREADS"] = "16"
for name in ("FASTNN_ISA", "FASTNN_NUM_THREADS"):
    os.environ.pop(name, None)

sys.path.insert(0, str(Path(__file__).parent))  # cases.py and support.py

import pytest
import support

import fastnn
from fastnn import _core

collect_ignore = []
if importlib.util.find_spec("torch") is None:
    collect_ignore += ["torch_parity", "torch_support.py"]
if importlib.util.find_spec("sklearn") is None or importlib.util.find_spec("sklearn.base") is None:
    collect_ignore.append("sklearn")  # that folder itself is found as a module of the name
if support.kernel_compiler() is None:  # an installed package without its sources
    collect_ignore.append("test_symbols.py")

_ALL_THREADS = _core.get_num_threads()

# A shell starts background jobs with interrupts ignored; their tests need Python's own answer.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def clean_state() -> Iterator[None]:
    """Seed before each test; ISA, threads and serial limit afterwards as they were.

    And the FPU's mode: no test, whatever it runs or breaks, may leave it changed.
    """
    before, mode = fastnn.isa(), support.fpu_mode()
    fastnn.manual_seed(0)
    serial = _core.set_serial_work(0)
    _core.set_serial_work(serial)
    yield
    fastnn.set_isa(before)
    fastnn.set_num_threads(_ALL_THREADS)
    _core.set_serial_work(serial)
    assert fastnn.is_grad_enabled()
    assert support.fpu_mode() == mode, "the FPU's mode was changed"


@pytest.fixture(params=fastnn.available_isas())
def isa(request: pytest.FixtureRequest) -> str:
    """Run the test once under each instruction set of this CPU."""
    fastnn.set_isa(request.param)
    return str(request.param)


@pytest.fixture(params=support.DTYPES, ids=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> Any:
    """Run the test once in each type."""
    return request.param


@pytest.fixture(params=support.TEAMS, ids=lambda n: f"{n}-threads")
def team(request: pytest.FixtureRequest) -> int:
    """Run the test once with each number of threads, however small its work."""
    support.force_threads(request.param)
    return int(request.param)


@pytest.fixture
def threads() -> Callable[[int], None]:
    """Return a function that makes every kernel, however small, run on that many threads."""
    return support.force_threads
