"""`fastnn evaluate`: what a model is worth on a table that has the target."""

from __future__ import annotations

import argparse
from pathlib import Path

from fastnn.cli.arguments import Commands, check_folders, write_json
from fastnn.cli.predict import note_unseen
from fastnn.cli.reading import add_table_options, table_of
from fastnn.cli.results import score_table

__all__ = ["add", "run"]


def add(commands: Commands) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "evaluate",
        help="compare predictions with the target that a table has",
        description="Predict each row of a table with a model that train wrote, and compare with "
        "the target that the table has.",
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="a file that train wrote")
    add_table_options(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the scores as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Predict, compare, and show the scores."""
    from fastnn.tabular import TableModel
    from fastnn.tabular.target import rows_with

    check_folders(args.json)
    model = TableModel.load(args.model)
    table = table_of(args)
    table = table.take(rows_with(table, model.target.name))
    scores = model.evaluate(table)
    note_unseen(model, table)
    if args.json:
        write_json(args.json, {**scores, "rows": len(table)})
    print(f"{len(table)} rows with {model.target.name!r:.60}")
    print(score_table({"network": scores}))
