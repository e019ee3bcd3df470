"""Checks of options: a bad one is an error where it is given, not a NaN much later.

Each takes who asks, the option's name and its value, and returns that value as Python's own type,
or raises an error that says all three. NumPy's numbers are numbers, `True` and `"1"` are none.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

__all__ = [
    "above_zero", "at_least_zero", "flag", "fraction", "integer", "is_number", "number", "one_of",
    "seed", "share", "whole", "within",
]  # fmt: skip

_REAL = (int, float, np.integer, np.floating)


def is_number(value: Any) -> bool:
    """Whether `value` is a real number, of Python or of NumPy.

    >>> is_number(np.float32(0.5)), is_number(True), is_number("0.5")
    (True, False, False)
    """
    return isinstance(value, _REAL) and not isinstance(value, bool)


# --- real numbers ---


def number(who: str, name: str, value: Any) -> float:
    """A number, infinite ones among them, but not NaN.

    >>> number("elu", "alpha", 1)
    1.0
    """
    given = _real(who, name, value)
    if math.isnan(given):
        raise ValueError(f"{who}: expected {name} to be a number, got {value!r}")
    return given


def at_least_zero(who: str, name: str, value: Any, *, infinite: bool = False) -> float:
    """A number >= 0, finite unless infinity too makes sense.

    >>> at_least_zero("SGD", "momentum", 0)
    0.0
    """
    given = _real(who, name, value)
    if not given >= 0 or (given == math.inf and not infinite):
        kind = "" if infinite else "a finite "
        raise ValueError(f"{who}: expected {kind}{name} >= 0, got {value!r}")
    return given


def above_zero(who: str, name: str, value: Any, *, infinite: bool = False) -> float:
    """A number > 0, finite unless infinity too makes sense.

    >>> above_zero("HuberLoss", "delta", 0.5)
    0.5
    """
    given = _real(who, name, value)
    if not given > 0 or (given == math.inf and not infinite):
        kind = "" if infinite else "a finite "
        raise ValueError(f"{who}: expected {kind}{name} > 0, got {value!r}")
    return given


def fraction(who: str, name: str, value: Any) -> float:
    """A number in [0, 1), such as how much of an average is kept.

    >>> fraction("Adam", "beta1", 0.9)
    0.9
    """
    given = _real(who, name, value)
    if not 0 <= given < 1:
        raise ValueError(f"{who}: expected 0 <= {name} < 1, got {value!r}")
    return given


def share(who: str, name: str, value: Any, *, zero: bool = True) -> float:
    """A number in [0, 1], such as a probability, or in (0, 1] where `zero` is False.

    >>> share("Dropout", "p", 1)
    1.0
    """
    given = _real(who, name, value)
    if not 0 <= given <= 1 or (given == 0 and not zero):
        bound = "0 <=" if zero else "0 <"
        raise ValueError(f"{who}: expected {bound} {name} <= 1, got {value!r}")
    return given


def within(who: str, name: str, value: Any) -> float:
    """A number in (0, 1), such as a quantile.

    >>> within("QuantileLoss", "quantile", 0.9)
    0.9
    """
    given = _real(who, name, value)
    if not 0 < given < 1:
        raise ValueError(f"{who}: expected 0 < {name} < 1, got {value!r}")
    return given


def _real(who: str, name: str, value: Any) -> float:
    if not is_number(value):
        hint = f"; pass {name}.item()" if hasattr(value, "item") else ""  # a tensor, an array
        raise TypeError(f"{who}: expected {name} to be a number, got {value!r}{hint}")
    try:
        return float(value)
    except OverflowError:  # an integer; its digits could be thousands
        raise ValueError(
            f"{who}: expected {name} to be a number of at most 1.8e308, got an integer beyond"
        ) from None


# --- whole numbers ---


def integer(who: str, name: str, value: Any) -> int:
    """Any integer.

    >>> integer("NLLLoss", "ignore_index", np.int64(-100))
    -100
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{who}: expected an integer {name}, got {value!r}") from None


def whole(who: str, name: str, value: Any, least: int) -> int:
    """An integer >= `least`, such as a size or a count.

    >>> whole("DataLoader", "batch_size", 100, 1)
    100
    """
    given = integer(who, name, value)
    if given < least:
        raise ValueError(f"{who}: expected {name} >= {least}, got {given}")
    return given


def seed(who: str, value: Any) -> int:
    """An integer of 64 bits without a sign.

    >>> seed("manual_seed", 7)
    7
    """
    given = integer(who, "seed", value)
    if not 0 <= given < 2**64:
        raise ValueError(f"{who}: expected a seed from 0 to 2**64 - 1, got {given}")
    return given


# --- choices ---


def flag(who: str, name: str, value: Any) -> bool:
    """True or False.

    >>> flag("SGD", "nesterov", np.True_)
    True
    """
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{who}: expected {name} to be True or False, got {value!r}")
    return bool(value)


def one_of(who: str, name: str, value: Any, *choices: str) -> str:
    """One of some names.

    >>> one_of("kaiming_uniform_", "mode", "fan_in", "fan_in", "fan_out")
    'fan_in'
    """
    if not isinstance(value, str) or value not in choices:
        *others, last = map(repr, choices)
        raise ValueError(f"{who}: expected {name} {', '.join(others)} or {last}, got {value!r}")
    return value
