"""`fastnn predict`: the target of new rows."""

from __future__ import annotations

import argparse
import csv
import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fastnn.cli.arguments import Commands, check_folders
from fastnn.cli.reading import add_table_options, table_of

if TYPE_CHECKING:
    from fastnn.tabular import Table, TableModel

__all__ = ["add", "note_unseen", "run"]


def add(commands: Commands) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "predict",
        help="predict the target of a table's rows",
        description="Predict the target of each row of a table, with a model that train wrote. "
        "The result is a CSV with the column prediction, one line a row, in the table's order. "
        "The table's columns may be in any order; those the model does not know are not looked at.",
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="a file that train wrote")
    add_table_options(parser)
    parser.add_argument("--proba", action="store_true",
                        help="add a column probability_<class> for each class")  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="CSV",
                        help="where to write it (default: to standard output)")  # fmt: skip
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Predict, and write the result."""
    from fastnn.serialization import write_atomically
    from fastnn.tabular import TableModel

    check_folders(args.out)
    model = TableModel.load(args.model)
    table = table_of(args)
    text = predictions(model, table, args.proba)
    note_unseen(model, table)
    if args.out:
        write_atomically(args.out, text.encode())
    else:
        sys.stdout.write(text)


def predictions(model: TableModel, table: Table, proba: bool) -> str:
    """The result as CSV."""
    outputs = model.outputs(table)
    columns: list[list[object]] = [["prediction", *model.labels(outputs)]]
    if proba:
        for label, shares in model.probabilities(outputs).items():
            columns.append([f"probability_{label}", *shares.tolist()])
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(zip(*columns, strict=True))
    return buffer.getvalue()


def note_unseen(model: TableModel, table: Table) -> None:
    """Say on standard error which categories the training rows did not have."""
    for name, rows in model.unseen(table).items():
        cell = table.columns[name][rows[0]]
        print(f"note: {table.place(name, rows[0])}: {cell!r:.60} was not among the categories of "
              f"the training rows; so it is in {len(rows)} rows", file=sys.stderr)  # fmt: skip
