"""A whole training gives what PyTorch gives: written out as a loop, and by `Trainer.fit`.

The same loop runs on both libraries, from the same weights and over the same batches.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import pytest
import torch
from torch_support import assert_same

import fastnn
from fastnn.data import DataLoader, TensorDataset

STEPS, BOUND = 100, 1e-10
_rng = np.random.default_rng(0)
X = _rng.standard_normal((96, 6))
_scores = np.tanh(X @ _rng.standard_normal((6, 4))) + 0.1 * _rng.standard_normal((96, 4))
_weights = np.exp(3 * _scores)
TARGETS = {
    "labels": _scores.argmax(1),
    "some ignored": np.where(np.arange(96) % 5 == 3, -100, _scores.argmax(1)),
    "probabilities": _weights / _weights.sum(1, keepdims=True),
    "numbers": 3 * _scores,
    "bits": (_scores > 0).astype(np.float64),
    "counts": _rng.poisson(np.exp(1 + _scores)).astype(np.float64),
}


@dataclass(frozen=True)
class Training:
    """One row: everything is made twice, with `fastnn` and with `torch` as `lib`."""

    model: Callable[[Any], list[Any]]
    loss: Callable[[Any], Any]
    optimizer: Callable[[Any, Any], Any]
    schedule: Callable[[Any, Any], Any] | None = None
    interval: str = "epoch"
    targets: str = "labels"
    l1: float = 0.0
    clip_norm: float | None = None
    clip_value: float | None = None
    accumulate: int = 1


def always_in_eval(nn: Any, p: float) -> Any:
    """Dropout that drops nothing while the rest trains: the masks of two libraries differ."""

    class Off(nn.Dropout):
        def train(self, mode: bool = True) -> Any:
            return super().train(False)

    return Off(p)


def plain(nn: Any) -> list[Any]:
    return [nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 4)]


def smooth(nn: Any) -> list[Any]:
    return [nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 8), nn.SiLU(), nn.Linear(8, 4)]


def batch_norm(nn: Any) -> list[Any]:
    # No bias in front of a batch norm: its gradient is rounding alone, which Adam would blow up.
    return [nn.Linear(6, 16, bias=False), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.0),
            nn.Linear(16, 8, bias=False), nn.BatchNorm1d(8, momentum=None), nn.LeakyReLU(0.1),
            nn.Linear(8, 4)]  # fmt: skip


def layer_norm(nn: Any) -> list[Any]:
    return [nn.LayerNorm(6), nn.Linear(6, 16), nn.LayerNorm(16), nn.GELU(),
            always_in_eval(nn, 0.5), nn.Linear(16, 4)]  # fmt: skip


def kinds(nn: Any) -> list[Any]:
    return [nn.Linear(6, 16), nn.ELU(0.7), nn.Linear(16, 12), nn.Softplus(), nn.Linear(12, 4)]


def ending(body: Callable[[Any], list[Any]], end: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda nn: [*body(nn), end(nn)]


TRAININGS = {
    "sgd": Training(
        plain, lambda nn: nn.CrossEntropyLoss(), lambda optim, p: optim.SGD(p, 0.05)),
    "momentum-step": Training(
        plain, lambda nn: nn.CrossEntropyLoss(),
        lambda optim, p: optim.SGD(p, 0.05, momentum=0.9),
        lambda s, o: s.StepLR(o, 3, 0.5)),
    "nesterov-decay-clipped": Training(
        smooth, lambda nn: nn.CrossEntropyLoss(),
        lambda optim, p: optim.SGD(p, 0.1, momentum=0.8, nesterov=True, weight_decay=0.01),
        lambda s, o: s.ExponentialLR(o, 0.9), clip_norm=0.3),
    "adam": Training(
        plain, lambda nn: nn.CrossEntropyLoss(), lambda optim, p: optim.Adam(p, 0.01),
        lambda s, o: s.ConstantLR(o, 0.3, 4)),
    "adamw-one-cycle-smoothed": Training(
        layer_norm, lambda nn: nn.CrossEntropyLoss(label_smoothing=0.1),
        lambda optim, p: optim.AdamW(p, 0.003, weight_decay=0.1),
        lambda s, o: s.OneCycleLR(o, 0.02, total_steps=STEPS + 1), "step", clip_norm=1.0),
    "adam-batch-norm-cosine": Training(
        batch_norm, lambda nn: nn.CrossEntropyLoss(), lambda optim, p: optim.Adam(p, 0.01),
        lambda s, o: s.CosineAnnealingLR(o, 10)),
    "batch-norm-accumulated": Training(
        batch_norm, lambda nn: nn.CrossEntropyLoss(),
        lambda optim, p: optim.SGD(p, 0.1, momentum=0.9, weight_decay=1e-3),
        lambda s, o: s.LinearLR(o, 0.1, total_iters=20), "step", accumulate=3),
    "amsgrad-soft-labels": Training(
        smooth, lambda nn: nn.CrossEntropyLoss(),
        lambda optim, p: optim.Adam(p, 0.01, weight_decay=0.01, amsgrad=True),
        lambda s, o: s.LambdaLR(o, lambda step: 1 / (1 + step)), targets="probabilities"),
    "soft-and-smoothed": Training(
        layer_norm, lambda nn: nn.CrossEntropyLoss(label_smoothing=0.2),
        lambda optim, p: optim.AdamW(p, 0.01), targets="probabilities", clip_value=0.01),
    "ignored-labels": Training(
        plain, lambda nn: nn.CrossEntropyLoss(), lambda optim, p: optim.RMSprop(p, 0.003),
        lambda s, o: s.MultiStepLR(o, [4, 8], 0.3), targets="some ignored"),
    "likelihood": Training(
        ending(kinds, lambda nn: nn.LogSoftmax(1)), lambda nn: nn.NLLLoss(),
        lambda optim, p: optim.Adagrad(p, 0.05, lr_decay=1e-3, weight_decay=1e-3)),
    "regression-plateau": Training(
        kinds, lambda nn: nn.MSELoss(),
        lambda optim, p: optim.RMSprop(p, 0.003, momentum=0.5, centered=True),
        lambda s, o: s.ReduceLROnPlateau(o, patience=0, threshold=0.2), targets="numbers",
        clip_value=0.5),
    "huber-accumulated-clipped": Training(
        batch_norm, lambda nn: nn.HuberLoss(delta=0.5), lambda optim, p: optim.Adam(p, 0.01),
        lambda s, o: s.CosineAnnealingWarmRestarts(o, 3), targets="numbers", clip_norm=0.2,
        accumulate=2),
    "smooth-l1-sequence": Training(
        smooth, lambda nn: nn.SmoothL1Loss(beta=0.7),
        lambda optim, p: optim.AdamW(p, 0.01, amsgrad=True),
        lambda s, o: s.SequentialLR(o, [s.ConstantLR(o, 0.1, 20), s.ExponentialLR(o, 0.98)], [20]),
        "step", targets="numbers"),
    "l1-penalty": Training(
        smooth, lambda nn: nn.L1Loss(), lambda optim, p: optim.SGD(p, 0.05), targets="numbers",
        l1=0.003, clip_norm=1.0, clip_value=0.2),
    "counts": Training(
        kinds, lambda nn: nn.PoissonNLLLoss(full=True),
        lambda optim, p: optim.SGD(p, 0.01, momentum=0.9), targets="counts"),
    "bits-of-logits": Training(
        layer_norm, lambda nn: nn.BCEWithLogitsLoss(),
        lambda optim, p: optim.Adam([{"params": p[:3], "lr": 0.003}, {"params": p[3:]}], 0.02),
        lambda s, o: s.StepLR(o, 4), targets="bits"),
    "bits-of-probabilities": Training(
        ending(batch_norm, lambda nn: nn.Sigmoid()), lambda nn: nn.BCELoss(),
        lambda optim, p: optim.SGD(p, 0.3, momentum=0.5), targets="bits", accumulate=4),
}  # fmt: skip


class Run:
    """The model, the loss, the optimizer and the schedule of a row, in one of the libraries."""

    def __init__(self, lib: Any, row: Training) -> None:
        fastnn.manual_seed(0)
        start = fastnn.nn.Sequential(*row.model(fastnn.nn)).double().state_dict()
        self.lib, self.row, self.losses = lib, row, []
        self.model = lib.nn.Sequential(*row.model(lib.nn)).double()
        self.model.load_state_dict({k: lib.tensor(v.numpy()) for k, v in start.items()})
        self.loss = row.loss(lib.nn)
        self.optimizer = row.optimizer(lib.optim, list(self.model.parameters()))
        schedules = lib.optim.lr_scheduler
        self.schedule = row.schedule and row.schedule(schedules, self.optimizer)

    def by_hand(self, loader: Any, epochs: int) -> None:
        """The loop a person would write, in either library."""
        row, lib = self.row, self.lib
        self.model.train()
        for _ in range(epochs):
            total, batches = 0.0, list(loader)
            for first in range(0, len(batches), row.accumulate):
                group = batches[first : first + row.accumulate]
                rows = sum(len(x) for x, _ in group)
                self.optimizer.zero_grad()
                for x, y in group:
                    loss = self.loss(self.model(lib.tensor(x.numpy())), lib.tensor(y.numpy()))
                    (loss * (len(x) / rows)).backward()
                    self.losses.append(loss.item())
                    total += loss.item() * len(x)
                self.clip()
                self.optimizer.step()
                if row.interval == "step":
                    self.schedule.step()
            if row.schedule and row.interval == "epoch":
                on_plateau = type(self.schedule).__name__ == "ReduceLROnPlateau"
                self.schedule.step(*([total / len(X)] if on_plateau else []))

    def clip(self) -> None:
        row, parameters, utils = self.row, list(self.model.parameters()), self.lib.nn.utils
        if row.l1:
            (row.l1 * sum(p.abs().sum() for p in parameters)).backward()
        if row.clip_norm is not None:
            utils.clip_grad_norm_(parameters, row.clip_norm)
        if row.clip_value is not None:
            utils.clip_grad_value_(parameters, row.clip_value)

    def by_trainer(self, loader: Any, epochs: int) -> None:
        losses, row = self.losses, self.row

        class Keep(fastnn.callbacks.Callback):
            def on_batch_end(self, batch: int, loss: float) -> None:
                losses.append(loss)

        self.trainer = fastnn.Trainer(
            self.model, self.loss, self.optimizer, self.schedule, (), [Keep()],
            row.clip_norm, row.clip_value, row.l1, row.accumulate,
            scheduler_interval=row.interval,
        )  # fmt: skip
        self.trainer.fit(loader, epochs, verbose=0)

    def rates(self) -> list[float]:
        return [group["lr"] for group in self.optimizer.param_groups]


def assert_same_run(ours: Run, theirs: Run) -> None:
    """Losses of each batch, then the learning rates, parameters, buffers and outputs."""
    np.testing.assert_allclose(ours.losses, theirs.losses, rtol=BOUND)
    np.testing.assert_allclose(ours.rates(), theirs.rates(), rtol=BOUND)
    state, their_state = ours.model.state_dict(), theirs.model.state_dict()
    assert list(state) == list(their_state)
    for name, tensor in state.items():
        assert tensor.shape == their_state[name].shape
        assert_same(tensor, their_state[name], BOUND)
    x = torch.tensor(X)
    assert_same(ours.model.eval()(X), theirs.model.eval()(x), BOUND)


@pytest.mark.parametrize("row", TRAININGS.values(), ids=TRAININGS.keys())
def test_training(row: Training) -> None:
    y = TARGETS[row.targets]
    loader = DataLoader(TensorDataset(X, y), batch_size=10)  # the last batch has six rows
    steps = -(-len(loader) // row.accumulate)
    epochs = -(-STEPS // steps) if row.interval == "epoch" else STEPS // steps
    theirs, loop, fitted = Run(torch, row), Run(fastnn, row), Run(fastnn, row)
    theirs.by_hand(loader, epochs)
    loop.by_hand(loader, epochs)
    fitted.by_trainer(loader, epochs)
    assert len(theirs.losses) == epochs * len(loader) >= STEPS
    assert np.mean(theirs.losses[-10:]) < 0.95 * np.mean(theirs.losses[:10])  # it has learnt
    assert_same_run(loop, theirs)
    assert_same_run(fitted, theirs)
    expected = theirs.loss(theirs.model(torch.tensor(X)), torch.tensor(y)).item()
    assert fitted.trainer.evaluate((X, y))["loss"] == pytest.approx(expected, rel=BOUND)


def test_the_table_covers() -> None:
    """What a training is made of is in some row."""
    rows = TRAININGS.values()
    made = [row.model(fastnn.nn) for row in rows]
    layers = {type(layer).__name__ for layer in chain(*made)}
    assert {"BatchNorm1d", "LayerNorm", "Dropout", "Off"} <= layers
    parameter = [fastnn.nn.Parameter(np.zeros(2)) for _ in range(6)]
    optimizers = {type(row.optimizer(fastnn.optim, parameter)).__name__ for row in rows}
    assert optimizers == set(fastnn.optim.__all__) - {"Optimizer", "lr_scheduler"}
    losses = {type(row.loss(fastnn.nn)).__name__ for row in rows}
    ours = {"QuantileLoss", "WeightedLoss"}  # PyTorch has none
    assert losses == {name for name in fastnn.nn.__all__ if name.endswith("Loss")} - ours
    schedules = {
        type(row.schedule(fastnn.optim.lr_scheduler, row.optimizer(fastnn.optim, parameter)))
        for row in rows if row.schedule
    }  # fmt: skip
    assert {s.__name__ for s in schedules} == set(fastnn.optim.lr_scheduler.__all__) - {
        "LRScheduler"
    }
