"""Schedules of the learning rate: closed forms, state dicts, the order of calls, bad options."""

import copy
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fastnn
from fastnn import Tensor, optim
from fastnn.optim import lr_scheduler as schedules

Form = Callable[[int], float]
BASE = 0.1


def cosine(position: float) -> float:
    return (1 + math.cos(math.pi * position)) / 2


def one_cycle(step: int, anneal: Callable[[float, float, float], float]) -> float:
    """max_lr 0.5 in 100 steps of which 30 lead up; from 0.05 to 0.5 to 0.0005."""
    if step <= 29:
        return anneal(0.05, 0.5, step / 29)
    return anneal(0.5, 0.0005, (step - 29) / 70)


def on_a_cosine(start: float, end: float, done: float) -> float:
    return end + (start - end) * cosine(done)


def on_a_line(start: float, end: float, done: float) -> float:
    return start + (end - start) * done


ONE_CYCLE = {"max_lr": 0.5, "total_steps": 100, "div_factor": 10, "final_div_factor": 100}

# name, options, the rate of an epoch in closed form, epochs
CLOSED: list[tuple[str, dict[str, Any], Form, int]] = [
    ("StepLR", {"step_size": 30}, lambda e: BASE * 0.1 ** (e // 30), 200),
    ("MultiStepLR", {"milestones": [80, 30, 30], "gamma": 0.5},
     lambda e: BASE * 0.5 ** (2 * (e >= 30) + (e >= 80)), 200),
    ("ExponentialLR", {"gamma": 0.97}, lambda e: BASE * 0.97**e, 200),
    ("LambdaLR", {"lr_lambda": lambda e: 1 / (1 + e)}, lambda e: BASE / (1 + e), 200),
    ("ConstantLR", {"factor": 0.3, "total_iters": 40}, lambda e: BASE * (0.3 if e < 40 else 1), 99),
    ("LinearLR", {"start_factor": 0.2, "end_factor": 0.9, "total_iters": 50},
     lambda e: BASE * (0.2 + 0.7 * min(e, 50) / 50), 99),
    ("CosineAnnealingLR", {"T_max": 60, "eta_min": 0.01},
     lambda e: 0.01 + (BASE - 0.01) * cosine(e / 60), 300),
    ("CosineAnnealingWarmRestarts", {"T_0": 10, "T_mult": 2},
     lambda e: BASE * cosine(e / 10 if e < 10 else (e - 10) / 20 if e < 30 else (e - 30) / 40), 70),
    ("OneCycleLR", ONE_CYCLE, lambda e: one_cycle(e, on_a_cosine), 100),
    ("OneCycleLR", {**ONE_CYCLE, "anneal_strategy": "linear"},
     lambda e: one_cycle(e, on_a_line), 100),
    ("OneCycleLR", {**ONE_CYCLE, "three_phase": True, "anneal_strategy": "linear"},
     lambda e: float(np.interp(e, [0, 29, 58, 99], [0.05, 0.5, 0.05, 0.0005])), 100),
]  # fmt: skip
every_schedule = pytest.mark.parametrize(
    ("name", "options", "form", "epochs"),
    CLOSED,
    ids=[f"{row[0]}-{'-'.join(row[1])}" for row in CLOSED],
)


def optimizer(groups: int = 1, cls: type[optim.Optimizer] = optim.SGD) -> optim.Optimizer:
    options = {"momentum": 0.9} if cls is optim.SGD else {}
    params = [Tensor.of(np.ones(2), True) for _ in range(groups)]
    return cls([{"params": [p]} for p in params], lr=BASE, **options)


def make(name: str, options: dict[str, Any], groups: int = 1) -> Any:
    return getattr(schedules, name)(optimizer(groups), **options)


def go_on(scheduler: Any, epochs: int = 1) -> list[list[float]]:
    """The rates of some epochs, the present one first; afterwards it stands at the next."""
    told = []
    for _ in range(epochs):
        told.append(scheduler.get_last_lr())
        scheduler.optimizer.step()
        scheduler.step()
    return told


@every_schedule
def test_closed_form(name: str, options: dict[str, Any], form: Form, epochs: int) -> None:
    scheduler = make(name, options, groups=2)
    told = go_on(scheduler, epochs)
    expected = [[form(e)] * 2 for e in range(epochs)]
    np.testing.assert_allclose(told, expected, rtol=1e-9, atol=1e-12)
    assert scheduler.last_epoch == epochs


@every_schedule
def test_state_dict_goes_on_with_the_same_rates(
    name: str, options: dict[str, Any], form: Form, epochs: int
) -> None:
    scheduler = make(name, options)
    go_on(scheduler, 37)
    saved, groups = scheduler.state_dict(), scheduler.optimizer.state_dict()
    rest = go_on(scheduler, epochs - 37)
    again = make(name, options)
    go_on(again, 3)
    again.load_state_dict(json.loads(json.dumps(saved)))
    again.optimizer.load_state_dict(groups)
    assert go_on(again, epochs - 37) == rest
    assert again.state_dict() == scheduler.state_dict()


@every_schedule
def test_copy_goes_its_own_way(name: str, options: dict[str, Any], form: Form, epochs: int) -> None:
    scheduler = make(name, options)
    go_on(scheduler, 5)
    other = copy.deepcopy(scheduler)
    assert other.optimizer is not scheduler.optimizer
    assert go_on(other, 20) == go_on(scheduler, 20)


@every_schedule
def test_first_rate_unused_is_a_warning(
    name: str, options: dict[str, Any], form: Form, epochs: int
) -> None:
    scheduler = make(name, options)
    if name == "CosineAnnealingWarmRestarts":  # steps may be fractions of an epoch
        scheduler.step()
    else:
        with pytest.warns(UserWarning, match=r"scheduler\.step\(\) was called before optimizer"):
            scheduler.step()
    scheduler.step()  # said once


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("LambdaLR", {"lr_lambda": float}),
        ("CosineAnnealingLR", {"T_max": 1}),
        ("CosineAnnealingWarmRestarts", {"T_0": 1}),
    ],
)
def test_group_added_later(name: str, options: dict[str, Any]) -> None:
    scheduler = make(name, options)
    go_on(scheduler)
    scheduler.optimizer.add_param_group({"params": [Tensor.of(np.ones(1), True)]})
    with pytest.raises(ValueError, match=rf"{name}: expected 1 groups .*got 2; make it after"):
        scheduler.step()


def test_momentum_goes_the_other_way() -> None:
    for cls in (optim.SGD, optim.RMSprop, optim.Adam, optim.AdamW):
        scheduler = schedules.OneCycleLR(optimizer(cls=cls), **ONE_CYCLE)
        group = scheduler.optimizer.param_groups[0]
        told = []
        for _ in range(100):
            told.append(group["betas"][0] if "betas" in group else group["momentum"])
            go_on(scheduler)
        np.testing.assert_allclose(
            told, [one_cycle_momentum(step) for step in range(100)], rtol=1e-12
        )


def one_cycle_momentum(step: int) -> float:
    if step <= 29:
        return on_a_cosine(0.95, 0.85, step / 29)
    return on_a_cosine(0.85, 0.95, (step - 29) / 70)


def test_one_cycle_ends() -> None:
    scheduler = make("OneCycleLR", ONE_CYCLE)
    go_on(scheduler, 100)
    with pytest.raises(ValueError, match="expected at most total_steps = 100 steps, got step 101"):
        scheduler.step()


def test_phase_of_no_length_is_at_its_end() -> None:
    """PyTorch divides by zero."""
    options = {**ONE_CYCLE, "total_steps": 10, "pct_start": 0.1}
    assert go_on(make("OneCycleLR", options), 1) == [[0.5]]
    assert go_on(make("OneCycleLR", {**ONE_CYCLE, "total_steps": 1}), 1) == [[0.0005]]


def test_when_to_step() -> None:
    for name, options, _, _ in CLOSED:
        assert make(name, options).interval == ("step" if name == "OneCycleLR" else "epoch")
    assert schedules.ReduceLROnPlateau(optimizer()).interval == "epoch"
    o = optimizer()
    cycles = [schedules.OneCycleLR(o, 0.1, total_steps=5) for _ in range(2)]
    assert schedules.SequentialLR(o, cycles, [5]).interval == "step"


# --- plateau ---


def plateau(values: list[float], **options: Any) -> list[float]:
    """The rate after each measured value."""
    scheduler = schedules.ReduceLROnPlateau(optimizer(), **{"factor": 0.5, **options})
    told = []
    for value in values:
        scheduler.step(value)
        told.append(scheduler.get_last_lr()[0] / BASE)
    return told


def test_plateau() -> None:
    bad, nan = [1.0] * 4, float("nan")
    assert plateau([2, *bad, 0.5, 0.5], patience=1) == [1, 1, 1, 0.5, 0.5, 0.5, 0.5]
    assert plateau([2, *bad], patience=0, cooldown=2) == [1, 1, 0.5, 0.5, 0.5]
    assert plateau([1, 2, 2.5, 2, 2], mode="max", patience=1) == [1, 1, 1, 1, 0.5]
    assert plateau([10, 9.8, 8.9], threshold=0.1, patience=0) == [1, 0.5, 0.5]
    assert plateau([10, 9.8, 9.8], threshold=0.1, threshold_mode="abs", patience=0) == [1, 1, 0.5]
    assert plateau([1, nan, nan, 0.5], patience=1) == [1, 1, 0.5, 0.5]
    assert plateau(bad, patience=0, min_lr=BASE * 0.4) == pytest.approx([1, 0.5, 0.4, 0.4])
    assert plateau(bad, patience=0, eps=1) == [1, 1, 1, 1]


def test_plateau_state_and_groups() -> None:
    scheduler = schedules.ReduceLROnPlateau(optimizer(2), patience=0, min_lr=[0.02, 0.0])
    scheduler.step(Tensor.of(np.array(1.0)))
    saved = scheduler.state_dict()
    again = schedules.ReduceLROnPlateau(optimizer(2), patience=7, min_lr=[0.0, 0.0])
    again.load_state_dict(saved)
    again.step(1.0)
    assert again.get_last_lr() == [0.02, pytest.approx(0.01)]
    one = schedules.ReduceLROnPlateau(optimizer(), patience=0)
    one.optimizer.add_param_group({"params": [Tensor.of(np.ones(1), True)]})
    one.step(1.0)
    one.step(1.0)
    assert one.get_last_lr() == pytest.approx([0.01, 0.01])


# --- one after the other ---


def warm_up_and_fall(o: optim.Optimizer) -> schedules.SequentialLR:
    parts = [schedules.LinearLR(o, 0.5, total_iters=2), schedules.StepLR(o, 2, 0.5)]
    return schedules.SequentialLR(o, parts, [3])


def test_sequence() -> None:
    told = go_on(warm_up_and_fall(optimizer()), 8)
    expected = [[0.05], [0.075], [0.1], [0.1], [0.1], [0.05], [0.05], [0.025]]
    np.testing.assert_allclose(told, expected, rtol=1e-14)


def test_sequence_inside_a_sequence() -> None:
    o = optimizer()
    parts = [schedules.ConstantLR(o, 0.1, total_iters=9), warm_up_and_fall(o)]
    told = go_on(schedules.SequentialLR(o, parts, [2]), 8)
    expected = [[0.01], [0.01], [0.05], [0.075], [0.1], [0.1], [0.1], [0.05]]
    np.testing.assert_allclose(told, expected, rtol=1e-14)


@pytest.mark.parametrize("epochs", [1, 2, 3, 4, 6])
def test_state_of_a_sequence(epochs: int) -> None:
    scheduler = warm_up_and_fall(optimizer())
    go_on(scheduler, epochs)
    saved, groups = scheduler.state_dict(), scheduler.optimizer.state_dict()
    again = warm_up_and_fall(optimizer())
    again.load_state_dict(json.loads(json.dumps(saved)))
    again.optimizer.load_state_dict(groups)
    assert go_on(again, 6) == go_on(scheduler, 6)


# --- functions with a memory ---


class Slower:
    """A factor with an attribute that a state dict keeps."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def __call__(self, epoch: int) -> float:
        return 1 / (1 + self.rate * epoch)


def test_lambdas_in_a_state_dict() -> None:
    scheduler = schedules.LambdaLR(optimizer(2), [Slower(2.0), lambda epoch: 0.5**epoch])
    go_on(scheduler, 3)
    saved = scheduler.state_dict()
    assert saved["lr_lambdas"] == [{"rate": 2.0}, None]
    again = schedules.LambdaLR(optimizer(2), [Slower(1.0), lambda epoch: 0.5**epoch])
    again.load_state_dict(saved)
    assert go_on(again, 3) == go_on(scheduler, 3)


# --- errors ---


def bad(*rows: tuple[str, dict[str, Any], type[Exception], str]) -> list[Any]:
    return [pytest.param(*row, id=f"{row[0]}-{'-'.join(row[1])}-{i}") for i, row in enumerate(rows)]


@pytest.mark.parametrize(
    ("name", "options", "error", "pattern"),
    bad(
        ("StepLR", {"step_size": 0}, ValueError, "step_size >= 1, got 0"),
        ("StepLR", {"step_size": 1.5}, TypeError, r"an integer step_size, got 1\.5"),
        ("StepLR", {"step_size": True}, TypeError, "an integer step_size, got True"),
        ("StepLR", {"step_size": 1, "gamma": -1}, ValueError, "finite gamma >= 0, got -1"),
        ("StepLR", {"step_size": 1, "last_epoch": -2}, ValueError, "last_epoch >= -1, got -2"),
        ("StepLR", {"step_size": 1, "last_epoch": 3}, ValueError, "'initial_lr' in group 0"),
        ("MultiStepLR", {"milestones": [1.5]}, TypeError, "an integer milestone, got 1.5"),
        ("MultiStepLR", {"milestones": [-1]}, ValueError, "milestone >= 0, got -1"),
        ("MultiStepLR", {"milestones": [1], "gamma": math.nan}, ValueError, "finite gamma"),
        ("ExponentialLR", {"gamma": math.inf}, ValueError, "finite gamma >= 0, got inf"),
        ("ExponentialLR", {"gamma": "0.9"}, TypeError, "gamma to be a number, got '0.9'"),
        ("LambdaLR", {"lr_lambda": 0.5}, TypeError, "lr_lambda as a function, got 0.5"),
        ("LambdaLR", {"lr_lambda": [abs, abs]}, ValueError, "lr_lambda for 1 groups, got 2"),
        ("ConstantLR", {"factor": 0}, ValueError, "0 < factor <= 1, got 0"),
        ("ConstantLR", {"total_iters": 0}, ValueError, "total_iters >= 1, got 0"),
        ("LinearLR", {"start_factor": 0.0}, ValueError, r"0 < start_factor <= 1, got 0\.0"),
        ("LinearLR", {"end_factor": 1.1}, ValueError, r"0 <= end_factor <= 1, got 1\.1"),
        ("LinearLR", {"total_iters": 0}, ValueError, "total_iters >= 1, got 0"),
        ("CosineAnnealingLR", {"T_max": 0}, ValueError, "T_max >= 1, got 0"),
        ("CosineAnnealingLR", {"T_max": 5, "eta_min": -1}, ValueError, "eta_min >= 0, got -1"),
        ("CosineAnnealingWarmRestarts", {"T_0": 0}, ValueError, "T_0 >= 1, got 0"),
        ("CosineAnnealingWarmRestarts", {"T_0": 1, "T_mult": 0}, ValueError, "T_mult >= 1, got 0"),
        ("OneCycleLR", {"max_lr": 1}, ValueError, "total_steps, or epochs and steps_per_epoch"),
        ("OneCycleLR", {"max_lr": 1, "epochs": 1}, ValueError, "epochs and steps_per_epoch"),
        ("OneCycleLR", {"max_lr": 1, "total_steps": 0}, ValueError, "total_steps >= 1, got 0"),
        ("OneCycleLR", {**ONE_CYCLE, "max_lr": [1, 2]}, ValueError, "max_lr for 1 groups, got 2"),
        ("OneCycleLR", {**ONE_CYCLE, "max_lr": -1}, ValueError, "max_lr of group 0 >= 0, got -1"),
        ("OneCycleLR", {**ONE_CYCLE, "pct_start": 2}, ValueError, "pct_start <= 1, got 2"),
        ("OneCycleLR", {**ONE_CYCLE, "div_factor": 0}, ValueError, "div_factor > 0, got 0"),
        ("OneCycleLR", {**ONE_CYCLE, "anneal_strategy": "sin"}, ValueError, "'cos' or 'linear'"),
        ("OneCycleLR", {**ONE_CYCLE, "max_momentum": 1.0}, ValueError, "max_momentum < 1"),
        ("OneCycleLR", {**ONE_CYCLE, "three_phase": 1}, TypeError, "three_phase to be True or"),
        ("ReduceLROnPlateau", {"mode": "low"}, ValueError, "mode 'min' or 'max', got 'low'"),
        ("ReduceLROnPlateau", {"threshold_mode": "x"}, ValueError, "'rel' or 'abs', got 'x'"),
        ("ReduceLROnPlateau", {"factor": 1.0}, ValueError, r"0 <= factor < 1, got 1\.0"),
        ("ReduceLROnPlateau", {"patience": -1}, ValueError, "patience >= 0, got -1"),
        ("ReduceLROnPlateau", {"min_lr": [1, 2]}, ValueError, "min_lr for 1 groups, got 2"),
        ("ReduceLROnPlateau", {"min_lr": -1}, ValueError, "min_lr of group 0 >= 0, got -1"),
    ),
)
def test_bad_options(
    name: str, options: dict[str, Any], error: type[Exception], pattern: str
) -> None:
    with pytest.raises(error, match=rf"^{name}: .*{pattern}"):
        make(name, options)


def test_not_an_optimizer() -> None:
    for name, options in (*(row[:2] for row in CLOSED), ("ReduceLROnPlateau", {})):
        with pytest.raises(TypeError, match=rf"^{name}: expected an Optimizer, got list"):
            getattr(schedules, name)([], **options)
    with pytest.raises(TypeError, match="SequentialLR: expected an Optimizer, got list"):
        schedules.SequentialLR([], [], [])


def test_one_cycle_needs_a_momentum() -> None:
    with pytest.raises(ValueError, match="Adagrad has no momentum to cycle; pass cycle_momentum="):
        schedules.OneCycleLR(optimizer(cls=optim.Adagrad), **ONE_CYCLE)
    schedules.OneCycleLR(optimizer(cls=optim.Adagrad), **ONE_CYCLE, cycle_momentum=False)


def test_bad_sequences() -> None:
    o = optimizer()
    one, two = (schedules.ExponentialLR(o, 0.9) for _ in range(2))
    for parts, milestones, error, pattern in [
        ([], [], ValueError, "one milestone less than schedules, got 0 and 0"),
        ([one, two], [], ValueError, "one milestone less than schedules, got 0 and 2"),
        ([one, two, one], [3, 2], ValueError, r"rising milestones, got \[3, 2\]"),
        ([one, two], [1.5], TypeError, "an integer milestone 0"),
        ([one, o], [1], TypeError, "expected schedules, got SGD"),
        ([one, schedules.ReduceLROnPlateau(o)], [1], ValueError, "needs a metric"),
        ([one, schedules.ExponentialLR(optimizer(), 1)], [1], ValueError, "of one optimizer"),
        ([one, schedules.OneCycleLR(o, 1, 9)], [1], ValueError, "of one interval"),
    ]:
        with pytest.raises(error, match=pattern):
            schedules.SequentialLR(o, parts, milestones)
    with pytest.raises(ValueError, match="expected last_epoch = -1, got 3"):
        schedules.SequentialLR(o, [one], [], last_epoch=3)


def test_state_of_another_schedule() -> None:
    step = make("StepLR", {"step_size": 3})
    before = step.state_dict()
    other = make("ExponentialLR", {"gamma": 0.5}).state_dict()
    for state, error, pattern in [
        ([], TypeError, r"StepLR\.load_state_dict: expected a dict, got \[\]"),
        ({}, ValueError, "the state is another schedule's: missing .*step_size"),
        (other, ValueError, r"missing \['step_size'\], unexpected \[\]"),
        ({**before, "T_max": 3}, ValueError, r"missing \[\], unexpected \['T_max'\]"),
        ({**before, "gamma": "x"}, TypeError, "expected gamma like 0.1, got 'x'"),
        ({**before, "base_lrs": 3}, TypeError, r"expected base_lrs like \[0.1\], got 3"),
        ({**before, "last_epoch": True}, TypeError, "expected last_epoch like 0, got True"),
    ]:
        with pytest.raises(error, match=pattern):
            step.load_state_dict(state)
        assert step.state_dict() == before
    sequence = warm_up_and_fall(optimizer())
    with pytest.raises(ValueError, match="expected 2 states, got 1"):
        sequence.load_state_dict({**sequence.state_dict(), "_schedulers": [before]})


def test_bad_epoch_of_a_restart() -> None:
    scheduler = make("CosineAnnealingWarmRestarts", {"T_0": 3})
    for epoch in (-1, math.nan, math.inf):
        with pytest.raises(ValueError, match="expected a finite epoch >= 0"):
            scheduler.step(epoch)
    with pytest.raises(NotImplementedError):
        schedules.LRScheduler(optimizer())


def test_every_schedule_is_tested() -> None:
    others = {"LRScheduler", "ReduceLROnPlateau", "SequentialLR"}
    assert {row[0] for row in CLOSED} == set(schedules.__all__) - others
    assert fastnn.optim.lr_scheduler is schedules
