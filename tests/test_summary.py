"""`model.summary()`: what it counts, the shapes it finds, and that it leaves no trace."""

from typing import Any

import numpy as np
import pytest
from support import mlp, state_bits

import fastnn
from fastnn import nn
from fastnn.data import Standardize


class Net(nn.Module):
    """Layers that come otherwise than they are called; one called twice, one never."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(20, 3)
        self.act = nn.ReLU()
        self.hidden = nn.ModuleList([nn.Linear(8, 30), nn.Linear(30, 20)])
        self.idle = nn.Linear(2, 2)
        self.scale = nn.Parameter(np.ones(3, np.float32))

    def forward(self, x: Any) -> Any:
        for layer in self.hidden:
            x = self.act(layer(x))
        return self.out(x) * self.scale


def test_layers_shapes_and_counts() -> None:
    summary = Net().summary(8)
    assert summary.layers == [
        ("", "Net", (("N", 3),), 3),
        ("out", "Linear", (("N", 3),), 63),
        ("act", "ReLU", (("N", 30), ("N", 20)), 0),
        ("hidden", "ModuleList", (), 0),
        ("hidden.0", "Linear", (("N", 30),), 270),
        ("hidden.1", "Linear", (("N", 20),), 620),
        ("idle", "Linear", (), 6),
    ]  # fmt: skip
    assert summary.parameters == summary.trainable == 962
    assert summary.nbytes == 4 * 962
    table = str(summary).splitlines()
    assert len({len(line) for line in table[:-1]}) == 1  # its columns are straight
    assert [line.split() for line in table[5:7]] == [
        ["hidden:", "ModuleList", "-", "0"], ["0:", "Linear", "(N,", "30)", "270"],
    ]  # fmt: skip


def test_the_table() -> None:
    model = mlp(784, 100, 10).double()
    model[0].requires_grad_(False)
    assert str(model.summary()).splitlines() == [
        "layer        output    parameters",
        "---------------------------------",
        "Sequential   (N, 10)            0",
        "  0: Linear  (N, 100)      78,500",
        "  1: ReLU    (N, 100)           0",
        "  2: Linear  (N, 10)        1,010",
        "---------------------------------",
        "79,510 parameters, 78,500 of them frozen; 636 kB",
    ]


def test_shared_parameters_count_once() -> None:
    shared = nn.Linear(4, 4)
    tied = nn.Linear(4, 4)
    tied.weight = shared.weight
    summary = nn.Sequential(shared, nn.Sequential(shared), tied).summary()
    assert [(layer.path, layer.parameters) for layer in summary.layers] == [
        ("", 0), ("0", 20), ("1", 0), ("2", 4),
    ]  # fmt: skip
    assert summary.parameters == 24


@pytest.mark.parametrize(("model", "shape"), [
    (nn.Sequential(nn.Flatten(), nn.Linear(784, 2)), (784,)),
    (nn.Sequential(nn.BatchNorm1d(5), nn.Linear(5, 2)), (5,)),
    (nn.Sequential(nn.LayerNorm((3, 4)), nn.Flatten(), nn.Linear(12, 2)), (3, 4)),
    (nn.Sequential(Standardize().fit(np.eye(7)), nn.Linear(7, 2)), (7,)),
    (nn.Sequential(nn.ReLU(), nn.Dropout(0.5), nn.Linear(6, 2)), (6,)),
    (nn.Sequential(nn.ReLU()), None),
    (Net(), None),  # its first layer is not the first it calls
])  # fmt: skip
def test_the_input_shape_is_found(model: nn.Module, shape: tuple[int, ...] | None) -> None:
    summary = model.summary()
    assert summary.input_shape == shape
    if shape is None:
        assert {layer.shapes for layer in summary.layers} == {None}
        assert str(summary).endswith("not known; pass summary(input_shape=...) of one row")
        assert " ?" in str(summary)
    else:
        assert None not in {layer.shapes for layer in summary.layers}


@pytest.mark.parametrize("shape", [(28, 28), (1, 28, 28), [784], 784])
def test_the_input_shape_is_given(shape: Any) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 2))
    summary = model.summary(shape)
    assert [layer.shapes for layer in summary.layers] == [(("N", 2),), (("N", 784),), (("N", 2),)]


def test_other_outputs() -> None:
    class Many(nn.Module):
        def forward(self, x: Any) -> Any:
            return {"all": [x, x.sum(1)], "mean": x.mean(), "name": "many"}

    class Nothing(nn.Module):
        def forward(self, x: Any) -> None:
            return None

    assert Many().summary((2, 4)).layers[0].shapes == (("N", 2, 4), ("N", 4), ())
    assert "(N, 2, 4), (N, 4), ()" in str(Many().summary((2, 4)))
    assert Nothing().summary(1).layers[0].shapes == ()


def test_it_leaves_no_trace() -> None:
    """Modes, buffers, random numbers, gradients and `forward` itself are as they were."""

    class Noisy(nn.Module):
        def forward(self, x: Any) -> Any:
            return x + fastnn.rand(1)

    model = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 3), Noisy(), nn.Dropout(0.5))
    model[0].eval()
    own = model[1].forward
    model[1].__dict__["forward"] = own
    fastnn.manual_seed(3)
    numbers = fastnn.rand(3).tolist()
    fastnn.manual_seed(3)
    before, modes = state_bits(model), [m.training for m in model.modules()]
    assert model.summary().input_shape == (4,)
    assert state_bits(model) == before
    assert [m.training for m in model.modules()] == modes
    assert fastnn.rand(3).tolist() == numbers
    assert model[1].__dict__.pop("forward") is own
    assert not any("forward" in m.__dict__ for m in model.modules())
    assert all(p.grad is None for p in model.parameters())
    assert fastnn.is_grad_enabled()
    with pytest.raises(ValueError, match="expected"):
        model.summary(5)
    assert not any("forward" in m.__dict__ for m in model.modules())


def test_bad_input() -> None:
    model = mlp(4, 2)
    with pytest.raises(ValueError, match=r"Linear\(4 -> 2\): expected input of shape \(N, 4\)"):
        model.summary((5,))
    with pytest.raises(ValueError, match="summary: expected input_shape to hold at least one size"):
        model.summary(())
    with pytest.raises(ValueError, match="each at least 1, got -1"):
        model.summary(-1)
    with pytest.raises(TypeError, match="summary: expected input_shape to be an integer or"):
        model.summary("784")
