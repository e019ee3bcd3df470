"""Losses give what PyTorch's give: values, gradients of inputs and targets, signatures."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch_support import both, draw

import fastnn
from fastnn import nn
from fastnn.nn import functional as F

TF = torch.nn.functional
REDUCTIONS = ("mean", "sum", "none")
LABELS = np.array([0, 9, 3, 3, 1, 5])
CLASS_WEIGHT = np.random.default_rng(7).uniform(0.1, 3, 10)

every_reduction = pytest.mark.parametrize("reduction", REDUCTIONS)
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])


def uniform(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.01, 0.99, shape)


def soft(rows: int, classes: int) -> np.ndarray:
    return np.random.default_rng(3).dirichlet(np.ones(classes), rows)


def wide(x: np.ndarray) -> torch.Tensor:
    return torch.tensor(x.astype(np.float64) if x.dtype.kind == "f" else x)


def assert_near(ours: Any, theirs: Any, bound: float) -> None:
    """To a part of the largest finite value; NaN and infinities alike."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    finite = abs(theirs[np.isfinite(theirs)])
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=bound * finite.max(initial=0))


def check(
    ours: Callable[..., fastnn.Tensor],
    theirs: Callable[..., torch.Tensor],
    inputs: tuple[np.ndarray, ...],
    dtype: Any,
    constant: tuple[int, ...] = (),
    bound: float = 1e-12,
) -> None:
    """The same value and, where an input is floating-point and not `constant`, its gradient.

    PyTorch computes in float64 always: its float32 logarithm may be off by 2e-5, now and then.
    """
    bound = max(bound, 32 * np.finfo(np.float32).eps if dtype == np.float32 else 0)
    cast = [x.astype(dtype) if x.dtype.kind == "f" else x for x in inputs]
    want = [x.dtype.kind == "f" and i not in constant for i, x in enumerate(cast)]
    a = [fastnn.Tensor.of(x.copy(), g) for x, g in zip(cast, want, strict=True)]
    b = [wide(x).requires_grad_(g) for x, g in zip(cast, want, strict=True)]
    loss, their_loss = ours(*a), theirs(*b)
    assert loss.dtype == dtype
    assert_near(loss._array, their_loss.detach().numpy(), bound)
    grad = draw(*loss.shape, seed=1).astype(dtype)
    loss.backward(grad)
    their_loss.backward(wide(grad))
    for x, y in zip(a, b, strict=True):
        assert (x.grad is None) == (y.grad is None)
        if x.grad is not None:
            assert x.grad.dtype == dtype
            assert_near(x.grad._array, y.grad.numpy(), bound)


def check_module(name: str, inputs: tuple[np.ndarray, ...], dtype: Any, **given: Any) -> None:
    theirs = {k: wide(v.astype(dtype)) if isinstance(v, np.ndarray) else v
              for k, v in given.items()}  # fmt: skip
    check(getattr(nn, name)(**given), getattr(torch.nn, name)(**theirs), inputs, dtype)


# --- of classes ---

CLASS_OPTIONS = [
    {},
    {"weight": CLASS_WEIGHT},
    {"ignore_index": 3},
    {"weight": CLASS_WEIGHT, "ignore_index": 3},
]
SMOOTHED = [{**options, "label_smoothing": 0.1} for options in CLASS_OPTIONS]


def names_of(options: dict[str, Any]) -> str:
    return "-".join(options) or "plain"


@every_dtype
@every_reduction
@pytest.mark.parametrize("options", [*CLASS_OPTIONS, *SMOOTHED], ids=names_of)
@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_cross_entropy(options: dict[str, Any], reduction: str, dtype: Any, scale: float) -> None:
    z = scale * draw(6, 10)
    check_module("CrossEntropyLoss", (z, LABELS), dtype, reduction=reduction, **options)


@every_dtype
@every_reduction
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("weight", [None, CLASS_WEIGHT], ids=["plain", "weight"])
@pytest.mark.parametrize("kind", ["soft", "one-hot", "any"])
def test_cross_entropy_of_probabilities(
    kind: str, weight: Any, smoothing: float, reduction: str, dtype: Any
) -> None:
    target = {"soft": soft(6, 10), "one-hot": np.eye(10)[LABELS], "any": draw(6, 10, seed=2)}[kind]
    given = {"weight": weight, "label_smoothing": smoothing, "reduction": reduction}
    check_module("CrossEntropyLoss", (draw(6, 10), target), dtype, **given)


@every_dtype
@every_reduction
@pytest.mark.parametrize("options", CLASS_OPTIONS, ids=names_of)
def test_nll(options: dict[str, Any], reduction: str, dtype: Any) -> None:
    check_module("NLLLoss", (draw(6, 10), LABELS), dtype, reduction=reduction, **options)


@every_reduction
@pytest.mark.parametrize("shape", [(10,), (6, 10, 4), (2, 10, 3, 2), (1, 10, 1)], ids=str)
@pytest.mark.parametrize("name", ["CrossEntropyLoss", "NLLLoss"])
def test_classes_of_other_dimensions(name: str, shape: tuple[int, ...], reduction: str) -> None:
    each = (shape[0], *shape[2:]) if len(shape) > 1 else ()
    labels = np.asarray(np.random.default_rng(0).integers(0, 10, each))
    given = {"weight": CLASS_WEIGHT, "ignore_index": 3, "reduction": reduction}
    check_module(name, (draw(*shape), labels), np.float64, **given)


@every_reduction
@pytest.mark.parametrize("shape", [(10,), (6, 10, 4), (2, 10, 3, 2)], ids=str)
def test_probabilities_of_other_dimensions(shape: tuple[int, ...], reduction: str) -> None:
    given = {"weight": CLASS_WEIGHT, "label_smoothing": 0.1, "reduction": reduction}
    inputs = (draw(*shape), uniform(*shape))
    check_module("CrossEntropyLoss", inputs, np.float64, **given)


@every_dtype
@every_reduction
@pytest.mark.parametrize("name", ["CrossEntropyLoss", "NLLLoss"])
@pytest.mark.parametrize("counted", [0, 1])
def test_all_ignored_but_one_or_none(name: str, reduction: str, dtype: Any, counted: int) -> None:
    """A mean over no row at all is NaN, and its gradient 0."""
    labels = np.full(6, -100)
    labels[6 - counted :] = 2
    check_module(name, (draw(6, 10), labels), dtype, reduction=reduction)


@every_dtype
@every_reduction
def test_cross_entropy_of_huge_logits(reduction: str, dtype: Any) -> None:
    z = np.array([[1e4, -1e4, 0.0], [-1e4, -1e4, 1e4], [3e37, 3e37, -3e37]])
    check_module("CrossEntropyLoss", (z, np.array([1, 2, 0])), dtype, reduction=reduction)


# --- element by element ---

ELEMENT_LOSSES = [
    ("MSELoss", {}), ("L1Loss", {}), ("SmoothL1Loss", {}), ("SmoothL1Loss", {"beta": 0.3}),
    ("SmoothL1Loss", {"beta": 0}), ("HuberLoss", {}), ("HuberLoss", {"delta": 0.3}),
]  # fmt: skip
SHAPES = [(), (1,), (5, 7), (2, 3, 4)]
WEIGHTS = {
    "none": {}, "row": {"weight": uniform(7)}, "column": {"weight": uniform(5, 1)},
    "full": {"weight": uniform(5, 7)},
}  # fmt: skip


@every_dtype
@every_reduction
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("name", "options"), ELEMENT_LOSSES)
def test_differences(
    name: str, options: dict[str, Any], shape: tuple[int, ...], reduction: str, dtype: Any
) -> None:
    inputs = (draw(*shape), draw(*shape, seed=2))
    check_module(name, tuple(map(np.asarray, inputs)), dtype, reduction=reduction, **options)


@every_reduction
@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss"])
def test_weighted_differences(name: str, reduction: str) -> None:
    weight = uniform(5, 7)
    check(
        lambda x, y: getattr(F, name)(x, y, reduction=reduction, weight=weight),
        lambda x, y: getattr(TF, name)(x, y, reduction=reduction, weight=torch.tensor(weight)),
        (draw(5, 7), draw(5, 7, seed=2)),
        np.float64,
    )


@every_dtype
@every_reduction
@pytest.mark.parametrize(("name", "options"), ELEMENT_LOSSES[1:])
def test_kinks(name: str, options: dict[str, Any], reduction: str, dtype: Any) -> None:
    """At 0 the gradient of |d| is 0; at +-beta and +-delta both sides agree."""
    at = options.get("beta") or options.get("delta") or 1.0
    d = np.array([0.0, -0.0, at, -at, np.nextafter(at, 2), np.nextafter(at, 0), 2.0, -2.0])
    check_module(name, (d, np.zeros(8)), dtype, reduction=reduction, **options)
    x = fastnn.Tensor.of(d.astype(dtype), requires_grad=True)
    getattr(nn, name)(reduction="sum", **options)(
        x, fastnn.Tensor.of(np.zeros(8, dtype))
    ).backward()
    assert x.grad is not None
    assert x.grad.tolist()[:2] == [0, 0]
    assert abs(x.grad._array[2:4]).tolist() == [dtype(at if name == "HuberLoss" else 1)] * 2


@every_dtype
@every_reduction
@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS.keys())
def test_bce(weights: dict[str, Any], reduction: str, dtype: Any) -> None:
    inputs = (uniform(5, 7), uniform(5, 7, seed=2))
    check_module("BCELoss", inputs, dtype, reduction=reduction, **weights)


@every_dtype
@every_reduction
def test_bce_of_certainties(reduction: str, dtype: Any) -> None:
    """Where a probability is 0 or 1 a logarithm counts 100, and the gradient is finite."""
    x = np.array([0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.5, 1e-30])
    y = np.array([0.0, 1.0, 0.0, 1.0, 0.3, 0.3, 0.5, 1.0])
    ours, theirs = nn.BCELoss(reduction=reduction), torch.nn.BCELoss(reduction=reduction)
    # PyTorch's 1e-12 is a float32; and its gradients of such targets are infinite, ours clamped
    check(ours, theirs, (x, y), dtype, constant=(1,), bound=1e-8)


@every_dtype
@every_reduction
@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS.keys())
@pytest.mark.parametrize("pos_weight", [None, uniform(7, seed=5), uniform(5, 7, seed=5)],
                         ids=["plain", "pos_weight", "pos_weight-full"])  # fmt: skip
def test_bce_with_logits(
    weights: dict[str, Any], pos_weight: Any, reduction: str, dtype: Any
) -> None:
    inputs = (5 * draw(5, 7), uniform(5, 7))
    given = {"pos_weight": pos_weight, "reduction": reduction, **weights}
    check_module("BCEWithLogitsLoss", inputs, dtype, **given)


@every_dtype
@every_reduction
def test_bce_of_huge_logits(reduction: str, dtype: Any) -> None:
    z = np.array([1000.0, 1000.0, -1000.0, -1000.0, 0.0, 30.0, -30.0, 1e30, -1e30])
    for y in (np.zeros(9), np.ones(9), np.resize([0.0, 1.0], 9), np.full(9, 0.3)):
        check_module("BCEWithLogitsLoss", (z, y), dtype, reduction=reduction)


@every_dtype
@every_reduction
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_poisson(shape: tuple[int, ...], full: bool, reduction: str, dtype: Any) -> None:
    """Of logarithms and of rates, a rate and a count of 0 among them."""
    x, y = np.array(draw(*shape)), np.array(10 * uniform(*shape))
    given = {"full": full, "reduction": reduction}
    check_module("PoissonNLLLoss", (x, y), dtype, **given)
    check_module(
        "PoissonNLLLoss", (np.square(x, out=x), y), dtype, log_input=False, eps=0.25, **given
    )


@every_dtype
@pytest.mark.parametrize("full", [False, True])
def test_poisson_of_zeros(full: bool, dtype: Any) -> None:
    """A rate of 0 and a count of 0; where PyTorch has no gradient of the latter, ours is finite."""
    x, y = np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0])
    given = {"log_input": False, "full": full, "reduction": "none"}
    ours, theirs = nn.PoissonNLLLoss(**given), torch.nn.PoissonNLLLoss(**given)
    check(ours, theirs, (x, y), dtype, constant=(1,))


# --- signatures ---

OURS = {"QuantileLoss", "WeightedLoss", "quantile_loss"}  # PyTorch has none


def parameters(function: Any) -> list[tuple[str, Any]]:
    return [(p.name, p.default) for p in inspect.signature(function).parameters.values()]


@pytest.mark.parametrize("name", [n for n in F.__all__ if n not in OURS and (
    n.endswith(("_loss", "_logits")) or "cross_entropy" in n)])  # fmt: skip
def test_functions_have_their_signatures(name: str) -> None:
    assert parameters(getattr(F, name)) == parameters(getattr(TF, name))


@pytest.mark.parametrize("name", [n for n in nn.__all__ if n.endswith("Loss") and n not in OURS])
def test_modules_have_their_signatures(name: str) -> None:
    assert parameters(getattr(nn, name)) == parameters(getattr(torch.nn, name))


def test_state_dicts_have_the_same_names() -> None:
    for name in ("CrossEntropyLoss", "NLLLoss", "BCELoss", "BCEWithLogitsLoss"):
        ours, theirs = getattr(nn, name), getattr(torch.nn, name)
        weight = np.ones(3, np.float32)
        assert list(ours().state_dict()) == list(theirs().state_dict()) == []
        state = ours(weight=weight).state_dict()
        assert list(state) == list(theirs(weight=torch.tensor(weight)).state_dict())


@pytest.mark.parametrize(("name", "types"), [
    ("MSELoss", ["float32", "float64", "int64", "uint8", "bool"]),
    ("L1Loss", ["float32", "float64", "int64", "uint8"]),
    ("SmoothL1Loss", ["float32", "float64", "int64", "uint8", "bool"]),
    ("PoissonNLLLoss", ["float32", "float64", "int64", "uint8", "bool"]),
    ("BCEWithLogitsLoss", ["float32", "float64"]),
])  # fmt: skip
def test_targets_of_other_types(name: str, types: list[str]) -> None:
    """As they come out of a table: PyTorch takes them, and so do we."""
    x = draw(6, 2).astype(np.float32)
    for kind in types:
        y = (draw(6, 2, seed=1) > 0).astype(kind)
        ours, theirs = both(x)
        loss = getattr(nn, name)()(ours, fastnn.from_numpy(y))
        their_loss = getattr(torch.nn, name)()(theirs, torch.from_numpy(y))
        loss.backward()
        their_loss.backward()
        assert_near(loss._array, their_loss.detach().numpy(), 1e-6)
        assert_near(ours.grad._array, theirs.grad.numpy(), 1e-6)
        assert ours.grad.dtype == loss.dtype == np.float32
