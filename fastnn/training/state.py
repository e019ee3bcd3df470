"""The state of a training between two steps: taken from a run, and given back to one."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.errors import FileFormatError
from fastnn.random import Generator, default_generator
from fastnn.training.batches import Loader

if TYPE_CHECKING:
    from fastnn.callbacks import Callback
    from fastnn.trainer import Trainer

__all__ = ["RunState", "State", "checked_state"]

State = dict[str, Any]

_PARTS: dict[str, Any] = {
    "epoch": int, "batch": int, "kinds": dict, "batches": dict, "model_state_dict": dict,
    "optimizer_state_dict": dict, "scheduler_state_dict": dict | None, "trainable": list,
    "rates": list, "meter": dict, "history": dict, "callbacks": list, "pass": dict, "now": dict,
    "seconds": int | float,
}  # fmt: skip


class RunState:
    """All that a run needs to end in the same bits, wherever it is taken up again.

    A position is `(epoch, batch)`: so many whole epochs, and batches of the one after them. The
    order of a pass is not kept. It is drawn again from where the data loader and the random
    numbers stood when the pass began, and the batches that are done are left out.

    Args:
        trainer: Whose model, optimizer, schedule, measurements and callbacks these are.
        loader: The training data.
    """

    def __init__(self, trainer: Trainer, loader: Loader) -> None:
        self.trainer, self.loader = trainer, loader
        self._generators = [default_generator, *_generators(loader)]
        self._pass = self._now()

    def begin_pass(self) -> None:
        """Note from where the order of the epoch will be drawn."""
        self._pass = self._now()

    @contextmanager
    def same_order(self) -> Iterator[None]:
        """In this block a pass over the data begins as the one that was interrupted."""
        now = self._now()
        self._set(self._pass)
        yield
        self._set(now)

    def take(self, epoch: int, batch: int) -> State:
        """The state at a position, made of what `fastnn.save` can write."""
        trainer = self.trainer
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        return {
            "epoch": epoch,
            "batch": batch,
            "kinds": self._kinds(),
            "batches": self._batches(),
            "scheduler_state_dict": None,
            **parts,
            "trainable": [n for n, p in trainer.model.named_parameters() if p.requires_grad],
            "rates": trainer.rates,
            "meter": trainer._meter.state_dict(),
            "history": vars(trainer.history),
            "callbacks": [(type(c).__name__, c.state_dict()) for c in trainer.callbacks],
            "pass": self._pass,
            "now": self._now(),
            "seconds": time.perf_counter() - trainer._began,
        }

    def give(self, state: State) -> None:
        """Make the run what it was when the state was taken.

        Raises:
            ValueError: if it is of another model, optimizer or schedule, or in the middle of an
                epoch of other batches; nothing has changed then.
            TypeError: if a part of it is of another kind.
        """
        trainer = self.trainer
        _refuse_changes("the same kind of optimizer and schedule", state["kinds"], self._kinds())
        if state["batch"]:
            _refuse_changes("the batches of its epoch", state["batches"], self._batches())
        _load_all_or_none(self._parts(), state)
        trainer.optimizer._stepped = True  # a schedule may move on without a warning
        for name, parameter in trainer.model.named_parameters():
            parameter.requires_grad_(name in state["trainable"])
        trainer.rates = list(state["rates"])
        vars(trainer.history).update(copy.deepcopy(state["history"]))
        if state["batch"]:
            trainer._meter.load_state_dict(state["meter"])
        trainer._began = time.perf_counter() - state["seconds"]
        _give_callbacks(trainer.callbacks, state["callbacks"])
        self._pass = state["pass"]
        self._set(state["now"])

    # --- inside ---

    def _parts(self) -> dict[str, Any]:
        trainer = self.trainer
        parts = {"model": trainer.model, "optimizer": trainer.optimizer}
        if trainer.scheduler is not None:
            parts["scheduler"] = trainer.scheduler
        return {f"{name}_state_dict": part for name, part in parts.items()}

    def _kinds(self) -> dict[str, str]:
        trainer = self.trainer
        return {"optimizer": type(trainer.optimizer).__name__,
                "scheduler": type(trainer.scheduler).__name__}  # fmt: skip

    def _batches(self) -> dict[str, Any]:
        """What decides which rows a batch of an epoch has."""
        loader, seed = self.loader, self.loader.generator
        return {
            "batches": self.trainer.batches,
            "batch_size": loader.batch_size,
            "shuffle": loader.shuffle,
            "drop_last": loader.drop_last,
            "accumulate": self.trainer.accumulate,
            "seed": int(seed) if isinstance(seed, int | np.integer) else None,
        }

    def _now(self) -> State:
        return {"epoch": self.loader.epoch, "random": [_taken(g) for g in self._generators]}

    def _set(self, place: State) -> None:
        self.loader.epoch = place["epoch"]
        for generator, state in zip(self._generators, place["random"], strict=False):
            _given(generator, state)


def checked_state(value: Any, name: str) -> State:
    """The value, if it is a state as `RunState.take` makes it.

    Raises:
        FileFormatError: if not; it names the file.
    """
    if not isinstance(value, dict) or not all(
        part in value and isinstance(value[part], kind) for part, kind in _PARTS.items()
    ):
        raise FileFormatError(f"{name}: expected a checkpoint of a training, got another file")
    return value


def _load_all_or_none(parts: Mapping[str, Any], state: State) -> None:
    before = {name: copy.deepcopy(part.state_dict()) for name, part in parts.items()}
    try:
        for name, part in parts.items():
            part.load_state_dict(state[name])
    except (TypeError, ValueError):
        for name, part in parts.items():
            part.load_state_dict(before[name])
        raise


def _refuse_changes(wanted: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    changed = [f"{name} {was.get(name)!r}, now {now[name]!r}"
               for name in now if was.get(name) != now[name]]  # fmt: skip
    if changed:
        raise ValueError(f"that takes {wanted}; it was made with {'; '.join(changed)}")


def _give_callbacks(callbacks: Sequence[Callback], saved: Sequence[Any]) -> None:
    """Each gets the next state of its class; a new one begins anew."""
    left = list(saved)
    for callback in callbacks:
        mine = next((entry for entry in left if entry[0] == type(callback).__name__), None)
        if mine is not None:
            left.remove(mine)
            callback.load_state_dict(mine[1])


def _generators(loader: Loader) -> list[Any]:
    """What a loader and its samplers draw from, where that can be set back."""
    batches = loader.batch_sampler
    owners = [loader, loader.sampler, batches, getattr(batches, "sampler", None)]
    drawn_from = [getattr(owner, "generator", None) for owner in owners]
    return [g for g in drawn_from if isinstance(g, Generator | np.random.Generator)]


def _taken(generator: Any) -> State:
    if isinstance(generator, Generator):
        return generator.get_state()
    return dict(generator.bit_generator.state)


def _given(generator: Any, state: State) -> None:
    if isinstance(generator, Generator):
        generator.set_state(state)
    else:
        generator.bit_generator.state = state
