"""Layers and containers."""

from typing import Any

import numpy as np

from fastnn import Tensor, nn
from tables.activations import relu
from tables.kinds import Array, ModuleCase


def linear(x: Array, weight: Array, bias: Array | float = 0.0) -> Array:
    return x @ weight.T + bias


def _two_layers(x: Array, **p: Array) -> Array:
    return linear(relu(linear(x, p["_0_weight"], p["_0_bias"])), p["_2_weight"], p["_2_bias"])


class Branches(nn.Module):
    """A list and a dict of modules, in a forward of one's own."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 3)])
        self.heads = nn.ModuleDict({"a": nn.Linear(3, 2), "b": nn.Linear(3, 2)})

    def forward(self, x: Any) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return sum(head(x) for head in self.heads.values())  # type: ignore[return-value]


def _branches(x: Array, **p: Array) -> Array:
    for i in range(2):
        x = linear(x, p[f"layers_{i}_weight"], p[f"layers_{i}_bias"])
    return sum(linear(x, p[f"heads_{k}_weight"], p[f"heads_{k}_bias"]) for k in "ab")


LAYERS = [
    ModuleCase(
        "Linear",
        make=lambda: nn.Linear(4, 3),
        inputs=((5, 4),),
        reference=linear,
        repr="Linear(in_features=4, out_features=3, bias=True)",
        errors=(
            (
                (np.zeros((5, 3)),),
                ValueError,
                r"Linear\(4 -> 3\): expected .*\(N, 4\), got \(5, 3\)",
            ),
            ((np.zeros(()),), ValueError, r"Linear\(4 -> 3\): expected .*\(N, 4\), got \(\)"),
            ((np.zeros((5, 4), np.int64),), TypeError, r"Linear\(4 -> 3\): .* got int64"),
            ((np.zeros((5, 4), complex),), TypeError, r"real numbers, got an array of complex128"),
            ((None,), TypeError, r"real numbers, got NoneType None"),
        ),
        bad_arguments=(
            (nn.Linear, (2.0, 3), TypeError, r"Linear: .*integer in_features, got 2\.0"),
            (nn.Linear, ("3", 4), TypeError, r"Linear: .*integer in_features, got '3'"),
            (nn.Linear, (3, None), TypeError, r"Linear: .*integer out_features, got None"),
            (nn.Linear, (-1, 3), ValueError, r"Linear: .*in_features >= 0, got -1"),
            (nn.Linear, (3, 4, True, np.int64), TypeError, r"float32 or float64.*got int64"),
        ),
    ),
    ModuleCase(
        "Linear-no-bias",
        make=lambda: nn.Linear(3, 5, bias=False),
        inputs=((2, 3),),
        reference=linear,
        repr="Linear(in_features=3, out_features=5, bias=False)",
    ),
    ModuleCase(
        "Linear-3d-input",
        make=lambda: nn.Linear(3, 2),
        inputs=((2, 4, 3),),
        reference=linear,
        repr="Linear(in_features=3, out_features=2, bias=True)",
    ),
    ModuleCase(
        "Linear-1d-input",
        make=lambda: nn.Linear(3, 2),
        inputs=((3,),),
        reference=linear,
        repr="Linear(in_features=3, out_features=2, bias=True)",
    ),
    ModuleCase(
        "Linear-one-feature",
        make=lambda: nn.Linear(1, 1),
        inputs=((17, 1),),
        reference=linear,
        repr="Linear(in_features=1, out_features=1, bias=True)",
    ),
    ModuleCase(
        "Linear-wide",
        make=lambda: nn.Linear(33, 19),
        inputs=((3, 33),),
        reference=linear,
        repr="Linear(in_features=33, out_features=19, bias=True)",
    ),
    ModuleCase(
        "Flatten",
        make=nn.Flatten,
        inputs=((2, 3, 4),),
        reference=lambda x: x.reshape(2, 12),
        repr="Flatten(start_dim=1, end_dim=-1)",
    ),
    ModuleCase(
        "Flatten-inner",
        make=lambda: nn.Flatten(1, 2),
        inputs=((2, 3, 4, 2),),
        reference=lambda x: x.reshape(2, 12, 2),
        repr="Flatten(start_dim=1, end_dim=2)",
    ),
    ModuleCase(
        "Sequential",
        make=lambda: nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)),
        inputs=((5, 4),),
        reference=_two_layers,
        repr=(
            "Sequential(\n"
            "  (0): Linear(in_features=4, out_features=6, bias=True)\n"
            "  (1): ReLU()\n"
            "  (2): Linear(in_features=6, out_features=3, bias=True)\n"
            ")"
        ),
        smooth=False,
        errors=(((np.zeros((5, 3)),), ValueError, r"Linear\(4 -> 6\): expected .*got \(5, 3\)"),),
        bad_arguments=(
            (nn.Sequential, (nn.ReLU(), 3), TypeError, r"expected modules, got int at 1"),
            (nn.Sequential, (nn.ReLU,), TypeError, r"expected modules, got type at 0"),
        ),
    ),
    ModuleCase(
        "Sequential-empty",
        make=nn.Sequential,
        inputs=((2, 3),),
        reference=lambda x: x,
        repr="Sequential()",
    ),
    ModuleCase(
        "ModuleList-and-ModuleDict",
        make=Branches,
        inputs=((5, 3),),
        reference=_branches,
        repr="Branches(\n  (layers): ModuleList(\n    (0): Linear(in_features=3, out_features=3, "
        "bias=True)\n    (1): Linear(in_features=3, out_features=3, bias=True)\n  )\n  (heads): "
        "ModuleDict(\n    (a): Linear(in_features=3, out_features=2, bias=True)\n    (b): Linear("
        "in_features=3, out_features=2, bias=True)\n  )\n)",
        bad_arguments=(
            (nn.ModuleList, ([1],), TypeError, "ModuleList: expected modules, got int at 0"),
            (nn.ModuleDict, ({"a": 1},), TypeError, "ModuleDict: expected modules, got int at a"),
        ),
    ),
]
