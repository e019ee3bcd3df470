"""Ctrl-C that waits for the end of a step, so that no update is left half done."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

__all__ = ["InterruptGuard"]


class InterruptGuard:
    """While entered, an interrupt between `hold` and `release` is delivered by `release`.

    A second interrupt does not wait: a step that never ends can still be left. Signals reach the
    main thread only, and only what Python handles is touched; elsewhere nothing changes.

    >>> with InterruptGuard() as guard:
    ...     guard.hold()
    ...     guard.release()
    """

    def __init__(self) -> None:
        self._holding = self._waiting = False
        self._before: Any = None

    def __enter__(self) -> InterruptGuard:
        if threading.current_thread() is threading.main_thread():
            before = signal.getsignal(signal.SIGINT)
            if callable(before):
                self._before = before
                signal.signal(signal.SIGINT, self._receive)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
        self.release()

    @property
    def waiting(self) -> bool:
        """Whether one came that `release` will deliver."""
        return self._waiting

    def hold(self) -> None:
        """From here an interrupt waits."""
        self._holding = True

    def release(self) -> None:
        """To here; one that came is delivered now."""
        self._holding = False
        if self._waiting:
            self._waiting = False
            self._before(signal.SIGINT, None)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self._holding and not self._waiting:
            self._waiting = True
        else:
            self._waiting = False
            self._before(number, frame)
