"""Pictures of a training: curves of loss and metrics (needs matplotlib)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.history import History
from fastnn.options import one_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["curves", "history"]

Panels = Mapping[str, Mapping[str, Any]]

# Lines differ in colour, in dashes and in markers: they stay apart in grey, and for every eye.
_COLOURS = ("#0b5394", "#d9730d", "#2e7d32", "#8e24aa")
_DASHES = ("-", "--", "-.", ":")
_MARKERS = ("o", "s", "^", "D")
_GREY = "#4d4d4d"


def curves(
    panels: Panels,
    path: str | os.PathLike[str] | None = None,
    *,
    xlabel: str = "epoch",
    ylabel: str | None = None,
    title: str | None = None,
    log: str = "",
    share: bool = False,
) -> Figure:
    """Draw curves in panels side by side, without a window and without pyplot's state.

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
    figure_class = _figure_class()
    if not panels or not all(panels.values()):
        raise ValueError("plot: expected at least one curve in every panel, got none")
    one_of("plot", "log", log, "", "x", "y", "xy")
    figure = figure_class(figsize=(4.6 * len(panels) + 0.6, 3.4), layout="constrained", dpi=150)
    row = figure.subplots(1, len(panels), squeeze=False, sharex=share, sharey=share)[0]
    for axes, (name, lines) in zip(row, panels.items(), strict=True):
        _draw(axes, lines, log)
        told = axes is not row[0] and list(lines) == list(next(iter(panels.values())))
        if len(lines) > 1 and not told:
            axes.legend(frameon=False, fontsize=9)
        axes.set_xlabel(xlabel)
        if ylabel is None or axes is row[0] or not share:
            axes.set_ylabel(name if ylabel is None else ylabel)
        if ylabel is not None and len(panels) > 1:
            axes.set_title(name, fontsize=10.5)
    if title is not None:
        figure.suptitle(title, fontsize=12)
    if path is not None:
        figure.savefig(path)
    return figure


def history(history: History, path: str | os.PathLike[str] | None = None) -> Figure:
    """Draw a training's loss and metrics, the validation part beside the training part.

    Args:
        history: What `Trainer.fit` returned.
        path: Where to write the picture.

    Raises:
        ImportError: without matplotlib, which `pip install 'fastnn[plot]'` brings.
        ValueError: if there is no epoch to draw.
    """
    if len(history) == 0:
        raise ValueError("plot: expected a history of at least one epoch, got none")
    panels: dict[str, dict[str, Sequence[float]]] = {}
    for name, values in {"loss": history.loss, "val_loss": history.val_loss,
                         **history.metrics}.items():  # fmt: skip
        if values:
            part = "validation" if name.startswith("val_") else "training"
            panels.setdefault(name.removeprefix("val_"), {})[part] = values
    return curves(panels, path)


def _figure_class() -> type[Figure]:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "plots need matplotlib, which is not installed; pip install 'fastnn[plot]'"
        ) from error
    return Figure


def _draw(axes: Axes, lines: Mapping[str, Any], log: str) -> None:
    for i, (label, values) in enumerate(lines.items()):
        x, y = values if isinstance(values, tuple) else (range(1, len(values) + 1), values)
        y = np.asarray(y, np.float64)
        few = len(y) <= 12 or not np.isfinite(y).any()
        axes.plot(
            np.asarray(x), y, label=label,
            color=_COLOURS[i % 4], linestyle=_DASHES[i % 4],
            linewidth=1.4 + 0.4 * (len(lines) - 1 - i),  # the lower of two equal lines is wider
            marker=_MARKERS[i % 4] if few or len(lines) > 1 else "", markersize=4,
            # every tenth of the way, and not in one place where lines coincide
            markevery=1 if few else (0.1 * i / len(lines), 0.1),
        )  # fmt: skip
    _scale(axes, log)
    axes.grid(color="#e3e3e3", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(_GREY)
    axes.tick_params(colors=_GREY, labelsize=9)


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
