"""What `fastnn train` shows of each network: one bar for all its epochs, then a line."""

from __future__ import annotations

from typing import Any

from fastnn.callbacks import Callback, Logs

__all__ = ["TrainingBar"]


class TrainingBar(Callback):
    """A bar on a terminal; elsewhere nothing until the line at the end.

    An epoch of a small table takes milliseconds: a line for each would bury everything else.

    Args:
        what: Which network it is.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self._bar: Any = None

    def on_fit_begin(self) -> None:
        from tqdm.auto import tqdm

        self._bar = tqdm(total=self.trainer.epochs, desc=self.what, unit="epoch", leave=False,
                         dynamic_ncols=True, disable=None)  # fmt: skip

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        if self._bar.update(epoch - self._bar.n):
            self._bar.set_postfix_str(f"validation loss {logs['val_loss']:.4f}", refresh=False)

    def on_fit_end(self) -> None:
        self._bar.close()
        losses = self.trainer.history.val_loss
        if losses:
            best = min(losses)
            print(f"{self.what}: {len(losses)} epochs, validation loss {best:.4f} after "
                  f"epoch {1 + losses.index(best)}", flush=True)  # fmt: skip
