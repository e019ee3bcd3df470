"""One epoch of MNIST: 784-512-512-10, ReLU, cross-entropy, batches of 100; Adam, and plain SGD."""

from __future__ import annotations

from harness import Group
from numpy_reference import MNIST_SIZES
from training.contestants import (
    fastnn_compiled,
    fastnn_eager,
    jax_scan,
    jax_step,
    numpy_loop,
    sklearn_fit,
    torch_compiled,
    torch_eager,
    torch_fused,
)
from training.problem import Problem, check

__all__ = ["CONTESTANTS", "check", "groups"]

CONTESTANTS = [
    fastnn_compiled,
    fastnn_eager,
    numpy_loop,
    torch_eager,
    torch_fused,
    torch_compiled,
    jax_step,
    jax_scan,
    sklearn_fit,
]


def groups(quick: bool) -> list[Group]:
    steps = 60 if quick else 600
    adam = Problem(MNIST_SIZES, 100, steps, "adam", 1e-3, "mnist")
    sgd = Problem(MNIST_SIZES, 100, steps, "sgd", 0.1, "mnist")
    return [_group("Adam", adam, quick), _group("plain SGD", sgd, quick)]


def _group(optimizer: str, problem: Problem, quick: bool) -> Group:
    title = f"MNIST {problem}, {optimizer}, batch {problem.batch}: {problem.steps} steps"
    return Group(title, [problem.case(optimizer)], view="contestants", rounds=1 if quick else 7)
