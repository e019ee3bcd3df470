"""Runs the benchmarks: checks every answer, times turn by turn, prints tables."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

import machine
from harness import Session, summary, workload_names
from results import Report
from views import tables


def main() -> None:
    args = _parse()
    with Session(args.threads, args.rounds, args.quick, args.slow) as session:
        workloads = [session.run(name) for name in args.workloads or workload_names()]
    date = datetime.now(UTC).date().isoformat()
    report = Report(date, session.facts, session.peaks, workloads, session.left_out)
    print(f"\n{report.machine_line}")
    for table in tables(report):
        print(f"\n{table.text()}")
    if args.json:
        report.save(args.json)


def _parse() -> argparse.Namespace:
    names = workload_names()
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="workloads:\n" + "\n".join(f"  {name:14}{summary(name)}" for name in names),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("workloads", nargs="*", metavar="workload", help="all by default")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results here")
    parser.add_argument(
        "--threads",
        type=int,
        metavar="N",
        default=machine.available_cores(),
        help="threads of every contestant (default: all cores, %(default)s)",
    )
    parser.add_argument("--rounds", type=int, metavar="N", help="turns of each contestant")
    parser.add_argument("--quick", action="store_true", help="less work: a smoke test")
    parser.add_argument("--slow", action="store_true", help="also contestants that start slowly")
    args = parser.parse_args()
    if unknown := set(args.workloads) - set(names):
        parser.error(f"no workload {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    if not 1 <= args.threads <= machine.available_cores():
        parser.error(f"--threads: expected 1 to {machine.available_cores()}, got {args.threads}")
    return args


if __name__ == "__main__":
    main()
