"""Clipping of gradients, penalties, parameters as a vector."""

from typing import Any

import numpy as np
import pytest
from support import DTYPES, bits, mlp

import fastnn
from fastnn import NonFiniteError, Tensor, nn, optim
from fastnn.nn import functional as F

utils = nn.utils


def parameters(dtype: Any = np.float64) -> list[Tensor]:
    """Three parameters: the first two have gradients."""
    rng = np.random.default_rng(0)
    params = [Tensor.of(rng.standard_normal(s).astype(dtype), True) for s in ((7, 5), (9,), (2,))]
    for p in params[:2]:
        p.grad = Tensor.of(rng.standard_normal(p.shape).astype(dtype))
    return params


def gradient(params: list[Tensor]) -> np.ndarray:
    """All gradients as one float64 vector."""
    grads = [p.grad.numpy().ravel() for p in params if p.grad is not None]
    return np.concatenate(grads).astype(np.float64)


# --- norms ---


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("p", [2.0, 1.0, 3.0, 0.5, np.inf])
def test_norm_and_clipping(dtype: Any, p: float, isa: str) -> None:
    eps = float(np.finfo(dtype).eps)
    for share in (0.3, 3.0):
        params = parameters(dtype)
        before = gradient(params)
        size = float((abs(before) ** p).sum() ** (1 / p)) if p < np.inf else abs(before).max()
        norm = utils.clip_grad_norm_(params, share * size, p)
        assert norm.dtype == dtype
        assert norm.shape == ()
        assert norm.item() == pytest.approx(size, rel=4 * eps)
        expected = before * min(1, share * size / (size + 1e-6))
        np.testing.assert_allclose(gradient(params), expected, rtol=4 * eps)
        assert params[2].grad is None


def test_norm_is_the_same_wherever_gradients_lie() -> None:
    """In an optimizer's block, apart, transposed, on any number of threads."""
    told = set()
    for layout in ("apart", "block", "columns"):
        for threads in (1, 2):
            fastnn.set_num_threads(threads)
            model = mlp(30, 200, 10)
            if layout == "block":
                optimizer = optim.SGD(model.parameters(), lr=0.1)
            F.cross_entropy(model(fastnn.ones(4, 30)), [0, 1, 2, 3]).backward()
            if layout == "columns":
                for p in model.parameters():
                    p.grad = Tensor.of(np.asfortranarray(p.grad.numpy()))
            norm = utils.clip_grad_norm_(model.parameters(), 1e-3)
            told.add(bits(norm, *(p.grad for p in model.parameters())))
            if layout == "block":
                assert np.shares_memory(model[0].weight.grad._array, optimizer._block.grads)
    assert len(told) == 1


def test_nothing_to_clip_leaves_the_bits() -> None:
    for limit in (1e9, np.inf):
        params = parameters()
        before = bits(*(p.grad for p in params[:2]))
        utils.clip_grad_norm_(params, limit)
        assert bits(*(p.grad for p in params[:2])) == before


def test_one_tensor_or_none() -> None:
    p = parameters()[1]
    norm = utils.clip_grad_norm_(p, 1.0)
    assert norm.item() > 1
    assert np.linalg.norm(p.grad.numpy()) == pytest.approx(1.0, rel=1e-5)
    for none in ([], iter(()), Tensor.of(np.ones(2), True), Tensor.of(np.ones((0, 3)), True)):
        assert utils.clip_grad_norm_(none, 1.0).item() == 0.0
    empty = Tensor.of(np.ones((0, 3)), True)
    empty.grad = Tensor.of(np.ones((0, 3)))
    assert utils.clip_grad_norm_([empty], 1.0).item() == 0.0
    utils.clip_grad_value_(empty, 1.0)


@pytest.mark.parametrize("p", [2.0, 3.0, np.inf])
@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e160, 1e300])
def test_norm_neither_overflows_nor_vanishes(p: float, scale: float) -> None:
    """Where squares leave the range of float64; PyTorch's norm is then inf, its gradients 0."""
    params = parameters()
    unit = utils.get_total_norm([q.grad for q in params[:2]], p).item()
    before = gradient(params)
    for q in params[:2]:
        q.grad = Tensor.of(q.grad.numpy() * scale)
    assert utils.clip_grad_norm_(params, 1.0, p).item() == pytest.approx(unit * scale, rel=1e-12)
    if scale > 1:
        np.testing.assert_allclose(gradient(params), before / unit, rtol=1e-12)


def test_float32_sums_in_double() -> None:
    p = Tensor.of(np.ones(1_000_000, np.float32), True)
    p.grad = Tensor.of(np.full(1_000_000, 3e25, np.float32))
    assert utils.get_total_norm(p.grad).item() == np.float32(3e28)
    assert utils.get_total_norm([p.grad, p.grad], 1).item() == pytest.approx(6e31, rel=1e-7)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("p", [2.0, 1.0, np.inf])
def test_norm_that_is_not_finite(value: float, p: float) -> None:
    params = parameters()
    params[0].grad._array[3, 4] = value
    before = bits(*(q.grad for q in params[:2]))
    with pytest.raises(NonFiniteError, match=r"norm of order .* is (nan|inf).*learning rate"):
        utils.clip_grad_norm_(params, 1.0, p, error_if_nonfinite=True)
    assert bits(*(q.grad for q in params[:2])) == before
    norm = utils.clip_grad_norm_(params, 1.0, p)
    assert not np.isfinite(norm.item())
    assert np.isnan(params[0].grad.numpy()[3, 4])


def test_norm_given() -> None:
    params, twin = parameters(), parameters()
    total = utils.get_total_norm([p.grad for p in params[:2]])
    utils.clip_grads_with_norm_(params, 0.5, total)
    utils.clip_grad_norm_(twin, 0.5, foreach=True)
    assert bits(*(p.grad for p in params[:2])) == bits(*(p.grad for p in twin[:2]))


# --- values ---


@pytest.mark.parametrize("dtype", DTYPES)
def test_clip_value(dtype: Any, isa: str) -> None:
    params = parameters(dtype)
    params[0].grad._array[0] = [np.nan, np.inf, -np.inf, -0.0, 0.25]
    expected = np.clip(gradient(params), -0.5, 0.5)
    utils.clip_grad_value_(params, 0.5)
    np.testing.assert_array_equal(gradient(params), expected)


def test_clipping_any_layout() -> None:
    p, twin = (Tensor.of(np.zeros((5, 7)), True) for _ in range(2))
    values = np.random.default_rng(0).standard_normal((7, 5))
    p.grad, twin.grad = Tensor.of(values.T), Tensor.of(values.T.copy())
    for q in (p, twin):
        utils.clip_grad_value_(q, 0.5)
        utils.clip_grad_norm_(q, 0.5)
        utils.add_l1_grad_(q, 0.5)
    assert not p.grad.numpy().flags.c_contiguous
    np.testing.assert_array_equal(p.grad.numpy(), twin.grad.numpy())


def test_a_gradient_that_cannot_be_written_is_an_error() -> None:
    p = Tensor.of(np.zeros(3), True)
    p.grad = Tensor.of(np.broadcast_to(np.array(2.0), 3))
    with pytest.raises(ValueError, match="read-only"):
        utils.clip_grad_value_(p, 0.5)


# --- penalties ---


PENALTIES = {
    "l1": (utils.add_l1_grad_, lambda p: p.abs().sum()),
    "l2": (utils.add_l2_grad_, lambda p: (p * p).sum() / 2),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("add", "size"), PENALTIES.values(), ids=PENALTIES.keys())
def test_a_penalty_is_what_the_tape_gives(add: Any, size: Any, dtype: Any, isa: str) -> None:
    """`sum(size(p))` in the loss, or its gradient added after backward."""
    taped, added = mlp(5, 7, 3), mlp(5, 7, 3)
    for model in (taped, added):
        if dtype == np.float64:
            model.double()
        model[0].weight._array[2] = 0  # a kink, where the gradient is 0
        model[2].bias.requires_grad = False
    x = np.random.default_rng(0).standard_normal((4, 5)).astype(dtype)
    plain = F.cross_entropy(taped(x), [0, 1, 2, 0])
    penalty = 0.01 * sum(size(p) for p in taped.parameters() if p.requires_grad)
    (plain + penalty).backward()
    F.cross_entropy(added(x), [0, 1, 2, 0]).backward()
    value = add(added.parameters(), 0.01)
    eps = float(np.finfo(dtype).eps)
    assert value == pytest.approx(penalty.item(), rel=50 * eps)
    for p, q in zip(taped.parameters(), added.parameters(), strict=True):
        assert (p.grad is None) == (q.grad is None)
        if p.grad is not None:
            np.testing.assert_allclose(q.grad.numpy(), p.grad.numpy(), rtol=8 * eps, atol=eps)


def test_l1_without_a_gradient_so_far() -> None:
    p = Tensor.of(np.array([2.0, -3.0, 0.0, -0.0]), True)
    assert utils.add_l1_grad_([p], 0.5) == 2.5
    assert p.grad.tolist() == [0.5, -0.5, 0, 0]
    assert utils.add_l1_grad_(p, 0.0) == 0.0
    assert p.grad.tolist() == [0.5, -0.5, 0, 0]


def test_l1_makes_weights_sparse() -> None:
    """A linear model with one useful input of four: the others go to about 0."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((100, 4))
    w = Tensor.of(rng.standard_normal((4, 1)), True)
    optimizer = optim.SGD([w], lr=0.01)
    for _ in range(1000):
        optimizer.zero_grad()
        ((Tensor.of(x) @ w - 2 * x[:, :1]) ** 2).mean().backward()
        utils.add_l1_grad_(w, 0.1)
        optimizer.step()
    assert w.detach().numpy().ravel() == pytest.approx([1.95, 0, 0, 0], abs=0.02)


def test_nan_weights_show_in_the_penalty() -> None:
    p = Tensor.of(np.array([1.0, np.nan]), True)
    assert np.isnan(utils.add_l1_grad_(p, 0.5))
    assert np.isnan(p.grad.tolist()).tolist() == [False, True]


# --- vectors ---


def test_vector_and_back() -> None:
    model = mlp(3, 4, 2)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    vector = utils.parameters_to_vector(model.parameters())
    assert vector.requires_grad
    assert bits(vector.detach()) == bits(*(p for p in model.parameters()))
    memory = model[0].weight._array
    utils.vector_to_parameters(vector.detach() * 2, model.parameters())
    assert model[0].weight._array is memory
    np.testing.assert_array_equal(optimizer._block.values, 2 * vector.detach().numpy())
    w = model[0].weight
    assert utils.parameters_to_vector(w).shape == (12,)
    before = bits(*model.parameters())
    for size in (25, 27):
        with pytest.raises(ValueError, match=rf"vector of shape \(26,\), got \({size},\)"):
            utils.vector_to_parameters(np.zeros(size), model.parameters())
    assert bits(*model.parameters()) == before


# --- errors ---


@pytest.mark.parametrize(
    ("call", "error", "pattern"),
    [
        (lambda p: utils.clip_grad_norm_(p, -1), ValueError, "clip_grad_norm_: .*max_norm >= 0"),
        (lambda p: utils.clip_grad_norm_(p, np.nan), ValueError, "max_norm >= 0, got nan"),
        (lambda p: utils.clip_grad_norm_(p, "x"), TypeError, "max_norm to be a number, got 'x'"),
        (lambda p: utils.clip_grad_norm_(p, 1, 0), ValueError, "norm_type > 0, got 0"),
        (lambda p: utils.clip_grad_norm_(p, 1, -np.inf), ValueError, "norm_type >= 0, got -inf"),
        (lambda p: utils.clip_grad_norm_([1], 1), TypeError, "clip_grad_norm_: expected tensors"),
        (lambda p: utils.clip_grad_value_(p, -1), ValueError, "clip_value >= 0, got -1"),
        (lambda p: utils.clip_grad_value_(p, None), TypeError, "clip_value to be a number"),
        (lambda p: utils.add_l1_grad_(p, -1), ValueError, "add_l1_grad_: expected l1 >= 0"),
        (lambda p: utils.add_l2_grad_(p, -1), ValueError, "add_l2_grad_: expected l2 >= 0"),
        (lambda p: utils.parameters_to_vector([]), ValueError, "expected parameters, got none"),
    ],
)
def test_errors(call: Any, error: type[Exception], pattern: str) -> None:
    params = parameters()
    before = bits(*(p.grad for p in params[:2]))
    with pytest.raises(error, match=pattern):
        call(params)
    assert bits(*(p.grad for p in params[:2])) == before
