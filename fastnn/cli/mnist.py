"""`fastnn mnist`: train a network on the bundled digits."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import fastnn
from fastnn import nn
from fastnn.cli.arguments import (
    Commands,
    add_checkpoint_options,
    add_machine_options,
    check_folders,
    checkpoint_options,
    positive_float,
    positive_int,
    sizes,
    use_machine,
    write_json,
)

if TYPE_CHECKING:
    from fastnn.vision.datasets import MNIST

__all__ = ["add", "mlp", "run"]


def add(commands: Commands) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "mnist",
        help="train a network on the bundled MNIST digits",
        description="Train a ReLU network on the bundled MNIST digits with Adam.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--epochs", type=positive_int, default=10, help="passes over the data")
    parser.add_argument("--batch-size", type=positive_int, default=100, help="images a step")
    parser.add_argument(
        "--hidden", type=sizes, default="512,512", metavar="N,N", help="hidden layers"
    )
    parser.add_argument("--lr", type=positive_float, default=1e-3, help="learning rate")
    add_machine_options(parser)
    add_checkpoint_options(parser)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the weights (safetensors)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results as JSON")
    parser.add_argument(
        "--report", type=Path, metavar="DIR", help="write a page of pictures (HTML and PNG)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Train, then say what the test images tell."""
    from fastnn.vision.datasets import MNIST

    check_folders(args.out, args.json)
    kept = checkpoint_options(args)
    if args.report:
        fastnn.report.prepare(args.report)
    use_machine(args)
    train, test = MNIST(train=True), MNIST(train=False)
    model = mlp([28 * 28, *args.hidden, 10])
    trainer = fastnn.Trainer(
        model,
        nn.CrossEntropyLoss(),
        fastnn.optim.Adam(model.parameters(), lr=args.lr),
        seed=args.seed,
    )
    watched = test if args.report else None  # nothing is chosen by it
    history = trainer.fit(
        train,
        args.epochs,
        args.batch_size,
        validation=watched,
        checkpoint_dir=kept["checkpoint"],
        resume=kept["resume"],
    )
    accuracy = trainer.evaluate(test)["accuracy"]
    if args.out:
        fastnn.save(model.state_dict(), args.out)
    if args.json:
        seconds = sorted(history.seconds)[len(history) // 2]
        results = {
            "accuracy": accuracy,
            "seconds_per_epoch": seconds,
            "samples_per_second": len(train) / seconds,
            "isa": fastnn.isa(),
            "threads": fastnn.get_num_threads(),
        }
        write_json(args.json, results)
    if args.report:
        print(f"report: {_report(args, trainer, test)}")
    print(f"test accuracy: {100 * accuracy:.2f} %")


def _report(args: argparse.Namespace, trainer: fastnn.Trainer, test: MNIST) -> Path:
    names = ("epochs", "batch_size", "seed")
    return fastnn.report.write(
        args.report, trainer.history, targets=test.targets, outputs=trainer.predict(test),
        images=test.data, title="MNIST digits",
        settings={"model": trainer.model.summary(), "optimizer": trainer.optimizer,
                  **{name.replace("_", " "): getattr(args, name) for name in names}},
    )  # fmt: skip


def mlp(sizes: Sequence[int]) -> nn.Sequential:
    """A ReLU network of linear layers, after a `Flatten`."""
    model = nn.Sequential(nn.Flatten())
    for inputs, outputs in pairwise(sizes):
        if len(model) > 1:
            model.append(nn.ReLU())
        model.append(nn.Linear(inputs, outputs))
    return model
