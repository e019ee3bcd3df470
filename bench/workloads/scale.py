"""What a step costs as the rows, the layers' width, their number or the batch grow."""

from __future__ import annotations

from collections.abc import Iterable

from harness import Group
from numpy_reference import MNIST_SIZES
from training.contestants import fastnn_compiled, torch_fused
from training.problem import Problem, check

__all__ = ["CONTESTANTS", "check", "groups"]

CONTESTANTS = [fastnn_compiled, torch_fused]
ROWS = (6_000, 20_000, 60_000, 200_000, 600_000)
WIDTHS = (64, 128, 256, 512, 1024, 2048, 4096)
DEPTHS = (1, 2, 4, 8, 16, 32)
BATCHES = (1, 4, 16, 100, 256, 1024, 4096)
RUN_FLOPS = 1e11  # of a run: long enough that the start of a training does not show
FEWEST, MOST = 30, 1000  # steps a run


def groups(quick: bool) -> list[Group]:
    rows = [(n, Problem(MNIST_SIZES, 100, n // 100)) for n in (ROWS[:1] if quick else ROWS)]
    widths, depths, batches = (
        values[:2] if quick else values for values in (WIDTHS, DEPTHS, BATCHES)
    )
    wide = {optimizer: [(n, _run(quick, (784, n, n, 10), 100, optimizer)) for n in widths]
            for optimizer in ("adam", "sgd")}  # fmt: skip
    deep = [(n, _run(quick, (784, *[256] * n, 10), 100)) for n in depths]
    batch = [(n, _run(quick, MNIST_SIZES, n)) for n in batches]
    only_ours = (fastnn_compiled.name,)
    return [
        _group("784-512-512-10, Adam, batch 100", "rows", rows, quick, "row", only_ours),
        _group("784-w-w-10, Adam, batch 100", "width w", wide["adam"], quick),
        _group("784-w-w-10, plain SGD, batch 100", "width w", wide["sgd"], quick),
        _group("784, d layers of 256, 10, Adam, batch 100", "depth d", deep, quick),
        _group("784-512-512-10, Adam", "batch", batch, quick),
    ]


def _run(quick: bool, sizes: tuple[int, ...], batch: int, optimizer: str = "adam") -> Problem:
    """Take so many steps that a run has about RUN_FLOPS."""
    steps = int(RUN_FLOPS / Problem(sizes, batch, 1).step_flops)
    bounded = max(FEWEST, min(MOST, steps))
    return Problem(sizes, batch, 5 if quick else bounded, "sgd" if optimizer == "sgd" else "adam")


def _group(
    title: str,
    axis: str,
    sweep: Iterable[tuple[int, Problem]],
    quick: bool,
    each: str = "step",
    only: tuple[str, ...] | None = None,
) -> Group:
    return Group(
        title,
        [
            problem.case(f"{axis} {size}", float(size), rows=each == "row")
            for size, problem in sweep
        ],
        view="sizes",
        each=each,
        axis=axis,
        rounds=1 if quick else 3,
        only=only,
    )
