"""Writes the seeds of all targets into tests/corpus, where finds lie too."""

import importlib
import sys
from pathlib import Path

TESTS = Path(__file__).parent.parent
sys.path[0] = str(TESTS)

import fastnn  # noqa: E402
from fuzz import TARGETS  # noqa: E402


def main() -> None:
    for name in TARGETS:
        folder = TESTS / "corpus" / name
        folder.mkdir(parents=True, exist_ok=True)
        for path in [*folder.glob("good-*"), *folder.glob("bad-*")]:
            path.unlink()
        fastnn.manual_seed(0)
        for file, content in importlib.import_module(f"fuzz.{name}").seeds().items():
            (folder / file).write_bytes(content)


if __name__ == "__main__":
    main()
