"""Training one network on encoded rows, with the weights of its best epoch in the end."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastnn
from fastnn import nn, optim
from fastnn.callbacks import Callback, EarlyStopping
from fastnn.data import Standardize
from fastnn.history import History
from fastnn.tabular.features import Feature, Numeric, encode
from fastnn.tabular.recipe import Recipe
from fastnn.tabular.table import Table
from fastnn.tabular.target import Classes, Target

__all__ = ["Fitted", "Parts", "fit", "prepare"]

Array = NDArray[Any]

_SERIAL_WORK = 8 << 20  # multiplications in a batch's largest product


@dataclass(frozen=True)
class Parts:
    """What networks are trained and compared on.

    Attributes:
        scaler: Fitted to the training rows.
        train: Scaled inputs (N, F) and targets as the loss takes them.
        validation: The same of the rows held out.
    """

    scaler: Standardize
    train: tuple[Array, Array]
    validation: tuple[Array, Array]


@dataclass(frozen=True)
class Fitted:
    """A trained network.

    Attributes:
        recipe: How it was made.
        network: Takes scaled inputs; has the weights of its best epoch.
        history: Of its training.
        best_epoch: Counted from 1.
        loss: On the validation part, in that epoch.
        outputs: For the validation part.
    """

    recipe: Recipe
    network: nn.Sequential
    history: History
    best_epoch: int
    loss: float
    outputs: Array


def prepare(
    features: tuple[Feature, ...], target: Target, train: Table, validation: Table
) -> Parts:
    """Encode both parts, with all statistics from the training rows."""
    inputs = encode(features, train)
    scaler = fit_scaler(features, inputs)
    return Parts(
        scaler,
        (_scaled(scaler, inputs), _wanted(target, train)),
        (_scaled(scaler, encode(features, validation)), _wanted(target, validation)),
    )


def fit(
    recipe: Recipe,
    parts: Parts,
    outputs: int,
    seed: int,
    threads: int | None = None,
    callbacks: Sequence[Callback] = (),
    checkpoint: Path | None = None,
    resume: bool = False,
) -> Fitted:
    """Train a network after a recipe.

    Args:
        recipe: How to make and train it.
        parts: The data.
        outputs: How many outputs it has: a number for each class, or one for a quantity.
        seed: Of weights and shuffles.
        threads: At most so many; by default one if that is enough.
        callbacks: Called while it trains.
        checkpoint: A folder for checkpoints.
        resume: Whether to go on from the newest of them.

    Raises:
        NonFiniteError: when the training diverges.
        ValueError: if the checkpoints are of another training.
        OSError: if one cannot be written, or there are some and it is not to resume.
    """
    fastnn.manual_seed(seed)
    network = recipe.network(parts.train[0].shape[1], outputs)
    optimizer = optim.AdamW(_groups(network), recipe.lr, weight_decay=recipe.weight_decay)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.epochs)
    stopping = EarlyStopping(patience=recipe.patience)
    classes = parts.train[1].dtype.kind == "i"
    trainer = fastnn.Trainer(
        network,
        nn.CrossEntropyLoss() if classes else nn.MSELoss(),
        optimizer,
        schedule,
        callbacks=[stopping, _SameTraining(recipe, parts, seed), *callbacks],
        seed=seed,
    )
    with _threads(threads, recipe, parts.train[0].shape[1]), warnings.catch_warnings():
        warnings.simplefilter("ignore", fastnn.TrainingWarning)  # the scores will tell
        history = trainer.fit(
            parts.train,
            recipe.epochs,
            recipe.batch_size,
            parts.validation,
            checkpoint_dir=checkpoint,
            resume=resume,
            verbose=0,
        )
    assert stopping.best is not None
    held_out = trainer.predict(parts.validation[0])
    return Fitted(recipe, network, history, stopping.best_epoch, stopping.best, held_out)


class _SameTraining(Callback):
    """Refuses a checkpoint of other rows, another recipe or seed."""

    def __init__(self, recipe: Recipe, parts: Parts, seed: int) -> None:
        self.recipe, self.parts, self.seed = recipe, parts, seed

    def state_dict(self) -> dict[str, Any]:
        return {"digest": self._digest}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if state["digest"] != self._digest:
            raise ValueError("it is of another table, or of other options")

    @cached_property
    def _digest(self) -> str:
        found = hashlib.sha256(repr((self.recipe, self.seed)).encode())
        for array in (*self.parts.train, *self.parts.validation):
            found.update(np.ascontiguousarray(array).tobytes())
        return found.hexdigest()


@contextmanager
def _threads(asked: int | None, recipe: Recipe, inputs: int) -> Iterator[None]:
    """One thread for a small network, unless others are asked for: waking them costs more."""
    before = fastnn.get_num_threads()
    work = recipe.batch_size * max(a * b for a, b in pairwise((inputs, *recipe.hidden, 1)))
    if asked is not None or work < _SERIAL_WORK:
        fastnn.set_num_threads(asked or 1)
    try:
        yield
    finally:
        fastnn.set_num_threads(before)


def fit_scaler(features: tuple[Feature, ...], inputs: Array) -> Standardize:
    """A layer that standardises numbers, and leaves columns of zeros and ones as they are.

    Standardised, a rare category would weigh the more the rarer it is: tried on 53 tables, that is
    worse by 3 % in loss.
    """
    scaler = Standardize().fit(inputs)
    column = 0
    for feature in features:
        as_is = np.arange(column, column + feature.width)[isinstance(feature, Numeric) :]
        scaler.mean.numpy()[as_is] = 0.0
        scaler.std.numpy()[as_is] = 1.0
        column += feature.width
    return scaler


def _scaled(scaler: Standardize, inputs: Array) -> Array:
    scaled: Array = scaler(inputs).numpy()
    return scaled


def _wanted(target: Target, table: Table) -> Array:
    values = target.read(table)
    if isinstance(target, Classes):
        return values
    return ((values - target.mean) / target.std).astype(np.float32)[:, None]


def _groups(network: nn.Sequential) -> list[dict[str, Any]]:
    weights = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim < 2]
    return [{"params": weights}, {"params": others, "weight_decay": 0.0}]
