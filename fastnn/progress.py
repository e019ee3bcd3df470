"""What a training shows: a bar on a terminal and in a notebook, a line an epoch elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Mapping
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
        if _is_live():
            from tqdm.auto import tqdm

            # each call of `show` draws: the training loop calls it by time
            self.bar = tqdm(total=batches, desc=self.title, unit="batch", dynamic_ncols=True,
                            mininterval=0, miniters=1)  # fmt: skip

    def show(self, batch: int, values: Mapping[str, float]) -> None:
        """So many batches are done, and this is what they measured on average."""
        if self.bar is not None:
            self.bar.set_postfix_str(_text(values), refresh=False)
            self.bar.update(batch - self.bar.n)

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


def _is_live() -> bool:
    """Whether what is shown can be redrawn: on a terminal, in a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    terminal = sys.stderr is not None and sys.stderr.isatty()  # None: a program without a console
    return terminal or "IPKernelApp" in getattr(shell, "config", ())


def _text(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {_number(value)}" for name, value in values.items())


def _number(value: float) -> str:
    """Four decimals, or four digits where those would show next to nothing."""
    return f"{value:.4f}" if value == 0 or not abs(value) < 1e-3 else f"{value:.3e}"
