"""Writes what a run found into README.md, RESULTS.md and pictures: no figure is typed by hand.

python bench/run.py --json results.json
FASTNN_ISA=avx2 python bench/run.py mnist_epoch --json avx2.json
python bench/report.py results.json avx2.json --write

Without `--write` the tables are printed. The README takes its tables from the first file.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import charts
from harness import summary
from results import GroupResult, Report
from views import group_table

START = "<!-- speed table: start -->"
END = "<!-- speed table: end -->"
HEADLINES = ("mnist_epoch", "tabular_step", "inference")  # their first group is in the README
BENCH = Path(__file__).parent
README, RESULTS, PLOTS = BENCH.parent / "README.md", BENCH / "RESULTS.md", BENCH / "plots"


def headlines(report: Report) -> str:
    """Write the first table of the workloads that people ask for, the machine and the date."""
    shown = [each for each in report.workloads if each.name in HEADLINES and each.groups]
    parts = [_markdown(each.groups[0], report) for each in shown]
    return "\n\n".join([*parts, _measured(report)])


def results(report: Report, pictures: dict[str, Path], relative_to: Path = BENCH) -> str:
    """Write all tables with their pictures, workload by workload."""
    parts = [_measured(report)]
    for workload in report.workloads:
        parts.append(f"### `{workload.name}`\n\n{summary(workload.name)}")
        if workload.name in pictures:
            path = os.path.relpath(pictures[workload.name], relative_to)
            parts.append(f"![{workload.name}]({Path(path).as_posix()})")
        parts += [_markdown(group, report) for group in workload.groups if group.cases]
    if report.left_out:
        parts.append("\n".join(f"- {line}" for line in report.left_out))
    return "\n\n".join(parts)


def _markdown(group: GroupResult, report: Report) -> str:
    return group_table(group, report.peak).markdown()


def _measured(report: Report) -> str:
    return f"Measured on {report.date}: {report.machine_line}."


def between_markers(text: str, content: str) -> str:
    """Replace what stands between the two markers in `text`."""
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise ValueError(f"expected the lines {START} and {END}, in this order")
    return f"{before}{START}\n\n{content}\n\n{END}{after}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path, nargs="+", help="what bench/run.py --json wrote")
    parser.add_argument(
        "--write", action="store_true", help="into README.md, bench/RESULTS.md and bench/plots/"
    )
    args = parser.parse_args()
    reports = [Report.load(path) for path in args.runs]
    if args.write:
        _write(reports, [path.stem for path in args.runs])
    else:
        print("\n\n".join(results(report, {}) for report in reports))


def _write(reports: Sequence[Report], stems: Sequence[str]) -> None:
    if any("mode" in report.machine for report in reports):
        raise SystemExit("report: expected full runs, got one made with --quick")
    _rewrite(README, headlines(reports[0]))
    _rewrite(RESULTS, "\n\n".join(_sections(reports, stems)))


def _sections(reports: Sequence[Report], stems: Sequence[str]) -> Iterator[str]:
    """Yield the part of each run; pictures of all but the first carry the run's name."""
    for number, (report, stem) in enumerate(zip(reports, stems, strict=True)):
        pictures = charts.draw(report, PLOTS, f"-{stem}" if number else "")
        keys = [key for key in ("threads", "isa") if key in report.machine]
        title = ", ".join(report.machine[key] for key in keys)
        yield f"## {title}\n\n{results(report, pictures)}"


def _rewrite(path: Path, content: str) -> None:
    path.write_text(between_markers(path.read_text("utf-8"), content), encoding="utf-8")


if __name__ == "__main__":
    main()
