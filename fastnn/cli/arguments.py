"""What options are made of: types that refuse with a sentence, and options of several commands."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import fastnn

__all__ = [
    "Commands", "add_checkpoint_options", "add_machine_options", "check_folders",
    "checkpoint_options", "fraction", "names", "positive_float", "positive_int", "separator",
    "share", "sizes", "use_machine", "write_json", "zero_or_more",
]  # fmt: skip

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


# --- types of options ---


def positive_int(text: str) -> int:
    """A whole number of at least 1.

    >>> positive_int("12")
    12
    """
    value = int(text) if text.strip().isdecimal() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text}")
    return value


def positive_float(text: str) -> float:
    """A finite number above 0.

    >>> positive_float("1e-3")
    0.001
    """
    return _real(text, "a finite number above 0", lambda value: 0 < value < float("inf"))


def fraction(text: str) -> float:
    """A number from 0 up to, but not including, 1.

    >>> fraction("0.25")
    0.25
    """
    return _real(text, "a number from 0 to less than 1", lambda value: 0 <= value < 1)


def share(text: str) -> float:
    """A number between 0 and 1.

    >>> share("0.2")
    0.2
    """
    return _real(text, "a number between 0 and 1", lambda value: 0 < value < 1)


def zero_or_more(text: str) -> float:
    """A finite number of at least 0.

    >>> zero_or_more("0")
    0.0
    """
    return _real(text, "a finite number of at least 0", lambda value: 0 <= value < float("inf"))


def separator(text: str) -> str:
    r"""One character; "tab" is the tab.

    >>> separator(";"), separator("tab")
    (';', '\t')
    """
    value = {"tab": "\t", "\\t": "\t"}.get(text, text)
    if len(value) != 1 or value in '"\r\n':
        raise argparse.ArgumentTypeError(f"expected one character or 'tab', got {text!r}")
    return value


def sizes(text: str) -> list[int]:
    """Whole numbers of at least 1, separated by commas; none in an empty text.

    >>> sizes("128,64"), sizes("")
    ([128, 64], [])
    """
    return [positive_int(part) for part in text.split(",")] if text.strip() else []


def names(text: str) -> list[str]:
    """Names, separated by commas.

    >>> names("city, zip code")
    ['city', 'zip code']
    """
    return [part.strip() for part in text.split(",")]


def _real(text: str, expected: str, holds: Callable[[float], bool]) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not holds(value):
        raise argparse.ArgumentTypeError(f"expected {expected}, got {text}")
    return value


# --- what several commands share ---


def add_machine_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `use_machine` takes."""
    parser.add_argument("--seed", type=int, default=0, help="of everything that is random")
    parser.add_argument("--threads", type=positive_int, help="at most this many (default: all)")


def use_machine(args: argparse.Namespace) -> None:
    """Set the threads and the seed that were asked for."""
    if args.threads:
        fastnn.set_num_threads(args.threads)
    fastnn.manual_seed(args.seed)


def add_checkpoint_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `checkpoint_options` takes."""
    parser.add_argument(
        "--checkpoint", type=Path, metavar="DIR", help="keep checkpoints of the training there"
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on from the newest checkpoint, if there is one"
    )


def checkpoint_options(args: argparse.Namespace) -> dict[str, Any]:
    """The folder as `checkpoint`, or None, and whether to `resume`.

    Raises:
        ValueError: for `--resume` without a folder.
    """
    if args.resume and args.checkpoint is None:
        raise ValueError("--resume needs --checkpoint DIR")
    return {"checkpoint": args.checkpoint, "resume": args.resume}


def check_folders(*targets: Path | None) -> None:
    """Refuse at once, not after the training, what could not be written then.

    Raises:
        OSError: if a file's folder is not there, or a folder stands in its place.
    """
    for target in targets:
        if target is None:
            continue
        if not target.absolute().parent.is_dir():
            raise FileNotFoundError(f"no folder to write {target} in")
        if target.is_dir():
            raise IsADirectoryError(f"expected a file to write, got the folder {target}")


def write_json(path: Path, results: Mapping[str, Any]) -> None:
    """Write results as JSON, whole or not at all."""
    from fastnn.serialization import write_atomically

    write_atomically(path, (json.dumps(results, indent=2) + "\n").encode())
