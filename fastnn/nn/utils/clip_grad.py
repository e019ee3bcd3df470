"""Gradients kept from growing too large."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from fastnn import _core
from fastnn.autograd import Array
from fastnn.errors import NonFiniteError
from fastnn.nn.utils.parameters import Parameters, in_place, magnitude, tensors
from fastnn.tensor import Tensor

__all__ = ["clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm"]

_TINY = 1e-280  # squares summed to less may have lost some to underflow


def clip_grad_norm_(
    parameters: Parameters,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale gradients so that their norm, as of one long vector, is at most `max_norm`.

    `grad *= min(1, max_norm / (norm + 1e-6))` (Pascanu et al., 2013;
    `torch.nn.utils.clip_grad_norm_`). Call it between `backward` and `step`.

    Args:
        parameters: One tensor or several; those without a gradient are left out.
        max_norm: The norm not to exceed; infinity only measures.
        norm_type: p of the p-norm; `inf` is the largest magnitude.
        error_if_nonfinite: Whether a NaN or infinite norm is an error; else NaN spreads.
        foreach: Accepted, without effect.

    Returns:
        The norm before clipping.

    Raises:
        NonFiniteError: as `error_if_nonfinite` says; the gradients are left as they were.
        ValueError: if `max_norm` is negative or NaN, or `norm_type` not above 0.

    >>> import fastnn
    >>> w = fastnn.zeros(2, requires_grad=True)
    >>> (w * fastnn.tensor([3.0, 4.0])).sum().backward()
    >>> fastnn.nn.utils.clip_grad_norm_(w, max_norm=1.0)
    tensor(5.)
    >>> w.grad
    tensor([0.6000, 0.8000])
    """
    magnitude("clip_grad_norm_", "max_norm", max_norm)
    listed = tensors("clip_grad_norm_", parameters)
    grads = [p.grad for p in listed if p.grad is not None]
    total = get_total_norm(grads, norm_type, error_if_nonfinite, foreach)
    clip_grads_with_norm_(listed, max_norm, total, foreach)
    return total


def get_total_norm(
    tensors_: Parameters,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The norm of some tensors as of one long vector (`torch.nn.utils.get_total_norm`).

    `(sum |x|^p)^(1/p)`, summed in float64 tensor by tensor, so that it is the same wherever they
    lie, and without overflow where the norm itself has none.

    Args:
        tensors_: One tensor or several.
        norm_type: p, above 0; `inf` is the largest magnitude.
        error_if_nonfinite: Whether a NaN or infinite norm is an error.
        foreach: Accepted, without effect.

    Raises:
        NonFiniteError: as `error_if_nonfinite` says.
        ValueError: if `norm_type` is not above 0.

    >>> import fastnn
    >>> fastnn.nn.utils.get_total_norm([fastnn.ones(2), fastnn.ones(2)])
    tensor(2.)
    """
    p = magnitude("get_total_norm", "norm_type", norm_type)
    if p == 0:
        raise ValueError(f"get_total_norm: expected norm_type > 0, got {norm_type!r}")
    arrays = [t._array for t in tensors("get_total_norm", tensors_) if t.numel()]
    norm = _norm(arrays, p) if arrays else 0.0
    if error_if_nonfinite and not math.isfinite(norm):
        raise NonFiniteError(
            f"the gradients' norm of order {p:g} is {norm}: they hold a NaN or infinite value, "
            "so they cannot be clipped; try a smaller learning rate"
        )
    return Tensor.of(np.array(norm, arrays[0].dtype if arrays else np.float32))


def clip_grads_with_norm_(
    parameters: Parameters, max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Scale gradients, given their norm (`torch.nn.utils.clip_grads_with_norm_`).

    `grad *= min(1, max_norm / (total_norm + 1e-6))`

    Args:
        parameters: One tensor or several; those without a gradient are left out.
        max_norm: The norm not to exceed.
        total_norm: What `get_total_norm` found.
        foreach: Accepted, without effect.

    >>> import fastnn
    >>> w = fastnn.zeros(1, requires_grad=True)
    >>> (w * 8).sum().backward()
    >>> fastnn.nn.utils.clip_grads_with_norm_(w, 1.0, fastnn.tensor(4.0))
    >>> round(w.grad.item(), 4)
    2.0
    """
    norm = float(total_norm) + 1e-6
    factor = magnitude("clip_grads_with_norm_", "max_norm", max_norm) / norm
    if factor >= 1 or (math.isinf(norm) and math.isnan(factor)):  # inf / inf: nothing to clip
        return
    for p in tensors("clip_grads_with_norm_", parameters):
        if p.grad is not None:
            in_place(partial(_core.scale_values, factor=factor), p.grad._array)


def clip_grad_value_(
    parameters: Parameters, clip_value: float, foreach: bool | None = None
) -> None:
    """Bring each element of the gradients into `[-clip_value, clip_value]`.

    As `torch.nn.utils.clip_grad_value_`; NaN stays NaN.

    Args:
        parameters: One tensor or several; those without a gradient are left out.
        clip_value: The largest magnitude allowed.
        foreach: Accepted, without effect.

    Raises:
        ValueError: if `clip_value` is negative or NaN.

    >>> import fastnn
    >>> w = fastnn.zeros(2, requires_grad=True)
    >>> (w * fastnn.tensor([0.5, -4.0])).sum().backward()
    >>> fastnn.nn.utils.clip_grad_value_(w, 1.0)
    >>> w.grad
    tensor([ 0.5000, -1.0000])
    """
    limit = magnitude("clip_grad_value_", "clip_value", clip_value)
    for p in tensors("clip_grad_value_", parameters):
        if p.grad is not None:
            in_place(partial(_core.clip_values, limit=limit), p.grad._array)


def _norm(arrays: list[Array], p: float) -> float:
    """The p-norm in float64, of scaled values where powers leave its range."""
    if p != math.inf:
        total = _powers(arrays, p, 1.0)
        if _TINY < total < math.inf:
            return float(total ** (1 / p))
    largest = float(np.max([np.abs(a).max() for a in arrays]))
    if p == math.inf or largest == 0 or not math.isfinite(largest):
        return largest
    scale = math.ldexp(1.0, -math.frexp(largest)[1])
    return float(_powers(arrays, p, scale) ** (1 / p)) / scale


def _powers(arrays: list[Array], p: float, scale: float) -> float:
    if p == 2:
        return sum(_core.squared_norm(a, scale) for a in arrays)
    with np.errstate(over="ignore", under="ignore"):
        return float(sum(np.sum(np.abs(a * np.float64(scale)) ** p) for a in arrays))
