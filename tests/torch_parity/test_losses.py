"""Losses give what PyTorch's give."""

import numpy as np
import pytest
import torch
from torch_support import assert_same, both, draw

from fastnn import nn

REDUCTIONS = ("mean", "sum", "none")


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
