"""Curves over a training: of loss, metrics and the learning rate."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.options import one_of
from fastnn.plot.style import BLUE, ORANGE, Path, label, new_figure, quiet, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fastnn.history import History

__all__ = ["curves", "history", "learning_rate"]

Panels = Mapping[str, Mapping[str, Any]]

# Lines differ in colour, in dashes and in markers: they stay apart in grey, and for every eye.
_COLOURS = (BLUE, ORANGE, "#2e7d32", "#8e24aa")
_DASHES = ("-", "--", "-.", ":")
_MARKERS = ("o", "s", "^", "D")
_RATE = re.compile(r"lr_\d+")  # what LearningRateLogger adds for each parameter group


def curves(
    panels: Panels,
    path: Path = None,
    *,
    xlabel: str = "epoch",
    ylabel: str | None = None,
    title: str | None = None,
    log: str = "",
    share: bool = False,
) -> Figure:
    """Draw curves in panels, three in a row, without a window and without pyplot's state.

    A panel with the curves of the first one has no legend of its own.

    Args:
        panels: The curves of each panel, by panel and by label. A curve is a sequence of y, whose
            x count from 1, or a pair (x, y).
        path: Where to write the picture; its suffix says which kind (.png, .svg, .pdf).
        xlabel: What runs along the x axes.
        ylabel: What runs along the y axes, then panels are headed by their names; by default the
            names are the y labels.
        title: Above all panels.
        log: Which axes are logarithmic: "x", "y" or "xy".
        share: Whether all panels have the same range of x and of y.

    Returns:
        The figure, to be changed or saved elsewhere.

    Raises:
        ImportError: without matplotlib, which `pip install 'fastnn[plot]'` brings.
        ValueError: if there is no curve to draw, or for another `log`.
    """
    if not panels or not all(panels.values()):
        raise ValueError("plot: expected at least one curve in every panel, got none")
    one_of("plot", "log", log, "", "x", "y", "xy")
    columns = 2 if len(panels) == 4 else min(len(panels), 3)
    rows = -(-len(panels) // columns)
    figure = new_figure(4.6 * columns + 0.6, 3.2 * rows + 0.2)
    first: Any = None
    for i, (name, lines) in enumerate(panels.items()):
        shared = first if share else None
        axes = figure.add_subplot(rows, columns, i + 1, sharex=shared, sharey=shared)
        _draw(axes, lines, log)
        told = first is not None and list(lines) == list(next(iter(panels.values())))
        if len(lines) > 1 and not told:
            _legend(axes)
        inner = share and i % columns
        if inner:
            axes.tick_params(labelleft=False)
        label(axes, xlabel, None if inner and ylabel is not None else ylabel or name,
              name if ylabel is not None and len(panels) > 1 else None)  # fmt: skip
        first = first or axes
    if title is not None:
        figure.suptitle(title, fontsize=12, parse_math=False)
    return save(figure, path)


def history(history: History, path: Path = None) -> Figure:
    """Draw a training's loss and metrics, the validation part beside the training part.

    Args:
        history: What `Trainer.fit` returned.
        path: Where to write the picture; its suffix says which kind.

    Raises:
        ImportError: without matplotlib, which `pip install 'fastnn[plot]'` brings.
        ValueError: if there is no epoch to draw.

    >>> import fastnn
    >>> measured = fastnn.History()
    >>> measured.add({"loss": 0.5, "accuracy": 0.75}, lr=0.1, seconds=2.0)
    >>> [axes.get_ylabel() for axes in history(measured).axes]
    ['loss', 'accuracy']
    """
    _at_least_one_epoch(history)
    panels: dict[str, dict[str, Sequence[float]]] = {}
    for name, values in {"loss": history.loss, "val_loss": history.val_loss,
                         **history.metrics}.items():  # fmt: skip
        if values and not _RATE.fullmatch(name):
            part = "validation" if name.startswith("val_") else "training"
            panels.setdefault(name.removeprefix("val_"), {})[part] = values
    return curves(panels, path)


def learning_rate(history: History, path: Path = None) -> Figure:
    """Draw the learning rate of each epoch's last step, on a logarithmic axis if it changes much.

    Args:
        history: What `Trainer.fit` returned; with the callback `LearningRateLogger` it has the
            rate of every parameter group.
        path: Where to write the picture; its suffix says which kind.

    Raises:
        ImportError: without matplotlib, which `pip install 'fastnn[plot]'` brings.
        ValueError: if there is no epoch to draw.

    >>> import fastnn
    >>> measured = fastnn.History()
    >>> measured.add({"loss": 0.5}, lr=0.1, seconds=2.0)
    >>> learning_rate(measured).axes[0].lines[0].get_ydata().tolist()
    [0.1]
    """
    _at_least_one_epoch(history)
    groups = {name: rates for name, rates in history.metrics.items() if _RATE.fullmatch(name)}
    lines = {f"parameter group {name[3:]}": rates for name, rates in groups.items()}
    rates = np.concatenate([*(lines or {"": history.lr}).values()])
    wide = rates.min() > 0 and rates.max() > 20 * rates.min()
    figure = curves({"learning rate": lines or {"": history.lr}}, log="y" if wide else "")
    if not wide:
        figure.axes[0].set_ylim(bottom=0, top=1.05 * rates.max() or 1.0)
    return save(figure, path)


def _at_least_one_epoch(history: History) -> None:
    if len(history) == 0:
        raise ValueError("plot: expected a history of at least one epoch, got none")


def _draw(axes: Axes, lines: Mapping[str, Any], log: str) -> None:
    for i, (name, values) in enumerate(lines.items()):
        x, y = values if isinstance(values, tuple) else (range(1, len(values) + 1), values)
        y = np.asarray(y, np.float64)
        few = len(y) <= 12 or not np.isfinite(y).any()
        axes.plot(
            np.asarray(x), y, label=name,
            color=_COLOURS[i % 4], linestyle=_DASHES[i % 4],
            linewidth=1.4 + 0.4 * (len(lines) - 1 - i),  # the lower of two equal lines is wider
            marker=_MARKERS[i % 4] if few or len(lines) > 1 else "", markersize=4,
            # every tenth of the way, and not in one place where lines coincide
            markevery=1 if few else (0.1 * i / len(lines), 0.1),
        )  # fmt: skip
    _scale(axes, log)
    quiet(axes)


def _legend(axes: Axes) -> None:
    names = [str(line.get_label()) for line in axes.lines]
    for text in axes.legend(axes.lines, names, frameon=False, fontsize=9).get_texts():
        text.set_parse_math(False)


def _scale(axes: Axes, log: str) -> None:
    """Whole numbers along x; logarithmic axes with numbers that read as such, not as powers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    locator = MaxNLocator(nbins=7, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1)
    axes.xaxis.set_major_locator(locator)
    for name in log:
        axes.set(**{f"{name}scale": "log"})
        axis = {"x": axes.xaxis, "y": axes.yaxis}[name]
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
