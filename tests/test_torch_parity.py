"""The same numbers as PyTorch in float64 (collected only where it is installed)."""

import os
from typing import Any

import numpy as np
import pytest
import torch
from support import mlp, relative_error

import fastnn
from fastnn import nn, optim

# Importing torch lowers the limit of the OpenMP library that it may share with fastnn.
torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))

REDUCTIONS = ("mean", "sum", "none")
SGD = [
    {}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}, {"weight_decay": 0.1},
    {"momentum": 0.9, "dampening": 0.5}, {"momentum": 0.8, "dampening": 0.3, "weight_decay": 0.01},
    {"momentum": 0.8, "nesterov": True, "weight_decay": 0.01},
]  # fmt: skip
ADAM = [
    {}, {"betas": (0.8, 0.95)}, {"eps": 1e-3}, {"weight_decay": 0.1}, {"betas": (0.0, 0.999)},
]  # fmt: skip


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def both(x: np.ndarray) -> tuple[fastnn.Tensor, torch.Tensor]:
    return fastnn.Tensor(x.copy(), True), torch.tensor(x, requires_grad=True)


def assert_same(ours: fastnn.Tensor | None, theirs: torch.Tensor | None, bound: float) -> None:
    assert ours is not None
    assert theirs is not None
    assert relative_error(ours._array, theirs.detach().numpy()) <= bound


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(5, 4), (2, 3, 4), (4,)])
def test_linear(bias: bool, shape: tuple[int, ...]) -> None:
    layer, their_layer = nn.Linear(4, 3, bias=bias).double(), torch.nn.Linear(4, 3, bias).double()
    layer.load_state_dict({k: v.numpy() for k, v in their_layer.state_dict().items()})
    x, their_x = both(draw(*shape))
    y, their_y = layer(x), their_layer(their_x)
    assert_same(y, their_y, 1e-12)
    grad = draw(*y.shape, seed=1)
    y.backward(grad)
    their_y.backward(torch.tensor(grad))
    assert_same(x.grad, their_x.grad, 1e-12)
    for p, q in zip(layer.parameters(), their_layer.parameters(), strict=True):
        assert_same(p.grad, q.grad, 1e-12)


def test_relu() -> None:
    x = draw(7, 5)
    x[0] = [0.0, -0.0, 3e-308, -3e-308, np.inf]
    ours, theirs = both(x)
    y, their_y = nn.ReLU()(ours), torch.nn.ReLU()(theirs)
    np.testing.assert_array_equal(y.detach().numpy(), their_y.detach().numpy())
    grad = draw(7, 5, seed=1)
    y.backward(grad)
    their_y.backward(torch.tensor(grad))
    np.testing.assert_array_equal(ours.grad.numpy(), theirs.grad.numpy())


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_cross_entropy(reduction: str, scale: float) -> None:
    z, their_z = both(scale * draw(6, 10))
    labels = np.array([0, 9, 3, 3, 1, 5])
    loss = nn.CrossEntropyLoss(reduction=reduction)(z, labels)
    their_loss = torch.nn.CrossEntropyLoss(reduction=reduction)(their_z, torch.tensor(labels))
    assert_same(loss, their_loss, 1e-12)
    grad = draw(*loss.shape, seed=1)
    loss.backward(grad)
    their_loss.backward(torch.tensor(grad))
    assert_same(z.grad, their_z.grad, 1e-12)


@pytest.mark.parametrize(
    ("name", "options"),
    [("SGD", o) for o in SGD] + [("Adam", o) for o in ADAM],
    ids=lambda v: v if isinstance(v, str) else "-".join(v) or "plain",
)
def test_optimizer(name: str, options: dict[str, Any]) -> None:
    (a, their_a), (b, their_b) = both(draw(4, 3)), both(draw(5, seed=1))
    ours = getattr(optim, name)([a, b], lr=0.05, **options)
    theirs = getattr(torch.optim, name)([their_a, their_b], lr=0.05, **options)
    rng = np.random.default_rng(2)
    for _ in range(200):
        for p, q in ((a, their_a), (b, their_b)):
            grad = rng.standard_normal(p.shape)
            p.grad, q.grad = fastnn.Tensor(grad.copy()), torch.tensor(grad)
        ours.step()
        theirs.step()
    assert_same(a, their_a, 1e-12)
    assert_same(b, their_b, 1e-12)


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_training(name: str) -> None:
    """The same 50 steps of the same small network: losses and weights to 1e-10."""
    model = mlp(6, 16, 8, 4).double()
    their_model = torch.nn.Sequential(
        torch.nn.Linear(6, 16), torch.nn.ReLU(), torch.nn.Linear(16, 8), torch.nn.ReLU(),
        torch.nn.Linear(8, 4),
    ).double()  # fmt: skip
    their_model.load_state_dict({k: torch.tensor(v.numpy()) for k, v in model.state_dict().items()})
    options = {"lr": 0.05, "momentum": 0.9} if name == "SGD" else {"lr": 0.01}
    optimizer = getattr(optim, name)(model.parameters(), **options)
    their_optimizer = getattr(torch.optim, name)(their_model.parameters(), **options)
    loss_fn, their_loss_fn = nn.CrossEntropyLoss(), torch.nn.CrossEntropyLoss()
    rng = np.random.default_rng(0)
    for _ in range(50):
        x, labels = rng.standard_normal((13, 6)), rng.integers(0, 4, 13)
        loss = loss_fn(model(x), labels)
        their_loss = their_loss_fn(their_model(torch.tensor(x)), torch.tensor(labels))
        assert_same(loss, their_loss, 1e-10)
        for each, each_loss in ((optimizer, loss), (their_optimizer, their_loss)):
            each.zero_grad()
            each_loss.backward()
            each.step()
    for p, q in zip(model.parameters(), their_model.parameters(), strict=True):
        assert_same(p, q, 1e-10)


def test_state_dicts_have_the_same_names() -> None:
    ours = nn.Sequential(nn.Flatten(), nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2, bias=False))
    theirs = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3, 4), torch.nn.ReLU(),
                                 torch.nn.Linear(4, 2, bias=False))  # fmt: skip
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert repr(ours) == repr(theirs)
