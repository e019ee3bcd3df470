"""Activations give what PyTorch's give."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch_support import both, draw

import fastnn
from fastnn import nn
from fastnn.nn import functional as F

EXTREMES = [0.0, -0.0, 1e-30, -1e-30, 6.0, -6.0, 19.9, 20.1, 40.0, -40.0, 80.0, -80.0, 1e12, -1e12]

# (module, its options): every option of every activation
ELEMENTS: list[tuple[str, dict[str, Any]]] = [
    ("ReLU", {}), ("ReLU", {"inplace": False}),
    ("LeakyReLU", {}), ("LeakyReLU", {"negative_slope": 0.3}), ("LeakyReLU", {"negative_slope": 0}),
    ("LeakyReLU", {"negative_slope": -2.0}),
    ("ELU", {}), ("ELU", {"alpha": 0.3}), ("ELU", {"alpha": -2.0}), ("ELU", {"alpha": 0}),
    ("GELU", {}), ("GELU", {"approximate": "none"}), ("GELU", {"approximate": "tanh"}),
    ("SiLU", {}), ("Sigmoid", {}), ("Tanh", {}),
    ("Softplus", {}), ("Softplus", {"beta": 3}), ("Softplus", {"beta": 0.5, "threshold": 1.0}),
    ("Softplus", {"beta": -2.0}), ("Softplus", {"threshold": 0}), ("Softplus", {"threshold": -3.0}),
]  # fmt: skip
SHAPES = [(7, 5), (0, 3), (), (1,), (2, 3, 4, 5), (300,)]
DIMS = [((7, 5), 0), ((7, 5), 1), ((7, 5), -1), ((9,), 0), ((), 0), ((), -1), ((2, 17, 3), 1),
        ((2, 17, 3), 0), ((2, 3, 4, 5), -2), ((0, 3), 1), ((0, 3), 0), ((3, 0), 1),
        ((7, 5), None), ((9,), None)]  # fmt: skip
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
each_element = pytest.mark.parametrize(
    ("name", "options"), ELEMENTS, ids=lambda v: v if isinstance(v, str) else "-".join(
        f"{k}={x}" for k, x in v.items()) or "plain"
)  # fmt: skip


def compare(ours: Any, theirs: Any, x: np.ndarray, ulps: float = 0) -> None:
    """Values and gradients: 1e-12 in float64, 32 eps in float32, of each value or of `ulps` eps.

    PyTorch subtracts nearly equal numbers in some tails; `ulps` says what it loses by that.
    """
    x = np.asarray(x)  # NumPy makes numbers of 0-d results
    eps = float(np.finfo(x.dtype).eps)
    bound = 1e-12 if x.dtype == np.float64 else 32 * eps
    a, b = both(x)
    y, their_y = ours(a), theirs(b)
    dy = np.asarray(draw(*x.shape, seed=1), x.dtype)
    y.backward(dy)
    their_y.backward(torch.tensor(dy))
    for got, expected in ((y, their_y), (a.grad, b.grad)):
        assert got.dtype == x.dtype
        assert got.shape == tuple(expected.shape)
        np.testing.assert_allclose(
            got._array, expected.detach().numpy(), rtol=bound,
            atol=ulps * eps + float(np.finfo(x.dtype).smallest_normal),
        )  # fmt: skip


@each_element
@each_dtype
def test_elements(name: str, options: dict[str, Any], dtype: Any) -> None:
    module, their_module = getattr(nn, name)(**options), getattr(torch.nn, name)(**options)
    assert repr(module) == repr(their_module)
    ulps = 32 if name in ("GELU", "SiLU", "Sigmoid", "Tanh") else 0
    for shape in SHAPES:
        compare(module, their_module, np.asarray(3 * draw(*shape), dtype), ulps)
    compare(module, their_module, np.array(EXTREMES, dtype), ulps)


@each_element
def test_functions(name: str, options: dict[str, Any]) -> None:
    """The functions take the same arguments by name, and `inplace` where PyTorch's do."""
    theirs = getattr(torch.nn.functional, "leaky_relu" if name == "LeakyReLU" else name.lower())
    ours = getattr(F, theirs.__name__)
    x = draw(5, 4)
    compare(lambda v: ours(v, **options), lambda v: theirs(v, **options), x)
    if hasattr(getattr(nn, name)(), "inplace"):
        options = {**options, "inplace": False}
        compare(lambda v: ours(v, **options), lambda v: theirs(v, **options), x)


@pytest.mark.parametrize("name", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize(("shape", "dim"), DIMS, ids=str)
@each_dtype
def test_softmax(name: str, shape: tuple[int, ...], dim: int | None, dtype: Any) -> None:
    module = getattr(nn, name)(dim)
    theirs = getattr(torch.nn, name)(len(shape) - 1 if dim is None else dim)
    for scale in (1.0, 30.0):
        compare(module, theirs, np.asarray(scale * draw(*shape), dtype), 8)
    assert repr(module) == repr(getattr(torch.nn, name)(dim))


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_of_extremes(name: str) -> None:
    x = np.array([[1e300, 1e300, 0.0], [-1e300, 0.0, 1.0], [-math.inf, 0.0, 1.0],
                  [-math.inf] * 3, [math.inf, 0.0, 1.0], [math.nan, 0.0, 1.0]])  # fmt: skip
    ours, theirs = getattr(F, name)(x, dim=1), getattr(torch, name)(torch.tensor(x), dim=1)
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-14)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_in_another_dtype(name: str) -> None:
    x = draw(4, 3).astype(np.float32)
    for given, dtype in ((x, "float64"), (x, "float32"), (np.arange(6).reshape(2, 3), "float32")):
        ours = getattr(F, name)(given, dim=1, dtype=getattr(fastnn, dtype))
        theirs = getattr(torch.nn.functional, name)(torch.tensor(given), dim=1,
                                                    dtype=getattr(torch, dtype))  # fmt: skip
        assert str(ours.dtype) == dtype
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=4e-7)


def test_methods_and_top_level_functions() -> None:
    a, b = both(draw(5, 4))
    for name in ("relu", "sigmoid", "tanh"):
        for ours, theirs in ((getattr(a, name)(), getattr(b, name)()),
                             (getattr(fastnn, name)(a), getattr(torch, name)(b))):  # fmt: skip
            np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-14)
    for name in ("softmax", "log_softmax"):
        for ours, theirs in ((getattr(a, name)(0), getattr(b, name)(0)),
                             (getattr(a, name)(dim=-1), getattr(b, name)(dim=-1)),
                             (getattr(fastnn, name)(a, 1),
                              getattr(torch, name)(b, 1))):  # fmt: skip
            np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-13)


def test_infinities_have_the_limits_and_nan_stays() -> None:
    """Where PyTorch's own values are not NaN, ours are the same."""
    x = np.array([math.inf, -math.inf, math.nan])
    for name, options in ELEMENTS:
        with torch.no_grad():
            theirs = getattr(torch.nn, name)(**options)(torch.tensor(x)).numpy()
        ours = getattr(nn, name)(**options)(x).numpy()
        known = ~np.isnan(theirs)
        np.testing.assert_array_equal(ours[known], theirs[known], err_msg=name)
        assert np.isnan(ours[2])
