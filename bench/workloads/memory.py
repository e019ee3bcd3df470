"""Peak memory of a training on MNIST, and what a training step takes anew once it is warm."""

from __future__ import annotations

import json
import platform
import re
from functools import cache
from pathlib import Path
from typing import Any

from harness import Case, Entry, Group, UnavailableError, WrongAnswerError, contestant
from processes import run_python
from training import problem

PROGRAMS = Path(__file__).parents[1] / "programs"
LEAST_ACCURACY = 85.0  # percent after an epoch; 128 hidden neurons reach 95
# Every block of a page or more is mapped by itself, and unmapped when it is freed.
PAGEWISE = {
    "PYTHONMALLOC": "malloc",
    "NUMPY_MADVISE_HUGEPAGE": "0",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_MAX_": "60000",
    "MALLOC_MMAP_THRESHOLD_": "4096",
    "MALLOC_TOP_PAD_": "0",
    "MALLOC_TRIM_THRESHOLD_": "0",
}


def groups(quick: bool) -> list[Group]:
    width = 64 if quick else 512
    steps = 5 if quick else 100
    peak = Case("peak resident", 0.0, {"width": width})
    net = problem.Problem((784, width, width, 10), 100, 3 * steps)
    title = f"Training {net}, Adam, batch 100, once warm"
    cases = [
        Case(name, 0.0, {"value": value, "width": width, "steps": steps, "problem": net})
        for name, value in (("taken anew", "fresh"), ("not given back", "growth"))
    ]
    return [
        Group(
            f"One epoch of MNIST 784-{width}-{width}-10, then its test rows",
            [peak],
            view="matrix",
            quantity="bytes",
            rounds=1 if quick else 3,
            only=tuple(each.name for each in WHOLE),
        ),
        Group(
            title,
            cases,
            view="matrix",
            quantity="bytes",
            each="step",
            rounds=1,
            only=tuple(each.name for each in STEPS),
        ),
    ]


def check(case: Case, answer: dict[str, Any]) -> None:
    """See the accuracy that a whole program printed, or the losses of the first steps."""
    if "output" not in answer:
        problem.check(case, answer)
        return
    found = re.search(r"test accuracy: (\d+\.\d+) %\s*$", answer["output"])
    if not found or float(found[1]) < LEAST_ACCURACY:
        raise WrongAnswerError(f"expected {LEAST_ACCURACY} % or more, got {answer['output']}")


@contestant("fastnn mnist", needs=("fastnn",), ours=True)
def fastnn_mnist(case: Case) -> Entry:
    width = case.params["width"]
    return _whole(["-m", "fastnn", "mnist", "--epochs", "1", "--hidden", f"{width},{width}"])


@contestant("torch", needs=("torch",))
def torch(case: Case) -> Entry:
    return _whole([str(PROGRAMS / "mnist_torch.py"), str(case.params["width"])])


@contestant("jax", needs=("jax",))
def jax(case: Case) -> Entry:
    return _whole([str(PROGRAMS / "mnist_jax.py"), str(case.params["width"])])


@contestant("scikit-learn", needs=("sklearn",))
def sklearn(case: Case) -> Entry:
    return _whole([str(PROGRAMS / "mnist_sklearn.py"), str(case.params["width"])])


def _whole(arguments: list[str]) -> Entry:
    """Make an entry of a program that trains on MNIST and says how well it did."""
    return Entry(
        run=lambda: run_python(arguments).own_peak_bytes(),
        answer=lambda: {"output": run_python(arguments).output},
        measures=True,
    )


@contestant("fastnn compiled", needs=("fastnn",), ours=True)
def fastnn_compiled(case: Case) -> Entry:
    return _stepwise(case, "fastnn_compiled")


@contestant("fastnn eager", needs=("fastnn",), ours=True)
def fastnn_eager(case: Case) -> Entry:
    return _stepwise(case, "fastnn_eager")


@contestant("numpy reference", needs=("numpy",))
def numpy_loop(case: Case) -> Entry:
    return _stepwise(case, "numpy_loop")


@contestant("torch eager", needs=("torch",))
def torch_eager(case: Case) -> Entry:
    return _stepwise(case, "torch_eager")


@contestant("jax, epoch in lax.scan", needs=("jax",))
def jax_scan(case: Case) -> Entry:
    return _stepwise(case, "jax_scan")


def _stepwise(case: Case, name: str) -> Entry:
    if platform.libc_ver()[0] != "glibc":
        raise UnavailableError("the memory of steps is measured with glibc's malloc")
    arguments = (name, str(case.params["width"]), str(case.params["steps"]))
    return Entry(
        run=lambda: _step_memory(*arguments)[case.params["value"]],
        answer=lambda: _step_memory(*arguments)["answer"],
        measures=True,
    )


@cache
def _step_memory(*arguments: str) -> dict[str, Any]:
    """Run the program, which measures everything at once."""
    program = str(PROGRAMS / "step_memory.py")
    outcome: dict[str, Any] = json.loads(run_python([program, *arguments], PAGEWISE).output)
    return outcome


WHOLE = [fastnn_mnist, torch, jax, sklearn]
STEPS = [fastnn_compiled, fastnn_eager, numpy_loop, torch_eager, jax_scan]
CONTESTANTS = [*WHOLE, *STEPS]
