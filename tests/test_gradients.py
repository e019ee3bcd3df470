"""Gradients of everything `nn` has, checked by differences: alone, and in small models.

A layer, activation or loss added to `nn` gets one line below; `Option`s are the arguments worth a
model of their own.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from cases import MODULES, ModuleCase

import fastnn
from fastnn import Tensor, gradcheck, nn

FEATURES, CLASSES = 6, 3
WEIGHT = np.array([0.5, 2.0, 1.25])


@dataclass(frozen=True)
class Layer:
    """A layer of `nn` by name, its arguments, and whether its gradient has jumps."""

    name: str
    args: tuple[Any, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    smooth: bool = True

    def make(self) -> nn.Module:
        return getattr(nn, self.name)(*self.args, **self.options)


@dataclass(frozen=True)
class Loss:
    """A loss of `nn` by name, and what it takes: targets, and inputs of a range of their own."""

    name: str
    target: str
    inputs: str = "any"
    options: dict[str, Any] = field(default_factory=dict)
    smooth: bool = True

    def make(self) -> nn.Module:
        return EveryReduction(*(getattr(nn, self.name)(reduction=reduction, **self.options)
                                for reduction in ("mean", "sum", "none")))  # fmt: skip


LAYERS = [
    Layer("BatchNorm1d", (FEATURES,)),
    Layer("BatchNorm1d", (FEATURES,), {"affine": False}),
    Layer("BatchNorm1d", (FEATURES,), {"track_running_stats": False}),
    Layer("BatchNorm1d", (FEATURES,), {"momentum": None}),
    Layer("Dropout", (0.5,)),
    Layer("ELU", smooth=False),
    Layer("Flatten"),
    Layer("GELU"),
    Layer("GELU", (), {"approximate": "tanh"}),
    Layer("Identity"),
    Layer("LayerNorm", (FEATURES,)),
    Layer("LayerNorm", (FEATURES,), {"elementwise_affine": False}),
    Layer("LeakyReLU", smooth=False),
    Layer("LeakyReLU", (0.3,), smooth=False),
    Layer("Linear", (FEATURES, FEATURES)),
    Layer("Linear", (FEATURES, FEATURES), {"bias": False}),
    Layer("LogSoftmax", (), {"dim": 1}),
    Layer("ReLU", smooth=False),
    Layer("SiLU"),
    Layer("Sigmoid"),
    Layer("Softmax", (), {"dim": 1}),
    Layer("Softplus", smooth=False),
    Layer("Tanh"),
]

LOSSES = [
    Loss("BCELoss", "shares", "probabilities"),
    Loss("BCELoss", "shares", "probabilities", {"weight": WEIGHT}),
    Loss("BCEWithLogitsLoss", "shares"),
    Loss("BCEWithLogitsLoss", "shares", options={"weight": WEIGHT, "pos_weight": WEIGHT + 1}),
    Loss("CrossEntropyLoss", "classes"),
    Loss("CrossEntropyLoss", "classes", options={"weight": WEIGHT, "ignore_index": 1}),
    Loss("CrossEntropyLoss", "classes", options={"weight": WEIGHT, "label_smoothing": 0.1}),
    Loss("CrossEntropyLoss", "distribution"),
    Loss("CrossEntropyLoss", "distribution", options={"weight": WEIGHT, "label_smoothing": 0.1}),
    Loss("HuberLoss", "numbers", smooth=False),
    Loss("HuberLoss", "numbers", options={"delta": 0.4}, smooth=False),
    Loss("L1Loss", "numbers", smooth=False),
    Loss("MSELoss", "numbers"),
    Loss("NLLLoss", "classes", "log-probabilities"),
    Loss("NLLLoss", "classes", "log-probabilities", {"weight": WEIGHT, "ignore_index": 1}),
    Loss("PoissonNLLLoss", "shares"),
    Loss("PoissonNLLLoss", "shares", "probabilities", {"log_input": False, "full": True}),
    Loss("QuantileLoss", "numbers", options={"quantile": 0.3}, smooth=False),
    Loss("SmoothL1Loss", "numbers", options={"beta": 0.3}, smooth=False),
]

BATCHES = (2, 3, 17)


def name(row: Any) -> str:
    words = row.args if isinstance(row, Layer) else (row.target,)
    return "-".join(map(str, (row.name, *words, *row.options)))


class EveryReduction(nn.Module):
    """A loss with each reduction at once: a wrong gradient of one shows in the sum of all."""

    def __init__(self, *losses: nn.Module) -> None:
        super().__init__()
        self.losses = losses

    def forward(self, input: Any, target: Any) -> list[Tensor]:
        return [loss(input, target) for loss in self.losses]


class Into(nn.Module):
    """Bring logits into the range that a loss takes."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, z: Tensor) -> Tensor:
        if self.kind == "probabilities":
            return 1 / (1 + (-z).exp())
        if self.kind == "log-probabilities":
            return z - z.exp().sum(1, keepdim=True).log()
        return z


def draw_target(kind: str, n: int, rng: np.random.Generator) -> np.ndarray:
    if kind == "classes":
        return np.append(rng.integers(0, CLASSES, n - 1), 0)  # one that no option ignores
    if kind == "numbers":
        return rng.standard_normal((n, CLASSES))
    shares = rng.uniform(0.1, 0.9, (n, CLASSES))
    return shares / shares.sum(1, keepdims=True) if kind == "distribution" else shares


def models(layer: Layer, loss: Loss) -> Iterator[tuple[str, nn.Module, Any, nn.Module]]:
    for training in (True, False):
        for n in BATCHES:
            rng = np.random.default_rng(n)
            fastnn.manual_seed(n)
            model = nn.Sequential(nn.Linear(5, FEATURES), layer.make(),
                                  nn.Linear(FEATURES, CLASSES), Into(loss.inputs))  # fmt: skip
            data = rng.standard_normal((n, 5)), draw_target(loss.target, n, rng)
            yield f"training={training}, batch of {n}", model.train(training), data, loss.make()


@pytest.mark.parametrize("loss", LOSSES, ids=name)
@pytest.mark.parametrize("layer", LAYERS, ids=name)
def test_small_models(layer: Layer, loss: Loss) -> None:
    rtol = 1e-7 if layer.smooth and loss.smooth else 1e-6
    for where, model, data, loss_fn in models(layer, loss):
        report = gradcheck(model, data, loss=loss_fn, rtol=rtol, fast=True, raise_exception=False)
        assert report, f"{where}\n{report}"
        assert rtol > 1e-7 or not any(t.kinks for t in report.tensors), f"{where}\n{report}"


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("case", MODULES, ids=lambda case: case.id)
def test_every_module(case: ModuleCase, training: bool) -> None:
    """Each element of each input and parameter."""
    for seed in range(2):
        fastnn.manual_seed(seed)
        module, inputs = case.make().train(training), tuple(case.draw(seed))
        if any(x.dtype == np.float64 for x in inputs):
            assert gradcheck(module, inputs, rtol=1e-7 if case.smooth else 1e-6, seed=seed)


def test_every_layer_and_loss_has_a_row() -> None:
    rows = {row.name for row in [*LAYERS, *LOSSES]}
    rows |= {"Module", "ModuleDict", "ModuleList", "Sequential"}
    rows |= {"WeightedLoss"}  # has a row in the table, and no reduction
    public = {n for n in nn.__all__ if isinstance(getattr(nn, n), type)}
    modules = {n for n in public if issubclass(getattr(nn, n), nn.Module)}
    assert modules <= rows, "add what is missing to LAYERS or LOSSES"
