"""What a training loop calls by time and not by batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

__all__ = ["INTERVAL", "Pulse"]

INTERVAL = 0.1  # seconds: what an eye takes for steady


class Pulse:
    """The `on_progress` hooks during one epoch: every `INTERVAL`, and at its end.

    A loop asks after every step, or after as many as it runs without coming back to Python.

    Args:
        hooks: What to call; without any, nothing is asked of the clock.
        clock: What tells the time in seconds, and never goes back.

    >>> pulse = Pulse([print], clock=iter([0.0, 0.05, 0.1, 0.15]).__next__)
    >>> for batch in (1, 2, 3):
    ...     pulse.beat(batch)
    2
    >>> pulse.end(3)
    3
    """

    def __init__(
        self,
        hooks: Sequence[Callable[[int], None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.hooks, self.clock = hooks, clock
        self._next = clock() + INTERVAL if hooks else 0.0

    def beat(self, batch: int) -> None:
        """So many batches of the epoch are done: tell the hooks if it is time."""
        if self.hooks and (now := self.clock()) >= self._next:
            self._next = now + INTERVAL
            self.end(batch)

    def end(self, batch: int) -> None:
        """Tell them whatever the time."""
        for hook in self.hooks:
            hook(batch)
