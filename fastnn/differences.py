"""Derivatives from function values alone: what a gradient on the tape is checked against."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastnn.autograd import Array, no_grad
from fastnn.options import above_zero
from fastnn.tensor import Tensor

__all__ = ["Slope", "central", "numerical_gradient", "settled"]


# --- of a function of an array ---


def numerical_gradient(f: Callable[[Any], Any], x: Any, h: float = 1e-4) -> Array:
    """The gradient by central differences: `(f(x + h e_i) - f(x - h e_i)) / 2h` for each i.

    Element after element of `x` is moved in place and put back, so `f` may read its argument, or
    the array or the parameter it was given here. No tape, no backward: 2 calls of `f` an element.
    The error is about `h^2` times the third derivative plus `eps f(x) / h`: 8 digits in float64,
    but 3 in float32, which therefore warns.

    Args:
        f: Maps `x` to one number: a float, an array or a tensor of one element.
        x: An array or a tensor of floating-point numbers; afterwards it has the bits it had.
        h: The step.

    Returns:
        An array of the shape and type of `x`.

    Raises:
        TypeError: if `x` is not a floating-point array or tensor.
        ValueError: if `f` gives more than one number, `x` is read-only, or h is not positive.

    >>> import numpy as np, fastnn
    >>> fastnn.numerical_gradient(lambda x: (x**2).sum(), np.array([3.0, 4.0])).round(6)
    array([6., 8.])
    """
    array = _checked_array(x)
    above_zero("numerical_gradient", "step h", h)
    gradient, before = np.empty_like(array), array.copy()
    try:
        with no_grad():
            for index in np.ndindex(array.shape):
                values, places = [], []
                for step in (h, -h):
                    array[index] = before[index] + step
                    places.append(float(array[index]))  # as float32 has it, say
                    values.append(_number(f(x)))
                array[index] = before[index]
                gradient[index] = (values[0] - values[1]) / _distance(places, h)
    finally:
        array[...] = before
    return gradient


def _distance(places: list[float], h: float) -> float:
    up, down = places
    if up == down:
        raise ValueError(f"numerical_gradient: the step h = {h} does not change {up}; use a larger "
                         "one, or scale the values")  # fmt: skip
    return up - down


def _checked_array(x: Any) -> Array:
    array = x._array if isinstance(x, Tensor) else x
    if not isinstance(array, np.ndarray) or array.dtype not in (np.float32, np.float64):
        kind = getattr(array, "dtype", type(x).__name__)
        raise TypeError(
            f"numerical_gradient: expected x as a float64 array or tensor, got {kind}; "
            "convert it with np.array(x, dtype=float)"
        )
    if not array.flags.writeable:
        raise ValueError("numerical_gradient: x is read-only and its elements must be moved; "
                         "pass x.copy()")  # fmt: skip
    if array.dtype == np.float32:
        warnings.warn(
            "numerical_gradient: differences of float32 values keep about 3 digits; "
            "use float64 (x.double(), model.double()) for more",
            stacklevel=3,
        )
    return array


def _number(value: Any) -> float:
    array = value._array if isinstance(value, Tensor) else np.asarray(value)
    if array.size != 1:
        raise ValueError(
            f"numerical_gradient: expected f to give one number, got shape {array.shape}; "
            "reduce it with sum() or mean()"
        )
    return float(array.item())


# --- of a function of one number, at 0 ---

_STEPS = 2.0 ** -np.arange(7, 31, 2)  # 8e-3 down to 2e-9


class Slope(NamedTuple):
    """A derivative and how far it can be trusted.

    Attributes:
        value: The derivative.
        doubt: How far off that may be.
        kink: Whether it jumps too near to tell its value; then it is anything within the doubt.
        coarse: Whether the function's values jump by more than float64 rounds them.
    """

    value: float
    doubt: float
    kink: bool = False
    coarse: bool = False


def central(line: Callable[[float], float], h: float) -> float:
    """`(line(h) - line(-h)) / 2h`, off by `h^2 / 6` times the third derivative and by rounding."""
    return (line(h) - line(-h)) / (2 * h)


def settled(line: Callable[[float], float], size: float, unit: float, enough: float) -> Slope:
    """The derivative at 0 from steps of all lengths, with how far it can be trusted.

    Central differences of two steps are extrapolated (Richardson), and doubted by how much the
    next two differ, by rounding, and by how much the second difference changes: across a jump of
    the slope it grows as the step shrinks. Where there is a kink that leaves no step sure, the
    one-sided differences of the best step bracket the derivative.

    Args:
        line: The function.
        size: Magnitude of its values, which sets how much rounding disturbs them.
        unit: What a step of 1 is.
        enough: A doubt below this is none.
    """
    h = _STEPS * unit
    middle = line(0.0)
    up, down = np.array([(line(t), line(-t)) for t in h]).T
    right, left = (up - middle) / h, (middle - down) / h
    jumps = np.abs(right - left)  # shrink with the step, but across a kink stay
    rounding = np.finfo(np.float64).eps * size
    # the shortest step shows how much is lost inside the function
    noise = np.fmax(rounding, 2 * jumps[-1] * h[-1]) / h
    slopes, bends = (right + left) / 2, (right - left) / h
    extrapolated = (16 * slopes[1:] - slopes[:-1]) / 15
    bent = np.abs(np.diff(bends))[:-1] * h[:-2] - 64 * noise[:-2]
    doubts = np.abs(np.diff(extrapolated)) + noise[2:] + np.maximum(bent, 0)
    doubts[np.isnan(doubts)] = np.inf  # a step led out of where the function is defined
    best = int(np.argmin(doubts))
    sure = Slope(float(extrapolated[best]), float(doubts[best]))
    if sure.doubt <= enough:
        return sure
    if jumps[-1] > 4 * jumps[len(jumps) // 2] + 2**20 * rounding / h[-1]:
        return sure._replace(coarse=True)
    if np.isfinite(sure.doubt) and not _has_kink(jumps, noise):
        return sure
    bracket = _bracket(left, right, noise)
    return bracket if bracket.doubt < sure.doubt else sure._replace(kink=True)


def _has_kink(jumps: Array, noise: Array) -> bool:
    """Whether one-sided slopes stay apart where a quarter of the step should quarter their gap."""
    stay = (jumps[1:] > jumps[:-1] / 3) & (jumps[1:] > 64 * noise[1:])
    return bool(stay[3:].any())  # longer steps see curvature of high order too


def _bracket(left: Array, right: Array, noise: Array) -> Slope:
    """The narrowest hull of one-sided differences at two steps and of their extrapolation."""
    sides = [
        side for d in (left, right) for side in (d[:-1], d[1:], (4 * d[1:] - d[:-1]) / 3)
    ]  # fmt: skip
    low, high = np.min(sides, axis=0) - noise[1:], np.max(sides, axis=0) + noise[1:]
    width = high - low
    best = int(np.argmin(np.where(np.isnan(width), np.inf, width)))
    return Slope(float(low[best] + high[best]) / 2, float(width[best]) / 2, kink=True)
