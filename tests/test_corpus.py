"""Every file of tests/corpus is read or refused as its name says; what was found stays mended."""

import importlib
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from fuzz import TARGETS, engine, limits
from fuzz.engine import Fuzzer, attempt, corpus

from fastnn import nn, serialization
from fastnn.tabular.reading import separated
from fastnn.tensor import as_array
from fastnn.vision import folder, idx, images


def target(name: str) -> ModuleType:
    return importlib.import_module(f"fuzz.{name}")


FILES = [(name, path) for name in TARGETS for path in corpus(name)]


@pytest.mark.parametrize(("name", "path"), FILES, ids=[f"{n}-{p.name}" for n, p in FILES])
def test_file(name: str, path: Path) -> None:
    was_read, way = attempt(target(name), path.read_bytes())
    if not path.name.startswith("find-"):
        assert was_read == path.name.startswith("good-"), way


def run(name: str, keep: Path, executions: int = 300) -> engine.Figures:
    fuzzer = Fuzzer(name, target(name), keep)
    return engine.fuzz(fuzzer, 0, lambda figures: figures.executions >= executions)


@pytest.mark.parametrize("name", TARGETS)
def test_a_short_run_finds_nothing(name: str, tmp_path: Path) -> None:
    figures = run(name, tmp_path)
    assert not figures.finds
    assert min(figures.read, figures.refused) > 5


# --- each can fail ---


def _forgets_modes(model: nn.Module, real: Any = serialization.describe) -> Any:
    return {**real(model), "training": True}


def _takes_half(self: nn.Module, state: Any) -> None:
    for name, tensor in self.state_dict().items():
        tensor._changed(as_array(state[name]))


def _ends_lines(texts: Any, real: Any = separated.as_cells) -> Any:
    return real(text.partition("\n")[0] + "\n"[: "\n" in text] * 2 + "x" for text in texts)


# name: the target that finds it, where to plant what, and what the find says
PLANTED: dict[str, tuple[str, Any, str, Any, str]] = {
    "no limit of dimensions": ("idx", idx, "_MAX_DIMS", 255, "ValueError: maximum supported"),
    "bytes left over": ("packed", idx._Source, "expect_end", lambda self: None, "other values"),
    "signs lost": ("checkpoint", serialization._DTYPES, "I16", "<u2", "AssertionError"),
    "a type forgotten": ("checkpoint", serialization._DTYPES, "F16", None, "reads it"),
    "modes lost": ("model", serialization, "describe", _forgets_modes, "other options"),
    "half a state": ("state", nn.Module, "load_state_dict", _takes_half, "it refused"),
    "cells made longer": ("table", separated, "as_cells", _ends_lines, "other cells"),
    "no limit of pixels": ("picture", images, "_check_size", lambda *_: None, "too large"),
    "no order of classes": ("folder", folder, "sorted", lambda names: [*names][::-1], "Assertion"),
}


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_is_found(bug: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, owner, key, wrong, message = PLANTED[bug]
    if isinstance(owner, dict):
        monkeypatch.setitem(owner, key, wrong) if wrong else monkeypatch.delitem(owner, key)
    else:
        monkeypatch.setattr(owner, key, wrong, raising=False)
    found = run(name, tmp_path).finds
    assert any(message in text for text in found.values()), found
    assert len(list(tmp_path.iterdir())) >= 1


def _hangs(content: bytes) -> None:
    while content:
        pass


def _takes_memory(content: bytes) -> None:
    assert b"x" * (limits.peak() + (100 << 20))


@pytest.mark.parametrize(
    ("read", "message"), [(_hangs, "TooLongError: more than"), (_takes_memory, "more than 64 MiB")]
)
def test_a_reader_without_bounds_is_found(
    read: Any, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SECONDS", 0.3 if read is _hangs else 10)
    monkeypatch.setattr(limits, "BYTES", 64 << 20)
    reader = SimpleNamespace(ALLOWED=(ValueError,), read=read, verify=lambda *_: "read")
    fuzzer = Fuzzer("any", reader, tmp_path)  # type: ignore[arg-type]
    with engine.ready():
        fuzzer.execute(b"x")
    assert [message in text for text in fuzzer.figures.finds.values()] == [True]
