"""From a table to a trained model, with what it is worth beside two simpler ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn import nn
from fastnn.callbacks import Callback
from fastnn.data import random_split, stratified_split
from fastnn.history import History
from fastnn.tabular.fitting import Fitted, Parts, fit, prepare
from fastnn.tabular.kinds import Kinds, choose_kinds
from fastnn.tabular.model import TableModel
from fastnn.tabular.recipe import Recipe, recipes
from fastnn.tabular.scores import score, trivial
from fastnn.tabular.table import Table
from fastnn.tabular.target import Classes, Quantity, Target, choose_target, rows_with

__all__ = ["Options", "Trained", "Validation", "train_table"]

_FEWEST_ROWS = 10  # two of them to validate

Rows = NDArray[np.int64]
Scores = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Options:
    """What a person may decide; all the rest is decided by the table.

    Attributes:
        task: "auto", "classification" or "regression".
        numeric: Columns that are numbers.
        categorical: Columns that are categories.
        ignore: Columns to leave out.
        validation: Share of the rows that are held out.
        seed: Of everything that is random.
        threads: How many to use; by default one where the network is so small that others would
            hardly help. Results do not depend on it.
        recipe: Fields of `Recipe` that are given.
        checkpoint: A folder for checkpoints; each network has one of its own in it.
        resume: Whether to go on from the newest of them.
    """

    task: str = "auto"
    numeric: Sequence[str] = ()
    categorical: Sequence[str] = ()
    ignore: Sequence[str] = ()
    validation: float = 0.2
    seed: int = 0
    threads: int | None = None
    recipe: dict[str, Any] = field(default_factory=dict)
    checkpoint: Path | None = None
    resume: bool = False


@dataclass(frozen=True)
class Validation:
    """The rows held out, and what the model says of them.

    Attributes:
        rows: Their numbers in the file, counted from 1.
        truth: Classes (N,) counted from 0, or the quantity (N,) in its own unit.
        outputs: Logits (N, classes), or the quantity (N,).
    """

    rows: Rows
    truth: NDArray[Any]
    outputs: NDArray[Any]


@dataclass(frozen=True)
class Trained:
    """What a training leaves: all that a report of it could show.

    Attributes:
        model: To predict with, and to save.
        history: Of the network that was kept.
        recipe: How it was made.
        best_epoch: The epoch whose weights it has.
        kinds: What the columns are.
        rows: How many rows it was trained on.
        left_out: Rows of the file without a target.
        validation: The rows held out.
        scores: On those, by "network", "linear" and "trivial".
        seconds: What all of it took.
    """

    model: TableModel
    history: History
    recipe: Recipe
    best_epoch: int
    kinds: Kinds
    rows: int
    left_out: int
    validation: Validation
    scores: Scores
    seconds: float

    @property
    def target(self) -> Target:
        return self.model.target


def train_table(
    table: Table,
    target: str,
    options: Options | None = None,
    watch: Callable[[Recipe, str], Sequence[Callback]] = lambda recipe, what: (),
) -> Trained:
    """Train networks that predict a column from the others, and keep the best one.

    Args:
        table: The data.
        target: The column to predict.
        options: What is decided already.
        watch: Gives the callbacks for each network: called with its recipe and what it is.

    Raises:
        ValueError: if the table does not do for that; column and row are named.
        NonFiniteError: when a training diverges.
    """
    options, start = options or Options(), time.perf_counter()
    present = rows_with(table, target)
    left_out, table = len(table) - len(present), table.take(present)
    if len(table) < _FEWEST_ROWS:
        raise ValueError(f"{table.path}: expected at least {_FEWEST_ROWS} rows with a value in "
                         f"the column {target!r:.60}, got {len(table)}")  # fmt: skip
    kinds = choose_kinds(table, target, options.numeric, options.categorical, options.ignore)
    learned, train, validation = _split(table, target, options)
    features = kinds.fit(train)
    parts = prepare(features, learned, train, validation)
    linear, best = _fit_all(parts, learned, options, watch)
    outputs = _in_units(learned, best.outputs)
    held_out = Validation(validation.rows, learned.read(validation), outputs)
    guess = trivial(learned, learned.read(train), len(validation))
    scores = {
        "network": score(learned, outputs, held_out.truth),
        "linear": score(learned, _in_units(learned, linear.outputs), held_out.truth),
        "trivial": score(learned, guess, held_out.truth),
    }
    facts = _facts(best, kinds, train, left_out, held_out, scores)
    model = TableModel(features, learned, nn.Sequential(parts.scaler, *best.network), facts)
    return Trained(model, best.history, best.recipe, best.best_epoch, kinds, len(train), left_out,
                   held_out, scores, time.perf_counter() - start)  # fmt: skip


def _fit_all(
    parts: Parts,
    target: Target,
    options: Options,
    watch: Callable[[Recipe, str], Sequence[Callback]],
) -> tuple[Fitted, Fitted]:
    """The linear model, and the best of the networks."""
    rows = len(parts.train[0])
    width = len(target.labels) if isinstance(target, Classes) else 1
    linear, *others = recipes(rows, options.recipe)

    def train(number: int, recipe: Recipe, what: str) -> Fitted:
        folder = options.checkpoint and options.checkpoint / f"network-{number}"
        return fit(recipe, parts, width, options.seed, options.threads, watch(recipe, what),
                   folder, options.resume)  # fmt: skip

    baseline = train(0, linear, "linear model")
    fitted = [train(i, recipe, f"network {i}/{len(others)}")
              for i, recipe in enumerate(others, start=1)]  # fmt: skip
    return baseline, min(fitted, key=lambda one: one.loss)


def _split(table: Table, name: str, options: Options) -> tuple[Target, Table, Table]:
    """The target, the training part and the validation part: stratified where it has classes."""
    count = min(max(1, round(options.validation * len(table))), len(table) - 2)
    if choose_target(table, name, options.task) is Quantity:
        Quantity.fit(table, name)  # refuses what is no number in any row
        rows, held = _drawn(random_split(range(len(table)), [len(table) - count, count],
                                         generator=options.seed))  # fmt: skip
        return Quantity.fit(table.take(rows), name), table.take(rows), table.take(held)
    target = Classes.fit(table, name)
    codes = target.read(table)
    alone = np.bincount(codes)[codes] < 2  # a class of one row is there to learn from
    some = np.flatnonzero(~alone)
    count = min(count, len(some) - 1)
    rows, held = _drawn(stratified_split(codes[some], [len(some) - count, count],
                                         generator=options.seed))  # fmt: skip
    rows = np.sort(np.concatenate([some[rows], np.flatnonzero(alone)]))
    return target, table.take(rows), table.take(some[held])


def _drawn(parts: Sequence[Any]) -> tuple[Rows, Rows]:
    rows, held = (np.sort(part.indices) for part in parts)
    return rows, held


def _in_units(target: Target, outputs: NDArray[Any]) -> NDArray[np.float64]:
    raw: NDArray[np.float64] = outputs.astype(np.float64)
    return raw if isinstance(target, Classes) else target.mean + target.std * raw[:, 0]


def _facts(
    best: Fitted,
    kinds: Kinds,
    train: Table,
    left_out: int,
    held_out: Validation,
    scores: Scores,
) -> dict[str, Any]:
    """What the model's file keeps of its training."""
    return {
        "data": Path(train.path).name,
        "rows": len(train),
        "validation_rows": len(held_out.rows),
        "rows_without_target": left_out,
        "ignored": kinds.ignored,
        "recipe": {**asdict(best.recipe), "hidden": list(best.recipe.hidden)},
        "best_epoch": best.best_epoch,
        "epochs": len(best.history),
        "scores": scores,
    }
