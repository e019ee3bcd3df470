"""How tensors look on screen."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.autograd import Array

__all__ = ["as_text", "set_printoptions"]

_DEFAULT = {"precision": 4, "threshold": 1000, "edgeitems": 3, "max_line_width": 80,
            "suppress_small": None}  # fmt: skip
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
        sci_mode: False never writes powers of ten.

    >>> import fastnn
    >>> fastnn.set_printoptions(precision=2)
    >>> fastnn.tensor(3.14159)
    tensor(3.14)
    >>> fastnn.set_printoptions(profile="default")
    """
    if profile is not None:
        _options.update(_DEFAULT)
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems,
             "max_line_width": linewidth,
             "suppress_small": None if sci_mode is None else not sci_mode}  # fmt: skip
    _options.update({name: value for name, value in given.items() if value is not None})


def as_text(array: Array, prefix: str) -> str:
    """The values of an array, as they stand after `prefix`."""
    return np.array2string(array, separator=", ", prefix=prefix, **_options)
