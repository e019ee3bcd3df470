"""What a benchmark run found: dataclasses, their JSON, and the tables made of them."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any

SLOWER = 1.10  # a case counts as lost where ours takes more than this times the rival's seconds


@dataclass(frozen=True)
class Timing:
    """Seconds per run of one contestant on one case, one entry for each turn."""

    name: str
    ours: bool
    seconds: list[float]

    @property
    def median(self) -> float:
        return median(self.seconds)

    @property
    def best(self) -> float:
        return min(self.seconds)

    @property
    def spread(self) -> float:
        """Half the range over the median: 0.03 reads "+- 3 %"."""
        return (max(self.seconds) - min(self.seconds)) / 2 / self.median


@dataclass(frozen=True)
class CaseResult:
    """All contestants on one case; `flops` is the arithmetic of one run."""

    name: str
    flops: float
    timings: list[Timing]

    @property
    def ours(self) -> list[Timing]:
        return [timing for timing in self.timings if timing.ours]

    @property
    def rivals(self) -> list[Timing]:
        return [timing for timing in self.timings if not timing.ours]

    def worst_ratio(self) -> float | None:
        """Divide the fastest rival's seconds by those of our slowest: below 1 we are slower.

        Taken of the best turns: with few turns of a few milliseconds, a median still shows who
        happened to share the machine.
        """
        if not self.ours or not self.rivals:
            return None
        return min(t.best for t in self.rivals) / max(t.best for t in self.ours)


@dataclass(frozen=True)
class GroupResult:
    """Cases that are shown together; `view` names the table, a key of VIEWS."""

    title: str
    view: str
    cases: list[CaseResult]


@dataclass(frozen=True)
class WorkloadResult:
    name: str
    groups: list[GroupResult] = field(default_factory=list)


@dataclass(frozen=True)
class Report:
    """A whole run. `peak_gflops` holds every float32 FMA peak measured during it."""

    date: str
    machine: dict[str, str]
    peak_gflops: list[float]
    workloads: list[WorkloadResult]
    left_out: list[str]

    @property
    def peak(self) -> float | None:
        """The median of the peaks measured during the run, in GFLOP/s.

        The median, as for the contestants' own times: clocks move with the machine's load and
        temperature, and the highest of many samples is a clock that none of them had for long.
        """
        return median(self.peak_gflops) if self.peak_gflops else None

    @property
    def machine_line(self) -> str:
        """One line: where and with what this was measured."""
        shown = [self.machine[key] for key in ("cpu", "cores", "threads", "os")]
        shown += [f"{name} {self.machine[name]}" for name in self.machine if name in VERSIONED]
        if self.peak is not None:
            low, high = min(self.peak_gflops), max(self.peak_gflops)
            shown.append(f"FMA peak {self.peak:.0f} GFLOP/s float32 ({low:.0f} to {high:.0f})")
        return ", ".join(shown)

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(dataclasses.asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Report:
        data = json.loads(path.read_text(encoding="utf-8"))
        return cls(**data | {"workloads": [_workload(each) for each in data["workloads"]]})


VERSIONED = ("fastnn", "isa", "python", "numpy", "torch", "jax", "scikit-learn")


def _workload(data: dict[str, Any]) -> WorkloadResult:
    return WorkloadResult(data["name"], [_group(each) for each in data["groups"]])


def _group(data: dict[str, Any]) -> GroupResult:
    return GroupResult(**data | {"cases": [_case(each) for each in data["cases"]]})


def _case(data: dict[str, Any]) -> CaseResult:
    return CaseResult(**data | {"timings": [Timing(**each) for each in data["timings"]]})


@dataclass(frozen=True)
class Table:
    """A heading, remarks under it, and rows of text; the first column is a name."""

    title: str
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    remarks: Sequence[str] = ()

    def text(self) -> str:
        """For the terminal: aligned columns."""
        lines = [self.title, *self.remarks]
        if self.rows:
            columns = list(zip(self.header, *self.rows, strict=True))
            widths = [max(map(len, column)) for column in columns]
            lines += [_aligned(row, widths) for row in (self.header, *self.rows)]
        return "\n".join(lines)

    def markdown(self) -> str:
        """For a README: a pipe table."""
        lines = [f"**{self.title}**", "", *self.remarks]
        if self.rows:
            rule = [":---"] + ["---:"] * (len(self.header) - 1)
            lines += [""] if self.remarks else []
            lines += [f"| {' | '.join(row)} |" for row in (self.header, rule, *self.rows)]
        return "\n".join(lines)


def tables(report: Report) -> Iterator[Table]:
    """Make a table of every group of the run."""
    for workload in report.workloads:
        for group in workload.groups:
            if group.cases:
                yield VIEWS[group.view](group, report.peak)


def contestants_table(group: GroupResult, peak: float | None) -> Table:
    """Show a row for each contestant; for a group of one case."""
    (case,) = group.cases
    header = ["contestant", "seconds", "spread", "GFLOP/s", "share of peak"]
    header += [f"time / {ours.name}" for ours in case.ours]
    rows = [
        [
            timing.name,
            duration(timing.median),
            f"± {timing.spread:.0%}",
            f"{case.flops / timing.median / 1e9:.1f}",
            _share(case, timing, peak),
            *(f"{timing.median / ours.median:.2f}" for ours in case.ours),
        ]
        for timing in case.timings
    ]
    return Table(group.title, header, rows)


def cases_table(group: GroupResult, peak: float | None) -> Table:
    """Show a row for each case, a rate for each contestant."""
    names = list(dict.fromkeys(timing.name for case in group.cases for timing in case.timings))
    ours = next((timing for case in group.cases for timing in case.ours), None)
    header = ["GFLOP/s"]
    for name in names:
        header += [name, "share of peak"] if ours and name == ours.name else [name]
    header += [f"{name} time / {ours.name}" for name in names if ours and name != ours.name]
    return Table(group.title, header, [_case_row(case, names, peak) for case in group.cases])


def _case_row(case: CaseResult, names: Sequence[str], peak: float | None) -> list[str]:
    timings = {timing.name: timing for timing in case.timings}
    ours = case.ours[0] if case.ours else None
    rates, ratios = [], []
    for name in names:
        timing = timings[name]
        rates.append(f"{case.flops / timing.median / 1e9:.1f}")
        if timing is ours:
            rates.append(_share(case, timing, peak))
        elif ours:
            ratios.append(f"{timing.median / ours.median:.2f}")
    return [case.name, *rates, *ratios]


def losses_table(group: GroupResult, _peak: float | None) -> Table:
    """Show many cases in few lines: how the ratios lie, the worst, and every case we lose."""
    ratios = {case.name: ratio for case in group.cases if (ratio := case.worst_ratio())}
    if not ratios:
        return Table(group.title, remarks=["nothing to compare: ours or every rival is left out"])
    worst = min(ratios, key=ratios.__getitem__)
    lost = [case for case in group.cases if ratios.get(case.name, math.inf) < 1 / SLOWER]
    remarks = [
        f"{len(ratios)} cases, time rival / ours in their best turns: geometric mean "
        f"{geometric_mean(ratios.values()):.2f}, median {median(ratios.values()):.2f}, "
        f"worst {ratios[worst]:.2f} ({worst}); {len(lost)} slower by more than {SLOWER - 1:.0%}."
    ]
    lost.sort(key=lambda case: ratios[case.name])
    rows = [
        [case.name, *(duration(t.best) for t in case.timings), f"{ratios[case.name]:.2f}"]
        for case in lost
    ]
    header = ["slower", *(t.name for t in group.cases[0].timings), "time rival / ours"]
    return Table(group.title, header, rows, remarks)


VIEWS: dict[str, Callable[[GroupResult, float | None], Table]] = {
    "contestants": contestants_table,
    "cases": cases_table,
    "losses": losses_table,
}


def duration(seconds: float) -> str:
    """Write seconds with four digits, in the unit that suits them."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.4g} {unit}"
    return f"{seconds * 1e9:.4g} ns"


def _share(case: CaseResult, timing: Timing, peak: float | None) -> str:
    return "-" if peak is None else f"{case.flops / timing.median / 1e9 / peak:.0%}"


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = [
        cell.rjust(width) if i else cell.ljust(width)
        for i, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(["", first, *others])
