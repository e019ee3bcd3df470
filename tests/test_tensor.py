"""Tensors: operations against formulas and central differences; types, in-place rules, names."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from support import gradient_error, numerical_gradient
from tables.operations import OPERATIONS, Operation

import fastnn
from fastnn import Tensor
from fastnn.tensor import as_array

every_operation = pytest.mark.parametrize("case", OPERATIONS, ids=lambda case: case.id)


def outputs(result: Any) -> list[Any]:
    return list(result) if isinstance(result, tuple) else [result]


def weighted_sum(results: list[Any]) -> Any:
    """Of the floating-point results, with weights that the shape alone determines."""
    rng = np.random.default_rng(9)
    return sum((r * rng.standard_normal(r.shape)).sum() for r in results if r.dtype.kind == "f")


@every_operation
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values(case: Operation, dtype: Any) -> None:
    arrays = [x.astype(dtype) for x in case.draw()]
    got = outputs(case.call(fastnn, *(Tensor.of(x.copy()) for x in arrays)))
    expected = outputs(case.formula(*(x.astype(np.float64) for x in arrays)))
    assert len(got) == len(expected)
    for ours, exact in zip(got, expected, strict=True):
        kind = dtype if np.asarray(exact).dtype.kind == "f" else np.int64
        assert ours.shape == np.shape(exact)
        if case.id != "iadd-to-zeros":  # of float64 zeros
            assert ours.dtype == kind
        bound = 20 * np.finfo(dtype).eps
        np.testing.assert_allclose(as_array(ours), exact, rtol=bound, atol=bound)


@every_operation
def test_gradient(case: Operation) -> None:
    leaves = [Tensor.of(x, requires_grad=True) for x in case.draw(1)]
    results = outputs(case.call(fastnn, *leaves))
    floats = [r for r in results if r.dtype.kind == "f"]
    assert all(r.requires_grad for r in floats)
    assert not any(r.requires_grad for r in results if r.dtype.kind != "f")
    weighted_sum(results).backward()
    for leaf in leaves:

        def f() -> float:
            with fastnn.no_grad():
                return float(weighted_sum(outputs(case.call(fastnn, *leaves))))

        expected = numerical_gradient(f, leaf._array)
        got = np.zeros(leaf.shape) if leaf.grad is None else leaf.grad.numpy()
        assert gradient_error(got, expected) <= 1e-7


@every_operation
def test_backward_twice_and_without_gradients(case: Operation) -> None:
    arrays = case.draw()
    loss = weighted_sum(
        outputs(case.call(fastnn, *(Tensor.of(x, requires_grad=True) for x in arrays)))
    )
    loss.backward()
    with pytest.raises(RuntimeError, match="already walked"):
        loss.backward()
    plain = weighted_sum(outputs(case.call(fastnn, *(Tensor.of(x) for x in arrays))))
    with pytest.raises(RuntimeError, match="nothing this tensor was computed from"):
        plain.backward()


def test_every_row_has_a_name_of_its_own() -> None:
    assert len({case.id for case in OPERATIONS}) == len(OPERATIONS)


# --- saved values ---


@every_operation
def test_a_changed_operand_is_an_error_or_makes_no_difference(case: Operation) -> None:
    """Whatever an operation saves, changing its operands can never give a wrong gradient."""
    arrays = case.draw()

    def gradients(change: bool) -> list[Any] | None:
        leaves = [Tensor.of(x.copy(), requires_grad=True) for x in arrays]
        loss = weighted_sum(outputs(case.call(fastnn, *leaves)))
        if change:
            with fastnn.no_grad():
                for leaf in leaves:
                    leaf.mul_(3).add_(0.25)
        try:
            loss.backward()
        except RuntimeError as error:
            return None if "changed in place" in str(error) else pytest.fail(str(error))
        return [leaf.grad for leaf in leaves]

    expected, got = gradients(False), gradients(True)
    assert expected is not None
    for a, b in zip(expected, got or expected, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_array_equal(a.numpy(), b.numpy())


# --- in place ---


def test_changes_in_a_forward_keep_the_gradients_of_what_was_computed_before() -> None:
    x = fastnn.tensor([1.0, 2.0], requires_grad=True)
    y = x * 3
    before = y.sum()
    y += x * x
    (before + y.sum()).backward()
    assert x.grad.tolist() == [3 + 3 + 2, 3 + 3 + 4]


def test_a_total_that_starts_as_a_constant() -> None:
    w = fastnn.tensor([3.0], requires_grad=True)
    total = fastnn.tensor(0.0)
    early = total + w
    for _ in range(3):
        total += (w * w).sum()
    assert total.requires_grad
    (early + total).backward()
    assert w.grad.tolist() == [19]
    assert total.grad is None


def test_rows_set_one_by_one() -> None:
    w = fastnn.tensor([1.0, 2.0], requires_grad=True)
    out = fastnn.zeros(3, 2)
    for i in range(3):
        out[i] = w * i
    out.sum().backward()
    assert w.grad.tolist() == [3, 3]


@pytest.mark.parametrize("share", [lambda y: y.view(-1), lambda y: y[0], lambda y: y.detach(),
                                   lambda y: y.T])  # fmt: skip
def test_a_change_that_a_view_would_not_see_is_an_error(share: Any) -> None:
    y = fastnn.ones(2, 2, requires_grad=True) * 2
    view = share(y)
    with pytest.raises(RuntimeError, match=r"\+=: .*views"):
        y += 1.0
    del view
    y += 1.0
    assert y.tolist() == [[3, 3], [3, 3]]


@pytest.mark.parametrize(("change", "error"), [
    (lambda: fastnn.arange(3).__iadd__(0.5), TypeError),
    (lambda: fastnn.arange(3).div_(2), TypeError),
    (lambda: fastnn.zeros(3).__iadd__(fastnn.zeros(2, 3)), ValueError),
    (lambda: fastnn.zeros(3, 1).mul_(fastnn.zeros(3)), ValueError),
])  # fmt: skip
def test_results_that_do_not_fit(change: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"(\+=|div_|mul_): a tensor of .* cannot hold"):
        change()


def test_a_view_of_a_tensor_counts_its_changes() -> None:
    x = fastnn.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    loss = x.log().sum()
    with fastnn.no_grad():
        x[0].fill_(5)
    with pytest.raises(RuntimeError, match="log needs a tensor"):
        loss.backward()


def test_gradients_by_hand() -> None:
    w = fastnn.tensor([1.0, 2.0], requires_grad=True)
    (w * w).sum().backward()
    w.data -= 0.5 * w.grad.data
    assert w.tolist() == [0, 0]
    assert w.requires_grad
    w.grad.data.zero_()
    assert w.grad.tolist() == [0, 0]
    w.data = fastnn.ones(2)
    assert w.tolist() == [1, 1]


# --- errors ---

BAD: list[tuple[str, Any, type[Exception], str]] = [
    ("gradient-of-integers", lambda: fastnn.tensor([1], requires_grad=True), TypeError,
     "only floating-point tensors have gradients, got int64"),
    ("requires_grad_-of-integers", lambda: fastnn.arange(2).requires_grad_(), TypeError, "int64"),
    ("matmul-shapes", lambda: fastnn.ones(2, 3) @ fastnn.ones(2, 3), ValueError,
     r"matmul: .*got \(2, 3\) @ \(2, 3\)"),
    ("matmul-0d", lambda: fastnn.ones(2, 3) @ fastnn.tensor(1.0), ValueError, r"@ \(\)"),
    ("matmul-types", lambda: fastnn.ones(2, 3) @ fastnn.ones(3).double(), TypeError,
     "matmul: expected two tensors of one type, got float32 @ float64"),
    ("mm-dims", lambda: fastnn.ones(3).mm(fastnn.ones(3)), ValueError, "mm: expected 2 and 2"),
    ("dim", lambda: fastnn.ones(2, 3).sum(2), IndexError,
     r"sum: expected a dimension of a tensor of shape \(2, 3\), from -2 to 1"),
    ("axis", lambda: fastnn.ones(2).mean(axis=-2), IndexError, "mean: expected a dimension"),
    ("mean-of-integers", lambda: fastnn.arange(3).mean(), TypeError, "mean: .*got int64.*float"),
    ("std-of-booleans", lambda: (fastnn.ones(3) > 0).std(), TypeError, "got bool"),
    ("max-of-nothing", lambda: fastnn.zeros(0).max(), ValueError, "max: expected at least one"),
    ("argmax-of-nothing", lambda: fastnn.zeros(2, 0).argmax(1), ValueError, "argmax: expected"),
    ("clamp-nothing", lambda: fastnn.ones(1).clamp(), ValueError, "clamp: expected min, max"),
    ("mask-of-integers", lambda: fastnn.ones(1).masked_fill(fastnn.arange(1), 0), TypeError,
     "boolean mask, got int64"),
    ("norm-0", lambda: fastnn.ones(1).norm(0), ValueError, "norm: expected p > 0"),
    ("expand", lambda: fastnn.ones(2).expand(3), ValueError, r"expand: .*\(2,\), got \(3,\)"),
    ("repeat", lambda: fastnn.ones(2, 2).repeat(3), ValueError, "repeat: expected a number for"),
    ("split-0", lambda: fastnn.ones(4).split(0), ValueError, "split: .* at least 1, got 0"),
    ("split-sum", lambda: fastnn.ones(4).split([1, 2]), ValueError, r"add up to 4, got \[1, 2\]"),
    ("chunk-0", lambda: fastnn.ones(4).chunk(0), ValueError, "chunk: expected at least 1"),
    ("gather-floats", lambda: fastnn.ones(2, 2).gather(1, fastnn.zeros(2, 1)), TypeError,
     "gather: expected whole numbers as indices, got float32"),
    ("gather-dims", lambda: fastnn.ones(2, 2).gather(1, fastnn.arange(2)), ValueError,
     r"gather: expected indices with 2 dimensions .*view\(-1, 1\)"),
    ("gather-range", lambda: fastnn.ones(2, 2).gather(1, fastnn.tensor([[2]])), IndexError,
     r"gather: expected indices in 0 \.\. 1"),
    ("scatter-range", lambda: fastnn.ones(2, 2).scatter_(1, fastnn.tensor([[-1]]), 1), IndexError,
     r"scatter_: expected indices in 0 \.\. 1"),
    ("topk", lambda: fastnn.ones(2).topk(3), ValueError, "topk: expected k from 0 to 2, got 3"),
    ("t-3d", lambda: fastnn.ones(1, 2, 3).t(), ValueError, r"t: expected at most 2 dimensions"),
    ("cat-nothing", lambda: fastnn.cat([]), ValueError, "cat: expected at least one tensor"),
    ("where-one", lambda: fastnn.where(fastnn.ones(1) > 0, fastnn.ones(1)), TypeError,
     "where: expected both"),
    ("index-range", lambda: fastnn.ones(2)[2], IndexError, "out of bounds"),
    ("item", lambda: fastnn.ones(2).item(), ValueError, r"item: .*got shape \(2,\)"),
    ("randint-size", lambda: fastnn.randint(0, 5), TypeError, "randint: expected a size"),
    ("randint-empty", lambda: fastnn.randint(5, 5, (2,)), ValueError, "expected low < high"),
    ("to-cuda", lambda: fastnn.ones(1).to("cuda"), ValueError, "fastnn runs on the CPU"),
    ("to-cuda-0", lambda: fastnn.ones(1).to("cuda:0"), ValueError, "fastnn runs on the CPU"),
    ("zeros-cuda", lambda: fastnn.zeros(1, device="cuda"), ValueError, "fastnn runs on the CPU"),
    ("device-cuda", lambda: fastnn.device("cuda", 0), ValueError, "fastnn runs on the CPU"),
    ("model-to-cuda", lambda: fastnn.nn.ReLU().to("cuda"), ValueError, "fastnn runs on the CPU"),
    ("to-half", lambda: fastnn.ones(1).to(np.float16), TypeError, "to: .*got float16"),
    ("to-text", lambda: fastnn.ones(1).to("fast"), TypeError, "to: expected a dtype .*'fast'"),
    ("to-unknown", lambda: fastnn.ones(1).to(kind=1), TypeError, "to: .*'kind'"),
    ("model-to-integers", lambda: fastnn.nn.ReLU().to(fastnn.int64), TypeError, "float32 or"),
    ("create_graph", lambda: fastnn.ones(1, requires_grad=True).backward(create_graph=True),
     ValueError, "gradients of gradients"),
    ("retain_grad", lambda: fastnn.ones(1).retain_grad(), RuntimeError, "requires no gradient"),
    ("freeze-a-result", lambda: (fastnn.ones(1, requires_grad=True) * 2).requires_grad_(False),
     RuntimeError, "use detach"),
    ("deepcopy-of-a-result", lambda: copy.deepcopy(fastnn.ones(1, requires_grad=True) * 2),
     RuntimeError, r"use detach\(\)\.clone\(\)"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "pattern"), [row[1:] for row in BAD],
                         ids=[row[0] for row in BAD])  # fmt: skip
def test_error(call: Any, error: type[Exception], pattern: str) -> None:
    with pytest.raises(error, match=pattern):
        call()


# --- values that are not numbers make no noise ---


def test_no_warnings() -> None:
    x = fastnn.tensor([0.0, -1.0, 1e30], requires_grad=True)
    results = (1 / x, x.log(), x.sqrt(), x.exp(), x**40, x.log1p(), x % 0, x // 0)
    sum(r.sum() for r in results).backward()
    assert np.isnan(x.grad.numpy()).any()


# --- copies, views, screens ---


def test_deepcopy_and_pickle() -> None:
    x = fastnn.tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    for twin in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert twin.tolist() == [1, 2]
        assert twin.requires_grad
        assert not np.shares_memory(twin._array, x._array)
    assert copy.deepcopy(x).grad.tolist() == [2, 4]


@pytest.mark.parametrize("view", [
    lambda x: x.view(4), lambda x: x.t(), lambda x: x.T, lambda x: x[1:], lambda x: x.flatten(),
    lambda x: x.unsqueeze(0), lambda x: x.permute(1, 0), lambda x: x.expand(3, 2, 2),
    lambda x: x.split(1)[1], lambda x: x.detach(), lambda x: x.squeeze(), lambda x: x.to("cpu"),
    lambda x: x.data, lambda x: x.cpu(), lambda x: x.float(), lambda x: x.contiguous(),
])  # fmt: skip
def test_views_share_memory(view: Any) -> None:
    x = fastnn.ones(2, 2)
    assert np.shares_memory(view(x)._array, x._array)


def test_printing() -> None:
    x = fastnn.tensor([1.23456789, 2.0])
    assert repr(x) == "tensor([1.2346, 2.0000])"
    try:
        fastnn.set_printoptions(precision=2, sci_mode=False)
        assert repr(x) == "tensor([1.23, 2.00])"
        fastnn.set_printoptions(threshold=3, edgeitems=1)
        assert repr(fastnn.arange(9)) == "tensor([0,  ..., 8])"
    finally:
        fastnn.set_printoptions(profile="default")
    assert repr(x) == "tensor([1.2346, 2.0000])"
    loss = fastnn.tensor(0.5, requires_grad=True) * 3
    assert f"{loss} {loss:.2f} {fastnn.tensor([0.5])}" == "1.5 1.50 tensor([0.5000])"


def test_assigning_data_leaves_the_old_values_to_who_holds_them() -> None:
    """An average of weights is put in place and taken out again: `p.data = ...`, twice."""
    p = fastnn.nn.Parameter(fastnn.tensor([1.0, 2.0]))
    optimizer = fastnn.optim.SGD([p], lr=1.0)
    average = fastnn.tensor([5.0, 6.0])
    held = p.data
    p.data = average
    assert p.tolist() == [5, 6]
    assert held.tolist() == [1, 2]
    p.sum().backward()
    optimizer.step()
    assert p.tolist() == [4, 5]
    p.data = held
    optimizer.step()
    assert p.tolist() == [0, 1]
    with pytest.raises(TypeError, match=r"data: expected floating-point .* got int64; use float"):
        p.data = fastnn.tensor([1, 2])


def test_parameters_tied_by_their_memory_are_refused() -> None:
    """A block would give each memory of its own, and untie them without a word."""
    a, b = fastnn.nn.Linear(2, 3), fastnn.nn.Linear(3, 2)
    b.weight.data = a.weight.data.t()
    with pytest.raises(ValueError, match=r"shapes \(3, 2\) and \(2, 3\), share memory.*a\.weight"):
        fastnn.optim.SGD([*a.parameters(), *b.parameters()], lr=0.1)
    b.weight.data = a.weight.data.t().clone()
    fastnn.optim.SGD([*a.parameters(), *b.parameters()], lr=0.1)


def test_one_hot() -> None:
    one_hot = fastnn.nn.functional.one_hot
    assert one_hot(fastnn.tensor([[1], [0]]), 3).tolist() == [[[0, 1, 0]], [[1, 0, 0]]]
    assert one_hot(np.array([2, 0])).shape == (2, 3)
    assert one_hot(fastnn.zeros(0).long(), 4).shape == (0, 4)
    for labels, n, kind, message in [
        ([0.0], 2, TypeError, "expected whole numbers as labels, got float32; use long"),
        ([0, 3], 3, IndexError, r"expected labels in 0 \.\. 2, got 0 \.\. 3"),
        ([-1], -1, IndexError, r"expected labels in 0 \.\. "),
        ([], -1, ValueError, "got neither"),
    ]:
        with pytest.raises(kind, match=message):
            one_hot(fastnn.tensor(labels, dtype=None if labels else fastnn.int64), n)


def test_logical_operations() -> None:
    a, b = fastnn.tensor([0, 2, 0, 3]), fastnn.tensor([0.0, 0.5, 1.0, 0.0])
    assert a.logical_and(b).tolist() == [False, True, False, False]
    assert fastnn.logical_or(a, b).tolist() == [False, True, True, True]
    assert fastnn.logical_xor(a, b).tolist() == [False, False, True, True]
    assert fastnn.logical_not(a).tolist() == [True, False, True, False]


def test_types_as_older_programs_name_them() -> None:
    x = fastnn.from_numpy(np.array([1.0, 2.0]))
    assert fastnn.FloatTensor(2, 3).shape == (2, 3)
    assert fastnn.LongTensor([1, 2]).dtype == fastnn.int64
    assert fastnn.DoubleTensor([1]).dtype == fastnn.float64
    assert fastnn.FloatTensor(x.numpy()).dtype == fastnn.float32
    assert x.type(fastnn.LongTensor).dtype == fastnn.int64
    assert x.type(fastnn.FloatTensor).dtype == fastnn.float32
    assert x.type_as(fastnn.FloatTensor()).dtype == fastnn.float32
    assert fastnn.Tensor(x.numpy()).dtype == fastnn.Tensor([1, 2]).dtype == fastnn.float32
    assert fastnn.Tensor(2, 3).shape == (2, 3)
    assert not np.shares_memory(fastnn.Tensor(x.float())._array, x._array)
    with pytest.raises(TypeError, match=r"Tensor: expected a list.* got str 'a'; fastnn\.tensor"):
        fastnn.Tensor("a")
    assert isinstance(x, fastnn.DoubleTensor)
    assert not isinstance(x, fastnn.FloatTensor)
    with pytest.raises(TypeError, match="FloatTensor: expected a list, an array, or sizes"):
        fastnn.FloatTensor([1], [2])


def test_random_tensors_follow_the_seed_and_their_generator() -> None:
    makers = [
        lambda **k: fastnn.rand(5, **k), lambda **k: fastnn.randn(5, **k),
        lambda **k: fastnn.randint(0, 1000, (5,), **k), lambda **k: fastnn.randperm(50, **k),
        lambda **k: fastnn.normal(1.0, 2.0, (5,), **k), lambda **k: fastnn.zeros(5).normal_(**k),
        lambda **k: fastnn.zeros(5).uniform_(**k),
    ]  # fmt: skip
    for make in makers:
        fastnn.manual_seed(3)
        first, second = make(), make()
        assert not fastnn.equal(first, second)
        assert fastnn.equal(make(generator=fastnn.Generator(3)), first)
        fastnn.manual_seed(3)
        assert fastnn.equal(make(), first)


def test_laws_of_random_tensors() -> None:
    n = 20_000
    x = fastnn.normal(2.0, 3.0, (n,))._array
    assert abs(x.mean() - 2) < 5 * 3 / np.sqrt(n)
    assert abs(x.std() - 3) < 5 * 3 / np.sqrt(2 * n)
    x = fastnn.randint(-1, 3, (n,))._array
    assert (np.bincount(x + 1) > n / 4 - 5 * np.sqrt(n)).all()
    assert sorted(set(x.tolist())) == [-1, 0, 1, 2]
    assert sorted(fastnn.randperm(100).tolist()) == list(range(100))
