"""Checkpoints: files from which a training goes on to the bits it would have had."""

from __future__ import annotations

import errno
import os
import re
import warnings
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from fastnn.errors import FileFormatError
from fastnn.options import whole
from fastnn.serialization import load, save
from fastnn.training.batches import Loader
from fastnn.training.divergence import check_parameters
from fastnn.training.state import RunState, State, checked_state

if TYPE_CHECKING:
    from fastnn.trainer import Trainer

__all__ = ["Checkpoints"]

_NAME = re.compile(r"checkpoint-(\d+)-(\d+)\.safetensors")
_UNFINISHED = ".checkpoint-*.tmp"  # of a process that was killed while it wrote


class Checkpoints:
    """The checkpoints of one `fit`; without a folder there are none, and nothing is done.

    A training loop asks `steps_to_next` how many optimizer steps it may take without coming back,
    and says `after_steps` when it has taken some. A loop in the middle of a resumed epoch draws
    the epoch's order within `same_order()`.

    Args:
        trainer: Whose training it is.
        loader: The training data.
        folder: Where the files are; it is made if there is none.
        every: Write after every so many optimizer steps of an epoch, too.
        keep: How many files to keep, the newest.

    Attributes:
        resumed: The state this training goes on from; None for a new one.

    Raises:
        ValueError: if a number is out of range, or `every` is given without a folder.
    """

    def __init__(
        self,
        trainer: Trainer,
        loader: Loader,
        folder: str | os.PathLike[str] | None,
        every: int | None,
        keep: int,
    ) -> None:
        if folder is None and every is not None:
            raise ValueError(f"fit: expected checkpoint_dir with checkpoint_every={every}")
        self.folder = None if folder is None else Path(folder)
        self.every = None if every is None else whole("fit", "checkpoint_every", every, 1)
        self.keep = whole("fit", "keep_checkpoints", keep, 1)
        self.accumulate = trainer.accumulate
        self.resumed: State | None = None
        self._resumed_from: Path | None = None
        self._state = RunState(trainer, loader)
        self._last: tuple[int, int] | None = None

    # --- what `fit` calls ---

    def open(self, resume: bool) -> None:
        """Find the newest valid checkpoint to resume from, or make sure that there is none.

        Raises:
            ValueError: for `resume` without a folder.
            FileExistsError: if it is not to resume and there are checkpoints.
            OSError: if the folder cannot be made or read.
        """
        if self.folder is None:
            if resume:
                raise ValueError("fit: expected checkpoint_dir with resume=True, got None")
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        for unfinished in self.folder.glob(_UNFINISHED):
            unfinished.unlink(missing_ok=True)
        found = self._files()
        if resume:
            self.resumed, self._resumed_from = _newest_valid([p for _, p in reversed(found)])
        elif found:
            raise FileExistsError(
                errno.EEXIST,
                "there are checkpoints of an earlier training: resume it, or give another folder",
                str(self.folder),
            )

    def begin(self) -> tuple[int, int]:
        """Take up the training, or write the state of a new one.

        Returns:
            How many epochs are done, and how many batches of the next.
        """
        if self.resumed is None:
            self.save(0, 0)  # a folder that cannot be written is found out now
            return 0, 0
        try:
            self._state.give(self.resumed)
        except (TypeError, ValueError) as error:
            raise type(error)(f"fit: cannot resume from {self._resumed_from}: {error}") from None
        self._last = self.resumed["epoch"], self.resumed["batch"]
        return self._last

    def begin_epoch(self, batch: int) -> None:
        """Before an epoch's first step, and after callbacks have done what they do there."""
        if batch and self.resumed is not None:
            self._state.give(self.resumed)  # whatever they have done, they had done before
        else:
            self._state.begin_pass()

    def save(self, epoch: int, batch: int) -> None:
        """Write the state after so many whole epochs and batches of the next; keep the newest.

        Raises:
            OSError: if it cannot be written; the earlier ones stay.
        """
        if self.folder is None or (epoch, batch) == self._last:
            return
        name = f"checkpoint-{epoch:06d}-{batch:09d}.safetensors"
        save(self._state.take(epoch, batch), self.folder / name)
        self._last = epoch, batch
        earlier = [path for position, path in self._files() if position <= (epoch, batch)]
        for path in earlier[: -self.keep]:
            path.unlink(missing_ok=True)

    # --- what a loop calls ---

    def steps_to_next(self, batch: int) -> int | None:
        """Optimizer steps until the next is due, `batch` batches of the epoch being done."""
        if self.every is None:
            return None
        return self.every - batch // self.accumulate % self.every

    def after_steps(self, epoch: int, batch: int) -> None:
        """Write one if it is due, `batch` batches of epoch `epoch` (from 1) being done.

        Raises:
            NonFiniteError: if the weights are not worth keeping.
            OSError: if it cannot be written.
        """
        if self.every is not None and batch % (self.accumulate * self.every) == 0:
            check_parameters(self._state.trainer.model, epoch, batch)
            self.save(epoch - 1, batch)

    def same_order(self, batch: int) -> AbstractContextManager[None]:
        """Within it the order of an epoch, of which `batch` batches are done, is drawn as then."""
        return self._state.same_order() if batch else nullcontext()

    # --- inside ---

    def _files(self) -> list[tuple[tuple[int, int], Path]]:
        """Positions and files, the oldest first."""
        assert self.folder is not None
        matches = [(_NAME.fullmatch(name), name) for name in os.listdir(self.folder)]
        return sorted(((int(m[1]), int(m[2])), self.folder / name) for m, name in matches if m)


def _newest_valid(paths: list[Path]) -> tuple[State | None, Path | None]:
    """The first of these that is whole; OSError if there is none, but one cannot be read."""
    unreadable = None
    for path in paths:
        try:
            return checked_state(load(path), str(path)), path
        except (FileFormatError, OSError) as error:
            unreadable = error if isinstance(error, OSError) else unreadable
            warnings.warn(f"fit: a checkpoint is left out: {error}", stacklevel=4)
    if unreadable is not None:
        raise unreadable
    return None, None
