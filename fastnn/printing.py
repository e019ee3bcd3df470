"""How tensors look on screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastnn.autograd import Array

__all__ = ["as_text", "set_printoptions"]

_DEFAULT = {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80, "sci_mode": None}
_options: dict[str, Any] = dict(_DEFAULT)


def set_printoptions(
    precision: int | None = None,
    threshold: int | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors are printed (`torch.set_printoptions`); what is not given stays.

    Args:
        precision: Digits after the point.
        threshold: Up to how many values all are printed.
        edgeitems: How many are printed at each end where not all are.
        linewidth: Characters in a line.
        profile: "default" sets everything back.
        sci_mode: True always writes powers of ten, False never; by default where values differ
            by more than a factor of 1000, or are very large or very small.

    >>> import fastnn
    >>> fastnn.set_printoptions(precision=2)
    >>> fastnn.tensor(3.14159)
    tensor(3.14)
    >>> fastnn.set_printoptions(profile="default")
    """
    if profile is not None:
        _options.update(_DEFAULT)
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems,
             "linewidth": linewidth, "sci_mode": sci_mode}  # fmt: skip
    _options.update({name: value for name, value in given.items() if value is not None})


def as_text(array: Array, prefix: str) -> str:
    """The values of an array, as they stand after `prefix`; all of one form and width."""
    form: Any = None
    if array.dtype.kind in "fb":
        shown = _shown(array)
        write = _form_of(shown) if array.dtype.kind == "f" else str
        counted = shown[np.isfinite(shown) & (shown != 0)] if shown.dtype.kind == "f" else shown
        width = max((len(write(v)) for v in counted.tolist()), default=0)
        form = {"all": lambda value: write(value.item()).rjust(width)}
    text = np.array2string(
        array, separator=", ", prefix=prefix, formatter=form, threshold=_options["threshold"],
        edgeitems=_options["edgeitems"], max_line_width=_options["linewidth"],
    )  # fmt: skip
    return text.replace(", ..., ", ",  ..., ")


def _shown(array: Array) -> Array:
    """The values that will be printed, in one dimension."""
    edge = _options["edgeitems"]
    if array.size > _options["threshold"]:
        for axis, n in enumerate(array.shape):
            if n > 2 * edge:
                ends = [*range(edge), *range(n - edge, n)]
                array = np.take(array, ends, axis=axis)
    return array.reshape(-1)


def _form_of(values: Array) -> Callable[[float], str]:
    """How PyTorch writes floating-point values that stand together."""
    magnitudes = np.abs(values[np.isfinite(values) & (values != 0)]).astype(np.float64)
    whole = bool((magnitudes == np.floor(magnitudes)).all())
    low, high = (magnitudes.min(), magnitudes.max()) if magnitudes.size else (1.0, 1.0)
    powers = high > 1000 * low or high > 1e8 or (low < 1e-4 and not whole)
    if _options["sci_mode"] is not None:
        powers = _options["sci_mode"]
    digits = _options["precision"]
    if powers:
        return lambda value: f"{value:.{digits}e}"
    if whole:
        return lambda value: f"{value:.0f}." if np.isfinite(value) else f"{value}"
    return lambda value: f"{value:.{digits}f}"
