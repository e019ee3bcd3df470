"""Optimizers."""

from typing import Any

import numpy as np

from fastnn import optim
from tables.kinds import Array, RuleCase


def sgd_rule(lr=0.0, momentum=0.0, dampening=0.0, nesterov=False, weight_decay=0.0):
    def rule(w: Array, g: Array, state: dict[str, Array], step: int) -> Array:
        d = g + weight_decay * w
        if momentum:
            v = d if step == 1 else momentum * state["v"] + (1 - dampening) * d
            state["v"] = v
            d = d + momentum * v if nesterov else v
        return w - lr * d

    return rule


def adam_rule(lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
    def rule(w: Array, g: Array, state: dict[str, Array], step: int) -> Array:
        g = g + weight_decay * w
        m = betas[0] * state.get("m", 0.0) + (1 - betas[0]) * g
        v = betas[1] * state.get("v", 0.0) + (1 - betas[1]) * g * g
        state["m"], state["v"] = m, v
        m_hat, v_hat = m / (1 - betas[0] ** step), v / (1 - betas[1] ** step)
        return w - lr * m_hat / (np.sqrt(v_hat) + eps)

    return rule


def _bad_numbers(who: str, *names: str) -> tuple[tuple[dict[str, Any], type[Exception], str], ...]:
    """Options that are no finite numbers of at least 0, whichever of `names` they are given to."""
    values: tuple[tuple[Any, type[Exception]], ...] = (
        (-1.0, ValueError), (float("nan"), ValueError), (float("inf"), ValueError),
        ("x", TypeError), (None, TypeError), (True, TypeError),
    )  # fmt: skip
    return tuple(
        ({name: value}, error, rf"{who}: expected .*{name}.*got {value!r}")
        for name in names
        for value, error in values
    )


def _sgd(id: str, rosenbrock: int, lr: float, **options: Any) -> RuleCase:
    return RuleCase(
        f"SGD-{id}",
        make=lambda params, **more: optim.SGD(params, **{"lr": 0.05, **options, **more}),
        rule=sgd_rule(**{"lr": 0.05, **options}),
        rosenbrock=rosenbrock,
        lr=lr,
        bad_options=()
        if id != "plain"
        else (
            *_bad_numbers("SGD", "lr", "momentum", "dampening", "weight_decay"),
            ({"nesterov": True}, ValueError, r"SGD: nesterov needs momentum > 0"),
            (
                {"nesterov": True, "momentum": 0.9, "dampening": 0.1},
                ValueError,
                r"SGD: nesterov needs .*dampening = 0, got momentum=0\.9, dampening=0\.1",
            ),
        ),
    )


def _adam(id: str, rosenbrock: int, lr: float, **options: Any) -> RuleCase:
    return RuleCase(
        f"Adam-{id}",
        make=lambda params, **more: optim.Adam(params, **{"lr": 0.05, **options, **more}),
        rule=adam_rule(**{"lr": 0.05, **options}),
        rosenbrock=rosenbrock,
        lr=lr,
        bad_options=()
        if id != "plain"
        else (
            *_bad_numbers("Adam", "lr", "eps", "weight_decay"),
            ({"betas": (1.0, 0.9)}, ValueError, r"Adam: expected 0 <= beta1 < 1, got 1\.0"),
            ({"betas": (0.9, -0.1)}, ValueError, r"Adam: expected 0 <= beta2 < 1, got -0\.1"),
            ({"betas": (0.9, float("nan"))}, ValueError, r"Adam: .*beta2 < 1, got nan"),
            ({"betas": (0.9,)}, ValueError, r"Adam: expected two betas, got \(0\.9,\)"),
            ({"betas": ("a", 0.9)}, TypeError, r"Adam: expected beta1 .*number, got 'a'"),
        ),
    )


OPTIMIZERS = [
    _sgd("plain", 60_000, 1e-3),
    _sgd("momentum", 6_000, 1e-3, momentum=0.9),
    _sgd("dampening", 20_000, 1e-3, momentum=0.9, dampening=0.5),
    _sgd("nesterov", 6_000, 1e-3, momentum=0.9, nesterov=True),
    _sgd("weight-decay", 0, 1e-3, weight_decay=0.1),
    _sgd("everything", 0, 1e-3, momentum=0.8, dampening=0.3, weight_decay=0.01),
    _adam("plain", 4_000, 0.02),
    _adam("betas", 4_000, 0.02, betas=(0.8, 0.95), eps=1e-6),
    _adam("weight-decay", 0, 0.02, weight_decay=0.1),
    _adam("no-memory", 0, 0.02, betas=(0.0, 0.0)),
]
