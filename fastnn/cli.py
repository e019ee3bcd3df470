"""The command `fastnn`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import fastnn
from fastnn import nn

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    args = _parser().parse_args(argv)
    try:
        args.run(args)
    except (ValueError, OSError, fastnn.NonFiniteError) as error:
        print(f"fastnn: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("fastnn: interrupted", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fastnn", description="Train feed-forward networks on a CPU."
    )
    parser.add_argument("--version", action="version", version=f"fastnn {fastnn.__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_mnist(commands)
    return parser


def _add_mnist(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    mnist = commands.add_parser(
        "mnist",
        help="train a network on the bundled MNIST digits",
        description="Train a ReLU network on the bundled MNIST digits with Adam.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    mnist.add_argument("--epochs", type=_positive_int, default=10, help="passes over the data")
    mnist.add_argument("--batch-size", type=_positive_int, default=100, help="images a step")
    mnist.add_argument(
        "--hidden", type=_sizes, default="512,512", metavar="N,N", help="hidden layers"
    )
    mnist.add_argument("--lr", type=_positive_float, default=1e-3, help="learning rate")
    mnist.add_argument("--seed", type=int, default=0, help="of weights and shuffles")
    mnist.add_argument("--threads", type=_positive_int, help="at most this many (default: all)")
    mnist.add_argument("--out", type=Path, metavar="FILE", help="write the weights (safetensors)")
    mnist.add_argument("--json", type=Path, metavar="FILE", help="write the results as JSON")
    mnist.set_defaults(run=_mnist)


def _mnist(args: argparse.Namespace) -> None:
    from fastnn.vision.datasets import MNIST

    for target in (args.out, args.json):
        if target is not None and not target.absolute().parent.is_dir():
            raise FileNotFoundError(f"no folder to write {target} in")
    if args.threads:
        fastnn.set_num_threads(args.threads)
    fastnn.manual_seed(args.seed)
    train, test = MNIST(train=True), MNIST(train=False)
    model = mlp([28 * 28, *args.hidden, 10])
    trainer = fastnn.Trainer(
        model,
        nn.CrossEntropyLoss(),
        fastnn.optim.Adam(model.parameters(), lr=args.lr),
        seed=args.seed,
    )
    history = trainer.fit(train, epochs=args.epochs, batch_size=args.batch_size)
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
        args.json.write_text(json.dumps(results, indent=2) + "\n")
    print(f"test accuracy: {100 * accuracy:.2f} %")


def mlp(sizes: Sequence[int]) -> nn.Sequential:
    """A ReLU network of linear layers, after a `Flatten`."""
    model = nn.Sequential(nn.Flatten())
    for inputs, outputs in pairwise(sizes):
        if len(model) > 1:
            model.append(nn.ReLU())
        model.append(nn.Linear(inputs, outputs))
    return model


def _positive_int(text: str) -> int:
    value = int(text) if text.strip().isdecimal() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text}")
    return value


def _positive_float(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a finite number above 0, got {text}")
    return value


def _sizes(text: str) -> list[int]:
    return [_positive_int(part) for part in text.split(",")] if text.strip() else []
