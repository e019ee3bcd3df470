"""The tables of a run, for the terminal and for Markdown: one view for each kind of group."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import geometric_mean, median

from results import SLOWER, CaseResult, GroupResult, Measured, Report, amount

__all__ = ["VIEWS", "Table", "group_table", "tables"]

ABSENT = "-"


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
                yield group_table(group, report.peak)


def group_table(group: GroupResult, peak: float | None) -> Table:
    return VIEWS[group.view](group, peak)


def contestants_table(group: GroupResult, peak: float | None) -> Table:
    """Show all about a group of one case, a row for each contestant."""
    (case,) = group.cases
    header = ["contestant", "time", "spread", "GFLOP/s", "share of peak"]
    header += [f"time / {ours.name}" for ours in case.ours]
    rows = [
        [
            each.name,
            amount(each.median, group.quantity),
            f"± {each.spread:.0%}",
            f"{case.gflops(each):.1f}",
            _share(case, each, peak),
            *(f"{each.median / ours.median:.2f}" for ours in case.ours),
        ]
        for each in case.measured
    ]
    return Table(group.title, header, rows)


def matrix_table(group: GroupResult, _peak: float | None) -> Table:
    """Show a row for each contestant and a column for each case."""
    rows = [[name, *(_cell(group, case, name) for case in group.cases)] for name in group.names]
    return Table(_titled(group), ["contestant", *(case.name for case in group.cases)], rows)


def transposed_table(group: GroupResult, _peak: float | None) -> Table:
    """Show a row for each case and a column for each contestant."""
    rows = [
        [case.name, *(_cell(group, case, name) for name in group.names)] for case in group.cases
    ]
    return Table(_titled(group), ["", *group.names], rows)


def _titled(group: GroupResult) -> str:
    """Say in the title what stands in the cells."""
    title = f"{group.title}, one {group.each}" if group.each else group.title
    compares = group.our_names and len(group.names) > 1
    return f"{title} (in brackets: times {group.our_names[0]})" if compares else title


def _cell(group: GroupResult, case: CaseResult, name: str) -> str:
    """A value, and how many times that of the first of ours it is."""
    each = case.by_name.get(name)
    if each is None:
        return ABSENT
    ratio = None if each in case.ours[:1] else case.ratio(each)
    shown = amount(group.value(case, each), group.quantity)
    return shown if ratio is None else f"{shown} ({ratio:.2f})"


def rates_table(group: GroupResult, peak: float | None) -> Table:
    """Show a row for each case: the rate of each contestant, and the shares of peak of ours."""
    names, ours = group.names, group.our_names
    header = ["GFLOP/s"]
    for name in names:
        header += [name, "share of peak"] if name in ours else [name]
    header += [f"{name} time / {ours[0]}" for name in names if ours and name != ours[0]]
    return Table(group.title, header, [_rates(case, names, ours, peak) for case in group.cases])


def _rates(
    case: CaseResult, names: Sequence[str], ours: Sequence[str], peak: float | None
) -> list[str]:
    rates, ratios = [], []
    for name in names:
        each = case.by_name.get(name)
        rates.append(f"{case.gflops(each):.1f}" if each else ABSENT)
        if name in ours:
            rates.append(_share(case, each, peak) if each else ABSENT)
        if ours and name != ours[0]:
            ratio = case.ratio(each) if each else None
            ratios.append(ABSENT if ratio is None else f"{ratio:.2f}")
    return [case.name, *rates, *ratios]


def sizes_table(group: GroupResult, peak: float | None) -> Table:
    """Show a row for each size: what one part costs each contestant, and at what rate."""
    header = [""]
    for name in group.names:
        header += [f"{name}, one {group.each}", "GFLOP/s", "share of peak"]
    rows = []
    for case in group.cases:
        row = [case.name]
        for name in group.names:
            each = case.by_name.get(name)
            row += (
                [amount(group.value(case, each), group.quantity), f"{case.gflops(each):.1f}",
                 _share(case, each, peak)] if each else [ABSENT] * 3
            )  # fmt: skip
        rows.append(row)
    return Table(group.title, header, rows)


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
        [
            case.name,
            *(amount(each.best, group.quantity) for each in case.measured),
            f"{ratios[case.name]:.2f}",
        ]
        for case in lost
    ]
    header = ["slower", *group.names, "time rival / ours"]
    return Table(group.title, header, rows, remarks)


VIEWS: dict[str, Callable[[GroupResult, float | None], Table]] = {
    "contestants": contestants_table,
    "matrix": matrix_table,
    "transposed": transposed_table,
    "rates": rates_table,
    "sizes": sizes_table,
    "losses": losses_table,
}


def _share(case: CaseResult, each: Measured, peak: float | None) -> str:
    return ABSENT if peak is None else f"{case.gflops(each) / peak:.0%}"


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = [
        cell.rjust(width) if i else cell.ljust(width)
        for i, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(["", first, *others])
