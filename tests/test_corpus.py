"""Every file of tests/corpus is read or refused as its name says; what was found stays mended."""

import importlib
from pathlib import Path
from types import ModuleType

import pytest
from fuzz import TARGETS, engine, limits
from fuzz.engine import Fuzzer, attempt, corpus


def target(name: str) -> ModuleType:
    return importlib.import_module(f"fuzz.{name}")


FILES = [(name, path) for name in TARGETS for path in corpus(name)]


@pytest.mark.parametrize(("name", "path"), FILES, ids=[f"{n}-{p.name}" for n, p in FILES])
def test_file(name: str, path: Path) -> None:
    was_read, way = attempt(target(name), path.read_bytes())
    if not path.name.startswith("find-"):
        assert was_read == path.name.startswith("good-"), way


@pytest.mark.parametrize("name", TARGETS)
def test_a_short_run_finds_nothing(name: str, tmp_path: Path) -> None:
    fuzzer = Fuzzer(name, target(name), tmp_path)
    figures = engine.fuzz(fuzzer, 0, lambda figures: figures.executions > 500)
    assert not figures.finds
    assert figures.read > 10 < figures.refused
    assert limits.peak() >= fuzzer.before
