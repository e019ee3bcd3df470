"""Layers give what PyTorch's give."""

from typing import Any

import numpy as np
import pytest
import torch
from support import bits
from torch_support import assert_same, both, draw

import fastnn
from fastnn import nn


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


def test_state_dicts_have_the_same_names() -> None:
    ours = nn.Sequential(nn.Flatten(), nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2, bias=False))
    theirs = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3, 4), torch.nn.ReLU(),
                                 torch.nn.Linear(4, 2, bias=False))  # fmt: skip
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert repr(ours) == repr(theirs)


def lively_pair(make: Any, theirs: Any) -> tuple[Any, Any]:
    """A layer of ours and of theirs in float64, weights and statistics alike and not at rest."""
    their_layer = theirs.double()
    rng = np.random.default_rng(3)
    with torch.no_grad():
        for tensor in their_layer.state_dict().values():
            if tensor.dtype == torch.float64:
                tensor.copy_(torch.tensor(rng.uniform(0.5, 2, tuple(tensor.shape))))
    layer = make.double()
    layer.load_state_dict(their_layer.state_dict())
    return layer, their_layer


def assert_same_state(layer: Any, their_layer: Any, bound: float) -> None:
    state, their_state = layer.state_dict(), their_layer.state_dict()
    assert list(state) == list(their_state)
    for name, tensor in state.items():
        theirs = their_state[name].numpy()
        assert (tensor.shape, tensor.dtype) == (theirs.shape, theirs.dtype)
        np.testing.assert_allclose(tensor.numpy(), theirs, rtol=bound, atol=bound)


def assert_same_pass(layer: Any, their_layer: Any, shape: tuple[int, ...], seed: int) -> None:
    """Forward and backward, of the input and of every parameter."""
    x, their_x = both(draw(*shape, seed=seed) * 2 + 1)
    y, their_y = layer(x), their_layer(their_x)
    assert_same(y, their_y, 1e-12)
    grad = draw(*shape, seed=seed + 1)
    y.backward(grad)
    their_y.backward(torch.tensor(grad))
    assert_same(x.grad, their_x.grad, 1e-12)
    for p, q in zip(layer.parameters(), their_layer.parameters(), strict=True):
        assert_same(p.grad, q.grad, 1e-12)
        p.grad = q.grad = None


BATCH_NORM_OPTIONS: list[dict[str, Any]] = [
    {}, {"momentum": 0.3}, {"momentum": None}, {"momentum": 1.0}, {"eps": 0.1}, {"affine": False},
    {"bias": False}, {"track_running_stats": False}, {"affine": False, "momentum": None},
    {"track_running_stats": False, "affine": False, "eps": 1e-3},
]  # fmt: skip


@pytest.mark.parametrize("options", BATCH_NORM_OPTIONS, ids=str)
@pytest.mark.parametrize("rest", [(), (1,), (7,), (20,)], ids=str)
def test_batch_norm_trains_then_evaluates(options: dict[str, Any], rest: tuple[int, ...]) -> None:
    pair = lively_pair(nn.BatchNorm1d(5, **options), torch.nn.BatchNorm1d(5, **options))
    assert repr(pair[0]) == repr(pair[1])
    for step, rows in enumerate((8, 5, 11)):
        assert_same_pass(*pair, (rows, 5, *rest), step)
        assert_same_state(*pair, 1e-12)
    for layer in pair:
        layer.eval()
    for rows in (1, 4) if options.get("track_running_stats", True) else (4,):
        assert_same_pass(*pair, (rows, 5, *rest), rows + 10)
    assert_same_state(*pair, 1e-12)
    for layer in pair:
        layer.train()
    assert_same_pass(*pair, (6, 5, *rest), 20)
    assert_same_state(*pair, 1e-12)


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_in_float32(training: bool) -> None:
    ours, theirs = nn.BatchNorm1d(33), torch.nn.BatchNorm1d(33)
    for step in range(3):
        x = draw(50, 33, seed=step).astype(np.float32)
        ours(x), theirs(torch.tensor(x))
    ours.train(training), theirs.train(training)
    x, their_x = both(draw(50, 33, seed=9).astype(np.float32))
    y, their_y = ours(x), theirs(their_x)
    bound = 32 * float(np.finfo(np.float32).eps)
    assert_same(y, their_y, bound)
    (y * y * y).sum().backward()
    (their_y**3).sum().backward()
    assert_same(x.grad, their_x.grad, bound)
    assert_same(ours.weight.grad, theirs.weight.grad, bound)
    assert_same_state(ours, theirs, bound)


def test_state_of_batch_norm_loads_both_ways() -> None:
    ours = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.1), nn.LayerNorm(4))
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4),
                                 torch.nn.Dropout(0.1), torch.nn.LayerNorm(4))  # fmt: skip
    assert repr(ours) == repr(theirs)
    theirs(torch.randn(5, 3))
    ours.load_state_dict(theirs.state_dict())
    assert_same_state(ours, theirs, 0)
    ours(draw(6, 3).astype(np.float32))
    theirs.load_state_dict({k: torch.from_numpy(t.numpy()) for k, t in ours.state_dict().items()})
    assert_same_state(ours, theirs, 0)
    assert theirs[1].num_batches_tracked.item() == 2


def test_functional_batch_norm_moves_the_statistics_it_is_given() -> None:
    stats = [np.full(3, 0.5), np.full(3, 2.0)]
    ours, theirs = [fastnn.Tensor.of(s.copy()) for s in stats], [torch.tensor(s) for s in stats]
    x = draw(4, 3, 2, 3)
    y = nn.functional.batch_norm(x, *ours, None, None, True, 0.2, 1e-3)
    their_y = torch.nn.functional.batch_norm(torch.tensor(x), *theirs, None, None, True, 0.2, 1e-3)
    assert_same(y, their_y, 1e-12)
    for a, b in zip(ours, theirs, strict=True):
        assert_same(a, b, 1e-12)


@pytest.mark.parametrize(
    "options",
    [{}, {"eps": 0.1}, {"elementwise_affine": False}, {"bias": False}],
    ids=str,
)
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_layer_norm(options: dict[str, Any], dims: int) -> None:
    shape = (4, 3, 5)
    pair = lively_pair(
        nn.LayerNorm(shape[-dims:], **options), torch.nn.LayerNorm(shape[-dims:], **options)
    )
    assert repr(pair[0]) == repr(pair[1])
    assert_same_pass(*pair, shape, 0)
    for layer in pair:
        layer.eval()
    assert_same_pass(*pair, (2, *shape), 1)
    assert_same_state(*pair, 1e-12)


def test_layer_norm_of_a_number() -> None:
    pair = lively_pair(nn.LayerNorm(17), torch.nn.LayerNorm(17))
    assert repr(pair[0]) == repr(pair[1])
    assert_same_pass(*pair, (6, 17), 0)


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_dropout_where_the_mask_is_known(p: float) -> None:
    """What is kept is scaled as PyTorch scales it, and a NaN stays one."""
    x = np.array([1.0, -1.0, 0.0, -0.0, np.nan])
    for _ in range(20):
        ours, theirs = nn.Dropout(p)(x), torch.nn.Dropout(p)(torch.tensor(x)).numpy()
        assert np.isnan([ours[4].item(), theirs[4]]).all()
        allowed = {bits(v) for v in (x[:2] * (1 / (1 - p) if p < 1 else 0)).tolist()}
        allowed |= {bits(v) for v in (0.0, -0.0)}
        assert {bits(v) for v in ours[:4].tolist()} <= allowed
        assert {bits(v) for v in theirs[:4].tolist()} <= allowed
    for module in (nn.Dropout(p).eval(), torch.nn.Dropout(p).eval()):
        y = module(torch.tensor(x) if isinstance(module, torch.nn.Module) else fastnn.Tensor.of(x))
        np.testing.assert_array_equal(y.numpy(), x)


def test_gains() -> None:
    for name in ("linear", "conv1d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"):
        assert nn.init.calculate_gain(name) == torch.nn.init.calculate_gain(name)
    for slope in (0, 0.2, -1.0):
        assert nn.init.calculate_gain("leaky_relu", slope) == torch.nn.init.calculate_gain(
            "leaky_relu", slope
        )


@pytest.mark.parametrize("name", ["xavier_uniform_", "kaiming_uniform_", "xavier_normal_",
                                  "kaiming_normal_"])  # fmt: skip
@pytest.mark.parametrize("shape", [(200, 300), (60, 20, 3, 5)])
def test_initialisers_spread_as_theirs(name: str, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    ours = getattr(nn.init, name)(fastnn.zeros(*shape)).numpy()
    theirs = getattr(torch.nn.init, name)(torch.zeros(*shape)).numpy()
    assert abs(ours.std() / theirs.std() - 1) < 6 / np.sqrt(ours.size)
