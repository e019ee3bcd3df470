"""Operations, types and functions of tensors give what PyTorch's give."""

from typing import Any

import numpy as np
import pytest
import torch
from tables.operations import OPERATIONS, Operation

import fastnn


def outputs(result: Any) -> list[Any]:
    return list(result) if isinstance(result, tuple) else [result]


def assert_equal_tensors(ours: Any, theirs: Any, bound: float) -> None:
    """Values within a bound; shape and type exactly."""
    assert str(theirs.dtype) == f"torch.{ours.dtype}"
    assert tuple(theirs.shape) == ours.shape
    np.testing.assert_allclose(
        ours.detach().numpy(), theirs.detach().numpy(), rtol=bound, atol=bound
    )


@pytest.mark.parametrize("case", OPERATIONS, ids=lambda case: case.id)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_operation(case: Operation, dtype: Any) -> None:
    arrays = [x.astype(dtype) for x in case.draw(2)]
    bound = 1e-12 if dtype == np.float64 else 1e-5
    ours = [fastnn.Tensor.of(x.copy(), True) for x in arrays]
    theirs = [torch.tensor(x, requires_grad=True) for x in arrays]
    got, expected = outputs(case.call(fastnn, *ours)), outputs(case.call(torch, *theirs))
    assert len(got) == len(expected)
    rng = np.random.default_rng(9)
    loss, their_loss = fastnn.zeros(()), torch.zeros(())
    for a, b in zip(got, expected, strict=True):
        assert_equal_tensors(a, b, bound)
        if b.requires_grad:
            weight = rng.standard_normal(a.shape)
            loss = loss + (a * fastnn.Tensor.of(weight)).sum()
            their_loss = their_loss + (b * torch.tensor(weight)).sum()
    loss.backward()
    their_loss.backward()
    for x, y in zip(ours, theirs, strict=True):
        assert (x.grad is None) == (y.grad is None)
        if x.grad is not None:
            assert_equal_tensors(x.grad, y.grad, bound * 10)


# --- conventions at kinks, ties and zeros ---

EDGES: list[tuple[str, Any, list[list[float]]]] = [
    ("pow-0-at-0", lambda t, x: x**0, [[0.0, 2.0]]),
    ("pow-1-at-0", lambda t, x: x**1, [[0.0, 2.0]]),
    ("pow-2-at-0", lambda t, x: x**2, [[0.0, -2.0]]),
    ("pow-of-0", lambda t, x, y: x**y, [[0.0, 0.0, 2.0], [0.0, 2.0, 3.0]]),
    ("sqrt-at-0", lambda t, x: x.sqrt(), [[0.0, 1.0]]),
    ("log-at-0", lambda t, x: x.log(), [[0.0, 1.0]]),
    ("div-by-0", lambda t, x, y: x / y, [[0.0, 1.0], [0.0, 0.0]]),
    ("abs-at-0", lambda t, x: x.abs(), [[0.0, -0.0, 1.0]]),
    ("sign-at-0", lambda t, x: x.sign(), [[0.0, -0.0, 1.0, -3.0]]),
    ("std-of-equal", lambda t, x: x.std(0), [[1.0, 1.0, 1.0]]),
    ("var-of-equal", lambda t, x: x.var(0), [[1.0, 1.0, 1.0]]),
    ("norm-of-0", lambda t, x: x.norm(), [[0.0, 0.0]]),
    ("norm-1-at-0", lambda t, x: x.norm(1), [[0.0, 2.0]]),
    ("max-tie", lambda t, x: x.max(), [[1.0, 3.0, 3.0]]),
    ("min-tie", lambda t, x: x.min(), [[1.0, 1.0, 3.0]]),
    ("max-dim-tie", lambda t, x: x.max(0).values, [[1.0, 3.0, 3.0]]),
    ("amax-tie", lambda t, x: x.amax(0), [[1.0, 3.0, 3.0]]),
    ("maximum-tie", lambda t, x, y: t.maximum(x, y), [[1.0, 2.0], [1.0, 0.0]]),
    ("minimum-tie", lambda t, x, y: t.minimum(x, y), [[1.0, 2.0], [1.0, 0.0]]),
    ("clamp-at-bound", lambda t, x: x.clamp(0, 1), [[-1.0, 0.0, 0.5, 1.0, 2.0]]),
    ("round-ties", lambda t, x: x.round(), [[0.5, 1.5, 2.5, -0.5]]),
    ("remainder-negative", lambda t, x: x % 3, [[-1.0, -3.0, 4.0]]),
    ("logsumexp-of-infinities", lambda t, x: x.logsumexp(0), [[-np.inf, 0.0, 1.0]]),
    ("max-nan", lambda t, x: x.max(), [[1.0, np.nan, 3.0]]),
    ("max-dim-nan", lambda t, x: x.max(0).values, [[1.0, np.nan, 3.0]]),
    ("clamp-nan", lambda t, x: x.clamp(0, 1), [[np.nan, 2.0]]),
    ("sort-nan", lambda t, x: x.sort().values, [[2.0, np.nan, 1.0]]),
    ("sort-descending-equal", lambda t, x: x.sort(descending=True, stable=True).indices * 1.0,
     [[2.0, 1.0, 2.0, 1.0]]),
    ("prefix-sums-of-nothing", lambda t, x: x.cumsum(0), [[]]),
    ("sum-of-nothing", lambda t, x: x.sum(), [[]]),
    ("mean-of-nothing", lambda t, x: x.mean(), [[]]),
]  # fmt: skip


@pytest.mark.parametrize(("call", "operands"), [row[1:] for row in EDGES],
                         ids=[row[0] for row in EDGES])  # fmt: skip
def test_edge(call: Any, operands: list[list[float]]) -> None:
    ours = [fastnn.tensor(np.array(x), requires_grad=True) for x in operands]
    theirs = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in operands]
    y, their_y = call(fastnn, *ours), call(torch, *theirs)
    assert_equal_tensors(y, their_y, 1e-12)
    if their_y.requires_grad:
        y.sum().backward()
        their_y.sum().backward()
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-12)


# --- types ---

KINDS = ["bool", "uint8", "int32", "int64", "float32", "float64"]
BINARY: dict[str, Any] = {
    "add": lambda a, b: a + b, "mul": lambda a, b: a * b, "div": lambda a, b: a / b,
    "eq": lambda a, b: a == b, "gt": lambda a, b: a > b, "max": lambda a, b: a * b + a,
}  # fmt: skip


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("left", KINDS)
@pytest.mark.parametrize("shapes", [((2,), (2,)), ((2,), ()), ((), (2,)), ((), ())], ids=str)
def test_types_of_two(name: str, left: str, shapes: tuple[Any, Any]) -> None:
    for right in KINDS:
        a, b = (np.ones(s, kind) for s, kind in zip(shapes, (left, right), strict=True))
        got = BINARY[name](fastnn.tensor(a), fastnn.tensor(b))
        assert_equal_tensors(got, BINARY[name](torch.tensor(a), torch.tensor(b)), 1e-7)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", [2, 2.5, True])
@pytest.mark.parametrize("name", BINARY)
def test_types_with_a_number(name: str, kind: str, number: Any) -> None:
    x = np.ones(2, kind)
    ours, theirs = fastnn.tensor(x), torch.tensor(x)
    assert_equal_tensors(BINARY[name](ours, number), BINARY[name](theirs, number), 1e-7)
    assert_equal_tensors(BINARY[name](number, ours), BINARY[name](number, theirs), 1e-7)


UNARY: list[Any] = [
    lambda t, x: x.sum(), lambda t, x: x.sum(0, keepdim=True), lambda t, x: x.cumsum(0),
    lambda t, x: x.long().argmax(), lambda t, x: (x > 0).all(), lambda t, x: (x > 0).any(dim=0),
    lambda t, x: x.exp(), lambda t, x: x.sqrt(), lambda t, x: x.sin(), lambda t, x: x.log(),
    lambda t, x: x.float(), lambda t, x: x.double(), lambda t, x: x.long(), lambda t, x: x.int(),
    lambda t, x: x.bool(), lambda t, x: x.type(t.float64), lambda t, x: x.to(t.int64),
    lambda t, x: x.to("cpu", t.float32), lambda t, x: x.to(t.zeros(1)), lambda t, x: t.isnan(x),
    lambda t, x: x.unique(), lambda t, x: x.nonzero(), lambda t, x: x.count_nonzero(),
    lambda t, x: t.zeros_like(x), lambda t, x: t.ones_like(x), lambda t, x: t.full_like(x, 1),
    lambda t, x: x.clone(), lambda t, x: x.sort().values, lambda t, x: x.argsort(),
    lambda t, x: x.ne(0), lambda t, x: x.lt(5), lambda t, x: x.sum(dtype=t.float64),
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_types_of_one(kind: str) -> None:
    x = np.array([3, 0, 1], kind)
    for call in UNARY:
        assert_equal_tensors(call(fastnn, fastnn.tensor(x)), call(torch, torch.tensor(x)), 1e-6)


CREATED: list[Any] = [
    lambda t: t.tensor(3), lambda t: t.tensor(3.0), lambda t: t.tensor(True),
    lambda t: t.tensor([[1, 2], [3, 4]]), lambda t: t.tensor([1.0, 2]), lambda t: t.tensor([]),
    lambda t: t.tensor([True, False]), lambda t: t.tensor([1, 2], dtype=t.float),
    lambda t: t.tensor(np.arange(3)), lambda t: t.tensor(np.ones(2)),
    lambda t: t.tensor([np.float64(2.0)]), lambda t: t.Tensor([1, 2]),
    lambda t: t.FloatTensor([1, 2]), lambda t: t.LongTensor([1, 2]),
    lambda t: t.zeros(2, 3), lambda t: t.zeros((2, 3), dtype=t.long), lambda t: t.ones([2]),
    lambda t: t.zeros(2, device="cpu"), lambda t: t.ones(1, device=t.device("cpu")),
    lambda t: t.full((2, 2), 7), lambda t: t.full((2,), 1.5), lambda t: t.full((1,), True),
    lambda t: t.full((2,), 7, dtype=t.double), lambda t: t.eye(3), lambda t: t.eye(2, 3),
    lambda t: t.arange(5), lambda t: t.arange(1, 10, 3), lambda t: t.arange(0, 1, 0.25),
    lambda t: t.arange(3.0), lambda t: t.arange(start=1, end=4),
    lambda t: t.arange(3, dtype=t.float),
    lambda t: t.linspace(0, 1, 5), lambda t: t.linspace(-3, 3, steps=7, dtype=t.float64),
    lambda t: t.zeros_like(t.ones(2, 3)), lambda t: t.full_like(t.ones(2), 3),
    lambda t: t.ones_like(t.arange(2), dtype=t.float32), lambda t: t.randn(2, 3) * 0,
    lambda t: t.rand((2, 3)) * 0, lambda t: t.randint(1, 2, (3,)), lambda t: t.randint(1, (2, 3)),
    lambda t: t.randint(0, 1, size=(2,)), lambda t: t.randperm(5).sort().values,
    lambda t: t.normal(0, 0.0, (2, 3)), lambda t: t.normal(t.ones(3), t.zeros(3)),
    lambda t: t.normal(mean=1.0, std=0.0, size=(2,)), lambda t: t.rand_like(t.ones(2)) * 0,
    lambda t: t.randn_like(t.ones(2, 3, dtype=t.float64)) * 0, lambda t: t.as_tensor([1, 2]),
    lambda t: t.as_tensor(np.ones(2)), lambda t: t.empty(2, 3) * 0 == 5,
    lambda t: t.bincount(t.tensor([0, 2, 2])), lambda t: t.unique(t.tensor([3, 1, 3])),
    lambda t: t.tensor([[1, 2], [3, 4]]) // 2, lambda t: t.tensor([5, -5]) % 3,
    lambda t: (t.arange(4) > 1) & (t.arange(4) < 3), lambda t: ~(t.arange(3) > 1),
    lambda t: t.zeros(3, 4).scatter_(1, t.tensor([[2], [0], [1]]), 1),
    lambda t: t.zeros(2, 3).scatter_(1, t.tensor([[2, 0]]), t.tensor([[5.0, 6.0, 7.0]])),
    lambda t: t.tensor(2.0).expand(2, 2), lambda t: t.tensor([1.5, 2.5]).fill_(3),
    lambda t: t.tensor([1, 2]).add_(3), lambda t: t.tensor([1.0, 4.0]).sub_(1, alpha=2),
    lambda t: t.tensor([1.0, 4.0]).div_(t.tensor([2.0, 4.0])),
    lambda t: t.tensor([1.0]).copy_(t.ones(1)),
]  # fmt: skip


@pytest.mark.parametrize("make", CREATED, ids=[str(i) for i in range(len(CREATED))])
def test_made_tensors(make: Any) -> None:
    assert_equal_tensors(make(fastnn), make(torch), 1e-6)
