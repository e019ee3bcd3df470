"""The table: one row gives a class its forward, gradient, repr, pickle, state and error tests.

To add a layer, activation or loss, add a `ModuleCase`; to add an optimizer, a `RuleCase`. The
formulas are float64 NumPy, written from the papers and not from the code.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn import nn, optim

Array = np.ndarray[Any, Any]


# --- layers, activations, losses ---


@dataclass(frozen=True)
class Labels:
    """An input of `n` class labels, which has no gradient."""

    n: int
    classes: int

    def draw(self, rng: np.random.Generator) -> Array:
        return rng.integers(0, self.classes, self.n)


@dataclass(frozen=True)
class ModuleCase:
    """A module with all that its tests need.

    Attributes:
        id: Name of the tests.
        make: Builds the module.
        inputs: A shape, drawn from the normal distribution, or `Labels`, for each input.
        reference: The formula, of the inputs and the parameters by name (dots as underscores).
        repr: What repr() shows.
        smooth: False where the gradient jumps at 0; inputs then keep away from it.
        errors: (inputs, exception, pattern of its message) of calls that must fail.
        bad_arguments: (class, arguments, exception, pattern) of constructors that must fail.
    """

    id: str
    make: Callable[[], nn.Module]
    inputs: tuple[Any, ...]
    reference: Callable[..., Array]
    repr: str
    smooth: bool = True
    errors: tuple[tuple[tuple[Any, ...], type[Exception], str], ...] = ()
    bad_arguments: tuple[tuple[type, tuple[Any, ...], type[Exception], str], ...] = ()

    def draw(self, seed: int = 0) -> list[Array]:
        """Random inputs, the same for the same seed."""
        rng = np.random.default_rng(seed)
        drawn = []
        for spec in self.inputs:
            if isinstance(spec, Labels):
                drawn.append(spec.draw(rng))
                continue
            x = rng.standard_normal(spec)
            drawn.append(x if self.smooth else x + np.copysign(0.1, x))
        return drawn


def linear(x: Array, weight: Array, bias: Array | float = 0.0) -> Array:
    return x @ weight.T + bias


def relu(x: Array) -> Array:
    return np.where(x > 0, x, 0.0)


def cross_entropy(z: Array, labels: Array) -> Array:
    z = z - z.max(axis=1, keepdims=True)
    return np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(z)), labels]


def _two_layers(x: Array, **p: Array) -> Array:
    return linear(relu(linear(x, p["_0_weight"], p["_0_bias"])), p["_2_weight"], p["_2_bias"])


_CE_ERRORS = (
    ((np.zeros((2, 3)), np.array([0, 3])), IndexError, r"label in 0 \.\. 2, got 3 in row 1"),
    ((np.zeros((2, 3)), np.array([-1, 0])), IndexError, r"label in 0 \.\. 2, got -1 in row 0"),
    ((np.zeros((2, 3)), np.array([0.0, 1.0])), TypeError, r"integer class labels, got float64"),
    ((np.zeros((2, 3)), np.array([0])), ValueError, r"2 labels of shape \(2,\).*\(1,\)"),
    ((np.zeros((2, 3)), np.zeros((2, 1), int)), ValueError, r"2 labels of shape.*\(2, 1\)"),
    ((np.zeros((0, 3)), np.zeros(0, int)), ValueError, r"N > 0, got \(0, 3\)"),
    ((np.zeros(3), np.array(1)), ValueError, r"shape \(N, classes\).*got \(3,\)"),
)

MODULES = [
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
        "ReLU",
        make=nn.ReLU,
        inputs=((3, 7),),
        reference=relu,
        repr="ReLU()",
        smooth=False,
        errors=(
            ((np.zeros(3, np.int64),), TypeError, r"float32 or float64, got an array of int64"),
            ((np.zeros(3, complex),), TypeError, r"real numbers, got an array of complex128"),
            (("text",), TypeError, r"real numbers, got str 'text'"),
        ),
    ),
    ModuleCase(
        "ReLU-4d",
        make=nn.ReLU,
        inputs=((2, 3, 2, 2),),
        reference=relu,
        repr="ReLU()",
        smooth=False,
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
        "CrossEntropyLoss-mean",
        make=nn.CrossEntropyLoss,
        inputs=((5, 3), Labels(5, 3)),
        reference=lambda z, labels: cross_entropy(z, labels).mean(),
        repr="CrossEntropyLoss()",
        errors=_CE_ERRORS,
    ),
    ModuleCase(
        "CrossEntropyLoss-sum",
        make=lambda: nn.CrossEntropyLoss(reduction="sum"),
        inputs=((4, 10), Labels(4, 10)),
        reference=lambda z, labels: cross_entropy(z, labels).sum(),
        repr="CrossEntropyLoss()",
        errors=_CE_ERRORS,
    ),
    ModuleCase(
        "CrossEntropyLoss-none",
        make=lambda: nn.CrossEntropyLoss(reduction="none"),
        inputs=((4, 19), Labels(4, 19)),
        reference=cross_entropy,
        repr="CrossEntropyLoss()",
        errors=_CE_ERRORS,
    ),
    ModuleCase(
        "CrossEntropyLoss-one-class",
        make=nn.CrossEntropyLoss,
        inputs=((3, 1), Labels(3, 1)),
        reference=lambda z, labels: 0.0 * z.sum(),
        repr="CrossEntropyLoss()",
    ),
]


# --- optimizers ---


@dataclass(frozen=True)
class RuleCase:
    """An optimizer with options, and its update rule.

    Attributes:
        id: Name of the tests.
        make: Builds the optimizer of some parameters; further options by keyword.
        rule: (w, gradient, state, step from 1) -> new w; `state` is a dict of its own to keep.
        rosenbrock: Steps to Rosenbrock's minimum from (-1.2, 1); 0 where the rule has another
            minimum or none.
        lr: Learning rate for Rosenbrock's valley.
        bad_options: (options, exception, pattern of its message).
    """

    id: str
    make: Callable[..., optim.Optimizer]
    rule: Callable[[Array, Array, dict[str, Array], int], Array]
    rosenbrock: int
    lr: float
    bad_options: tuple[tuple[dict[str, Any], type[Exception], str], ...] = ()


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
