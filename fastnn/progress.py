"""What a training shows: a bar on a terminal and in a notebook, a line an epoch elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

__all__ = ["Progress"]

# without batches a second, so that 80 columns hold a loss and a metric
_LINE = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]"
_ENDLESS = "{desc}: {n_fmt}{unit} [{elapsed}{postfix}]"


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
            self.bar = tqdm(total=batches, desc=self.title, unit="batch", mininterval=0, miniters=1,
                            bar_format=_ENDLESS if batches is None else _LINE,
                            **_size())  # fmt: skip

    def show(self, batch: int, values: Mapping[str, float]) -> None:
        """So many batches are done, and this is what they measured on average."""
        if self.bar is not None:
            self.bar.set_postfix_str(_text(values), refresh=False)
            self.bar.update(batch - self.bar.n)

    def finish(self, values: Mapping[str, float]) -> None:
        """Show what the epoch measured: a line takes the place of the bar."""
        line = f"{self.title}: {_text(values)}"
        if self.bar is None:
            print(line, flush=True)
        else:
            self.bar.bar_format = "{desc}"
            self.bar.set_description_str(line)
            self.close()

    def close(self) -> None:
        """Leave the bar as it stands; without effect where there is none."""
        if self.bar is not None:
            self.bar.close()


def _is_live() -> bool:
    """Whether what is shown can be redrawn: on a terminal, in a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    terminal = sys.stderr is not None and sys.stderr.isatty()  # None: a program without a console
    return terminal or "IPKernelApp" in getattr(shell, "config", ())


def _size() -> dict[str, Any]:
    """The terminal's, as it changes; one within a container may say that it has none."""
    try:
        known = all(os.get_terminal_size(sys.stderr.fileno()))
    except OSError:  # a notebook, or what only looks like a terminal
        known = False
    return {"dynamic_ncols": True} if known else {"ncols": 100, "nrows": 24}


def _text(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {_number(value)}" for name, value in values.items())


def _number(value: float) -> str:
    """Four decimals, or four digits where those would show next to nothing."""
    return f"{value:.4f}" if value == 0 or not abs(value) < 1e-3 else f"{value:.3e}"
