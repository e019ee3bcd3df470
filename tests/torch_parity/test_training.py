"""A whole training gives what PyTorch gives."""

import numpy as np
import pytest
import torch
from support import mlp
from torch_support import assert_same

from fastnn import nn, optim


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
