"""What a training shows: a bar on a terminal, a line an epoch elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["Progress"]


class Progress:
    """One epoch on screen.

    Args:
        epoch: Its number, from 1.
        epochs: How many there are.
        batches: How many batches it has; None where that is not known.
    """

    def __init__(self, epoch: int, epochs: int, batches: int | None) -> None:
        self.title = f"epoch {epoch}/{epochs}"
        self.bar: Any = None
        if sys.stderr.isatty():
            from tqdm import tqdm

            self.bar = tqdm(total=batches, desc=self.title, unit="batch", dynamic_ncols=True)

    def advance(self, values: Callable[[], Mapping[str, float]]) -> None:
        """One batch is done; tqdm redraws by time, and only then are values asked for."""
        if self.bar is not None and self.bar.update():
            self.bar.set_postfix_str(_text(values()), refresh=False)

    def finish(self, values: Mapping[str, float]) -> None:
        """Show what the epoch measured."""
        if self.bar is not None:
            self.bar.set_postfix_str(_text(values))
            self.close()
        else:
            print(f"{self.title}: {_text(values)}", flush=True)

    def close(self) -> None:
        """Leave the bar as it stands; without effect where there is none."""
        if self.bar is not None:
            self.bar.close()


def _text(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {_number(value)}" for name, value in values.items())


def _number(value: float) -> str:
    """Four decimals, or four digits where those would show next to nothing."""
    return f"{value:.4f}" if value == 0 or not abs(value) < 1e-3 else f"{value:.3e}"
