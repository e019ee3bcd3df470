"""Activations give what PyTorch's give."""

import numpy as np
import torch
from torch_support import both, draw

from fastnn import nn


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
