"""The command `fastnn`: one module a command, and nothing here that takes long to import."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

import fastnn
from fastnn.cli import evaluate, info, mnist, predict, train

__all__ = ["main"]

# A command is a module with `add(commands)`, which adds its parser and sets `run` in it.
_COMMANDS = (mnist, train, predict, evaluate, info)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code.

    It is 0 for success, 2 for whatever is wrong with options or files, 130 after Ctrl-C.
    """
    args = _parser().parse_args(argv)
    try:
        args.run(args)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads our output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        known = error.strerror and error.filename
        said = f"{error.strerror}: {error.filename}" if known else str(error)
        print(f"fastnn: {said}", file=sys.stderr)
        return 2
    except (ValueError, ImportError, MemoryError, fastnn.NonFiniteError) as error:
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
    for command in _COMMANDS:
        command.add(commands)
    return parser
