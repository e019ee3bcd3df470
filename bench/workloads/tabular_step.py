"""A step on a small net, 20-128-256-4 with Adam, and what a step costs without its arithmetic."""

from __future__ import annotations

from harness import Group
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
SIZES = (20, 128, 256, 4)
BATCHES = (8, 32, 200)
TINY = (2, 2, 2)


def groups(quick: bool) -> list[Group]:
    nets = [Problem(SIZES, batch, 200 if quick else 1000) for batch in BATCHES]
    tiny = Problem(TINY, 1, 1000 if quick else 20000)
    rounds = 1 if quick else 7
    return [
        Group(
            f"Training {nets[0]}, Adam",
            [net.case(f"batch {net.batch}") for net in nets],
            view="matrix",
            each="step",
            rounds=rounds,
        ),
        Group(
            f"Overhead of a step: {tiny}, batch 1, {tiny.steps} steps",
            [tiny.case("batch 1")],
            view="matrix",
            each="step",
            rounds=rounds,
            # With so many steps that starting an epoch does not show, the others take minutes.
            only=(fastnn_compiled.name, fastnn_eager.name, jax_scan.name),
        ),
    ]
