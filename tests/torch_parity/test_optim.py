"""Optimizers give what PyTorch's give, and read each other's state."""

from typing import Any

import numpy as np
import pytest
import torch
from torch_support import assert_same, both, draw

import fastnn
from fastnn import optim

OPTIONS: dict[str, list[dict[str, Any]]] = {
    "SGD": [
        {}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}, {"weight_decay": 0.1},
        {"momentum": 0.9, "dampening": 0.5}, {"maximize": True},
        {"momentum": 0.8, "dampening": 0.3, "weight_decay": 0.01},
        {"momentum": 0.8, "nesterov": True, "weight_decay": 0.01, "maximize": True},
    ],
    "Adagrad": [
        {}, {"lr_decay": 0.01}, {"weight_decay": 0.1}, {"initial_accumulator_value": 0.5},
        {"eps": 1e-3}, {"maximize": True},
        {"lr_decay": 0.01, "weight_decay": 0.1, "initial_accumulator_value": 0.5, "eps": 1e-3,
         "maximize": True},
    ],
    "RMSprop": [
        {}, {"alpha": 0.9}, {"eps": 1e-3}, {"weight_decay": 0.1}, {"momentum": 0.9},
        {"centered": True}, {"maximize": True}, {"momentum": 0.9, "centered": True},
        {"alpha": 0.9, "eps": 1e-3, "weight_decay": 0.1, "momentum": 0.5, "centered": True,
         "maximize": True},
    ],
    "Adam": [
        {}, {"betas": (0.8, 0.95)}, {"eps": 1e-3}, {"weight_decay": 0.1}, {"betas": (0.0, 0.999)},
        {"amsgrad": True}, {"maximize": True}, {"weight_decay": 0.1, "maximize": True},
        {"decoupled_weight_decay": True, "weight_decay": 0.1},
        {"betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1, "amsgrad": True,
         "maximize": True},
    ],
    "AdamW": [
        {}, {"weight_decay": 0.0}, {"weight_decay": 0.5}, {"amsgrad": True}, {"maximize": True},
        {"betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1, "amsgrad": True,
         "maximize": True},
    ],
}  # fmt: skip
every_option = pytest.mark.parametrize(
    ("name", "options"),
    [(name, o) for name, rows in OPTIONS.items() for o in rows],
    ids=lambda v: v if isinstance(v, str) else "-".join(v) or "plain",
)


class Pair:
    """Three parameters in two groups, for fastnn and for PyTorch."""

    def __init__(self, name: str, options: dict[str, Any]) -> None:
        pairs = [both(draw(4, 3)), both(draw(5, seed=1)), both(draw(2, 2, seed=2))]
        self.ours, self.theirs = ([pair[side] for pair in pairs] for side in (0, 1))
        self.optimizers = []
        for module, p in ((optim, self.ours), (torch.optim, self.theirs)):
            groups = [{"params": p[:2]}, {"params": p[2:], "lr": 0.01}]
            self.optimizers.append(getattr(module, name)(groups, 0.05, **options))

    def step(self, step: int) -> None:
        """Random gradients, from the fourth step on also for the second parameter."""
        rng = np.random.default_rng(step)
        for i, (p, q) in enumerate(zip(self.ours, self.theirs, strict=True)):
            grad = rng.standard_normal(p.shape)
            if i != 1 or step >= 3:
                p.grad, q.grad = fastnn.Tensor.of(grad.copy()), torch.tensor(grad)
        for optimizer in self.optimizers:
            optimizer.step()

    def check(self) -> None:
        for p, q in zip(self.ours, self.theirs, strict=True):
            assert_same(p, q, 1e-12)


@every_option
def test_optimizer(name: str, options: dict[str, Any]) -> None:
    pair = Pair(name, options)
    for step in range(500):
        pair.step(step)
    pair.check()


@every_option
def test_single_precision(name: str, options: dict[str, Any]) -> None:
    """Two correct roundings of the same 50 steps: a few units in the last place a step."""
    w = draw(30).astype(np.float32)
    ours, theirs = fastnn.Tensor.of(w.copy(), True), torch.tensor(w, requires_grad=True)
    one = getattr(optim, name)([ours], 0.01, **options)
    two = getattr(torch.optim, name)([theirs], 0.01, **options)
    for step in range(50):
        grad = draw(30, seed=step).astype(np.float32)
        ours.grad, theirs.grad = fastnn.Tensor.of(grad.copy()), torch.tensor(grad)
        one.step()
        two.step()
    assert_same(ours, theirs, 50 * np.finfo(np.float32).eps)


@every_option
def test_state_of_pytorch_loads(name: str, options: dict[str, Any]) -> None:
    pair, again = Pair(name, options), Pair(name, options)
    for step in range(10):
        pair.step(step)
    saved = pair.optimizers[1].state_dict()
    saved["state"] = {
        i: {key: None if t is None else t.numpy() for key, t in entry.items()}
        for i, entry in saved["state"].items()
    }
    for p, q in zip(again.ours, pair.theirs, strict=True):
        p.data = q.detach().numpy()
    again.optimizers[0].load_state_dict(saved)
    pair.ours, pair.optimizers[0] = again.ours, again.optimizers[0]
    for step in range(10, 20):
        pair.step(step)
    pair.check()


@every_option
def test_pytorch_loads_our_state(name: str, options: dict[str, Any]) -> None:
    pair, again = Pair(name, options), Pair(name, options)
    for step in range(10):
        pair.step(step)
    saved = pair.optimizers[0].state_dict()
    saved["state"] = {
        i: {key: torch.tensor(t.numpy()) for key, t in entry.items()}
        for i, entry in saved["state"].items()
    }
    for p, q in zip(again.theirs, pair.ours, strict=True):
        p.data = torch.tensor(q.detach().numpy())
    again.optimizers[1].load_state_dict(saved)
    assert set(again.optimizers[1].param_groups[0]) == set(pair.optimizers[1].param_groups[0])
    pair.theirs, pair.optimizers[1] = again.theirs, again.optimizers[1]
    for step in range(10, 20):
        pair.step(step)
    pair.check()


def test_momentum_switched_on_late() -> None:
    """The velocity starts as the gradient whenever momentum first acts."""
    pair = Pair("SGD", {"dampening": 0.5})
    for step in range(12):
        for optimizer in pair.optimizers:
            optimizer.param_groups[0]["momentum"] = 0.9 if step >= 5 and step != 8 else 0.0
        pair.step(step)
    pair.check()


# --- clipping ---


def gradients(scale: float = 1.0) -> tuple[list[fastnn.Tensor], list[torch.Tensor]]:
    """Two parameters with gradients and one without."""
    pairs = [both(draw(4, 3)), both(draw(5, seed=1)), both(draw(2))]
    for i, (p, q) in enumerate(pairs[:2]):
        grad = draw(*p.shape, seed=5 + i) * scale
        p.grad, q.grad = fastnn.Tensor.of(grad.copy()), torch.tensor(grad)
    return [p for p, _ in pairs], [q for _, q in pairs]


@pytest.mark.parametrize("norm_type", [2, 2.0, 1, 3.5, float("inf"), "inf"])
@pytest.mark.parametrize("max_norm", [1e-3, 1.0, 1e3, 0.0])
def test_clip_grad_norm(norm_type: Any, max_norm: float) -> None:
    ours, theirs = gradients()
    norm = fastnn.nn.utils.clip_grad_norm_(iter(ours), max_norm, norm_type)
    expected = torch.nn.utils.clip_grad_norm_(theirs, max_norm, float(norm_type))
    assert_same(norm, expected, 1e-14)
    for p, q in zip(ours[:2], theirs[:2], strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-14)


def test_clip_grad_norm_spreads_what_is_not_finite() -> None:
    for bad in (np.nan, np.inf):
        ours, theirs = gradients()
        ours[0].grad._array[1, 1] = theirs[0].grad[1, 1] = bad
        norm = fastnn.nn.utils.clip_grad_norm_(ours, 1.0)
        expected = torch.nn.utils.clip_grad_norm_(theirs, 1.0)
        np.testing.assert_array_equal(norm.numpy(), expected.numpy())
        for p, q in zip(ours[:2], theirs[:2], strict=True):
            np.testing.assert_array_equal(p.grad.numpy(), q.grad.numpy())


@pytest.mark.parametrize("limit", [0.0, 0.5, 1e3])
def test_clip_grad_value(limit: float) -> None:
    ours, theirs = gradients()
    ours[0].grad._array[0] = [np.nan, np.inf, -np.inf]
    theirs[0].grad[0] = torch.tensor([np.nan, np.inf, -np.inf])
    fastnn.nn.utils.clip_grad_value_(ours, limit)
    torch.nn.utils.clip_grad_value_(theirs, limit)
    for p, q in zip(ours[:2], theirs[:2], strict=True):
        np.testing.assert_array_equal(p.grad.numpy(), q.grad.numpy())


def test_parameters_as_a_vector() -> None:
    ours, theirs = gradients()
    vector = fastnn.nn.utils.parameters_to_vector(ours)
    expected = torch.nn.utils.parameters_to_vector(theirs)
    np.testing.assert_array_equal(vector.detach().numpy(), expected.detach().numpy())
    fastnn.nn.utils.vector_to_parameters(vector.detach() * 2, ours)
    torch.nn.utils.vector_to_parameters(expected.detach() * 2, theirs)
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(p.detach().numpy(), q.detach().numpy())
