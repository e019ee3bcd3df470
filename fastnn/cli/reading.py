"""Options of the commands that read a table, and the table that they tell."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from fastnn.cli.arguments import separator

if TYPE_CHECKING:
    from fastnn.tabular import Table

__all__ = ["add_table_options", "table_of"]


def add_table_options(parser: argparse.ArgumentParser) -> None:
    """Add the file and how to read it."""
    parser.add_argument("data", type=Path, metavar="DATA", help="a CSV or Parquet file")
    parser.add_argument(
        "--separator", type=separator, metavar="CHAR",
        help="between values of a CSV, 'tab' among others (default: the header tells)",
    )  # fmt: skip
    parser.add_argument(
        "--encoding", metavar="NAME", help="of a CSV (default: utf-8, or what its mark says)"
    )


def table_of(args: argparse.Namespace) -> Table:
    """Read the file."""
    from fastnn.tabular import read_table

    return read_table(args.data, args.separator, args.encoding)
