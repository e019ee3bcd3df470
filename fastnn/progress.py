"""What a training shows: a bar on a terminal, a line an epoch elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

__all__ = ["Progress"]


class Progress:
    """One epoch on screen.

    Args:
        epoch: Its number, from 1.
        epochs: How many there are.
        batches: How many batches it has.
        verbose: 0 shows nothing.
    """

    def __init__(self, epoch: int, epochs: int, batches: int, verbose: int) -> None:
        self.title = f"epoch {epoch}/{epochs}"
        self.verbose = verbose
        self.bar: Any = None
        if verbose and sys.stderr.isatty():
            from tqdm import tqdm

            self.bar = tqdm(total=batches, desc=self.title, unit="batch", dynamic_ncols=True)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.bar is not None:
            self.bar.close()

    def advance(self, loss: float) -> None:
        """One batch is done; tqdm redraws by time, not by batch."""
        if self.bar is not None:
            self.bar.set_postfix_str(f"loss {loss:.4f}", refresh=False)
            self.bar.update()

    def finish(self, train: dict[str, float], validation: dict[str, float]) -> None:
        """Show the epoch's means."""
        named = {**train, **{f"val_{name}": value for name, value in validation.items()}}
        text = ", ".join(f"{name} {value:.4f}" for name, value in named.items())
        if self.bar is not None:
            self.bar.set_postfix_str(text)
        elif self.verbose:
            print(f"{self.title}: {text}", flush=True)
