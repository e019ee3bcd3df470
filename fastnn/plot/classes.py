"""Which classes are taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.confusion import Confusion, Counts
from fastnn.options import whole
from fastnn.plot.style import Path, bare, label, new_figure, save, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["confusion_matrix"]


def confusion_matrix(
    targets: Any,
    predicted: Any,
    names: Sequence[object] | None = None,
    path: Path = None,
    *,
    title: str | None = None,
    limit: int = 30,
) -> Figure:
    """Draw how many rows of each true class were taken for each class.

    The shade of a field is the share of its row: what a class is taken for, whatever its size.

    Args:
        targets: The true classes, (N,), as numbers or names.
        predicted: The predicted ones, or outputs (N, C), of which the largest counts.
        names: Of the classes 0, 1, 2, ...; by default each is named by what it is.
        path: Where to write the picture; its suffix says which kind (.png, .svg, .pdf).
        title: Above the picture; by default it tells the accuracy.
        limit: Of more classes only this many are drawn, those with the most mistakes.

    Raises:
        ImportError: without matplotlib, which `pip install 'fastnn[plot]'` brings.
        ValueError: if targets and predictions do not fit.
        IndexError: for a class beyond the names.

    >>> figure = confusion_matrix([0, 1, 1, 1], [0, 0, 1, 1], names=["no", "yes"])
    >>> figure.axes[0].get_title()
    'accuracy 75.00 %'
    """
    seen = Confusion(targets, predicted, names)
    chosen = seen.hardest(whole("confusion_matrix", "limit", limit, 1))
    if title is None:
        part = f"; {limit} of {len(seen.names)} classes" if len(chosen) < len(seen.names) else ""
        title = f"accuracy {100 * seen.accuracy:.2f} %{part}"
    labels = [shortened(seen.names[c]) for c in chosen]
    side = min(2.2 + 0.42 * len(chosen), 9.5)
    margin = 0.075 * max(map(len, labels))
    figure = new_figure(side + 0.9 + margin, side + margin)
    axes = figure.add_subplot()
    _fields(axes, seen.matrix(chosen), seen.support[chosen])
    _names(axes, labels)
    label(axes, "predicted class", "true class", title)
    bar = figure.colorbar(
        axes.images[0], ax=axes, shrink=0.8, aspect=25, ticks=[0, 1, 5, 20, 50, 100]
    )
    bar.set_label("share of the true class (%)", fontsize=9)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, labelsize=8)
    return save(figure, path)


def _fields(axes: Axes, counts: Counts, support: Counts) -> None:
    from matplotlib.colors import PowerNorm

    shares = 100 * counts / np.maximum(support, 1)[:, None]
    # the power lets single mistakes be seen beside a diagonal of 99 %
    image = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.4, 0, 100))
    size = min(9.0, 200 / len(counts))
    # where white and black have the same contrast of 4.6 to the field, by WCAG's formula
    dark = image.to_rgba(shares)[..., :3] @ [0.299, 0.587, 0.114] < 0.457
    for row, column in zip(*np.nonzero(counts), strict=True):
        axes.text(column, row, f"{counts[row, column]}", ha="center", va="center", fontsize=size,
                  color="white" if dark[row, column] else "black")  # fmt: skip


def _names(axes: Axes, labels: list[str]) -> None:
    places = range(len(labels))
    turned: Any = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(places, labels, parse_math=False, **turned if max(map(len, labels)) > 3 else {})
    axes.set_yticks(places, labels, parse_math=False)
    axes.set_xticks(np.arange(len(labels) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(labels) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#c8c8c8", linewidth=0.6)
    axes.tick_params(which="minor", length=0)
    bare(axes)
