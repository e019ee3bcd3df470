"""Optimizers give what PyTorch's give."""

from typing import Any

import numpy as np
import pytest
import torch
from torch_support import assert_same, both, draw

import fastnn
from fastnn import optim

SGD = [
    {}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}, {"weight_decay": 0.1},
    {"momentum": 0.9, "dampening": 0.5}, {"momentum": 0.8, "dampening": 0.3, "weight_decay": 0.01},
    {"momentum": 0.8, "nesterov": True, "weight_decay": 0.01},
]  # fmt: skip
ADAM = [
    {}, {"betas": (0.8, 0.95)}, {"eps": 1e-3}, {"weight_decay": 0.1}, {"betas": (0.0, 0.999)},
]  # fmt: skip


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
