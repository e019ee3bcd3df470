"""`fastnn train`: from a table to a model file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fastnn
from fastnn.cli.arguments import (
    Commands,
    add_checkpoint_options,
    add_machine_options,
    check_folders,
    checkpoint_options,
    fraction,
    names,
    positive_float,
    positive_int,
    share,
    sizes,
    use_machine,
    write_json,
    zero_or_more,
)
from fastnn.cli.reading import add_table_options, table_of
from fastnn.cli.results import score_table

if TYPE_CHECKING:
    from fastnn.tabular import Options, Trained

__all__ = ["add", "run"]

_RECIPE = ("hidden", "activation", "dropout", "batch_norm", "lr", "weight_decay", "epochs",
           "batch_size")  # fmt: skip


def add(commands: Commands) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "train",
        help="train a network on a table: CSV or Parquet",
        description="Train a network that predicts one column of a table from the others. What is "
        "not asked for is chosen by the table: classification or regression, what each column is, "
        "the size of the network, and how it is trained. A part of the rows is held out to say "
        "when to stop and what the network is worth.",
    )
    add_table_options(parser)
    parser.add_argument("--target", required=True, metavar="NAME", help="the column to predict")
    parser.add_argument("--out", type=Path, default=Path("model.safetensors"), metavar="FILE",
                        help="the model, for predict and evaluate (default: %(default)s)"
                        )  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results as JSON")
    parser.add_argument("--report", type=Path, metavar="DIR",
                        help="write a page of pictures (HTML and PNG)")  # fmt: skip
    _add_columns(parser)
    _add_recipe(parser)
    add_machine_options(parser)
    add_checkpoint_options(parser)
    parser.set_defaults(run=run)


def _add_columns(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the columns")
    group.add_argument("--task", choices=("auto", "classification", "regression"), default="auto")
    group.add_argument("--numeric", type=names, default=[], metavar="A,B", help="are numbers")
    group.add_argument("--categorical", type=names, default=[], metavar="A,B",
                       help="are categories")  # fmt: skip
    group.add_argument("--ignore", type=names, default=[], metavar="A,B", help="are left out")
    group.add_argument("--validation", type=share, default=0.2, metavar="SHARE",
                       help="of the rows that are held out (default: %(default)s)")  # fmt: skip


def _add_recipe(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the network and its training (chosen by the table)")
    group.add_argument("--hidden", type=sizes, metavar="N,N", help="units of each hidden layer")
    group.add_argument("--activation", choices=("relu", "tanh", "gelu", "silu", "elu"))
    group.add_argument("--dropout", type=fraction, metavar="P", help="after each activation")
    group.add_argument("--batch-norm", action=argparse.BooleanOptionalAction, default=None,
                       help="before each activation")  # fmt: skip
    group.add_argument("--lr", type=positive_float, help="learning rate; it falls along a cosine")
    group.add_argument("--weight-decay", type=zero_or_more, metavar="W", help="AdamW's")
    group.add_argument("--epochs", type=positive_int, help="at most")
    group.add_argument("--batch-size", type=positive_int, help="rows a step")


def run(args: argparse.Namespace) -> None:
    """Train, write the model, and say what it is worth."""
    from fastnn.cli.progress import TrainingBar
    from fastnn.tabular import train_table

    check_folders(args.out, args.json)
    if args.report:
        fastnn.report.prepare(args.report)
    options = _options(args)
    use_machine(args)
    table = table_of(args)
    trained = train_table(
        table, args.target, options, watch=lambda recipe, what: [TrainingBar(what)]
    )
    trained.model.save(args.out)
    if args.json:
        write_json(args.json, {**trained.model.training, "seconds": trained.seconds})
    for note in _notes(trained):
        print(f"note: {note}", file=sys.stderr)
    print(_summary(trained))
    print(f"model written to {args.out}")
    if args.report:
        from fastnn.cli.reporting import write_report

        print(f"report written to {write_report(args.report, trained)}")


def _options(args: argparse.Namespace) -> Options:
    from fastnn.tabular import Options

    recipe: dict[str, Any] = {
        name: value for name in _RECIPE if (value := getattr(args, name)) is not None
    }
    if args.hidden is not None:
        recipe["hidden"] = tuple(args.hidden)
    return Options(args.task, args.numeric, args.categorical, args.ignore, args.validation,
                   args.seed, args.threads, recipe, **checkpoint_options(args))  # fmt: skip


def _notes(trained: Trained) -> list[str]:
    ignored = trained.model.training["ignored"]
    notes = [f"column {name!r:.60} is left out: {why}" for name, why in ignored.items()]
    if trained.left_out:
        notes.append(f"rows without {trained.target.name!r:.60} are left out: {trained.left_out}")
    return notes


def _summary(trained: Trained) -> str:
    target, recipe = trained.target, trained.recipe
    layers = "-".join(map(str, recipe.hidden)) or "no"
    lines = [
        f"{target.name}: {target.describe()}; {len(trained.model.features)} columns to learn from",
        f"network: {layers} hidden units, {recipe.activation}, weight decay "
        f"{recipe.weight_decay:g}; the weights of epoch {trained.best_epoch}",
        f"trained on {trained.rows} rows; on the {len(trained.validation.rows)} rows held out:",
        "",
        score_table(trained.scores),
        "",
    ]
    return "\n".join(lines)
