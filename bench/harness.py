"""Turn-by-turn timing of contestants, each in a process of its own.

A workload is a file in `bench/workloads/` with

    def groups(quick: bool) -> list[Group]     the cases, and how they are timed and shown
    def check(case, answer) -> None            raises `WrongAnswerError`; runs before any timing
    @contestant("name", needs=("torch",))      one function per rival
    def torch_eager(case) -> Entry: ...
    CONTESTANTS = [torch_eager, ...]           in the order of the tables
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any, Literal, Self

import machine
from results import SLOWER, CaseResult, GroupResult, Measured, WorkloadResult
from worker import UnavailableError, Worker, WrongAnswerError

__all__ = [
    "Case",
    "Contestant",
    "Entry",
    "Group",
    "Session",
    "UnavailableError",
    "WrongAnswerError",
    "contestant",
    "load_workload",
    "summary",
    "workload_names",
]

SAMPLES_PER_TURN = 5
LONG_RUN = 0.1  # seconds; longer runs are timed once a turn, from cold
PEAK_EVERY = 2.0  # seconds between two measurements of the peak, which take 0.2 s


@dataclass(frozen=True)
class Case:
    """One problem to solve.

    Args:
        name: As printed.
        flops: The arithmetic of one run; 0 where that is not the point.
        params: What the contestants of the workload look at.
        count: How many equal parts a run has, where tables show what one of them needs.
        size: Where the case lies on the axis of a sweep.
    """

    name: str
    flops: float
    params: dict[str, Any]
    count: int = 1
    size: float = 0.0


@dataclass(frozen=True)
class Group:
    """Cases that are timed alike and shown in one table.

    Args:
        view: Which table, a key of `views.VIEWS`.
        quantity: What is measured; anything but seconds is measured by the contestants.
        each: What one of the `count` parts of a run is called: "step", "row".
        axis: What the `size` of a sweep's cases is.
        rounds: Turns of each contestant.
        turn_seconds: Short runs are repeated to fill this time, or a little more, in each turn.
        cases_per_turn: Where cases are short and many, a turn that takes several of them saves
            most of the waiting for threads to go to sleep.
        retries: How often the rounds are repeated while ours does not win by 10 %. All turns
            count, and near wins are measured again as well as losses, so that noise is as
            likely to be found out when it helps us as when it hurts.
        only: Names of the contestants that take part; all by default.
    """

    title: str
    cases: Sequence[Case]
    view: Literal["contestants", "matrix", "transposed", "rates", "sizes", "losses"]
    quantity: Literal["seconds", "bytes"] = "seconds"
    each: str = ""
    axis: str = ""
    rounds: int = 7
    turn_seconds: float = 0.05
    cases_per_turn: int = 1
    retries: int = 0
    only: tuple[str, ...] | None = None


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Entry:
    """A contestant that is ready for one case.

    Args:
        run: What is timed.
        answer: Solves the problem, or a part of it, for `check`; not timed.
        prepare: Called before each turn, not timed.
        measures: Whether `run` returns the value itself, and is not timed.
    """

    run: Callable[[], Any]
    answer: Callable[[], Any]
    prepare: Callable[[], object] = _nothing
    measures: bool = False


@dataclass(frozen=True)
class Contestant:
    name: str
    build: Callable[[Case], Entry]
    needs: tuple[str, ...]
    ours: bool
    slow: bool
    threads: int | None

    def missing(self) -> str | None:
        """Return the first needed module that is not installed."""
        return next((module for module in self.needs if find_spec(module) is None), None)


def contestant(
    name: str,
    *,
    needs: tuple[str, ...],
    ours: bool = False,
    slow: bool = False,
    threads: int | None = None,
) -> Callable[[Callable[[Case], Entry]], Contestant]:
    """Make a contestant of a function that builds an `Entry`.

    Args:
        name: As printed.
        needs: Modules without which it is left out.
        ours: The rivals are compared with it.
        slow: Takes part only when asked for with `--slow`.
        threads: At most so many, where the rest of the session may have more.
    """
    return lambda build: Contestant(name, build, needs, ours, slow, threads)


def workload_names() -> list[str]:
    """Every file in `bench/workloads/`."""
    folder = Path(__file__).parent / "workloads"
    return sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))


def load_workload(name: str) -> ModuleType:
    return importlib.import_module(f"workloads.{name}")


def summary(name: str) -> str:
    """Return the first line of a workload's file."""
    return (load_workload(name).__doc__ or "").partition("\n")[0]


class Stand:
    """One entry with its timer; built, it has been warmed up."""

    def __init__(self, entry: Entry, turn_seconds: float) -> None:
        self._entry = entry
        self._samples, self._calls = 1, 1
        if entry.measures:
            return
        entry.prepare()
        if self._sample() < LONG_RUN:
            self._samples = SAMPLES_PER_TURN
            while self._calls * self._quickest() < turn_seconds / SAMPLES_PER_TURN:
                self._calls *= 2

    def turn(self) -> float:
        """Take one turn; returns the median seconds per run, or what the entry measured."""
        self._entry.prepare()
        if self._entry.measures:
            return float(self._entry.run())
        if self._samples > 1:
            self._sample()  # untimed: wakes the threads and warms the caches
        return median(self._sample() for _ in range(self._samples))

    def _quickest(self) -> float:
        return min(self._sample() for _ in range(3))

    def _sample(self) -> float:
        run, calls = self._entry.run, range(self._calls)
        start = time.perf_counter()
        for _ in calls:
            run()
        return (time.perf_counter() - start) / self._calls


class Booth:
    """The worker's side of a contestant."""

    def __init__(self, workload: str, name: str, threads: int) -> None:
        self._workload = load_workload(workload)
        named = {each.name: each for each in self._workload.CONTESTANTS}
        self._contestant = named[name]
        self._threads = threads
        self._stands: list[Stand] = []

    def enter(self, cases: Sequence[Case], turn_seconds: float) -> None:
        """Build the entries, check their answers and warm them up; the cases before are over."""
        self._stands = []
        for case in cases:
            entry = self._contestant.build(case)
            machine.limit_libraries(self._threads)
            try:
                self._workload.check(case, entry.answer())
            except WrongAnswerError as error:
                raise WrongAnswerError(f"{self._contestant.name}, {case.name}: {error}") from None
            self._stands.append(Stand(entry, turn_seconds))

    def turn(self, numbers: Sequence[int]) -> list[float]:
        """Take a turn at the cases of these numbers; returns seconds per run of each."""
        return [self._stands[number].turn() for number in numbers]


@dataclass
class Session:
    """Runs workloads and keeps what concerns them all: the peak and who was left out.

    Args:
        threads: For every contestant.
        rounds: Turns of each contestant; None leaves it to the group.
        quick: Asks workloads for less work.
        slow: Lets contestants marked `slow` take part.
    """

    threads: int
    rounds: int | None = None
    quick: bool = False
    slow: bool = False
    peaks: list[float] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> Self:
        machine.limit_environment(self.threads)
        self.facts = machine.describe(self.threads)
        if self.quick:
            self.facts["mode"] = "a quick run, which says nothing about speed"
        self._peak_due = 0.0
        self._meter: Worker | None = None
        self._stack = ExitStack()
        try:
            meter = Worker(self.threads, machine.PeakMeter, self.threads)
            self._meter = self._stack.enter_context(meter)
            self.facts |= self._meter.call("facts")
        except UnavailableError as reason:
            self._leave_out("FMA peak", str(reason))
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def run(self, name: str) -> WorkloadResult:
        """Time one workload; raise `WrongAnswerError` where a contestant fails its check."""
        workload = load_workload(name)
        with ExitStack() as stack:
            workers: dict[Contestant, Worker] = {}
            for each in self._present(workload.CONTESTANTS):
                threads = min(self.threads, each.threads or self.threads)
                worker = Worker(threads, Booth, name, each.name, threads)
                workers[each] = stack.enter_context(worker)
            groups = [self._group(group, workers) for group in workload.groups(self.quick)]
        return WorkloadResult(name, groups)

    def _present(self, contestants: Iterable[Contestant]) -> Iterator[Contestant]:
        for each in contestants:
            if each.slow and not self.slow:
                self._leave_out(each.name, "takes part with --slow")
            elif missing := each.missing():
                self._leave_out(each.name, f"{missing} is not installed")
            else:
                yield each

    def _group(self, group: Group, workers: dict[Contestant, Worker]) -> GroupResult:
        results: list[CaseResult] = []
        for start in range(0, len(group.cases), group.cases_per_turn):
            cases = group.cases[start : start + group.cases_per_turn]
            _progress(f"{group.title}: {start + 1} of {len(group.cases)}: {cases[0].name}")
            results += self._time(cases, group, self._enter(cases, group, workers))
        self._measure_peak()
        _progress("")
        return GroupResult(group.title, group.view, group.quantity, group.each, group.axis, results)

    def _enter(
        self, cases: Sequence[Case], group: Group, workers: dict[Contestant, Worker]
    ) -> dict[Contestant, Worker]:
        """Give everyone the cases; who cannot run them is out of the workload for good."""
        entered = {}
        for each, worker in list(workers.items()):
            if group.only is not None and each.name not in group.only:
                continue
            try:
                worker.call("enter", cases, group.turn_seconds)
                entered[each] = worker
            except UnavailableError as reason:
                self._leave_out(each.name, str(reason))
                del workers[each]
        return entered

    def _time(
        self, cases: Sequence[Case], group: Group, workers: dict[Contestant, Worker]
    ) -> list[CaseResult]:
        results = [
            CaseResult(
                case.name,
                case.flops,
                [Measured(each.name, each.ours, []) for each in workers],
                case.count,
                case.size,
            )
            for case in cases
        ]
        unclear = list(range(len(cases)))
        for _ in range(1 + group.retries):
            for number in range(self.rounds or group.rounds):
                self._measure_peak()
                places = list(enumerate(workers.values()))
                # There and back, so that nobody always follows the same.
                for place, worker in places if number % 2 == 0 else reversed(places):
                    values = worker.call("turn", unclear)
                    for index, value in zip(unclear, values, strict=True):
                        results[index].measured[place].values.append(value)
            ratios = [(index, results[index].worst_ratio()) for index in unclear]
            unclear = [index for index, ratio in ratios if ratio is not None and ratio < SLOWER]
            if not unclear:
                break
        return results

    def _measure_peak(self) -> None:
        if self._meter and time.perf_counter() >= self._peak_due:
            self.peaks.append(self._meter.call("measure"))
            self._peak_due = time.perf_counter() + PEAK_EVERY

    def _leave_out(self, name: str, reason: str) -> None:
        line = f"left out: {name} ({reason})"
        if line not in self.left_out:
            self.left_out.append(line)
            _progress("")
            print(line, flush=True)


def _progress(text: str) -> None:
    """One line on a terminal that the next call overwrites; nothing in a log."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text[:100]}", end="", file=sys.stderr, flush=True)
