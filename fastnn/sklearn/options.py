"""An estimator's parameters, checked when it is fitted: its constructor must take anything."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from fastnn.callbacks import Callback
from fastnn.options import (
    above_zero,
    at_least_zero,
    flag,
    fraction,
    integer,
    is_number,
    one_of,
    share,
    whole,
)
from fastnn.sklearn.network import ACTIVATIONS

__all__ = ["LOSSES", "Options"]

LOSSES = ("squared_error", "absolute_error", "huber", "quantile", "poisson")

_NOT_FOR_LBFGS = ("dropout", "batch_norm", "scheduler", "callbacks")


@dataclass(frozen=True)
class Options:
    """What an estimator was asked for. The names are its parameters', but for these.

    Attributes:
        hidden: Sizes of the hidden layers.
        activations: One name for each of them.
        last_activation: What the first weights of the output layer are drawn for.
        dropout: One share for each hidden layer.
    """

    hidden: tuple[int, ...]
    activations: tuple[str, ...]
    last_activation: str
    dropout: tuple[float, ...]
    solver: str
    alpha: float
    batch_size: int | None
    learning_rate: str
    learning_rate_init: float
    power_t: float
    max_iter: int
    shuffle: bool
    tol: float
    verbose: int
    warm_start: bool
    momentum: float
    nesterovs_momentum: bool
    early_stopping: bool
    validation_fraction: float
    beta_1: float
    beta_2: float
    epsilon: float
    n_iter_no_change: float
    max_fun: int
    batch_norm: bool
    scheduler: Callable[[Any], Any] | None
    callbacks: tuple[Callback, ...]
    n_threads: int | None

    @classmethod
    def of(cls, who: str, given: Mapping[str, Any]) -> Options:
        """The options among an estimator's parameters.

        Raises:
            ValueError: for one that is out of range, or that the solver cannot have.
            TypeError: for one of another kind.
        """
        hidden = _sizes(who, given["hidden_layer_sizes"])
        activations, last = _activations(who, given["activation"], len(hidden))
        options = cls(
            hidden=hidden,
            activations=activations,
            last_activation=last,
            dropout=_dropout(who, given["dropout"], len(hidden)),
            **{name: check(who, name, given[name]) for name, check in _CHECKS.items()},
        )
        _check_together(who, options)
        return options


def _check_together(who: str, options: Options) -> None:
    changes = options.solver == "sgd" and options.learning_rate != "constant"
    if options.scheduler is not None and changes:
        raise ValueError(
            f"{who}: expected either a scheduler or learning_rate={options.learning_rate!r}, "
            "got both"
        )
    if options.solver == "lbfgs":
        for name in _NOT_FOR_LBFGS:
            value = getattr(options, name)
            if any(value) if isinstance(value, tuple) else value:
                raise ValueError(
                    f"{who}: solver='lbfgs' takes no {name}; 'adam' or another solver by "
                    "mini-batches does"
                )


# --- of one parameter ---


def _sizes(who: str, value: Any) -> tuple[int, ...]:
    sizes = value if isinstance(value, Sequence | np.ndarray) else (value,)
    return tuple(whole(who, "hidden_layer_sizes", size, 1) for size in sizes)


def _activations(who: str, value: Any, layers: int) -> tuple[tuple[str, ...], str]:
    names = [value] * layers if isinstance(value, str) else _each(who, "activation", value, layers)
    for name in names or [value]:
        if isinstance(name, str):
            one_of(who, "activation", name, *ACTIVATIONS)
        elif names:
            raise TypeError(f"{who}: expected names as activation, got {name!r}")
    last = value if isinstance(value, str) else names[-1] if names else "identity"
    return tuple(names), last


def _dropout(who: str, value: Any, layers: int) -> tuple[float, ...]:
    each = [value] * layers if is_number(value) else _each(who, "dropout", value, layers)
    return tuple(fraction(who, "dropout", p) for p in each)


def _each(who: str, name: str, value: Any, layers: int) -> list[Any]:
    if not isinstance(value, Sequence | np.ndarray):
        raise TypeError(f"{who}: expected {name} for all hidden layers, or a list of one for each, "
                        f"got {value!r}")  # fmt: skip
    if len(value) != layers:
        raise ValueError(
            f"{who}: expected one {name} for each of {layers} hidden layers, got {value!r}"
        )
    return list(value)


def _choice(*choices: str) -> Callable[[str, str, Any], str]:
    return lambda who, name, value: one_of(who, name, value, *choices)


def _batch_size(who: str, name: str, value: Any) -> int | None:
    if isinstance(value, str):
        one_of(who, name, value, "auto")
        return None
    return whole(who, name, value, 1)


def _patience(who: str, name: str, value: Any) -> float:
    return math.inf if value == math.inf else whole(who, name, value, 1)


def _verbose(who: str, name: str, value: Any) -> int:
    level = int(value) if isinstance(value, bool | np.bool_) else integer(who, name, value)
    return min(whole(who, name, level, 0), 1)


def _scheduler(who: str, name: str, value: Any) -> Callable[[Any], Any] | None:
    if value is not None and not callable(value):
        raise TypeError(
            f"{who}: expected {name} as a function from an optimizer to a schedule, such as "
            f"functools.partial(StepLR, step_size=10), got {value!r:.60}"
        )
    return value  # type: ignore[no-any-return]


def _callbacks(who: str, name: str, value: Any) -> tuple[Callback, ...]:
    listed = () if value is None else value
    if not isinstance(listed, list | tuple) or not all(isinstance(c, Callback) for c in listed):
        raise TypeError(
            f"{who}: expected a list of fastnn.callbacks.Callback objects as {name}, got {value!r}"
        )
    return tuple(listed)


def _threads(who: str, name: str, value: Any) -> int | None:
    return None if value is None else whole(who, name, value, 1)


_at_least_one = partial(whole, least=1)

_CHECKS: dict[str, Callable[[str, str, Any], Any]] = {
    "solver": _choice("adam", "adamw", "sgd", "rmsprop", "lbfgs"),
    "alpha": at_least_zero,
    "batch_size": _batch_size,
    "learning_rate": _choice("constant", "invscaling", "adaptive"),
    "learning_rate_init": above_zero,
    "power_t": at_least_zero,
    "max_iter": _at_least_one,
    "shuffle": flag,
    "tol": at_least_zero,
    "verbose": _verbose,
    "warm_start": flag,
    "momentum": share,
    "nesterovs_momentum": flag,
    "early_stopping": flag,
    "validation_fraction": fraction,
    "beta_1": fraction,
    "beta_2": fraction,
    "epsilon": above_zero,
    "n_iter_no_change": _patience,
    "max_fun": _at_least_one,
    "batch_norm": flag,
    "scheduler": _scheduler,
    "callbacks": _callbacks,
    "n_threads": _threads,
}
