"""What a row of the table holds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn import nn, optim

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Labels:
    """An input of `n` class labels, which has no gradient."""

    n: int
    classes: int

    def draw(self, rng: np.random.Generator) -> Array:
        return rng.integers(0, self.classes, self.n)


@dataclass(frozen=True)
class Probabilities:
    """An input of probabilities, not too near 0 and 1."""

    shape: tuple[int, ...]

    def draw(self, rng: np.random.Generator) -> Array:
        return rng.uniform(0.05, 0.95, self.shape)


@dataclass(frozen=True)
class Counts:
    """A target of positive numbers on both sides of 1, not too near it."""

    shape: tuple[int, ...]

    def draw(self, rng: np.random.Generator) -> Array:
        return rng.integers(0, 6, self.shape) + rng.uniform(0.2, 0.8, self.shape)


@dataclass(frozen=True)
class SoftLabels:
    """An input of `n` rows with a probability for each class; they sum to 1."""

    n: int
    classes: int

    def draw(self, rng: np.random.Generator) -> Array:
        return rng.dirichlet(np.ones(self.classes), self.n)


@dataclass(frozen=True)
class ModuleCase:
    """A module with all that its tests need.

    Attributes:
        id: Name of the tests.
        make: Builds the module.
        inputs: For each input a shape, drawn from the normal distribution, or what draws it:
            `Counts`, `Labels`, `Probabilities`, `SoftLabels`.
        reference: The formula, of the inputs and the parameters and buffers by name (dots as
            underscores).
        repr: What repr() shows.
        training: The mode in which `make` leaves it.
        smooth: False where the gradient jumps at 0; inputs then keep away from it.
        errors: (inputs, exception, pattern of its message) of calls that must fail.
        bad_arguments: (class, arguments, exception, pattern) of constructors that must fail.
    """

    id: str
    make: Callable[[], nn.Module]
    inputs: tuple[Any, ...]
    reference: Callable[..., Array]
    repr: str
    training: bool = True
    smooth: bool = True
    errors: tuple[tuple[tuple[Any, ...], type[Exception], str], ...] = ()
    bad_arguments: tuple[tuple[type, tuple[Any, ...], type[Exception], str], ...] = ()

    def draw(self, seed: int = 0) -> list[Array]:
        """Random inputs, the same for the same seed."""
        rng = np.random.default_rng(seed)
        drawn = []
        for spec in self.inputs:
            if isinstance(spec, Counts | Labels | Probabilities | SoftLabels):
                drawn.append(spec.draw(rng))
                continue
            x = rng.standard_normal(spec)
            drawn.append(x if self.smooth else x + np.copysign(0.1, x))
        return drawn


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
        maximize: Whether it goes up.
    """

    id: str
    make: Callable[..., optim.Optimizer]
    rule: Callable[[Array, Array, dict[str, Array], int], Array]
    rosenbrock: int
    lr: float
    bad_options: tuple[tuple[dict[str, Any], type[Exception], str], ...] = ()
    maximize: bool = False
