"""Writes the tables of a benchmark run into a README, so that no figure is typed by hand.

python bench/run.py --json results.json
python bench/report.py results.json --readme README.md
"""

from __future__ import annotations

import argparse
from pathlib import Path

from results import Report, tables

START = "<!-- speed table: start -->"
END = "<!-- speed table: end -->"


def markdown(report: Report) -> str:
    """Write all tables, then the machine and the date."""
    parts = [table.markdown() for table in tables(report)]
    parts.append(f"Measured on {report.date}: {report.machine_line}.")
    return "\n\n".join(parts)


def between_markers(text: str, content: str) -> str:
    """Replace what stands between the two markers in `text`."""
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise ValueError(f"expected the lines {START} and {END}, in this order")
    return f"{before}{START}\n\n{content}\n\n{END}{after}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("results", type=Path, help="what bench/run.py --json wrote")
    parser.add_argument("--readme", type=Path, help="file with the markers; printed without it")
    args = parser.parse_args()

    content = markdown(Report.load(args.results))
    if args.readme is None:
        print(content)
        return
    text = args.readme.read_text(encoding="utf-8")
    args.readme.write_text(between_markers(text, content), encoding="utf-8")


if __name__ == "__main__":
    main()
