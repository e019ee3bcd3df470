"""Objects in processes of their own, called over a pipe, that reply only when they are quiet.

The thread pools of OpenBLAS, OpenMP and XLA go on spinning after their work is done (OpenBLAS for
130 ms on a 2.1 GHz Xeon), and two pools in one process take cores from each other. So a worker
holds one contestant, and before it replies it waits until all its threads have gone to sleep.
"""

from __future__ import annotations

import multiprocessing
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

import machine


class WrongAnswerError(AssertionError):
    """A contestant computes something else than the reference."""


class UnavailableError(Exception):
    """Raised by a contestant that cannot run here; it is left out with one line."""


class Worker:
    """An object in a process of its own; its methods are called by name over a pipe."""

    def __init__(self, threads: int, factory: Callable[..., object], *args: object) -> None:
        spawn = multiprocessing.get_context("spawn")  # a forked child would inherit thread pools
        self._pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(
            target=_serve, args=(theirs, threads, factory, args), daemon=True
        )
        self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        self._receive()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pipe.close()  # the worker's loop ends at the end of its input
        self._process.join(timeout=5)
        if self._process.is_alive():
            self._process.kill()

    def call(self, method: str, *args: object) -> Any:
        self._pipe.send((method, args))
        return self._receive()

    def _receive(self) -> Any:
        try:
            error, value = self._pipe.recv()
        except EOFError:
            self._process.join()
            raise RuntimeError(f"worker died with code {self._process.exitcode}") from None
        if error is not None:
            raise error(value)
        return value


def _serve(
    pipe: Connection, threads: int, factory: Callable[..., object], args: tuple[object, ...]
) -> None:
    """Answer calls in a worker process until its input ends."""
    machine.limit_process(threads)
    error, target = _outcome(factory, *args)
    pipe.send((error, None if error is None else target))
    while error is None:
        try:
            method, arguments = pipe.recv()
        except (EOFError, KeyboardInterrupt):
            return
        outcome = _outcome(getattr(target, method), *arguments)
        _settle()
        pipe.send(outcome)


def _outcome(
    function: Callable[..., object], *args: object
) -> tuple[type[Exception] | None, object]:
    """(None, value), or (kind of error, text): errors of libraries may not survive pickling."""
    try:
        return None, function(*args)
    except (UnavailableError, ImportError) as error:
        return UnavailableError, str(error)
    except WrongAnswerError as error:
        return WrongAnswerError, str(error)
    except Exception:
        return RuntimeError, f"in a worker:\n{traceback.format_exc()}"


def _settle(step: float = 0.005, limit: float = 1.0) -> None:
    """Wait until this process uses no CPU: until none of its threads spins any more."""
    deadline = time.perf_counter() + limit
    used, before = time.process_time(), -1.0
    while used - before > step / 5 and time.perf_counter() < deadline:
        before = used
        time.sleep(step)
        used = time.process_time()
