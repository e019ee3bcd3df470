"""Layers give what PyTorch's give."""

import pytest
import torch
from torch_support import assert_same, both, draw

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
