"""Optimizers."""

from typing import Any

import numpy as np

from fastnn import Tensor, optim
from tables.kinds import Array, RuleCase


def sgd_rule(lr=0.0, momentum=0.0, dampening=0.0, nesterov=False, weight_decay=0.0, maximize=False):
    def rule(w: Array, g: Array, state: dict[str, Array], step: int) -> Array:
        d = (-g if maximize else g) + weight_decay * w
        if momentum:
            v = d if step == 1 else momentum * state["v"] + (1 - dampening) * d
            state["v"] = v
            d = d + momentum * v if nesterov else v
        return w - lr * d

    return rule


def adam_rule(
    lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, amsgrad=False, maximize=False,
    decoupled_weight_decay=False,
):  # fmt: skip
    def rule(w: Array, g: Array, state: dict[str, Array], step: int) -> Array:
        g = -g if maximize else g
        if decoupled_weight_decay:
            w = w * (1 - lr * weight_decay)
        else:
            g = g + weight_decay * w
        m = betas[0] * state.get("m", 0.0) + (1 - betas[0]) * g
        v = betas[1] * state.get("v", 0.0) + (1 - betas[1]) * g * g
        state["m"], state["v"] = m, v
        if amsgrad:
            v = state["largest"] = np.maximum(state.get("largest", 0.0), v)
        m_hat, v_hat = m / (1 - betas[0] ** step), v / (1 - betas[1] ** step)
        return w - lr * m_hat / (np.sqrt(v_hat) + eps)

    return rule


def adamw_rule(weight_decay=1e-2, **options: Any):
    return adam_rule(weight_decay=weight_decay, decoupled_weight_decay=True, **options)


def adagrad_rule(
    lr=1e-2, lr_decay=0.0, weight_decay=0.0, initial_accumulator_value=0.0, eps=1e-10,
    maximize=False,
):  # fmt: skip
    def rule(w: Array, g: Array, state: dict[str, Array], step: int) -> Array:
        g = (-g if maximize else g) + weight_decay * w
        state["s"] = state.get("s", initial_accumulator_value) + g * g
        return w - lr / (1 + (step - 1) * lr_decay) * g / (np.sqrt(state["s"]) + eps)

    return rule


def rmsprop_rule(
    lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0.0, momentum=0.0, centered=False, maximize=False
):
    def rule(w: Array, g: Array, state: dict[str, Array], step: int) -> Array:
        g = (-g if maximize else g) + weight_decay * w
        s = state["s"] = alpha * state.get("s", 0.0) + (1 - alpha) * g * g
        if centered:
            state["mean"] = alpha * state.get("mean", 0.0) + (1 - alpha) * g
            s = np.maximum(s - state["mean"] ** 2, 0)
        d = g / (np.sqrt(s) + eps)
        if momentum:
            d = state["u"] = momentum * state.get("u", 0.0) + d
        return w - lr * d

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


def _bad_flags(who: str, *names: str) -> tuple[tuple[dict[str, Any], type[Exception], str], ...]:
    """Options that are neither True nor False, and the one that is not supported."""
    rows: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({name: value}, TypeError, rf"{who}: expected {name} to be True or False, got {value!r}")
        for name in (*names, "maximize", "differentiable")
        for value in ("no", 1, None)
    ]
    rows += [
        ({"foreach": "yes"}, TypeError, rf"{who}: expected foreach to be True or False"),
        ({"differentiable": True}, ValueError, rf"{who}: differentiable=True is not supported"),
        ({"lr": Tensor.of(np.array(0.1))}, TypeError, rf"{who}: expected lr .* pass lr\.item\(\)"),
    ]
    return tuple(rows)


RULES = {
    optim.SGD: sgd_rule, optim.Adagrad: adagrad_rule, optim.RMSprop: rmsprop_rule,
    optim.Adam: adam_rule, optim.AdamW: adamw_rule,
}  # fmt: skip


def _betas(who: str) -> tuple[tuple[dict[str, Any], type[Exception], str], ...]:
    return (
        ({"betas": (1.0, 0.9)}, ValueError, rf"{who}: expected 0 <= beta1 < 1, got 1\.0"),
        ({"betas": (0.9, -0.1)}, ValueError, rf"{who}: expected 0 <= beta2 < 1, got -0\.1"),
        ({"betas": (0.9, float("nan"))}, ValueError, rf"{who}: .*beta2 < 1, got nan"),
        ({"betas": (0.9,)}, ValueError, rf"{who}: expected two betas, got \(0\.9,\)"),
        ({"betas": ("a", 0.9)}, TypeError, rf"{who}: expected beta1 .*number, got 'a'"),
    )


BAD_OPTIONS: dict[type, tuple[tuple[dict[str, Any], type[Exception], str], ...]] = {
    optim.SGD: (
        *_bad_numbers("SGD", "lr", "momentum", "dampening", "weight_decay"),
        *_bad_flags("SGD", "nesterov"),
        ({"nesterov": True}, ValueError, r"SGD: nesterov needs momentum > 0"),
        (
            {"nesterov": True, "momentum": 0.9, "dampening": 0.1},
            ValueError,
            r"SGD: nesterov needs .*dampening = 0, got momentum=0\.9, dampening=0\.1",
        ),
    ),
    optim.Adagrad: (
        *_bad_numbers(
            "Adagrad", "lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps"
        ),
        *_bad_flags("Adagrad"),
    ),
    optim.RMSprop: (
        *_bad_numbers("RMSprop", "lr", "alpha", "eps", "weight_decay", "momentum"),
        *_bad_flags("RMSprop", "centered"),
        ({"alpha": 1.1}, ValueError, r"RMSprop: expected 0 <= alpha <= 1, got 1\.1"),
    ),
    optim.Adam: (
        *_bad_numbers("Adam", "lr", "eps", "weight_decay"),
        *_bad_flags("Adam", "amsgrad"),
        *_betas("Adam"),
    ),
    optim.AdamW: (
        *_bad_numbers("AdamW", "lr", "eps", "weight_decay"),
        *_bad_flags("AdamW", "amsgrad"),
        *_betas("AdamW"),
    ),
}


def _row(
    cls: type[optim.Optimizer], id: str, rosenbrock: int = 0, valley: float = 0.0, **options: Any
) -> RuleCase:
    """A row for `cls` with options; `valley` is its learning rate for Rosenbrock's function."""
    options = {"lr": 0.05, **options}
    return RuleCase(
        f"{cls.__name__}-{id}",
        make=lambda params, **more: cls(params, **{**options, **more}),
        rule=RULES[cls](**options),
        rosenbrock=rosenbrock,
        lr=valley,
        bad_options=BAD_OPTIONS[cls] if id == "plain" else (),
        maximize=options.get("maximize", False),
    )


OPTIMIZERS = [
    _row(optim.SGD, "plain", 60_000, 1e-3),
    _row(optim.SGD, "momentum", 6_000, 1e-3, momentum=0.9),
    _row(optim.SGD, "dampening", 20_000, 1e-3, momentum=0.9, dampening=0.5),
    _row(optim.SGD, "nesterov", 6_000, 1e-3, momentum=0.9, nesterov=True),
    _row(optim.SGD, "weight-decay", weight_decay=0.1),
    _row(optim.SGD, "everything", momentum=0.8, dampening=0.3, weight_decay=0.01, maximize=True),
    _row(optim.Adagrad, "plain", 7_000, 0.5, lr=0.5),
    _row(optim.Adagrad, "lr-decay", 8_000, 1.0, lr=0.5, lr_decay=1e-4),
    _row(optim.Adagrad, "accumulator", 7_000, 0.5, lr=0.5, initial_accumulator_value=0.1, eps=1e-3),
    _row(optim.Adagrad, "everything", lr=0.5, lr_decay=0.01, weight_decay=0.1, maximize=True,
         initial_accumulator_value=1.0),
    _row(optim.RMSprop, "plain", 13_000, 3e-4),
    _row(optim.RMSprop, "alpha", 6_500, 1e-3, alpha=0.9, eps=1e-6),
    _row(optim.RMSprop, "momentum", 5_000, 5e-4, momentum=0.5),
    _row(optim.RMSprop, "centered", 6_500, 5e-4, centered=True),
    _row(optim.RMSprop, "weight-decay", weight_decay=0.1),
    _row(optim.RMSprop, "everything", momentum=0.5, centered=True, weight_decay=0.01,
         maximize=True, lr=0.01),
    _row(optim.Adam, "plain", 4_000, 0.02),
    _row(optim.Adam, "betas", 4_000, 0.02, betas=(0.8, 0.95), eps=1e-6),
    _row(optim.Adam, "weight-decay", weight_decay=0.1),
    _row(optim.Adam, "no-memory", betas=(0.0, 0.0)),
    _row(optim.Adam, "amsgrad", 3_000, 0.05, amsgrad=True),
    _row(optim.Adam, "everything", amsgrad=True, weight_decay=0.1, maximize=True),
    _row(optim.AdamW, "plain"),
    _row(optim.AdamW, "no-decay", 4_000, 0.02, weight_decay=0.0),
    _row(optim.AdamW, "everything", betas=(0.8, 0.95), weight_decay=0.1, amsgrad=True,
         maximize=True),
]  # fmt: skip
