"""Operations on tensors: each a call that PyTorch understands too, and its formula."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tables.kinds import Array

Draw = Callable[[np.random.Generator], Array]


@dataclass(frozen=True)
class Operation:
    """An operation with what its tests need.

    Attributes:
        id: Name of the tests.
        call: Of the library (fastnn or torch) and the operands as its tensors.
        operands: Draws the float64 values of each.
        formula: The result, of the operands as arrays.
    """

    id: str
    call: Callable[..., Any]
    operands: tuple[Draw, ...]
    formula: Callable[..., Any]

    def draw(self, seed: int = 0) -> list[Array]:
        rng = np.random.default_rng(seed)
        return [np.asarray(draw(rng), np.float64) for draw in self.operands]


def normal(*shape: int) -> Draw:
    return lambda rng: rng.standard_normal(shape)


def positive(*shape: int) -> Draw:
    return lambda rng: 0.5 + abs(rng.standard_normal(shape))


def kinked(*shape: int) -> Draw:
    """Away from 0, where the gradient jumps."""

    def draw(rng: np.random.Generator) -> Array:
        x = rng.standard_normal(shape)
        return np.asarray(x + np.copysign(0.1, x))

    return draw


def spaced(*shape: int) -> Draw:
    """No two values within 0.3: an order that a small step does not change."""
    return lambda rng: (rng.permutation(int(np.prod(shape))) * 0.3 - 1).reshape(shape)


LABELS = np.array([2, 0, 1])
COLUMN = np.array([[0, 2], [1, 1], [3, 0]])
MASK = np.array([[True, False, True, True], [False] * 4, [True, True, False, False]])


def ints(t: Any, array: Array) -> Any:
    return t.from_numpy(array.copy())


def lse(x: Array, axis: Any, keepdims: bool = False) -> Array:
    return np.asarray(np.log(np.exp(x).sum(axis=axis, keepdims=keepdims)))


def _replaced(x: Array, place: Any, value: Any) -> Array:
    out = x.copy()
    out[place] = value
    return out


def _in_place(x: Any, change: Callable[[Any], Any]) -> Any:
    """A change of an intermediate result, as `out += x` in a forward."""
    y = x * 1.5
    return change(y)


def _set(x: Any, place: Any, value: Any) -> Any:
    y = x * 2
    y[place] = value
    return y


A, B, ROW, POSITIVE = normal(3, 4), normal(3, 4), normal(4), positive(3, 4)

# fmt: off
OPERATIONS = [Operation(*row) for row in [
    # arithmetic
    ("add", lambda t, a, b: a + b, (A, B), lambda a, b: a + b),
    ("add-row", lambda t, a, b: t.add(a, b), (A, ROW), lambda a, b: a + b),
    ("add-alpha", lambda t, a, b: a.add(b, alpha=0.5), (A, ROW), lambda a, b: a + 0.5 * b),
    ("sub-both-stretched", lambda t, a, b: a - b, (normal(3, 1), normal(1, 4)),
     lambda a, b: a - b),
    ("sub-alpha", lambda t, a, b: t.sub(a, b, alpha=2), (A, B), lambda a, b: a - 2 * b),
    ("mul-0d", lambda t, a, b: t.mul(a, b), (A, normal()), lambda a, b: a * b),
    ("div", lambda t, a, b: t.div(a, b), (ROW, POSITIVE), lambda a, b: a / b),
    ("pow", lambda t, a, b: t.pow(a, b), (POSITIVE, ROW), lambda a, b: a**b),
    ("pow-number", lambda t, a: a.pow(3), (A,), lambda a: a**3),
    ("pow-0", lambda t, a: a**0, (A,), lambda a: a**0),
    ("remainder", lambda t, a: a % 0.7, (A,), lambda a: a % 0.7),
    ("rsub", lambda t, a: 1 - a, (A,), lambda a: 1 - a),
    ("rdiv", lambda t, a: 1 / a, (POSITIVE,), lambda a: 1 / a),
    ("rpow", lambda t, a: 2**a, (A,), lambda a: 2**a),
    # element by element
    ("exp", lambda t, a: t.exp(a), (A,), np.exp),
    ("log", lambda t, a: t.log(a), (POSITIVE,), np.log),
    ("log1p", lambda t, a: t.log1p(a), (POSITIVE,), np.log1p),
    ("log2", lambda t, a: a.log2(), (POSITIVE,), np.log2),
    ("log10", lambda t, a: a.log10(), (POSITIVE,), np.log10),
    ("sqrt", lambda t, a: t.sqrt(a), (POSITIVE,), np.sqrt),
    ("square", lambda t, a: t.square(a), (A,), np.square),
    ("reciprocal", lambda t, a: a.reciprocal(), (POSITIVE,), np.reciprocal),
    ("abs", lambda t, a: t.abs(a), (kinked(3, 4),), np.abs),
    ("neg", lambda t, a: t.neg(a), (A,), np.negative),
    ("cosh", lambda t, a: t.cosh(a), (A,), np.cosh),
    ("abs-builtin", lambda t, a: abs(a), (kinked(3, 4),), np.abs),
    ("sign", lambda t, a: t.sign(a), (kinked(3, 4),), np.sign),
    ("floor", lambda t, a: a.floor(), (lambda r: r.integers(-5, 5, (3, 4)) + 0.3,), np.floor),
    ("ceil", lambda t, a: a.ceil(), (lambda r: r.integers(-5, 5, (3, 4)) + 0.3,), np.ceil),
    ("round", lambda t, a: t.round(a), (lambda r: r.integers(-5, 5, (3, 4)) + 0.3,), np.round),
    ("sin", lambda t, a: t.sin(a), (A,), np.sin),
    ("cos", lambda t, a: t.cos(a), (A,), np.cos),
    ("clamp", lambda t, a: t.clamp(a, -0.55, 0.65), (spaced(3, 4),),
     lambda a: np.clip(a, -0.55, 0.65)),
    ("clamp-min", lambda t, a: a.clamp(min=0.05), (spaced(3, 4),), lambda a: np.maximum(a, 0.05)),
    ("clip-max", lambda t, a: a.clip(max=0.05), (spaced(3, 4),), lambda a: np.minimum(a, 0.05)),
    ("maximum", lambda t, a, b: t.maximum(a, b), (spaced(3, 4), lambda r: np.full(4, 0.05)),
     np.maximum),
    ("minimum", lambda t, a, b: t.minimum(a, b), (spaced(3, 4), lambda r: np.full(4, 0.05)),
     np.minimum),
    ("max-of-two", lambda t, a, b: t.max(a, b), (spaced(3, 4), lambda r: np.full((3, 1), 0.05)),
     np.maximum),
    ("masked_fill", lambda t, a: a.masked_fill(ints(t, MASK), 7.0), (A,),
     lambda a: np.where(MASK, 7.0, a)),
    ("masked_fill-stretched", lambda t, a: a.masked_fill(ints(t, MASK), -1), (normal(3, 1),),
     lambda a: np.where(MASK, -1.0, a)),
    ("where", lambda t, a, b: t.where(ints(t, MASK), a, b), (A, ROW),
     lambda a, b: np.where(MASK, a, b)),
    ("where-number", lambda t, a: t.where(a > 0, a, 0.1 * a), (kinked(3, 4),),
     lambda a: np.where(a > 0, a, 0.1 * a)),
    ("where-number-first", lambda t, a: t.where(ints(t, MASK), 2.0, a), (A,),
     lambda a: np.where(MASK, 2.0, a)),
    # products
    ("matmul", lambda t, a, b: a @ b, (A, normal(4, 2)), lambda a, b: a @ b),
    ("mm", lambda t, a, b: t.mm(a, b), (A, normal(4, 2)), lambda a, b: a @ b),
    ("matmul-vectors", lambda t, a, b: a @ b, (ROW, ROW), lambda a, b: a @ b),
    ("dot", lambda t, a, b: t.dot(a, b), (ROW, ROW), lambda a, b: a @ b),
    ("matmul-vector-matrix", lambda t, a, b: t.matmul(a, b), (ROW, normal(4, 2)),
     lambda a, b: a @ b),
    ("matmul-matrix-vector", lambda t, a, b: t.mv(a, b), (A, ROW), lambda a, b: a @ b),
    ("matmul-batch", lambda t, a, b: t.bmm(a, b), (normal(5, 3, 4), normal(5, 4, 2)),
     lambda a, b: a @ b),
    ("matmul-batch-by-one", lambda t, a, b: a @ b, (normal(5, 3, 4), normal(4, 2)),
     lambda a, b: a @ b),
    ("matmul-batch-stretched", lambda t, a, b: a @ b, (normal(2, 1, 3, 4), normal(5, 4, 2)),
     lambda a, b: a @ b),
    ("matmul-batch-vector", lambda t, a, b: a @ b, (normal(5, 3, 4), ROW), lambda a, b: a @ b),
    ("matmul-vector-batch", lambda t, a, b: a @ b, (normal(3), normal(5, 3, 4)),
     lambda a, b: a @ b),
    ("matmul-transposed", lambda t, a, b: a.t() @ b.T, (normal(4, 3), normal(2, 4)),
     lambda a, b: a.T @ b.T),
    ("outer", lambda t, a, b: t.outer(a, b), (ROW, normal(3)), np.outer),
    # sums and means
    ("sum", lambda t, a: t.sum(a), (A,), np.sum),
    ("sum-axis", lambda t, a: a.sum(axis=0, keepdims=True), (A,),
     lambda a: a.sum(0, keepdims=True)),
    ("sum-dims", lambda t, a: a.sum(dim=(0, -1)), (normal(2, 3, 4),), lambda a: a.sum((0, 2))),
    ("sum-list", lambda t, a: a.sum([0, 1], keepdim=True), (A,),
     lambda a: a.sum((0, 1), keepdims=True)),
    ("mean", lambda t, a: t.mean(a, dim=1), (A,), lambda a: a.mean(1)),
    ("mean-dims", lambda t, a: a.mean((1, 2), keepdim=True), (normal(2, 3, 4),),
     lambda a: a.mean((1, 2), keepdims=True)),
    ("var", lambda t, a: t.var(a), (A,), lambda a: a.var(ddof=1)),
    ("var-dim", lambda t, a: a.var(0, keepdim=True), (A,),
     lambda a: a.var(0, ddof=1, keepdims=True)),
    ("var-biased", lambda t, a: a.var(dim=-1, unbiased=False), (A,), lambda a: a.var(1)),
    ("var-biased-all", lambda t, a: a.var(False), (A,), lambda a: a.var()),
    ("var-correction", lambda t, a: a.var(dim=(0, 1), correction=2), (A,),
     lambda a: a.var(ddof=2)),
    ("std", lambda t, a: t.std(a, dim=0), (A,), lambda a: a.std(0, ddof=1)),
    ("std-biased", lambda t, a: a.std(unbiased=False), (A,), lambda a: a.std()),
    ("logsumexp", lambda t, a: t.logsumexp(a, dim=1), (A,), lambda a: lse(a, 1)),
    ("logsumexp-dims", lambda t, a: a.logsumexp((0, 2), keepdim=True), (normal(2, 3, 4),),
     lambda a: lse(a, (0, 2), True)),
    ("logsumexp-large", lambda t, a: t.logsumexp(a + 1000, -1), (A,), lambda a: lse(a, 1) + 1000),
    ("norm", lambda t, a: t.norm(a), (A,), np.linalg.norm),
    ("norm-dim", lambda t, a: a.norm(dim=1, keepdim=True), (A,),
     lambda a: np.linalg.norm(a, axis=1, keepdims=True)),
    ("norm-1", lambda t, a: a.norm(1), (kinked(3, 4),), lambda a: abs(a).sum()),
    ("norm-3", lambda t, a: a.norm(p=3, dim=0), (kinked(3, 4),),
     lambda a: (abs(a) ** 3).sum(0) ** (1 / 3)),
    ("norm-inf", lambda t, a: a.norm(float("inf")), (spaced(3, 4),), lambda a: abs(a).max()),
    ("norm-fro", lambda t, a: a.norm("fro"), (A,), np.linalg.norm),
    ("cumsum", lambda t, a: t.cumsum(a, dim=1), (A,), lambda a: a.cumsum(1)),
    ("cumsum-first", lambda t, a: a.cumsum(-2), (A,), lambda a: a.cumsum(0)),
    ("prod", lambda t, a: t.prod(a), (A,), np.prod),
    ("prod-dim", lambda t, a: t.prod(a, dim=1), (A,), lambda a: a.prod(1)),
    ("prod-keepdim", lambda t, a: a.prod(0, keepdim=True), (A,),
     lambda a: a.prod(0, keepdims=True)),
    ("prod-of-zeros", lambda t, a: t.prod(a.clamp(min=0), 0), (normal(5, 4),),
     lambda a: a.clip(0).prod(0)),
    # extremes
    ("max", lambda t, a: t.max(a), (spaced(3, 4),), np.max),
    ("max-dim", lambda t, a: t.max(a, 1), (spaced(3, 4),), lambda a: (a.max(1), a.argmax(1))),
    ("max-keepdim", lambda t, a: a.max(dim=-2, keepdim=True), (spaced(3, 4),),
     lambda a: (a.max(0, keepdims=True), a.argmax(0, keepdims=True))),
    ("min", lambda t, a: a.min(), (spaced(3, 4),), np.min),
    ("min-dim", lambda t, a: t.min(a, 0), (spaced(3, 4),), lambda a: (a.min(0), a.argmin(0))),
    ("amax", lambda t, a: a.amax((0, 2)), (spaced(2, 3, 4),), lambda a: a.max((0, 2))),
    ("amin", lambda t, a: t.amin(a, 1, keepdim=True), (spaced(3, 4),),
     lambda a: a.min(1, keepdims=True)),
    # shapes
    ("reshape", lambda t, a: t.reshape(a, (2, -1)), (A,), lambda a: a.reshape(2, 6)),
    ("view_as", lambda t, a, b: a.view_as(b) * b, (A, normal(2, 6)),
     lambda a, b: a.reshape(2, 6) * b),
    ("flatten", lambda t, a: t.flatten(a, 1), (normal(2, 3, 4),), lambda a: a.reshape(2, 12)),
    ("ravel", lambda t, a: a.ravel(), (A,), np.ravel),
    ("squeeze", lambda t, a: t.squeeze(a), (normal(1, 3, 1),), np.squeeze),
    ("squeeze-dims", lambda t, a: a.squeeze((0, 1)), (normal(1, 3, 1),), lambda a: a[0]),
    ("unsqueeze", lambda t, a: t.unsqueeze(a, -1), (A,), lambda a: a[..., None]),
    ("transpose", lambda t, a: t.transpose(a, 0, -1), (normal(2, 3, 4),),
     lambda a: a.swapaxes(0, 2)),
    ("t", lambda t, a: t.t(a), (A,), np.transpose),
    ("mT", lambda t, a: a.mT, (normal(2, 3, 4),), lambda a: a.swapaxes(1, 2)),
    ("permute", lambda t, a: a.permute(2, 0, -2), (normal(2, 3, 4),),
     lambda a: a.transpose(2, 0, 1)),
    ("expand", lambda t, a: a.expand(2, -1, 4), (normal(3, 1),),
     lambda a: np.broadcast_to(a, (2, 3, 4))),
    ("expand_as", lambda t, a, b: a.expand_as(b), (normal(4), normal(3, 4)),
     lambda a, b: np.broadcast_to(a, (3, 4))),
    ("repeat", lambda t, a: a.repeat(2, 3, 1), (A,), lambda a: np.tile(a, (2, 3, 1))),
    ("cat", lambda t, a, b: t.cat([a, b], dim=1), (A, normal(3, 2)),
     lambda a, b: np.concatenate([a, b], 1)),
    ("cat-axis", lambda t, a, b: t.cat((a, b), axis=-2), (A, normal(2, 4)),
     lambda a, b: np.concatenate([a, b])),
    ("stack", lambda t, a, b: t.stack((a, b), -1), (A, B), lambda a, b: np.stack([a, b], -1)),
    ("vstack", lambda t, a, b: t.vstack((a, b)), (A, ROW), lambda a, b: np.vstack([a, b])),
    ("hstack", lambda t, a, b: t.hstack((a, b)), (A, normal(3, 2)),
     lambda a, b: np.hstack([a, b])),
    ("hstack-vectors", lambda t, a, b: t.hstack((a, b)), (ROW, normal(3)),
     lambda a, b: np.hstack([a, b])),
    ("split", lambda t, a: t.split(a, 3, dim=1), (A,), lambda a: (a[:, :3], a[:, 3:])),
    ("split-sizes", lambda t, a: a.split([1, 2]), (A,), lambda a: (a[:1], a[1:])),
    ("chunk", lambda t, a: t.chunk(a, 3, dim=-1), (A,), lambda a: (a[:, :2], a[:, 2:])),
    ("unbind", lambda t, a: a.unbind(1), (normal(3, 2),), lambda a: (a[:, 0], a[:, 1])),
    ("flip", lambda t, a: t.flip(a, [0]), (A,), lambda a: a[::-1]),
    ("flip-dims", lambda t, a: a.flip(0, -1), (A,), lambda a: a[::-1, ::-1]),
    ("diag", lambda t, a: t.diag(a), (A,), np.diag),
    ("diag-of-vector", lambda t, a: a.diag(), (ROW,), np.diag),
    # places and order
    ("index-labels", lambda t, a: a[range(3), ints(t, LABELS)], (A,),
     lambda a: a[range(3), LABELS]),
    ("index-rows", lambda t, a: a[ints(t, np.array([0, 2, 0]))], (A,), lambda a: a[[0, 2, 0]]),
    ("index-list", lambda t, a: a[[1, 1], :], (A,), lambda a: a[[1, 1]]),
    ("index-row", lambda t, a: a[-1], (A,), lambda a: a[-1]),
    ("index-column", lambda t, a: a[:, ints(t, np.array(1))], (A,), lambda a: a[:, 1]),
    ("index-mask", lambda t, a: a[ints(t, MASK)], (A,), lambda a: a[MASK]),
    ("index-rows-by-mask", lambda t, a: a[ints(t, MASK[:, 0]), 1:], (A,),
     lambda a: a[MASK[:, 0], 1:]),
    ("index-condition", lambda t, a: a[a > 0] * 2, (kinked(3, 4),), lambda a: a[a > 0] * 2),
    ("index-none", lambda t, a: a[:, None, ..., 1], (A,), lambda a: a[:, None, 1]),
    ("gather", lambda t, a: a.gather(1, ints(t, LABELS).view(-1, 1)), (A,),
     lambda a: np.take_along_axis(a, LABELS[:, None], 1)),
    ("gather-repeated", lambda t, a: t.gather(a, -1, ints(t, COLUMN)), (A,),
     lambda a: np.take_along_axis(a, COLUMN, 1)),
    ("gather-rows", lambda t, a: a.gather(0, ints(t, np.array([[2, 0, 0]]))), (A,),
     lambda a: np.array([[a[2, 0], a[0, 1], a[0, 2]]])),
    ("index_select", lambda t, a: a.index_select(1, ints(t, LABELS)), (A,), lambda a: a[:, LABELS]),
    ("masked_select", lambda t, a: a.masked_select(ints(t, MASK)), (A,), lambda a: a[MASK]),
    ("sort", lambda t, a: t.sort(a), (spaced(3, 4),), lambda a: (np.sort(a), np.argsort(a))),
    ("sort-descending", lambda t, a: a.sort(0, descending=True), (spaced(3, 4),),
     lambda a: (-np.sort(-a, 0), np.argsort(-a, 0))),
    ("topk", lambda t, a: t.topk(a, 2), (spaced(3, 4),),
     lambda a: (-np.sort(-a)[:, :2], np.argsort(-a)[:, :2])),
    ("topk-smallest", lambda t, a: a.topk(2, dim=0, largest=False), (spaced(3, 4),),
     lambda a: (np.sort(a, 0)[:2], np.argsort(a, 0)[:2])),
    # in place, in a forward
    ("iadd", lambda t, a, b: _in_place(a, lambda y: y.__iadd__(b)), (A, ROW),
     lambda a, b: a * 1.5 + b),
    ("isub-of-exp", lambda t, a: _in_place(a, lambda y: y.__isub__(a.exp())), (A,),
     lambda a: a * 1.5 - np.exp(a)),
    ("imul", lambda t, a, b: _in_place(a, lambda y: y.__imul__(b)), (A, ROW),
     lambda a, b: a * 1.5 * b),
    ("idiv", lambda t, a: _in_place(a, lambda y: y.__itruediv__(2)), (A,), lambda a: a * 0.75),
    ("iadd-to-zeros", lambda t, a: (t.zeros(3, 4, dtype=t.float64).__iadd__(a)).sum(0), (A,),
     lambda a: a.sum(0)),
    ("clamp_", lambda t, a: _in_place(a, lambda y: y.clamp_(-0.4, 0.5)), (spaced(3, 4),),
     lambda a: np.clip(a * 1.5, -0.4, 0.5)),
    ("masked_fill_", lambda t, a: _in_place(a, lambda y: y.masked_fill_(ints(t, MASK), 0.0)), (A,),
     lambda a: np.where(MASK, 0, a * 1.5)),
    ("setitem", lambda t, a, b: _set(a, 1, b), (A, ROW), lambda a, b: _replaced(a * 2, 1, b)),
    ("setitem-number", lambda t, a: _set(a, ints(t, MASK), 0.0), (A,),
     lambda a: _replaced(a * 2, MASK, 0)),
    ("setitem-stretched", lambda t, a, b: _set(a, (slice(None), 2), b), (A, normal(1)),
     lambda a, b: _replaced(a * 2, np.s_[:, 2], b)),
    # several at once
    ("skip", lambda t, a: a + (a * a).exp() * a, (A,), lambda a: a + np.exp(a * a) * a),
    ("standardized", lambda t, a: (a - a.mean(0)) / a.std(0), (normal(5, 3),),
     lambda a: (a - a.mean(0)) / a.std(0, ddof=1)),
    ("cross-entropy",
     lambda t, a: (t.logsumexp(a, 1) - a[range(3), ints(t, LABELS)]).mean(), (A,),
     lambda a: (lse(a, 1) - a[range(3), LABELS]).mean()),
]]
# fmt: on
