"""What a report holds, and in which order."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fastnn import plot
from fastnn.environment import environment
from fastnn.history import History
from fastnn.metrics import rises
from fastnn.options import one_of
from fastnn.plot.style import load
from fastnn.report.classes import ClassAnswers
from fastnn.report.numbers import NumberAnswers
from fastnn.report.page import Page
from fastnn.tensor import Tensor

__all__ = ["prepare", "write"]

_NAME = "report.html"


def prepare(folder: str | os.PathLike[str]) -> Path:
    """Make the folder of a report and load what draws its pictures: before a long training.

    Raises:
        ImportError: without matplotlib, which `pip install 'fastnn[plot]'` brings.
        OSError: if there cannot be such a folder.
    """
    load()
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    return path


def write(
    folder: str | os.PathLike[str],
    history: History | None = None,
    *,
    targets: Any = None,
    outputs: Any = None,
    names: Sequence[object] | None = None,
    images: Any = None,
    rows: Sequence[object] | None = None,
    kind: str | None = None,
    results: Mapping[str, Any] | None = None,
    settings: Mapping[str, object] | None = None,
    title: str = "Training report",
) -> Path:
    """Write `report.html`, which needs no other file, and its pictures as PNG beside it.

    It has curves of loss, metrics and learning rate; for classes the confusion matrix, precision
    and recall of each class and the worst mistakes; for numbers predicted against true ones and
    the worst errors; then settings and environment.

    Args:
        folder: Where to write; it is made if it is not there.
        history: What `Trainer.fit` returned.
        targets: True classes (N,), as numbers, as names or one-hot (N, C); or true numbers (N,) or
            (N, K).
        outputs: What the model made of the same rows, which it should not have been trained on:
            logits or probabilities (N, C), for two classes also one column, which is taken for
            probabilities where all of it is within 0 to 1; or numbers of the targets' shape.
        names: Of the classes; or of the columns of numbers, with their units.
        images: (N, H, W), (N, H, W, C), (N, C, H, W) or square images as rows: mistakes are drawn.
        rows: What the N rows are called, such as their lines in a file; by default their numbers.
        kind: "classes" or "numbers"; by default classes where targets are names, booleans, one-hot
            or whole numbers that the outputs have columns for.
        results: Further results by name; or a table of them, as mappings by name.
        settings: What the run was made with; text of several lines keeps them.
        title: Of the page.

    Returns:
        The path of `report.html`.

    Raises:
        ImportError: without matplotlib, which `pip install 'fastnn[plot]'` brings.
        ValueError: if shapes do not fit, or outputs are not finite.
        IndexError: for a class beyond the outputs.
        OSError: if a file cannot be written.

    >>> import tempfile
    >>> path = write(tempfile.mkdtemp(), targets=[0, 1, 1], outputs=[[2, 0], [0, 1], [1, 0]])
    >>> path.name, sorted(file.name for file in path.parent.iterdir())
    ('report.html', ['confusion.png', 'report.html'])
    """
    if (targets is None) != (outputs is None):
        raise ValueError("report: expected targets and outputs of the same rows, got one of them")
    answers = None
    if targets is not None:
        answers = _answers(kind, targets, outputs, names, images, rows)
    page = Page(title, prepare(folder))
    first = {} if answers is None else answers.first()
    if history is not None and len(history):
        first["epochs"] = f"{len(history)}"
        first["training seconds"] = f"{sum(history.seconds):.1f}"
    page.figures(first.items())
    if results:
        page.heading("Results")
        _results(page, results)
    if history is not None and len(history):
        page.heading("Training")
        _training(page, history)
    if answers is not None:
        answers.add(page)
    if settings:
        page.heading("Settings")
        page.words((name, _text(value)) for name, value in settings.items())
    page.heading("Environment")
    page.words({**environment(), "written": time.strftime("%Y-%m-%d %H:%M")}.items())
    return page.write(_NAME)


def _answers(
    kind: str | None, targets: Any, outputs: Any, names: Any, images: Any, rows: Any
) -> ClassAnswers | NumberAnswers:
    if kind is not None:
        one_of("report", "kind", kind, "classes", "numbers")
    if (kind or _kind(targets, outputs)) == "classes":
        return ClassAnswers(targets, outputs, names, images, rows)
    return NumberAnswers(targets, outputs, names, rows)


def _kind(targets: Any, outputs: Any) -> str:
    """Classes or numbers, told from the targets."""
    array = targets._array if isinstance(targets, Tensor) else np.asarray(targets)
    if array.dtype.kind in "bOUS":
        return "classes"
    columns = np.shape(outputs)[1] if len(np.shape(outputs)) == 2 else 1
    if array.ndim == 2 and array.shape[1] > 1:
        one_hot = np.isin(array, (0, 1)).all() and (array.sum(1) == 1).all()
        return "classes" if one_hot and columns == array.shape[1] else "numbers"
    two = array.dtype.kind in "iu" and np.isin(array, (0, 1)).all()
    several = array.dtype.kind in "iu" and columns > 1
    return "classes" if two or several else "numbers"


def _training(page: Page, history: History) -> None:
    page.picture("curves", plot.history(history), "Loss and metrics after each epoch.")
    best = {}
    for name, values in {"loss": history.loss, "val_loss": history.val_loss,
                         **history.metrics}.items():  # fmt: skip
        better = rises(name)
        if values and better is not None and np.isfinite(values).any():
            k = int((np.nanargmax if better else np.nanargmin)(values))
            best[name] = (f"{values[-1]:.4g}", f"{values[k]:.4g}", f"{k + 1}")
    page.table(["", "at the end", "best", "in epoch"], [(n, *cells) for n, cells in best.items()])
    per_epoch = float(np.median(history.seconds))
    page.paragraph(f"An epoch took {per_epoch:.3g} s (median), validation included.")
    caption = "Learning rate of the last step of each epoch."
    page.picture("learning_rate", plot.learning_rate(history), caption)


def _results(page: Page, results: Mapping[str, Any]) -> None:
    """A value by name, or several: then their names head the columns."""
    nested = {name: values for name, values in results.items() if isinstance(values, Mapping)}
    plain = [(name, _text(value)) for name, value in results.items() if name not in nested]
    if plain:
        page.words(plain)
    if nested:
        columns = list(dict.fromkeys(key for values in nested.values() for key in values))
        page.table(["", *map(str, columns)],
                   [(str(name), *(_text(values.get(key, "")) for key in columns))
                    for name, values in nested.items()])  # fmt: skip


def _text(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float | np.floating) else str(value)
