"""Rows of images: digits with what they are taken for, weights of a first layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.autograd import Array
from fastnn.options import whole
from fastnn.plot.style import Path, bare, label, new_figure, save, shortened
from fastnn.tensor import Tensor, as_array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fastnn.nn.module import Module

__all__ = ["digits", "weights"]

_WIDTH = 0.8  # of an image, in inches
_LINE = 0.2  # of the words below it
_RED = "#b3261e"

Shape = Sequence[int] | None


def digits(
    images: Any,
    labels: Any = None,
    predicted: Any = None,
    names: Sequence[object] | None = None,
    path: Path = None,
    *,
    columns: int = 10,
    limit: int = 50,
    shape: Shape = None,
    title: str | None = None,
) -> Figure:
    """Draw images in rows, each with its class, and what it was taken for where that differs.

    Grey images are drawn with dark ink on white where most of their area is dark, as MNIST's is.

    Args:
        images: (N, H, W), (N, H, W, C), (N, C, H, W) with 1 or 3 channels, or rows (N, H * W).
        labels: The true classes, (N,).
        predicted: The predicted ones, (N,): a mistake reads "4 → 9", and in red.
        names: Of the classes 0, 1, 2, ...; without them the classes are shown as they are.
        path: Where to write the picture; its suffix says which kind (.png, .svg, .pdf).
        columns: Images in a row.
        limit: Draw only the first so many.
        shape: (H, W) of flat rows, which are squares by default.
        title: Above all.

    Raises:
        ImportError: without matplotlib, which `pip install 'fastnn[plot]'` brings.
        ValueError: if there is no image, or a shape does not fit.
        IndexError: for a class beyond the names.

    >>> figure = digits(np.zeros((3, 4, 4)), labels=[1, 2, 3], predicted=[1, 2, 8])
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['1', '2', '3 → 8']
    """
    pictures = _pictures("digits", images, shape)
    limit = whole("digits", "limit", limit, 1)
    captions, wrong = _captions(len(pictures), labels, predicted, names, limit)
    shown = pictures[:limit].astype(np.float64)
    low, high = (0.0, 255.0) if pictures.dtype == np.uint8 else (shown.min(), shown.max())
    shown = np.clip((shown - low) / ((high - low) or 1.0), 0, 1)
    if shown.ndim == 3 and np.median(shown) < 0.5:
        shown = 1 - shown
    figure = _gallery(shown, captions, columns, title, cmap="gray", vmin=0, vmax=1)
    for i in wrong:
        figure.axes[0].texts[i].set_color(_RED)
    return save(figure, path)


def weights(
    layer: Any,
    path: Path = None,
    *,
    shape: Shape = None,
    names: Sequence[object] | None = None,
    columns: int = 10,
    limit: int = 50,
) -> Figure:
    """Draw what the units of a layer look at: one image a unit, or one field a weight.

    Weights of a layer that looks at images are drawn as such images: where `shape` is given, or
    where its inputs could be a square of at least 8 x 8. Others become one map, a row a unit.

    Args:
        layer: A model, of which the first `Linear` counts, a `Linear`, or weights (units, inputs).
        path: Where to write the picture; its suffix says which kind (.png, .svg, .pdf).
        shape: (H, W) of one unit's weights; (1, inputs) asks for the map.
        names: Of the inputs, along a map.
        columns: Images in a row.
        limit: Draw only the first so many units.

    Raises:
        ImportError: without matplotlib, which `pip install 'fastnn[plot]'` brings.
        ValueError: if there is no `Linear`, or a shape does not fit.

    >>> import fastnn
    >>> figure = weights(fastnn.nn.Linear(64, 5))
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['0', '1', '2', '3', '4']
    """
    array = _matrix(layer)[: whole("weights", "limit", limit, 1)].astype(np.float64)
    inputs = array.shape[1]
    side = math.isqrt(inputs)
    if shape is None:
        shape = (side, side) if side >= 8 and side * side == inputs else (1, inputs)
    # one far weight would leave no shade for the others
    reach = float(np.quantile(np.abs(array), 0.998)) or 1.0
    drawn: Any = {"cmap": "cividis", "vmin": -reach, "vmax": reach}
    if tuple(shape) == (1, inputs):
        figure = _map(array, names, **drawn)
    else:
        pictures = _pictures("weights", array, shape)
        captions = [str(unit) for unit in range(len(array))]
        title = f"weights of {len(array)} units"
        figure = _gallery(pictures, captions, columns, title, **drawn)
    bar = figure.colorbar(figure.axes[0].images[0], ax=figure.axes[0], shrink=0.8, aspect=25)
    bar.set_label("weight", fontsize=9)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, labelsize=8)
    return save(figure, path)


def _pictures(who: str, images: Any, shape: Shape) -> Array:
    """Images as (N, H, W) or (N, H, W, 3)."""
    array = as_array(images)
    if array.ndim == 2:
        side = math.isqrt(array.shape[1])
        height, width = (side, side) if shape is None else shape
        if height * width != array.shape[1]:
            raise ValueError(f"{who}: expected rows of {height} x {width} = {height * width} "
                             f"values, got {array.shape[1]}; pass shape=(H, W)")  # fmt: skip
        array = array.reshape(-1, height, width)
    if array.ndim == 4 and array.shape[1] in (1, 3) and array.shape[3] not in (1, 3):
        array = np.moveaxis(array, 1, 3)
    if array.ndim == 4 and array.shape[3] == 1:
        array = array[..., 0]
    if array.ndim not in (3, 4) or array.shape[3:] not in ((), (3,)) or not array.size:
        raise ValueError(f"{who}: expected images (N, H, W), (N, H, W, C), (N, C, H, W) or rows "
                         f"(N, H * W), at least one, got shape {np.shape(images)}")  # fmt: skip
    if not np.isfinite(array).all():
        raise ValueError(f"{who}: expected finite values, got NaN or infinity")
    return array


def _captions(
    rows: int, labels: Any, predicted: Any, names: Sequence[object] | None, limit: int
) -> tuple[list[str], list[int]]:
    """What stands below each image, and which of them are mistakes."""
    true, given = (_named(who, values, rows, names, limit)
                   for who, values in (("labels", labels), ("predicted", predicted)))  # fmt: skip
    if true is None or given is None:
        return true or given or [""] * min(rows, limit), []
    arrow = "\n→ " if max(map(len, true + given)) > 5 else " → "
    pairs = list(zip(true, given, strict=True))
    captions = [a if a == b else f"{a}{arrow}{b}" for a, b in pairs]
    return captions, [i for i, (a, b) in enumerate(pairs) if a != b]


def _named(
    who: str, values: Any, rows: int, names: Sequence[object] | None, limit: int
) -> list[str] | None:
    if values is None:
        return None
    given = values.tolist() if hasattr(values, "tolist") else list(values)
    if len(given) != rows or any(isinstance(value, list) for value in given):
        raise ValueError(f"digits: expected {who} of shape ({rows},), one an image, "
                         f"got {np.shape(values)}")  # fmt: skip
    if names is None:
        return [shortened(value, 14) for value in given[:limit]]
    for row, value in enumerate(given):
        if not 0 <= value < len(names):
            raise IndexError(f"digits: expected {who} from 0 to {len(names) - 1}, "
                             f"got {value} in row {row}")  # fmt: skip
    return [shortened(names[value], 14) for value in given[:limit]]


def _gallery(
    pictures: Array, captions: list[str], columns: int, title: str | None, **drawn: Any
) -> Figure:
    """All pictures in one, row by row, with words below each."""
    height, width = pictures.shape[1:3]
    columns = min(whole("plot", "columns", columns, 1), len(pictures))
    rows = -(-len(pictures) // columns)
    lines = 1 + max(caption.count("\n") for caption in captions)
    below = math.ceil(width * lines * _LINE / _WIDTH) + 1
    cell = (height + below, width + math.ceil(width / 10))
    sheet = np.full((rows * cell[0], columns * cell[1], *pictures.shape[3:]),
                    1.0 if pictures.ndim == 4 else np.nan)  # fmt: skip
    inch = _WIDTH / width
    figure = new_figure(
        inch * sheet.shape[1] + 0.1, inch * sheet.shape[0] + (0.4 if title else 0.1)
    )
    axes = figure.add_subplot()
    for i, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        y, x = (i // columns) * cell[0], (i % columns) * cell[1]
        sheet[y : y + height, x : x + width] = picture
        axes.text(x + (width - 1) / 2, y + height, caption, ha="center", va="top", fontsize=9,
                  linespacing=1, parse_math=False)  # fmt: skip
    axes.imshow(sheet, interpolation="nearest", **drawn)
    axes.set_axis_off()
    if title is not None:
        figure.suptitle(title, fontsize=11, parse_math=False)
    return figure


def _map(array: Array, names: Sequence[object] | None, **drawn: Any) -> Figure:
    """A field for each weight: a row a unit, a column an input."""
    units, inputs = array.shape
    if names is not None and len(names) != inputs:
        raise ValueError(f"weights: expected {inputs} names, one an input, got {len(names)}")
    words = [] if names is None else [shortened(name) for name in names]
    below = 0.09 * max(map(len, words), default=0)
    figure = new_figure(min(2.2 + 0.28 * inputs, 9.5), min(1.8 + 0.16 * units, 7.0) + below)
    axes = figure.add_subplot()
    axes.imshow(array, aspect="auto", interpolation="nearest", **drawn)
    axes.locator_params(integer=True)
    if words:
        axes.set_xticks(range(inputs), words, rotation=90, parse_math=False)
    label(axes, "input", "unit")
    bare(axes)
    return figure


def _matrix(layer: Module | Tensor | Array) -> Array:
    """The weights (units, inputs) of what was given."""
    from fastnn.nn import Linear, Module

    if isinstance(layer, Module):
        first = next((m for m in layer.modules() if isinstance(m, Linear)), None)
        if first is None:
            raise ValueError(f"weights: expected a model with a Linear, got {type(layer).__name__}")
        layer = first.weight
    array = as_array(layer)
    if array.ndim != 2 or not array.size or not np.isfinite(array).all():
        raise ValueError(f"weights: expected finite weights (units, inputs), got shape "
                         f"{array.shape}")  # fmt: skip
    return array
