"""The tape: gradients of every operation against central differences, and its rules."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support import bits, gradient_error, mlp, numerical_gradient

import fastnn
from fastnn import Tensor, nn
from fastnn.nn import functional as F

LABELS = np.array([2, 0, 1])


def leaf(*shape: int, seed: int = 0, low: float | None = None, away: bool = False) -> Tensor:
    """A float64 leaf; positive from `low` on, or away from the kink at 0."""
    x = np.random.default_rng(seed).standard_normal(shape)
    if low is not None:
        x = low + abs(x)
    if away:
        x = x + np.copysign(0.1, x)
    return Tensor.of(np.asarray(x), requires_grad=True)


# name, operation, operands. Operands are float64 leaves; a second row of a name is another layout.
OPERATIONS: list[tuple[str, Callable[..., Any], tuple[Tensor, ...]]] = [
    ("add", lambda a, b: a + b, (leaf(3, 4), leaf(3, 4, seed=1))),
    ("add-number", lambda a: 2.5 + a + 1, (leaf(3, 4),)),
    ("add-broadcast-row", lambda a, b: a + b, (leaf(3, 4), leaf(4, seed=1))),
    ("add-broadcast-column", lambda a, b: a + b, (leaf(3, 4), leaf(3, 1, seed=1))),
    ("add-broadcast-both", lambda a, b: a + b, (leaf(3, 1), leaf(1, 4, seed=1))),
    ("add-0d", lambda a, b: a + b, (leaf(), leaf(2, 3, seed=1))),
    ("sub", lambda a, b: a - b, (leaf(3, 4), leaf(3, 4, seed=1))),
    ("sub-reversed", lambda a: 1.5 - a, (leaf(3, 4),)),
    ("sub-broadcast", lambda a, b: a - b, (leaf(4), leaf(2, 3, 4, seed=1))),
    ("mul", lambda a, b: a * b, (leaf(3, 4), leaf(3, 4, seed=1))),
    ("mul-number", lambda a: -3 * a, (leaf(3, 4),)),
    ("mul-broadcast", lambda a, b: a * b, (leaf(2, 1, 4), leaf(3, 1, seed=1))),
    ("mul-itself", lambda a: a * a, (leaf(3, 4),)),
    ("div", lambda a, b: a / b, (leaf(3, 4), leaf(3, 4, seed=1, low=0.5))),
    ("div-broadcast", lambda a, b: a / b, (leaf(4), leaf(3, 4, seed=1, low=0.5))),
    ("div-reversed", lambda a: 2 / a, (leaf(3, 4, low=0.5),)),
    ("pow-square", lambda a: a**2, (leaf(3, 4),)),
    ("pow-fraction", lambda a: a**1.5, (leaf(3, 4, low=0.5),)),
    ("pow-negative", lambda a: a**-1, (leaf(3, 4, low=0.5),)),
    ("pow-tensor", lambda a, b: a**b, (leaf(3, 4, low=0.5), leaf(4, seed=1))),
    ("pow-reversed", lambda a: 2.0**a, (leaf(3, 4),)),
    ("matmul", lambda a, b: a @ b, (leaf(3, 4), leaf(4, 2, seed=1))),
    ("matmul-vector", lambda a, b: a @ b, (leaf(3, 4), leaf(4, seed=1))),
    ("matmul-transposed", lambda a, b: a.T @ b.t(), (leaf(4, 3), leaf(2, 4, seed=1))),
    ("neg", lambda a: -a, (leaf(3, 4),)),
    ("neg-0d", lambda a: -a, (leaf(),)),
    ("exp", lambda a: a.exp(), (leaf(3, 4),)),
    ("exp-function", lambda a: fastnn.exp(a), (leaf(3),)),
    ("log", lambda a: a.log(), (leaf(3, 4, low=0.5),)),
    ("log-function", lambda a: fastnn.log(a), (leaf(3, low=0.5),)),
    ("sqrt", lambda a: a.sqrt(), (leaf(3, 4, low=0.5),)),
    ("abs", lambda a: a.abs(), (leaf(3, 4, away=True),)),
    ("tanh", lambda a: a.tanh(), (leaf(3, 4),)),
    ("sum", lambda a: a.sum(), (leaf(3, 4),)),
    ("sum-dim", lambda a: a.sum(1), (leaf(3, 4),)),
    ("sum-dims", lambda a: a.sum((0, -1)), (leaf(2, 3, 4),)),
    ("sum-keepdim", lambda a: a.sum(-1, keepdim=True), (leaf(2, 3, 4),)),
    ("sum-function", lambda a: fastnn.sum(a, 0), (leaf(3, 4),)),
    ("mean", lambda a: a.mean(), (leaf(3, 4),)),
    ("mean-dim", lambda a: a.mean(0), (leaf(3, 4),)),
    ("mean-keepdim", lambda a: fastnn.mean(a, -1, True), (leaf(3, 4),)),
    ("mean-0d", lambda a: a.mean(), (leaf(),)),
    ("max", lambda a: a.max(), (leaf(3, 4),)),
    ("max-dim", lambda a: a.max(1).values, (leaf(3, 4),)),
    ("max-dim-negative", lambda a: a.max(-2).values, (leaf(2, 3, 4),)),
    ("max-keepdim", lambda a: a.max(0, keepdim=True).values, (leaf(3, 4),)),
    ("max-function", lambda a: fastnn.max(a, 1)[0], (leaf(3, 4),)),
    ("reshape", lambda a: a.reshape(2, -1), (leaf(3, 4),)),
    ("view", lambda a: a.view((4, 3)), (leaf(3, 4),)),
    ("reshape-of-transpose", lambda a: a.T.reshape(12), (leaf(3, 4),)),
    ("flatten", lambda a: a.flatten(), (leaf(2, 3, 4),)),
    ("flatten-dims", lambda a: a.flatten(1, 2), (leaf(2, 3, 4, 2),)),
    ("flatten-0d", lambda a: a.flatten(), (leaf(),)),
    ("squeeze", lambda a: a.squeeze(), (leaf(1, 3, 1),)),
    ("squeeze-dim", lambda a: a.squeeze(-1), (leaf(1, 3, 1),)),
    ("squeeze-nothing", lambda a: a.squeeze(1) * 2, (leaf(1, 3),)),
    ("unsqueeze", lambda a: a.unsqueeze(1), (leaf(3, 4),)),
    ("transpose", lambda a: a.transpose(0, 2), (leaf(2, 3, 4),)),
    ("T", lambda a: a.T, (leaf(3, 4),)),
    ("index-row", lambda a: a[1], (leaf(3, 4),)),
    ("index-negative", lambda a: a[-1, 2], (leaf(3, 4),)),
    ("index-slice", lambda a: a[::-2, 1:3], (leaf(3, 4),)),
    ("index-repeated", lambda a: a[[0, 2, 0, 0]], (leaf(3, 4),)),
    ("index-tensor", lambda a: a[fastnn.arange(3), Tensor.of(LABELS)], (leaf(3, 4),)),
    ("index-mask", lambda a: a[Tensor.of(np.eye(3, dtype=bool))], (leaf(3, 3),)),
    ("index-none", lambda a: a[:, None], (leaf(3, 4),)),
    ("index-ellipsis", lambda a: a[..., 0], (leaf(2, 3, 4),)),
    ("iterate", lambda a: sum(row * i for i, row in enumerate(a)), (leaf(3, 4),)),
    ("clone", lambda a: a.clone(), (leaf(3, 4),)),
    ("to", lambda a: a.to(fastnn.float64).cpu().contiguous().double() * 2, (leaf(3, 4),)),
    ("cat", lambda a, b: fastnn.cat([a, b]), (leaf(3, 4), leaf(2, 4, seed=1))),
    ("cat-dim", lambda a, b: fastnn.cat((a, b, a), -1), (leaf(3, 4), leaf(3, 1, seed=1))),
    ("stack", lambda a, b: fastnn.stack([a, b], 1), (leaf(3, 4), leaf(3, 4, seed=1))),
    ("relu", F.relu, (leaf(3, 4, away=True),)),
    ("relu-0d", F.relu, (leaf(low=0.5),)),
    ("relu-0d-used-twice", lambda a: (lambda y: y + y * 2)(F.relu(a)), (leaf(low=0.5),)),
    ("linear", F.linear, (leaf(3, 4), leaf(2, 4, seed=1), leaf(2, seed=2))),
    ("linear-no-bias", F.linear, (leaf(5, 4), leaf(2, 4, seed=1))),
    ("linear-itself", lambda a: F.linear(a, a), (leaf(3, 3),)),
    ("linear-of-its-bias", lambda a, w: F.linear(a, w, a), (leaf(3), leaf(3, 3, seed=1))),
    ("linear-by-transpose", lambda a, w: F.linear(a, w.t()), (leaf(3, 4), leaf(4, 2, seed=1))),
    ("linear-of-transpose", lambda a, w: F.linear(a.T, w), (leaf(4, 3), leaf(2, 4, seed=1))),
    ("cross-entropy", lambda a: F.cross_entropy(a, LABELS), (leaf(3, 4),)),
    ("cross-entropy-sum", lambda a: F.cross_entropy(a, LABELS, reduction="sum"), (leaf(3, 4),)),
    ("cross-entropy-none", lambda a: F.cross_entropy(a, LABELS, reduction="none"), (leaf(3, 4),)),
    ("cross-entropy-of-transpose", lambda a: F.cross_entropy(a.T, LABELS), (leaf(4, 3),)),
    ("skip", lambda a: a + (a * a).tanh() + a.exp() * a, (leaf(3, 4),)),
    ("diamond", lambda a: (lambda b: b * b.exp() - b.tanh())(a * 2), (leaf(3, 4),)),
    (
        "one-gradient-for-two-values, more for the first",
        lambda a, b: (lambda u, v: (lambda w, y: y * 1.5 + w.tanh())(u * 5, u + v))(a * 2, b * 3),
        (leaf(3, 4), leaf(3, 4, seed=1)),
    ),
    ("variance", lambda a: ((a - a.mean(0, True)) ** 2).mean(0).sqrt(), (leaf(5, 3),)),
    ("softmax", lambda a: a.exp() / a.exp().sum(1, keepdim=True), (leaf(3, 4),)),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "operands"), [row[1:] for row in OPERATIONS],
                         ids=[row[0] for row in OPERATIONS])  # fmt: skip
def test_gradient_of_operation(operation: Callable[..., Any], operands: tuple[Tensor, ...]) -> None:
    """Of a weighted sum of the output, with respect to each operand."""
    for operand in operands:
        operand.grad = None
    out = operation(*operands)
    weights = np.random.default_rng(9).standard_normal(out.shape)
    assert out.requires_grad
    assert out.dtype == np.float64
    (out * weights).sum().backward()

    def f() -> float:
        with fastnn.no_grad():
            return float((operation(*operands)._array * weights).sum())

    for operand in operands:
        assert operand.grad is not None
        assert operand.grad.dtype == np.float64
        assert gradient_error(operand.grad, numerical_gradient(f, operand._array)) <= 1e-7


@pytest.mark.parametrize("name", ["add", "mul", "div", "pow-tensor", "matmul", "linear"])
def test_only_one_operand_needs_a_gradient(name: str) -> None:
    _, operation, operands = next(row for row in OPERATIONS if row[0] == name)
    for i in range(len(operands)):
        given = [Tensor.of(t._array.copy(), i == j) for j, t in enumerate(operands)]
        for operand in operands:
            operand.grad = None
        operation(*given).sum().backward()
        operation(*operands).sum().backward()
        for j, t in enumerate(given):
            if i == j:
                assert bits(t.grad) == bits(operands[j].grad)
            else:
                assert t.grad is None


# --- conventions at kinks and ties ---


def test_gradient_at_the_kink() -> None:
    x = fastnn.tensor([0.0, -0.0], requires_grad=True)
    F.relu(x).sum().backward()
    assert x.grad.tolist() == [0, 0]
    x = fastnn.tensor([0.0, -0.0], requires_grad=True)
    x.abs().sum().backward()
    assert x.grad.tolist() == [0, 0]


def test_max_gives_a_tie_to_the_first() -> None:
    x = fastnn.tensor([[1.0, 3.0, 3.0]], requires_grad=True)
    x.max(1).values.sum().backward()
    assert x.grad.tolist() == [[0, 1, 0]]


def test_square_at_zero() -> None:
    x = fastnn.tensor([0.0, 2.0], requires_grad=True)
    (x**2 + x**1).sum().backward()
    assert x.grad.tolist() == [1, 5]


# --- mixed types, as tutorials mix them ---


def test_float64_targets_and_float32_model() -> None:
    model = mlp(3, 4, 2)
    target = np.random.default_rng(0).standard_normal((5, 2))
    ((model(fastnn.ones(5, 3)) - target) ** 2).mean().backward()
    for p in model.parameters():
        assert p.grad.dtype == np.float32
    single = [p.grad.numpy().copy() for p in model.parameters()]
    model.zero_grad()
    ((model(fastnn.ones(5, 3)) - target.astype(np.float32)) ** 2).mean().backward()
    for p, grad in zip(model.parameters(), single, strict=True):
        np.testing.assert_allclose(p.grad.numpy(), grad, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("convert", [lambda x: x.double(), lambda x: x.to("float64")])
def test_gradient_through_a_change_of_type(convert: Callable[[Tensor], Tensor]) -> None:
    x = fastnn.ones(3, requires_grad=True)
    (convert(x) * 2).sum().backward()
    assert x.grad.dtype == np.float32
    assert x.grad.tolist() == [2, 2, 2]


@pytest.mark.parametrize("other", [2, 2.0, np.float64(2), np.float32(2), np.int64(2), True])
def test_a_number_takes_the_type_of_the_tensor(other: Any) -> None:
    x = fastnn.ones(3, requires_grad=True)
    for y in (x * other, other * x, x + other, x - other, x / other, other / x):
        assert y.dtype == np.float32, y


def test_array_on_the_left() -> None:
    x = fastnn.ones(3, requires_grad=True)
    y = np.arange(3, dtype=np.float32) * x
    assert isinstance(y, Tensor)
    y.sum().backward()
    assert x.grad.tolist() == [0, 1, 2]


# --- models ---


class Shared(nn.Module):
    """One layer used three times, an activation twice, a skip."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.outer, self.relu = nn.Linear(4, 4), nn.Linear(4, 3), nn.ReLU()

    def forward(self, x: Any) -> Tensor:
        first = self.relu(self.inner(x))
        second = self.relu(self.inner(first)) + first
        return self.outer(self.inner(second) + x)


@pytest.mark.parametrize("make", [Shared, lambda: mlp(4, 7, 5, 3)], ids=["shared", "mlp"])
def test_gradient_of_model(make: Callable[[], nn.Module]) -> None:
    model = make().double()
    x = leaf(3, 4)

    def loss() -> Tensor:
        return F.cross_entropy(model(x), LABELS)

    loss().backward()
    for p in (x, *model.parameters()):
        expected = numerical_gradient(lambda: loss().item(), p._array, smooth=False)
        assert gradient_error(p.grad, expected) <= 1e-6


@pytest.mark.parametrize("make", [nn.ReLU, lambda: nn.Linear(4, 3)], ids=["ReLU", "Linear"])
def test_two_forwards_before_either_backward(make: Callable[[], nn.Module]) -> None:
    """Nothing of a forward is kept in the module, where the next one would overwrite it."""
    layer = make()
    inputs = [fastnn.randn(5, 4, requires_grad=True) for _ in range(2)]
    alone = []
    for x in inputs:
        layer(x).sum().backward()
        alone.append(bits(x.grad, *(p.grad for p in layer.parameters())))
        x.grad = None
        layer.zero_grad()
    outputs = [layer(x) for x in inputs]
    layer(fastnn.randn(2, 4))
    for x, out, expected in zip(inputs, outputs, alone, strict=True):
        out.sum().backward()
        assert bits(x.grad, *(p.grad for p in layer.parameters())) == expected
        layer.zero_grad()


def test_two_forwards_and_their_backwards_in_reverse() -> None:
    layer = nn.ReLU()
    a, b = (fastnn.tensor(v, requires_grad=True) for v in ([1.0, -1.0], [-1.0, 1.0]))
    first, second = layer(a), layer(b)
    second.sum().backward()
    first.sum().backward()
    assert (a.grad.tolist(), b.grad.tolist()) == ([1, 0], [0, 1])


def test_gradients_add_up_over_backwards() -> None:
    model = mlp(3, 4, 2)
    x, labels = fastnn.randn(5, 3), [0, 1, 0, 1, 1]
    F.cross_entropy(model(x), labels).backward()
    once = [p.grad.numpy().copy() for p in model.parameters()]
    F.cross_entropy(model(x), labels).backward()
    for p, grad in zip(model.parameters(), once, strict=True):
        np.testing.assert_array_equal(p.grad.numpy(), 2 * grad)


@pytest.mark.parametrize("keep", [
    lambda grad: grad, lambda grad: grad.numpy(), lambda grad: grad[0],
    lambda grad: grad.view(-1)[1:], lambda grad: grad.numpy().T[:1],
], ids=["tensor", "array", "row", "view-of-a-view", "part-of-an-array"])  # fmt: skip
@pytest.mark.parametrize("steps", [0, 2])
def test_a_kept_gradient_stays_as_it_was(keep: Callable[[Tensor], Any], steps: int) -> None:
    model = mlp(3, 4, 2)
    optimizer = fastnn.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(steps):
        F.cross_entropy(model(fastnn.randn(5, 3)), [0, 1, 0, 1, 1]).backward()
        optimizer.step()
        optimizer.zero_grad()
    F.cross_entropy(model(fastnn.randn(5, 3)), [0, 1, 0, 1, 1]).backward()
    kept = [keep(p.grad) for p in model.parameters()]
    as_it_was = [np.array(grad) for grad in kept]
    optimizer.step()
    optimizer.zero_grad()
    F.cross_entropy(model(fastnn.randn(5, 3)), [1, 0, 0, 0, 1]).backward()
    expected = [p.data.numpy() - np.float32(0.1) * p.grad.numpy() for p in model.parameters()]
    optimizer.step()
    for before, now in zip(as_it_was, kept, strict=True):
        np.testing.assert_array_equal(now, before)
    for p, after in zip(model.parameters(), expected, strict=True):
        np.testing.assert_allclose(p.data.numpy(), after, rtol=1e-6)


def test_micro_batches_give_the_gradient_of_the_batch() -> None:
    model = mlp(3, 4, 2).double()
    x = np.random.default_rng(0).standard_normal((6, 3))
    labels = np.array([0, 1, 0, 1, 1, 0])
    F.cross_entropy(model(x), labels).backward()
    whole = [p.grad.numpy().copy() for p in model.parameters()]
    model.zero_grad()
    for i in range(0, 6, 2):
        (F.cross_entropy(model(x[i : i + 2]), labels[i : i + 2]) / 3).backward()
    for p, grad in zip(model.parameters(), whole, strict=True):
        np.testing.assert_allclose(p.grad.numpy(), grad, rtol=1e-13, atol=1e-16)


def test_leaf_in_two_places() -> None:
    w = fastnn.tensor([3.0], requires_grad=True)
    (w * 2 + w * w * 5).sum().backward()
    assert w.grad.tolist() == [32]


def test_tied_weights() -> None:
    first, second = nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)
    second.weight = first.weight
    model = nn.Sequential(first, second).double()
    assert len(list(model.parameters())) == 1
    x = leaf(4, 3)
    model(x).sum().backward()
    expected = numerical_gradient(lambda: model(x).sum().item(), first.weight._array)
    assert gradient_error(first.weight.grad, expected) <= 1e-7


def test_frozen_parameters_get_no_gradient() -> None:
    model = mlp(3, 4, 2)
    model[0].requires_grad_(False)
    model(fastnn.ones(2, 3)).sum().backward()
    assert [p.grad is None for p in model.parameters()] == [True, True, False, False]


def test_ten_thousand_operations_deep() -> None:
    x = y = fastnn.ones(1, requires_grad=True)
    for _ in range(10_000):
        y = y + x
    y.backward()
    assert x.grad.tolist() == [10_001]
    del y


def test_a_gradient_is_not_shared_between_leaves() -> None:
    a, b = fastnn.ones(2, requires_grad=True), fastnn.ones(2, requires_grad=True)
    (a + b).sum().backward()
    with fastnn.no_grad():
        a.grad += 1
    assert b.grad.tolist() == [1, 1]


def test_callers_gradient_is_not_changed() -> None:
    x = fastnn.ones(3, requires_grad=True)
    given = np.arange(3, dtype=np.float32)
    for _ in range(2):
        (x * 1).backward(given)
    x.clone().backward(given)
    assert given.tolist() == [0, 1, 2]
    assert x.grad.tolist() == [0, 3, 6]


# --- backward's rules ---


def test_backward_twice() -> None:
    x = fastnn.ones(2, requires_grad=True)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(RuntimeError, match=r"backward: the graph of sum was already walked"):
        y.backward()
    assert x.grad.tolist() == [2, 2]


def test_backward_through_a_freed_part() -> None:
    x = fastnn.ones(2, requires_grad=True)
    shared = x * x
    shared.sum().backward()
    with pytest.raises(RuntimeError, match="graph of mul was already walked"):
        (shared * 2).sum().backward()


def test_retain_graph() -> None:
    x = fastnn.ones(2, requires_grad=True)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [4, 4]
    with pytest.raises(RuntimeError, match="already walked"):
        y.backward()


@pytest.mark.parametrize("make", [
    lambda: fastnn.ones(1),
    lambda: fastnn.ones(1, requires_grad=True).detach(),
    lambda: nn.ReLU()(fastnn.ones(1)),
])  # fmt: skip
def test_backward_without_gradient(make: Callable[[], Tensor]) -> None:
    with pytest.raises(RuntimeError, match="nothing this tensor was computed from requires"):
        make().backward()


def test_backward_of_more_than_one_value() -> None:
    x = fastnn.ones(2, 3, requires_grad=True)
    with pytest.raises(ValueError, match=r"single value.*got shape \(2, 3\)"):
        (x * 2).backward()
    with pytest.raises(ValueError, match=r"gradient of shape \(2, 3\), got \(3,\)"):
        (x * 2).backward(np.ones(3))
    (x * 2).backward(np.full((2, 3), 0.5))
    assert x.grad.tolist() == [[1, 1, 1], [1, 1, 1]]


def test_backward_of_a_leaf() -> None:
    x = fastnn.tensor(3.0, requires_grad=True)
    x.backward()
    x.backward()
    assert x.grad.item() == 2


IN_PLACE: list[tuple[str, Callable[[Tensor], tuple[Tensor, Tensor]]]] = [
    ("mul", lambda x: (x * x, x)),
    ("linear-weight", lambda x: (F.linear(fastnn.ones(2, 2), x), x)),
    ("linear-input", lambda x: (F.linear(x, x.detach()), x)),
    ("log", lambda x: (x.log(), x)),
    ("abs", lambda x: (x.abs(), x)),
    ("div", lambda x: (1 / x, x)),
    ("pow", lambda x: (x**2, x)),
    ("matmul", lambda x: (x @ x, x)),
    ("view", lambda x: (x.log(), x.view(4))),
    ("detached", lambda x: (x.log(), x.detach())),
    ("relu-output", lambda x: (y := F.relu(x), y)),
    ("exp-output", lambda x: (y := x.exp(), y)),
    ("sqrt-output", lambda x: (y := x.sqrt(), y)),
    ("tanh-output", lambda x: (y := x.tanh(), y)),
    ("div-output", lambda x: (y := 1 / x, y)),
    ("pow-output", lambda x: (y := 2.0**x, y)),
]
CHANGES: list[tuple[str, Callable[[Tensor], Any]]] = [
    ("iadd", lambda t: t.__iadd__(1)),
    ("isub", lambda t: t.__isub__(1)),
    ("imul", lambda t: t.__imul__(2)),
    ("itruediv", lambda t: t.__itruediv__(2)),
    ("copy", lambda t: t.copy_(0)),
    ("fill", lambda t: t.fill_(1)),
    ("zero", lambda t: t.zero_()),
    ("normal", lambda t: t.normal_()),
    ("uniform", lambda t: t.uniform_()),
    ("setitem", lambda t: t.__setitem__(0, 5.0)),
]


@pytest.mark.parametrize("make", [row[1] for row in IN_PLACE], ids=[row[0] for row in IN_PLACE])
def test_what_backward_needs_must_not_change(
    make: Callable[[Tensor], tuple[Tensor, Tensor]],
) -> None:
    x = fastnn.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    y, changed = make(x)
    with fastnn.no_grad():
        changed *= 2
    with pytest.raises(RuntimeError, match="changed in place"):
        y.sum().backward()
    assert x.grad is None


@pytest.mark.parametrize("change", [row[1] for row in CHANGES], ids=[row[0] for row in CHANGES])
def test_every_way_to_change_a_tensor_is_seen(change: Callable[[Tensor], Any]) -> None:
    x = fastnn.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    with pytest.raises(RuntimeError, match="requires a gradient was changed in place"):
        change(x)
    y = x.log().sum()
    with fastnn.no_grad():
        change(x)
    with pytest.raises(RuntimeError, match="log needs a tensor of shape"):
        y.backward()


def test_an_optimizers_step_between_forward_and_backward_is_an_error() -> None:
    model = mlp(2, 2)
    optimizer = fastnn.optim.SGD(model.parameters(), lr=0.1)
    model(fastnn.ones(1, 2)).sum().backward()
    late = model(fastnn.ones(1, 2, requires_grad=True)).sum()
    optimizer.step()
    with pytest.raises(RuntimeError, match=r"linear needs a tensor of .* changed in place"):
        late.backward()


def test_changing_what_backward_does_not_need_is_fine() -> None:
    x, b = fastnn.ones(2, requires_grad=True), fastnn.ones(2)
    y = (x + b).sum()
    b.zero_()
    y.backward()
    assert x.grad.tolist() == [1, 1]


# --- no_grad ---


def test_no_grad_nests() -> None:
    x = fastnn.ones(1, requires_grad=True)
    assert (x * 2).requires_grad
    with fastnn.no_grad():
        assert not (x * 2).requires_grad
        with fastnn.enable_grad():
            assert (x * 2).requires_grad
            with fastnn.no_grad():
                assert not fastnn.is_grad_enabled()
            assert fastnn.is_grad_enabled()
        assert not fastnn.is_grad_enabled()
    assert fastnn.is_grad_enabled()


def test_one_no_grad_object_entered_twice() -> None:
    mode = fastnn.no_grad()
    with mode:
        with fastnn.enable_grad(), mode:
            assert not fastnn.is_grad_enabled()
        assert not fastnn.is_grad_enabled()
    assert fastnn.is_grad_enabled()


def test_no_grad_as_a_decorator() -> None:
    x = fastnn.ones(1, requires_grad=True)

    @fastnn.no_grad()
    def recursive(depth: int) -> bool:
        """Docstring."""
        return (x * 2).requires_grad if depth == 0 else recursive(depth - 1)

    assert recursive(3) is False
    assert (recursive.__name__, recursive.__doc__) == ("recursive", "Docstring.")
    assert fastnn.is_grad_enabled()


def test_no_grad_ends_with_an_exception() -> None:
    with pytest.raises(ZeroDivisionError), fastnn.no_grad():
        raise ZeroDivisionError
    assert fastnn.is_grad_enabled()

    @fastnn.no_grad()
    def fails() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert fastnn.is_grad_enabled()


def test_no_grad_belongs_to_its_thread() -> None:
    seen = []
    with fastnn.no_grad():
        thread = threading.Thread(target=lambda: seen.append(fastnn.is_grad_enabled()))
        thread.start()
        thread.join()
        assert not fastnn.is_grad_enabled()
    assert seen == [True]


def test_threads_record_and_walk_at_once() -> None:
    """Two threads that train models of their own do not disturb each other."""

    def train(seed: int, model: nn.Module, out: list[bytes]) -> None:
        x = np.random.default_rng(seed).standard_normal((6, 3))
        optimizer = fastnn.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(20):
            optimizer.zero_grad()
            F.cross_entropy(model(x), [0, 1] * 3).backward()
            optimizer.step()
        out.append(bits(*model.parameters()))

    expected: list[bytes] = []
    for seed in range(3):
        train(seed, mlp(3, 4, 2).double(), expected)
    results: list[list[bytes]] = [[] for _ in range(3)]
    running = [
        threading.Thread(target=train, args=(seed, mlp(3, 4, 2).double(), results[seed]))
        for seed in range(3)
    ]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(timeout=60)
    assert [r for out in results for r in out] == expected


def test_no_tape_without_gradients() -> None:
    y = nn.ReLU()(fastnn.ones(2)) * 2 + 1
    assert y.is_leaf
    assert not y.requires_grad
    with fastnn.no_grad():
        out = mlp(2, 2)(fastnn.ones(1, 2))
    assert out.is_leaf


def test_detach_shares_memory_and_cuts_the_tape() -> None:
    x = fastnn.ones(2, requires_grad=True)
    y = (x * 3).detach()
    assert not y.requires_grad
    z = (x * y).sum()
    z.backward()
    assert x.grad.tolist() == [3, 3]
    assert np.shares_memory(x.detach().numpy(), x._array)
    with pytest.raises(RuntimeError, match=r"use detach\(\)\.numpy\(\)"):
        x.numpy()


# --- gradients of chosen tensors ---


def test_grad_leaves_every_grad_alone() -> None:
    x, w = (fastnn.tensor([v], requires_grad=True) for v in (2.0, 3.0))
    middle = x * w
    loss = (middle * middle).sum()
    dw, dmiddle = fastnn.autograd.grad(loss, [w, middle], retain_graph=True)
    assert (dw.tolist(), dmiddle.tolist()) == ([2 * 6 * 2], [12])
    assert x.grad is None
    assert w.grad is None
    loss.backward()
    assert w.grad.tolist() == [24]


def test_grad_of_a_layers_weights_is_not_their_buffer() -> None:
    layer = nn.Linear(3, 2)
    optimizer = fastnn.optim.SGD(layer.parameters(), lr=0.1)
    (dw,) = fastnn.autograd.grad(layer(fastnn.ones(1, 3)).sum(), layer.weight)
    (layer(fastnn.ones(1, 3)) * 5).sum().backward()
    optimizer.step()
    assert dw.tolist() == [[1, 1, 1], [1, 1, 1]]


def test_grad_of_several_outputs_and_uses() -> None:
    x = fastnn.tensor([1.0, 2.0], requires_grad=True)
    shared = x * x
    (dx,) = fastnn.autograd.grad([shared.sum(), shared * 3], [x], [None, fastnn.ones(2)])
    assert dx.tolist() == [8, 16]
    (dx,) = fastnn.autograd.grad((x + x * x).sum(), x)
    assert dx.tolist() == [3, 5]


def test_grad_of_what_is_not_used() -> None:
    x, y = fastnn.ones(1, requires_grad=True), fastnn.ones(1, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"grad: no output depends on input 1 .*allow_unused"):
        fastnn.autograd.grad(x * 2, [x, y])
    assert fastnn.autograd.grad(x * 2, [x, y], allow_unused=True)[1] is None
    with pytest.raises(RuntimeError, match=r"grad: input 0 of shape .* requires no gradient"):
        fastnn.autograd.grad(x * 2, fastnn.ones(1))
    with pytest.raises(ValueError, match="create_graph"):
        fastnn.autograd.grad(x * 2, x, create_graph=True)


def test_retain_grad() -> None:
    x = fastnn.tensor([1.0, 2.0], requires_grad=True)
    y = x * x
    y.retain_grad()
    z = (y * 3 + y).sum()
    z.backward(retain_graph=True)
    assert y.grad.tolist() == [4, 4]
    z.backward()
    assert y.grad.tolist() == [8, 8]
    assert x.grad.tolist() == [16, 32]


def test_detach_in_place() -> None:
    x = fastnn.ones(2, requires_grad=True)
    y = x * 2
    y.detach_()
    assert y.is_leaf
    assert not y.requires_grad
    assert y.grad_fn is None
    y = x * 2
    z = y.sum()
    y.detach_()
    with pytest.raises(RuntimeError, match=r"shape \(2,\) was taken off the tape by detach_"):
        z.backward()


@pytest.mark.parametrize("mode", [fastnn.no_grad, fastnn.inference_mode])
def test_decorators_without_brackets(mode: Any) -> None:
    x = fastnn.ones(1, requires_grad=True)

    @mode
    def double(v: Tensor) -> Tensor:
        return v * 2

    @mode()
    def triple(v: Tensor) -> Tensor:
        return v * 3

    assert not double(x).requires_grad
    assert not triple(x).requires_grad
    assert (x * 2).requires_grad


def test_inference_mode_can_be_off() -> None:
    x = fastnn.ones(1, requires_grad=True)
    with fastnn.no_grad(), fastnn.inference_mode(False):
        assert (x * 2).requires_grad


def test_set_grad_enabled() -> None:
    x = fastnn.ones(1, requires_grad=True)
    fastnn.set_grad_enabled(False)
    try:
        assert not (x * 2).requires_grad
    finally:
        fastnn.set_grad_enabled(True)
    with fastnn.set_grad_enabled(False):
        assert not (x * 2).requires_grad
        with fastnn.set_grad_enabled(True):
            assert (x * 2).requires_grad
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad

    @fastnn.set_grad_enabled(False)
    def double(v: Tensor) -> Tensor:
        return v * 2

    assert fastnn.is_grad_enabled()
    assert not double(x).requires_grad
