"""Functions of tensors that PyTorch has at its top level, most of them methods too."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from fastnn.autograd import Array
from fastnn.ops.base import fit
from fastnn.tensor import Tensor, as_tensor, pair, record

__all__ = [
    "abs", "add", "all", "allclose", "amax", "amin", "any", "argmax", "argmin", "argsort",
    "bincount", "bmm", "cat", "ceil", "chunk", "clamp", "clip", "concat", "cos", "cosh",
    "count_nonzero", "cumsum", "diag", "div", "divide", "dot", "eq", "equal", "exp", "flatten",
    "flip", "floor", "gather", "ge", "gt", "hstack", "index_select", "is_floating_point",
    "is_tensor", "isclose", "isfinite", "isinf", "isnan", "le", "log", "log1p", "log2", "log10",
    "logical_and", "logical_not", "logical_or", "logical_xor", "logsumexp", "lt", "masked_fill",
    "masked_select", "matmul", "max", "maximum", "mean", "min", "minimum", "mm", "mul",
    "multiply", "mv", "ne", "neg", "nonzero", "norm", "numel", "outer", "permute", "pow",
    "prod", "reciprocal", "reshape", "round", "sign", "sin", "sort", "split", "sqrt", "square",
    "squeeze", "stack", "std", "sub", "subtract", "sum", "t", "topk", "transpose", "unbind",
    "unique", "unsqueeze", "var", "vstack", "where",
]  # fmt: skip  # fmt: skip


def _function(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of `Tensor` as a function, whose first argument may be an array or a list too."""

    @functools.wraps(method)
    def function(input: Any, *args: Any, **kwargs: Any) -> Any:
        return method(input if isinstance(input, Tensor) else as_tensor(input), *args, **kwargs)

    return function


def _functions(*methods: Callable[..., Any]) -> list[Callable[..., Any]]:
    return [_function(method) for method in methods]


# --- arithmetic ---
add, sub, mul, div = _functions(Tensor.add, Tensor.sub, Tensor.mul, Tensor.div)
subtract, multiply, divide = sub, mul, div
matmul, mm, mv = _functions(Tensor.matmul, Tensor.mm, Tensor.mv)
dot, bmm, outer = _functions(Tensor.dot, Tensor.bmm, Tensor.outer)

# --- element by element ---
exp, log, log1p = _functions(Tensor.exp, Tensor.log, Tensor.log1p)
log2, log10 = _functions(Tensor.log2, Tensor.log10)
sqrt, square, pow = _functions(Tensor.sqrt, Tensor.square, Tensor.pow)
abs, neg, sign = _functions(Tensor.abs, Tensor.neg, Tensor.sign)
floor, ceil, round = _functions(Tensor.floor, Tensor.ceil, Tensor.round)
sin, cos, cosh, reciprocal = _functions(Tensor.sin, Tensor.cos, Tensor.cosh, Tensor.reciprocal)
clamp = clip = _function(Tensor.clamp)
maximum, minimum = _functions(Tensor.maximum, Tensor.minimum)
masked_fill, masked_select = _functions(Tensor.masked_fill, Tensor.masked_select)

# --- comparisons and questions ---
eq, ne = _functions(Tensor.eq, Tensor.ne)
lt, le, gt, ge = _functions(Tensor.lt, Tensor.le, Tensor.gt, Tensor.ge)
isnan, isinf, isfinite = _functions(Tensor.isnan, Tensor.isinf, Tensor.isfinite)
logical_and, logical_or = _functions(Tensor.logical_and, Tensor.logical_or)
logical_xor, logical_not = _functions(Tensor.logical_xor, Tensor.logical_not)
equal, allclose, isclose = _functions(Tensor.equal, Tensor.allclose, Tensor.isclose)
numel, is_floating_point = _functions(Tensor.numel, Tensor.is_floating_point)

# --- reductions ---
sum, mean, prod, cumsum = _functions(Tensor.sum, Tensor.mean, Tensor.prod, Tensor.cumsum)
var, std, norm = _functions(Tensor.var, Tensor.std, Tensor.norm)
logsumexp, count_nonzero = _functions(Tensor.logsumexp, Tensor.count_nonzero)
max, min, amax, amin = _functions(Tensor.max, Tensor.min, Tensor.amax, Tensor.amin)
argmax, argmin = _functions(Tensor.argmax, Tensor.argmin)
all, any = _functions(Tensor.all, Tensor.any)

# --- shapes ---
reshape, flatten, permute = _functions(Tensor.reshape, Tensor.flatten, Tensor.permute)
squeeze, unsqueeze = _functions(Tensor.squeeze, Tensor.unsqueeze)
transpose, t, flip = _functions(Tensor.transpose, Tensor.t, Tensor.flip)
split, chunk, unbind = _functions(Tensor.split, Tensor.chunk, Tensor.unbind)

# --- places and order ---
gather, index_select, diag = _functions(Tensor.gather, Tensor.index_select, Tensor.diag)
sort, argsort, topk = _functions(Tensor.sort, Tensor.argsort, Tensor.topk)
unique, bincount, nonzero = _functions(Tensor.unique, Tensor.bincount, Tensor.nonzero)


def is_tensor(obj: Any) -> Any:
    """Whether an object is a tensor.

    >>> import fastnn
    >>> fastnn.is_tensor([1.0])
    False
    """
    return isinstance(obj, Tensor)


# --- of several tensors ---


def cat(tensors: Any, dim: int = 0, *, axis: int | None = None) -> Tensor:
    """Join tensors along a dimension they have.

    Raises:
        ValueError: if there are none, or their other dimensions differ.

    >>> import fastnn
    >>> fastnn.cat([fastnn.zeros(1), fastnn.ones(1)])
    tensor([0., 1.])
    """
    parts = tuple(as_tensor(t) for t in tensors)
    if not parts:
        raise ValueError("cat: expected at least one tensor, got none")
    along = dim if axis is None else axis
    try:
        joined = np.concatenate([t._array for t in parts], axis=along)
    except ValueError:
        raise ValueError(f"cat: expected tensors that differ along dimension {along} only, got "
                         f"shapes {', '.join(str(t.shape) for t in parts)}") from None  # fmt: skip
    ends = np.cumsum([t.shape[along] for t in parts])[:-1]
    return record(joined, "cat", parts, lambda g: tuple(np.split(g, ends, axis=along)))


concat = cat


def stack(tensors: Any, dim: int = 0, *, axis: int | None = None) -> Tensor:
    """Join tensors of one shape along a new dimension.

    >>> import fastnn
    >>> fastnn.stack([fastnn.zeros(2), fastnn.ones(2)]).shape
    (2, 2)
    """
    along = dim if axis is None else axis
    return cat([as_tensor(t).unsqueeze(along) for t in tensors], along)


def vstack(tensors: Any) -> Tensor:
    """Join matrices, or vectors as rows, below each other.

    >>> import fastnn
    >>> fastnn.vstack([fastnn.zeros(3), fastnn.ones(3)]).shape
    (2, 3)
    """
    parts = [as_tensor(t) for t in tensors]
    return cat([p if p.ndim > 1 else p.reshape(1, -1) for p in parts])


def hstack(tensors: Any) -> Tensor:
    """Join vectors end to end, or matrices side by side.

    >>> import fastnn
    >>> fastnn.hstack([fastnn.zeros(2), fastnn.ones(1)])
    tensor([0., 0., 1.])
    """
    parts = [as_tensor(t) for t in tensors]
    parts = [p if p.ndim else p.reshape(1) for p in parts]
    return cat(parts, 1 if parts and parts[0].ndim > 1 else 0)


def where(condition: Any, input: Any = None, other: Any = None) -> Any:
    """`input` where the condition is true, `other` elsewhere; with neither, where it is true.

    Raises:
        TypeError: if only one of the two is given.

    >>> import fastnn
    >>> x = fastnn.tensor([-1.0, 2.0])
    >>> fastnn.where(x > 0, x, 0.0)
    tensor([0., 2.])
    """
    chosen = as_tensor(condition)._array.astype(np.bool_)
    if input is None and other is None:
        return tuple(Tensor.of(array) for array in np.nonzero(chosen))
    if input is None or other is None:
        raise TypeError("where: expected both values, or neither, got one")
    if isinstance(input, Tensor) or not isinstance(other, Tensor):
        a, b = pair(as_tensor(input), other)
    else:
        b, a = pair(other, input)

    def backward(g: Array) -> tuple[Array | None, Array | None]:
        return fit(np.where(chosen, g, 0), a), fit(np.where(chosen, 0, g), b)

    return record(np.where(chosen, a._array, b._array), "where", (a, b), backward)
