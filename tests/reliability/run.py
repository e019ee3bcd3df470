"""Runs the proofs in full, and writes what they found into docs/reliability.md.

python tests/reliability/run.py                      # all of them: half an hour and more
python tests/reliability/run.py flips kills          # some
python tests/reliability/run.py --json F --write     # and the page's table
"""

import argparse
import importlib
import json
import platform
import sys
import time
from pathlib import Path

TESTS = Path(__file__).parent.parent
PAGE = TESTS.parent / "docs/reliability.md"
START, END = "<!-- figures: start -->\n", "<!-- figures: end -->"
sys.path.insert(0, str(TESTS))

import conftest  # noqa: E402, F401 (the environment of the tests)

import fastnn  # noqa: E402
from reliability import PROOFS  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("proof", nargs="*", default=PROOFS, help="all by default")
    parser.add_argument("--times", type=int, help="how often; each proof knows its own number")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--write", nargs="+", type=Path, metavar="FILE",
                        help=f"run nothing; put these figures into {PAGE.name}")  # fmt: skip
    args = parser.parse_args()
    if args.write:
        _write([json.loads(path.read_text()) for path in args.write])
        return
    found = {}
    for name in args.proof:
        proof = importlib.import_module(f"reliability.{name}")
        start = time.perf_counter()
        figures = proof.prove(proof.TIMES if args.times is None else args.times)
        found[name] = {"what": proof.__doc__.splitlines()[0], "figures": figures,
                       "seconds": round(time.perf_counter() - start, 1)}  # fmt: skip
        print(name, json.dumps(found[name]), flush=True)
    result = {"machine": _machine(), "proofs": found}
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n")


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line[:10] == "model name"), "")
    return (f"{time.strftime('%Y-%m-%d')}: {model}, isas {', '.join(fastnn.available_isas())}, "
            f"fastnn {fastnn.__version__}, Python {platform.python_version()}")  # fmt: skip


def _write(results: list[dict]) -> None:
    """Put a table between the two marks of the page."""
    found = {name: proof for result in results for name, proof in result["proofs"].items()}
    rows = [
        f"| `{name}` | {found[name]['what']} | {_figures(found[name]['figures'])} | "
        f"{found[name]['seconds']} |"
        for name in PROOFS
        if name in found
    ]
    table = ["| proof | what holds | figures | seconds |", "| :--- | :--- | :--- | ---: |", *rows]
    machines = sorted({result["machine"] for result in results})
    text = "\n".join([*table, "", f"Run on {'; '.join(machines)}.", ""])
    before, rest = PAGE.read_text().split(START)
    PAGE.write_text(before + START + "\n" + text + "\n" + END + rest.split(END)[1])


def _figures(figures: dict) -> str:
    def value(v: object) -> str:
        return ", ".join(map(str, v)) if isinstance(v, list) else str(v)

    return "; ".join(f"{name}: {value(v)}" for name, v in figures.items())


if __name__ == "__main__":
    main()
