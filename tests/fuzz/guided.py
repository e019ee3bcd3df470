"""Fuzzing by coverage of our Python code, with atheris and the targets' own changes.

It is some ten times slower for each file, and sees new ways through the code that end alike.
"""

import argparse
import importlib
import json
import random
import sys
import tempfile
import time
from pathlib import Path

from fuzz import engine
from fuzz.mutate import MOST


def instrument() -> None:
    """Import fastnn so that it tells where it has been; before anything else does."""
    import atheris

    with atheris.instrument_imports(include=["fastnn"]):
        for name in ("fastnn", "fastnn.tabular.reading", "fastnn.vision", "fastnn.architecture"):
            importlib.import_module(name)


def fuzz(fuzzer: engine.Fuzzer, options: argparse.Namespace, out: Path) -> None:
    """Run as long as the options say; does not return: libFuzzer ends the process."""
    import atheris

    start, figures, chance = time.monotonic(), fuzzer.figures, random.Random(options.seed)

    def change(content: bytes, size: int, seed: int) -> bytes:
        return fuzzer.target.change(content, random.Random(seed))[:size]

    def execute(content: bytes) -> None:
        fuzzer.execute(content)
        now = time.monotonic() - start
        if now > figures.seconds + 1 or figures.executions == options.executions:
            fuzzer.checkpoint()
            figures.seconds = now
            out.write_text(json.dumps(figures.table()))  # nothing runs at the end

    folder = tempfile.mkdtemp()  # where what covers more is kept while it runs
    limit = ([f"-runs={options.executions}"] if options.executions is not None else
             [f"-max_total_time={int(options.seconds)}"])  # fmt: skip
    arguments = [sys.argv[0], *limit, f"-seed={1 + chance.randrange(2**31)}", f"-max_len={MOST}",
                 "-verbosity=0", folder, str(engine.CORPUS / fuzzer.name)]  # fmt: skip
    with engine.ready():
        atheris.Setup(arguments, execute, custom_mutator=change)
        atheris.Fuzz()
