"""What a benchmark run found: dataclasses, and their JSON. `views.py` and `charts.py` show it."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

SLOWER = 1.10  # a case counts as lost where ours takes more than this times the rival's seconds


@dataclass(frozen=True)
class Measured:
    """What one contestant needed for one run of a case, one value for each turn."""

    name: str
    ours: bool
    values: list[float]

    @property
    def median(self) -> float:
        return median(self.values)

    @property
    def best(self) -> float:
        return min(self.values)

    @property
    def spread(self) -> float:
        """Half the range over the median: 0.03 reads "+- 3 %"."""
        return (max(self.values) - min(self.values)) / 2 / self.median


@dataclass(frozen=True)
class CaseResult:
    """All contestants on one case; the fields are those of `harness.Case`."""

    name: str
    flops: float
    measured: list[Measured]
    count: int = 1
    size: float = 0.0

    @property
    def ours(self) -> list[Measured]:
        return [each for each in self.measured if each.ours]

    @property
    def rivals(self) -> list[Measured]:
        return [each for each in self.measured if not each.ours]

    @property
    def by_name(self) -> dict[str, Measured]:
        return {each.name: each for each in self.measured}

    def gflops(self, measured: Measured) -> float:
        return self.flops / measured.median / 1e9

    def ratio(self, measured: Measured) -> float | None:
        """Divide by what the first of ours needs: above 1 we win; None where one needs nothing."""
        ours = self.ours
        if not ours or ours[0].median <= 0 or measured.median <= 0:
            return None
        return measured.median / ours[0].median

    def worst_ratio(self) -> float | None:
        """Divide the fastest rival's seconds by those of our slowest: below 1 we are slower.

        Taken of the best turns: with few turns of a few milliseconds, a median still shows who
        happened to share the machine.
        """
        if not self.ours or not self.rivals:
            return None
        return min(each.best for each in self.rivals) / max(each.best for each in self.ours)


@dataclass(frozen=True)
class GroupResult:
    """Cases that are shown together; all but the last field are those of `harness.Group`."""

    title: str
    view: str
    quantity: str
    each: str
    axis: str
    cases: list[CaseResult]

    def value(self, case: CaseResult, measured: Measured) -> float:
        """Return what one part of a run needs (a step, a row), or all of it where none is named."""
        return measured.median / case.count if self.each else measured.median

    @property
    def names(self) -> list[str]:
        """Every contestant that took part in any case, in the order of the workload."""
        return list(dict.fromkeys(each.name for case in self.cases for each in case.measured))

    @property
    def our_names(self) -> list[str]:
        return list(dict.fromkeys(each.name for case in self.cases for each in case.ours))


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
        shown += [self.machine["mode"]] if "mode" in self.machine else []
        shown += [f"{name} {self.machine[name]}" for name in VERSIONED if name in self.machine]
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


VERSIONED = (
    "fastnn", "isa", "python", "numpy", "torch", "jax", "scikit-learn", "onnxruntime",
)  # fmt: skip


def _workload(data: dict[str, Any]) -> WorkloadResult:
    return WorkloadResult(data["name"], [_group(each) for each in data["groups"]])


def _group(data: dict[str, Any]) -> GroupResult:
    return GroupResult(**data | {"cases": [_case(each) for each in data["cases"]]})


def _case(data: dict[str, Any]) -> CaseResult:
    return CaseResult(**data | {"measured": [Measured(**each) for each in data["measured"]]})


def amount(value: float, quantity: str) -> str:
    """Write a value with three digits, in the unit that suits it."""
    units = UNITS[quantity]
    scale, unit = next(((s, u) for s, u in units if abs(value) >= s), units[-1])
    return f"{value / scale:.3g} {unit}"


UNITS: dict[str, list[tuple[float, str]]] = {
    "seconds": [(1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")],
    "bytes": [(1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")],
}
