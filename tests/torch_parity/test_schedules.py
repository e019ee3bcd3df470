"""Schedules give PyTorch's rates, over 1,000 epochs and to the last bit or two."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler as torch_schedules

import fastnn
from fastnn.optim import lr_scheduler as schedules

EPOCHS = 1000
RATES = (0.1, 0.02)  # of two groups


def optimizers(name: str = "SGD", **options: Any) -> list[Any]:
    """An optimizer with two groups, of fastnn and of PyTorch."""
    if name == "SGD":
        options = {"momentum": 0.9, **options}
    pairs = [(fastnn.Tensor.of(np.ones(1), True), torch.ones(1, requires_grad=True)) for _ in RATES]
    return [
        getattr(module, name)(
            [{"params": [pair[side]], "lr": lr} for pair, lr in zip(pairs, RATES, strict=True)],
            **options,
        )
        for side, module in enumerate((fastnn.optim, torch.optim))
    ]


def settings(scheduler: Any) -> list[float]:
    """The rates, and what is cycled beside them."""
    found = list(scheduler.get_last_lr())
    for group in scheduler.optimizer.param_groups:
        found += [group["lr"], group["initial_lr"], group.get("momentum", 0.0)]
        found += group.get("betas", ())
    return found


def run(ours: Any, theirs: Any, steps: int) -> None:
    """Compare the rates in each of some steps."""
    told: list[list[list[float]]] = []
    for scheduler in (ours, theirs):
        told.append([settings(scheduler)])
        for _ in range(steps - 1):
            scheduler.optimizer.step()
            scheduler.step()
            told[-1].append(settings(scheduler))
    np.testing.assert_allclose(*told, rtol=1e-15, atol=0)


def plus(epoch: int) -> float:
    return 1 / (1 + 0.1 * epoch)


SCHEDULES: list[tuple[str, dict[str, Any]]] = [
    ("StepLR", {"step_size": 30}),
    ("StepLR", {"step_size": 1, "gamma": 0.99}),
    ("MultiStepLR", {"milestones": [30, 80, 80, 500]}),
    ("MultiStepLR", {"milestones": [0, 700], "gamma": 0.3}),
    ("ExponentialLR", {"gamma": 0.997}),
    ("LambdaLR", {"lr_lambda": plus}),
    ("LambdaLR", {"lr_lambda": [plus, lambda epoch: 0.99**epoch]}),
    ("ConstantLR", {}),
    ("ConstantLR", {"factor": 0.3, "total_iters": 100}),
    ("LinearLR", {}),
    ("LinearLR", {"start_factor": 1.0, "end_factor": 0.0, "total_iters": 999}),
    ("LinearLR", {"start_factor": 0.01, "end_factor": 0.7, "total_iters": 400}),
    ("CosineAnnealingLR", {"T_max": 1000}),
    ("CosineAnnealingLR", {"T_max": 70, "eta_min": 1e-3}),
    ("CosineAnnealingLR", {"T_max": 1, "eta_min": 1e-3}),
    ("CosineAnnealingWarmRestarts", {"T_0": 70, "eta_min": 1e-3}),
    ("CosineAnnealingWarmRestarts", {"T_0": 10, "T_mult": 2}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 1000}),
    ("OneCycleLR", {"max_lr": [0.5, 0.1], "epochs": 10, "steps_per_epoch": 100, "pct_start": 0.5,
                    "anneal_strategy": "linear", "div_factor": 10.0, "final_div_factor": 100.0,
                    "base_momentum": [0.8, 0.7], "max_momentum": 0.9}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 1000, "three_phase": True, "pct_start": 0.4}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 1000, "three_phase": True,
                    "anneal_strategy": "linear", "cycle_momentum": False}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 1000, "pct_start": 0.0}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 1000, "pct_start": 1.0}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "options"), SCHEDULES, ids=lambda v: v if isinstance(v, str) else "-".join(v)
)
class TestSchedule:
    def test_rates(self, name: str, options: dict[str, Any]) -> None:
        one, two = optimizers()
        run(
            getattr(schedules, name)(one, **options),
            getattr(torch_schedules, name)(two, **options),
            EPOCHS,
        )

    def test_rate_set_by_hand(self, name: str, options: dict[str, Any]) -> None:
        one, two = optimizers()
        ours = getattr(schedules, name)(one, **options)
        theirs = getattr(torch_schedules, name)(two, **options)
        run(ours, theirs, 20)
        for scheduler in (ours, theirs):
            scheduler.optimizer.param_groups[0]["lr"] = 0.07
            scheduler.optimizer.step()
            scheduler.step()
        run(ours, theirs, 100)

    def test_resumed_by_last_epoch(self, name: str, options: dict[str, Any]) -> None:
        one, two = optimizers()
        for optimizer in (one, two):
            for group in optimizer.param_groups:
                group.update(initial_lr=0.1, max_lr=0.5, min_lr=1e-5, base_momentum=0.8,
                             max_momentum=0.9)  # fmt: skip
        run(
            getattr(schedules, name)(one, **options, last_epoch=59),
            getattr(torch_schedules, name)(two, **options, last_epoch=59),
            200,
        )


@pytest.mark.parametrize("name", ["Adam", "AdamW", "RMSprop"])
def test_one_cycle_of_other_optimizers(name: str) -> None:
    one, two = optimizers(name)
    options = {"max_lr": 0.5, "total_steps": 100}
    run(schedules.OneCycleLR(one, **options), torch_schedules.OneCycleLR(two, **options), 100)


def test_chained() -> None:
    one, two = optimizers()
    pairs = []
    for module, optimizer in ((schedules, one), (torch_schedules, two)):
        first = module.LinearLR(optimizer, total_iters=50)
        pairs.append((first, module.ExponentialLR(optimizer, 0.99)))
    told: list[list[list[float]]] = []
    for first, second in pairs:
        told.append([])
        for _ in range(200):
            told[-1].append(second.get_last_lr())
            first.optimizer.step()
            first.step()
            second.step()
    np.testing.assert_allclose(*told, rtol=1e-15, atol=0)


def sequence(module: Any, optimizer: Any) -> Any:
    """Each schedule in its turn, and a sequence inside."""
    names: list[tuple[str, dict[str, Any]]] = [
        ("LinearLR", {"total_iters": 10}),
        ("ConstantLR", {"factor": 0.5}),
        ("CosineAnnealingLR", {"T_max": 50, "eta_min": 1e-4}),
        ("StepLR", {"step_size": 7, "gamma": 0.9}),
        ("MultiStepLR", {"milestones": [0, 5], "gamma": 0.9}),
        ("ExponentialLR", {"gamma": 0.99}),
        ("LambdaLR", {"lr_lambda": plus}),
        ("CosineAnnealingWarmRestarts", {"T_0": 20}),
    ]
    parts = [getattr(module, name)(optimizer, **options) for name, options in names]
    return module.SequentialLR(optimizer, parts, [20, 120, 220, 270, 300, 400, 600])


def test_sequential() -> None:
    one, two = optimizers()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's own use of what it deprecates
        run(sequence(schedules, one), sequence(torch_schedules, two), EPOCHS)


def test_sequential_that_starts_with_the_second() -> None:
    one, two = optimizers()
    pair = [
        module.SequentialLR(o, [module.ConstantLR(o), module.ExponentialLR(o, 0.9)], [0])
        for module, o in ((schedules, one), (torch_schedules, two))
    ]
    run(*pair, 10)


PLATEAUS: list[dict[str, Any]] = [
    {}, {"mode": "max"}, {"factor": 0.5, "patience": 3}, {"patience": 0, "cooldown": 5},
    {"threshold": 0.05, "patience": 2}, {"threshold_mode": "abs", "threshold": 0.1, "patience": 2},
    {"mode": "max", "threshold_mode": "abs", "threshold": 0.1, "patience": 1},
    {"mode": "max", "threshold": 0.01, "patience": 1, "factor": 0.9},
    {"min_lr": 1e-3, "patience": 1}, {"min_lr": [1e-2, 1e-4], "patience": 1},
    {"eps": 1e-2, "patience": 1}, {"factor": 0.0, "patience": 50},
]  # fmt: skip


@pytest.mark.parametrize("options", PLATEAUS, ids=lambda o: "-".join(o) or "plain")
def test_plateau(options: dict[str, Any]) -> None:
    one, two = optimizers()
    ours = schedules.ReduceLROnPlateau(one, **options)
    theirs = torch_schedules.ReduceLROnPlateau(two, **options)
    rng, told = np.random.default_rng(0), []
    for epoch in range(EPOCHS):
        measured = 1 / (1 + 0.01 * epoch) + 0.1 * rng.standard_normal()
        measured = float("nan") if epoch % 97 == 5 else measured
        ours.step(fastnn.Tensor.of(np.array(measured)) if epoch % 2 else measured)
        theirs.step(measured)
        told.append((ours.get_last_lr(), theirs.get_last_lr()))
        assert [g["lr"] for g in one.param_groups] == ours.get_last_lr()
        assert (ours.best, ours.num_bad_epochs, ours.in_cooldown) == (
            theirs.best, theirs.num_bad_epochs, theirs.in_cooldown)  # fmt: skip
    np.testing.assert_allclose(*zip(*told, strict=True), rtol=1e-15, atol=0)


def test_restarts_at_a_fraction_of_an_epoch() -> None:
    one, two = optimizers()
    for options in ({"T_0": 10}, {"T_0": 10, "T_mult": 2}, {"T_0": 7, "T_mult": 3}):
        ours = schedules.CosineAnnealingWarmRestarts(one, **options)
        theirs = torch_schedules.CosineAnnealingWarmRestarts(two, **options)
        told: list[list[list[float]]] = []
        for scheduler in (ours, theirs):
            told.append([])
            for epoch in np.arange(0, 200, 0.37).tolist():
                scheduler.step(epoch)
                told[-1].append(scheduler.get_last_lr())
        np.testing.assert_allclose(*told, rtol=1e-12, atol=0)


def warns(call: Callable[[], Any]) -> bool:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return bool(caught)


@pytest.mark.parametrize("order", ["ss", "os", "so", "oss", "snos", "sno", "snn", "ons", "onns"])
def test_warns_of_the_order_as_pytorch(order: str) -> None:
    """o: optimizer.step(), s: step() of the schedule made last, n: a further schedule."""
    for before in (0, 1):  # also after a step before any schedule
        told = []
        for module, optimizer in zip((schedules, torch_schedules), optimizers(), strict=True):
            for _ in range(before):
                optimizer.step()
            made = [module.ExponentialLR(optimizer, 0.9)]
            actions: dict[str, Callable[[], Any]] = {
                "o": optimizer.step,
                "s": lambda made=made: made[-1].step(),
                "n": lambda made=made, m=module, o=optimizer: made.append(m.StepLR(o, 3)),
            }
            told.append([warns(actions[letter]) for letter in order])
        assert told[0] == told[1]
