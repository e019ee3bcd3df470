"""The pictures of a run: bars against rivals, and cost against size on log axes.

Ours are dark and rivals are light, and lines differ in markers and dashes: everything can be read
in greyscale.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from results import UNITS, CaseResult, GroupResult, Measured, Report, WorkloadResult, amount

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

__all__ = ["draw", "figure_of"]

OURS = ("#123f66", "#5b93bf")  # the first of ours is the darkest
RIVAL = "#cccccc"
EDGE = "#808080"
TEXT = "#262626"
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES = ("-", "--", "-.", ":")
TIMES = "\N{MULTIPLICATION SIGN}"
NOUNS = {"seconds": "time", "bytes": "size"}
WIDTH = 8.5  # inches
BAR = 0.25  # inches
STYLE: Any = {
    "figure.dpi": 100,
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": EDGE,
    "axes.labelcolor": TEXT,
    "text.color": TEXT,
    "xtick.color": TEXT,
    "ytick.color": TEXT,
    "legend.frameon": False,
}


def draw(report: Report, folder: Path, suffix: str = "") -> dict[str, Path]:
    """Write a picture of every workload that has one; returns the files by workload."""
    folder.mkdir(exist_ok=True)
    written = {}
    for workload in report.workloads:
        figure = figure_of(workload, report)
        if figure is not None:
            written[workload.name] = folder / f"{workload.name}{suffix}.png"
            figure.savefig(written[workload.name])
    return written


def figure_of(workload: WorkloadResult, report: Report) -> Figure | None:
    """Draw one workload, its groups one below the other; None where nothing is compared."""
    import matplotlib
    from matplotlib.figure import Figure

    groups = [group for group in workload.groups if group.cases and _compares(group)]
    if not groups:
        return None
    heights = [HEIGHTS[group.view](group) for group in groups]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, sum(heights) + 0.3), layout="constrained")
        *parts, foot = figure.subfigures(
            len(groups) + 1, 1, height_ratios=[*heights, 0.3], squeeze=False
        )[:, 0]
        for part, group in zip(parts, groups, strict=True):
            part.suptitle(group.title, fontsize=10, fontweight="bold")
            PICTURES[group.view](part, group, report.peak)
        foot.text(0.99, 0.4, _footnote(report), fontsize=7, color=EDGE, ha="right")
    return figure


def _compares(group: GroupResult) -> bool:
    return group.view == "sizes" or len(group.names) > 1


def _footnote(report: Report) -> str:
    keys = ("cpu", "threads", "isa", "mode")
    return ", ".join([*(report.machine[key] for key in keys if key in report.machine), report.date])


def bars(part: SubFigure, group: GroupResult, peak: float | None) -> None:
    """Draw a panel for each case, and in it a bar for each contestant."""
    panels = part.subplots(1, len(group.cases), sharey=True, squeeze=False)[0]
    for axes, case in zip(panels, group.cases, strict=True):
        _bar_panel(axes, group, case)
        if len(group.cases) > 1:
            axes.set_title(case.name)
        if group.view == "contestants" and peak:
            _mark(axes, case.flops / peak / 1e9, "at the FMA peak")
    panels[0].set_yticks(range(len(group.names)), group.names)
    panels[0].invert_yaxis()


def _bar_panel(axes: Axes, group: GroupResult, case: CaseResult) -> None:
    shown = case.by_name
    largest = max(group.value(case, each) for each in case.measured)
    scale, unit = _unit(largest, group.quantity)
    for place, name in enumerate(group.names):
        if name not in shown:
            continue
        value = group.value(case, shown[name]) / scale
        axes.barh(place, value, 0.72, color=_colour(group, shown[name]), edgecolor=EDGE, lw=0.5)
        axes.annotate(
            _value_label(group, case, shown[name]),
            (value, place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axes.set_xlim(0, largest / scale * (1.32 if len(group.cases) == 1 else 1.75))
    part = f" of a {group.each}" if group.each else ""
    axes.set_xlabel(f"{NOUNS[group.quantity]}{part} ({unit})")
    axes.tick_params(axis="y", length=0)


def _value_label(group: GroupResult, case: CaseResult, each: Measured) -> str:
    """Write the value and, for others than the first of ours, how many times as much that is."""
    value = amount(group.value(case, each), group.quantity)
    ratio = case.ratio(each)
    if ratio is None or each in case.ours[:1]:
        return value
    return f"{value}  ({ratio:.2f}{TIMES})" if ratio < 10 else f"{value}  ({ratio:.3g}{TIMES})"


def _colour(group: GroupResult, each: Measured) -> str:
    ours = group.our_names
    return OURS[min(ours.index(each.name), len(OURS) - 1)] if each.ours else RIVAL


def _unit(largest: float, quantity: str) -> tuple[float, str]:
    """Choose the unit of an axis that ends at this value."""
    units = UNITS[quantity]
    return next(((scale, unit) for scale, unit in units if largest >= scale), units[-1])


def _mark(axes: Axes, x: float, text: str) -> None:
    """Draw a dashed line down the panel, named at its top."""
    axes.axvline(x, color=TEXT, lw=1, ls=(0, (4, 3)), zorder=3)
    axes.annotate(
        text,
        (x, 1),
        xycoords=("data", "axes fraction"),
        xytext=(3, 2),
        textcoords="offset points",
        fontsize=7.5,
    )


def speed_ups(part: SubFigure, group: GroupResult, _peak: float | None) -> None:
    """Draw a bar for each case: the rival's time over ours."""
    axes = part.subplots()
    rival = next(name for name in group.names if name not in group.our_names)
    for place, case in enumerate(group.cases):
        ratio = case.ratio(case.by_name[rival]) or 0.0
        axes.barh(place, ratio, 0.72, color=OURS[0])
        axes.annotate(
            f"{ratio:.2f}", (ratio, place), xytext=(4, 0), textcoords="offset points", va="center"
        )
    axes.axvline(1, color=TEXT, lw=1, ls=(0, (4, 3)))
    axes.set_yticks(range(len(group.cases)), [case.name for case in group.cases])
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(f"time with {rival} / time with {group.our_names[0]}")


def dots(part: SubFigure, group: GroupResult, peak: float | None) -> None:
    """Draw a line of dots for each case: the rate of each contestant."""
    axes = part.subplots()
    places = range(len(group.cases))
    axes.hlines(places, 0, 1, transform=axes.get_yaxis_transform(), color="#e4e4e4", lw=0.8)
    for number, name in enumerate(group.names):
        points = [
            (case.gflops(case.by_name[name]), place)
            for place, case in zip(places, group.cases, strict=True)
            if name in case.by_name
        ]
        ours = name in group.our_names
        face = _colour(group, Measured(name, ours, [])) if ours else "white"
        edge = face if ours else TEXT
        x, y = zip(*points, strict=True)
        axes.scatter(
            x, y, 34, marker=MARKERS[number], c=face, edgecolors=edge, label=name, zorder=3
        )
    if peak:
        _mark(axes, peak, "FMA peak")
    axes.set_yticks(places, [case.name for case in group.cases])
    axes.set_ylim(len(group.cases) - 0.5, -0.5)
    axes.set_xlim(0)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("GFLOP/s")
    part.legend(loc="outside lower center", ncols=len(group.names), fontsize=8)


def curves(part: SubFigure, group: GroupResult, peak: float | None) -> None:
    """Draw cost against size on the left, the rate on the right."""
    cost, rate = part.subplots(1, 2)
    growing = group.each == "row"  # the rows of an epoch are what grows
    for number, name in enumerate(group.names):
        cases = [case for case in group.cases if name in case.by_name]
        sizes = [case.size for case in cases]
        measured = [case.by_name[name] for case in cases]
        ours = name in group.our_names
        look: dict[str, Any] = {
            "color": OURS[0] if ours else EDGE,
            "marker": MARKERS[number],
            "ls": DASHES[number],
            "ms": 4.5,
            "label": name,
        }
        each = zip(cases, measured, strict=True)
        costs = [m.median if growing else group.value(case, m) for case, m in each]
        cost.plot(sizes, costs, **look)
        rates = [case.gflops(m) for case, m in zip(cases, measured, strict=True)]
        rate.plot(sizes, rates, **look)
        if growing:
            straight = [costs[0] * size / sizes[0] for size in sizes]
            cost.plot(sizes, straight, color=TEXT, lw=0.8, ls=":", label="linear")
    if peak:
        rate.axhline(peak, color=TEXT, lw=1, ls=(0, (4, 3)))
        rate.annotate(
            "FMA peak", (1, peak), xycoords=("axes fraction", "data"), ha="right", va="bottom"
        )
    cost.set_yscale("log")
    cost.yaxis.set_major_formatter(lambda value, _: amount(value, group.quantity))
    cost.set_ylabel("time of an epoch" if growing else f"time of a {group.each}")
    rate.set_ylim(0)
    rate.set_ylabel("GFLOP/s")
    for axes in (cost, rate):
        axes.set_xscale("log")
        axes.set_xlabel(group.axis)
        axes.set_xticks([case.size for case in group.cases], minor=False)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.minorticks_off()
        axes.grid(color="#ececec", lw=0.6)
    cost.legend(fontsize=8)


def scatter(part: SubFigure, group: GroupResult, _peak: float | None) -> None:
    """Draw a point for each case: how many times faster ours is, against the arithmetic."""
    axes = part.subplots()
    points = [(case.flops, ratio) for case in group.cases if (ratio := case.worst_ratio())]
    x, y = zip(*points, strict=True)
    axes.scatter(x, y, 12, c=OURS[0], alpha=0.6, lw=0)
    axes.axhline(1, color=TEXT, lw=1, ls=(0, (4, 3)))
    axes.set_xscale("log")
    axes.set_yscale("log", base=2)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}{TIMES}")
    axes.grid(color="#ececec", lw=0.6)
    axes.set_xlabel("floating-point operations of the product")
    axes.set_ylabel("time of the fastest rival / ours")


PICTURES: dict[str, Callable[[SubFigure, GroupResult, float | None], None]] = {
    "contestants": bars,
    "matrix": bars,
    "transposed": speed_ups,
    "rates": dots,
    "sizes": curves,
    "losses": scatter,
}
HEIGHTS: dict[str, Callable[[GroupResult], float]] = {  # in inches
    "contestants": lambda group: 0.9 + BAR * len(group.names),
    "matrix": lambda group: 1.0 + BAR * len(group.names),
    "transposed": lambda group: 0.8 + BAR * len(group.cases),
    "rates": lambda group: 1.2 + BAR * len(group.cases),
    "sizes": lambda _: 2.6,
    "losses": lambda _: 3.0,
}
