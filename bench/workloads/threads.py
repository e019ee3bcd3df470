"""One thread against all: large nets gain, small ones must not lose."""

from __future__ import annotations

from harness import Case, Entry, Group, contestant
from numpy_reference import MNIST_SIZES
from training.contestants import fastnn_compiled
from training.problem import Problem, check

__all__ = ["CONTESTANTS", "check", "groups"]


@contestant("all threads", needs=("fastnn",), ours=True)
def all_threads(case: Case) -> Entry:
    return fastnn_compiled.build(case)


@contestant("1 thread", needs=("fastnn",), threads=1)
def one_thread(case: Case) -> Entry:
    return fastnn_compiled.build(case)


CONTESTANTS = [all_threads, one_thread]


def groups(quick: bool) -> list[Group]:
    steps = 100 if quick else 1000
    problems = [
        Problem(MNIST_SIZES, 100, 30 if quick else 600, "adam", 1e-3, "mnist"),
        *(Problem((20, 128, 256, 4), batch, steps) for batch in (8, 32, 200)),
        Problem((64, 64, 10), 32, steps),
        Problem((13, 32, 3), 16, steps),
        Problem((2, 2, 2), 1, steps),
    ]
    cases = [problem.case(f"{problem}, batch {problem.batch}") for problem in problems]
    title = "fastnn compiled with all threads, and with one"
    rounds = 1 if quick else 9
    return [Group(title, cases, view="transposed", each="step", rounds=rounds)]
