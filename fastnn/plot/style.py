"""What all pictures have in common: how they are made, their colours, their axes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "BLUE",
    "GREY",
    "ORANGE",
    "bare",
    "label",
    "load",
    "new_figure",
    "quiet",
    "save",
    "shortened",
]

BLUE, ORANGE, GREY = "#0b5394", "#d9730d", "#4d4d4d"

Path = str | os.PathLike[str] | None


def load() -> type[Figure]:
    """Load matplotlib; the class of our figures.

    Raises:
        ImportError: without matplotlib; it says how to get it.
    """
    try:
        from fastnn.plot.picture import Picture
    except ImportError as error:
        raise ImportError(
            "plots need matplotlib, which is not installed; pip install 'fastnn[plot]'"
        ) from error
    return Picture


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches, outside of pyplot."""
    return load()(figsize=(width, height), layout="constrained", dpi=150)


def save(figure: Figure, path: Path) -> Figure:
    """Write the figure if there is a path; its suffix says which kind (.png, .svg, .pdf)."""
    if path is not None:
        figure.savefig(path)
    return figure


def quiet(axes: Axes) -> None:
    """Axes that stay behind what is drawn in them."""
    axes.grid(color="#e3e3e3", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(GREY)
    axes.tick_params(colors=GREY, labelsize=9)


def bare(axes: Axes) -> None:
    """Axes without a frame, but for the names along them."""
    axes.tick_params(length=0, labelsize=9)
    for spine in axes.spines.values():
        spine.set_visible(False)


def label(axes: Axes, x: str | None = None, y: str | None = None, title: str | None = None) -> None:
    """Texts around axes as they are: a `$` in a name is no formula."""
    given: Any = {"parse_math": False}
    if x is not None:
        axes.set_xlabel(x, **given)
    if y is not None:
        axes.set_ylabel(y, **given)
    if title is not None:
        axes.set_title(title, fontsize=10.5, **given)


def shortened(text: object, length: int = 18) -> str:
    """A name of at most so many characters, in one line.

    >>> shortened("a very long name of a class", 12)
    'a very long…'
    """
    line = " ".join(str(text).split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"
