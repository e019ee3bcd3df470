"""Runs the proofs in full, and writes what they found into docs/reliability.md.

python tests/reliability/run.py                      # all of them: half an hour and more
python tests/reliability/run.py flips kills          # some
python tests/reliability/run.py --write F           # the page's table, of such files
"""

import argparse
import importlib
import json
import sys
import time
from pathlib import Path

TESTS = Path(__file__).parent.parent
sys.path.insert(0, str(TESTS))

import conftest  # noqa: E402, F401 (the environment of the tests)
import page  # noqa: E402

from reliability import PROOFS, SUITES  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("proof", nargs="*", default=(*PROOFS, *SUITES), help="all by default")
    parser.add_argument("--times", type=int, help="how often; each proof knows its own number")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--write", nargs="+", type=Path, metavar="FILE",
                        help=f"run nothing; put these figures into {page.PAGE.name}")  # fmt: skip
    args = parser.parse_args()
    if args.write:
        results = [json.loads(path.read_text()) for path in args.write]
        page.write("figures", _table(results), [result["machine"] for result in results])
        return
    found = {}
    for name in args.proof:
        proof = importlib.import_module(f"reliability.{name}")
        start = time.perf_counter()
        figures = proof.prove(proof.TIMES if args.times is None else args.times)
        found[name] = {"what": proof.__doc__.splitlines()[0], "figures": figures,
                       "seconds": round(time.perf_counter() - start, 1)}  # fmt: skip
        print(name, json.dumps(found[name]), flush=True)
    result = {"machine": page.machine(), "proofs": found}
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n")


def _table(results: list[dict]) -> list[str]:
    found = {name: proof for result in results for name, proof in result["proofs"].items()}
    rows = [
        f"| `{name}` | {found[name]['what']} | {_figures(found[name]['figures'])} | "
        f"{found[name]['seconds']} |"
        for name in (*PROOFS, *SUITES)
        if name in found
    ]
    return ["| proof | what holds | figures | seconds |", "| :--- | :--- | :--- | ---: |", *rows]


def _figures(figures: dict) -> str:
    def value(v: object) -> str:
        return ", ".join(map(str, v)) if isinstance(v, list) else str(v)

    return "; ".join(f"{name}: {value(v)}" for name, v in figures.items())


if __name__ == "__main__":
    main()
