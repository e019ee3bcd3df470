"""Predicted numbers beside true ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastnn.metrics import METRICS
from fastnn.plot.style import BLUE, Path, label, new_figure, quiet, save
from fastnn.tensor import as_array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["predictions"]

_POINTS = 5000  # of more rows this many are drawn: more would only hide each other
Floats = NDArray[np.float64]


def predictions(
    targets: Any,
    predicted: Any,
    path: Path = None,
    *,
    names: Sequence[object] = ("target",),
) -> Figure:
    """Draw predicted against true numbers, a panel for each column of the target.

    Points on the line are right. The title tells R² and the root of the mean squared error over
    all rows; of more than 5000 rows every k-th is drawn.

    Args:
        targets: The true numbers, (N,) or (N, K).
        predicted: Of the same shape; (N,) and (N, 1) are taken for the same.
        path: Where to write the picture; its suffix says which kind (.png, .svg, .pdf).
        names: Of the columns, with their units.

    Raises:
        ImportError: without matplotlib, which `pip install 'fastnn[plot]'` brings.
        ValueError: if the shapes differ, there is no row, a number is not finite, or there are
            not as many names as columns.

    >>> figure = predictions([1.0, 2.0, 3.0], [1.0, 2.0, 4.0], names=["price ($)"])
    >>> figure.axes[0].get_title(), figure.axes[0].get_xlabel()
    ('R² 0.500, RMSE 0.5774', 'true price ($)')
    """
    true, given = columns_of(targets, predicted)
    if len(names) != true.shape[1]:
        raise ValueError(f"predictions: expected {true.shape[1]} names, one a column, "
                         f"got {len(names)}")  # fmt: skip
    columns = min(len(names), 3)
    rows = -(-len(names) // columns)
    figure = new_figure(4.2 * columns, 4.2 * rows)
    for k, name in enumerate(names):
        axes = figure.add_subplot(rows, columns, k + 1)
        _scatter(axes, true[:, k], given[:, k])
        r2, rmse = (measure(metric, true[:, k], given[:, k]) for metric in ("r2", "rmse"))
        label(axes, f"true {name}", f"predicted {name}", f"R² {r2:.3f}, RMSE {rmse:.4g}")
    return save(figure, path)


def columns_of(targets: Any, predicted: Any) -> tuple[Floats, Floats]:
    """Both as (N, K) of float64.

    Raises:
        ValueError: if the shapes differ, there is no row, or a number is not finite.
    """
    both = []
    for who, values in (("targets", targets), ("predictions", predicted)):
        array = as_array(values).astype(np.float64)
        array = array[:, None] if array.ndim == 1 else array
        if array.ndim != 2 or not array.size:
            raise ValueError(f"predictions: expected {who} of shape (N,) or (N, K), N and K > 0, "
                             f"got {np.shape(values)}")  # fmt: skip
        bad = ~np.isfinite(array).all(1)
        if bad.any():
            raise ValueError(f"predictions: expected finite {who}, got NaN or infinity in row "
                             f"{int(bad.argmax())}")  # fmt: skip
        both.append(array)
    if both[0].shape != both[1].shape:
        raise ValueError(f"predictions: expected targets and predictions of one shape, got "
                         f"{np.shape(targets)} and {np.shape(predicted)}")  # fmt: skip
    return both[0], both[1]


def measure(name: str, true: Floats, given: Floats) -> float:
    """A metric of all rows at once.

    >>> measure("mae", np.array([1.0, 2.0]), np.array([1.0, 3.0]))
    0.5
    """
    metric = METRICS[name](None)()
    metric.add(given, true)
    return metric.value()


def _scatter(axes: Axes, true: Floats, given: Floats) -> None:
    from matplotlib.patheffects import Normal, Stroke

    every = -(-len(true) // _POINTS)
    x, y = true[::every], given[::every]
    low, high = min(true.min(), given.min()), max(true.max(), given.max())
    room = 0.04 * (high - low) or 1.0
    ends = (low - room, high + room)
    axes.scatter(x, y, s=12, color=BLUE, linewidths=0,
                 alpha=float(np.clip(12 / len(x) ** 0.5, 0.1, 0.8)))  # fmt: skip
    # over the points, with a white edge: it must be seen among many of them
    axes.plot(ends, ends, color="black", linewidth=1.2, linestyle="--",
              path_effects=[Stroke(linewidth=3, foreground="white"), Normal()])  # fmt: skip
    axes.set(xlim=ends, ylim=ends, aspect="equal")
    quiet(axes)
