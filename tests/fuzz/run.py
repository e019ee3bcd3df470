"""Fuzzes what reads files, each target in a process of its own, and says what it found.

python tests/fuzz/run.py --seconds 60                        # all targets, a minute each
python tests/fuzz/run.py idx table --executions 1000000      # some
python tests/fuzz/run.py --write figures.json                # the table of docs/reliability.md
"""

import argparse
import importlib
import json
import mmap
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["FASTNN_NUM_THREADS"] = "1"
TESTS = Path(__file__).parent.parent
sys.path[0] = str(TESTS)  # not this folder: its modules are `fuzz.idx` and so on

import page  # noqa: E402

from fuzz import TARGETS  # noqa: E402

_LAST = 1 << 20  # bytes for the file that a process died of


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", nargs="*", default=TARGETS, help="all by default")
    parser.add_argument("--executions", type=int, help="how many files, for each target")
    parser.add_argument("--seconds", type=float, help="how long, for each target; 10 by default")
    parser.add_argument("--seed", type=int, default=0, help="of the changes")
    parser.add_argument("--guided", action="store_true", help="by coverage, with atheris")
    parser.add_argument("--keep", type=Path, default=TESTS / "corpus", help="where finds go")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--write", nargs="+", type=Path, metavar="FILE",
                        help="run nothing; put these figures into the page")  # fmt: skip
    parser.add_argument("--here", type=Path, help=argparse.SUPPRESS)  # this is a target's process
    options = parser.parse_args()
    if options.write:
        results = [json.loads(path.read_text()) for path in options.write]
        page.write("fuzzing", _table(results), [result["machine"] for result in results])
        return 0
    if options.here:
        _here(options)
        return 0
    found = {}
    for name in options.target:
        found[name] = _apart(name, options)
        print(name, json.dumps(found[name]), flush=True)
        if options.json:
            result = {"machine": page.machine(), "seed": options.seed, "targets": found}
            options.json.write_text(json.dumps(result, indent=1) + "\n")
    return int(any(figures["finds"] for figures in found.values()))


def _apart(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """One target in a process of its own, which may die of what it reads."""
    with tempfile.TemporaryDirectory() as folder:
        last, out = Path(folder, "last"), Path(folder, "json")
        last.write_bytes(bytes(8 + _LAST))
        command = [sys.executable, __file__, name, "--here", folder, "--seed", str(options.seed),
                   "--keep", str(options.keep)]  # fmt: skip
        for word in ("executions", "seconds"):
            if getattr(options, word) is not None:
                command += [f"--{word}", str(getattr(options, word))]
        status = subprocess.run(command + ["--guided"] * options.guided, check=False).returncode
        figures = json.loads(out.read_text()) if out.exists() else {"finds": {}}
        if status:
            content = last.read_bytes()
            killer = options.keep / name / "find-end-of-process"
            killer.parent.mkdir(parents=True, exist_ok=True)
            killer.write_bytes(content[8 : 8 + int.from_bytes(content[:8], "little")])
            figures["finds"]["end of the process"] = f"status {status}, on {killer}"
        return figures


def _here(options: argparse.Namespace) -> None:
    if options.guided:
        from fuzz import guided

        guided.instrument()
    from fuzz import engine

    (name,) = options.target
    target = importlib.import_module(f"fuzz.{name}")
    out = options.here / "json"
    with (options.here / "last").open("r+b") as file:
        fuzzer = engine.Fuzzer(name, target, options.keep / name, mmap.mmap(file.fileno(), 0))
    if options.guided:
        guided.fuzz(fuzzer, options, out)
        return
    figures = engine.fuzz(fuzzer, options.seed, _enough(options))
    out.write_text(json.dumps(figures.table()))


def _enough(options: argparse.Namespace) -> Callable[[Any], bool]:
    end = None if options.seconds is None else time.monotonic() + options.seconds

    def enough(figures: Any) -> bool:
        if options.executions is not None and figures.executions >= options.executions:
            return True
        return end is not None and time.monotonic() >= end

    return enough


def _table(results: list[dict[str, Any]]) -> list[str]:
    """The sums of some runs, a row for each target."""
    rows: dict[str, dict[str, Any]] = {}
    for result in results:
        for name, found in result["targets"].items():
            row = rows.setdefault(name, dict.fromkeys(
                ("executions", "read", "seconds", "ways"), 0) | {"finds": set()})  # fmt: skip
            for key in ("executions", "read", "seconds"):
                row[key] += found[key]
            row["ways"] = max(row["ways"], found["ways to end"])
            row["finds"] |= set(found["finds"])
    return [
        "| target | files | of them read | ways to end | open finds | seconds |",
        "| :--- | ---: | ---: | ---: | ---: | ---: |",
        *(
            f"| `{name}` | {row['executions']:,} | {row['read']:,} | {row['ways']} | "
            f"{len(row['finds'])} | {row['seconds']:,.0f} |"
            for name, row in rows.items()
        ),
        f"| all | {sum(row['executions'] for row in rows.values()):,} | | | "
        f"{sum(len(row['finds']) for row in rows.values())} | |",
    ]


if __name__ == "__main__":
    sys.exit(main())
