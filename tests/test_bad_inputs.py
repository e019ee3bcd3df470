"""Bad input: each call ends in the documented exception or in exactly the right result.

Six things of every row: the kind of exception; what its message says; less than a second; little
memory; model, optimizer and the caller's data as they were; no thread, open file or temporary
file left. The rows are in `bad_inputs/`.
"""

import contextlib
import gc
import os
import re
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bad_inputs import (
    arrays,
    core,
    idx_files,
    image_folders,
    labels,
    model_files,
    options,
    order,
    shapes,
    values,
)  # fmt: skip
from bad_inputs.case import Case, bad, fine
from bad_inputs.watch import MEBIBYTES, SECONDS, cost, leftovers
from bad_inputs.world import World
from support import bits

from fastnn import Tensor, _core

KINDS = (
    arrays,
    shapes,
    values,
    labels,
    options,
    order,
    model_files,
    idx_files,
    image_folders,
    core,
)
CASES = [case for kind in KINDS for case in kind.CASES]


def run(case: Case, folder: Path) -> None:
    """All six checks of a row."""
    (folder / "call").mkdir()
    (folder / "same").mkdir()
    world = World(folder / "call")
    before, left = world.state(), leftovers()
    with cost() as spent, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        error, result = outcome(case, world)
    check_end(case, error, result, World(folder / "same"))
    check_warnings(case, [str(w.message) for w in warned])
    assert spent.seconds < SECONDS
    assert spent.mebibytes < MEBIBYTES
    del error, result  # with all that their frames hold
    if leftovers() != left:
        gc.collect()  # only where it matters: it takes 0.2 s
    for what, value in leftovers().items():
        assert value == left[what], f"{what} changed"
    if case.error:
        assert world.state() == before, "model, optimizer or data changed"
        weights = world.fit()
        assert weights not in before, "the model learns no more"


def outcome(case: Case, world: World) -> tuple[Exception | None, Any]:
    try:
        return None, case.call(world)
    except Exception as error:
        return error, None


def check_end(case: Case, error: Exception | None, result: Any, other: World) -> None:
    if case.error is None:
        if error:
            raise error
        assert case.same is not None
        assert plain(result) == plain(case.same(other))
        return
    assert error is not None, f"expected {case.error.__name__}, got {result!r:.200}"
    assert isinstance(error, case.error), repr(error)
    assert re.search(case.says, str(error), re.DOTALL), str(error)


def check_warnings(case: Case, messages: list[str]) -> None:
    if case.warns:
        assert any(re.search(case.warns, message) for message in messages), messages
    else:
        assert not messages


def plain(value: Any) -> Any:
    """Something that is equal where all bits are."""
    if isinstance(value, np.ndarray | np.generic | Tensor):
        return str(value.dtype), tuple(value.shape), bits(value)
    if isinstance(value, float):
        return value.hex()
    return [*map(plain, value)] if isinstance(value, list | tuple) else value


@pytest.fixture(autouse=True)
def _temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))


@pytest.fixture(autouse=True, scope="module")
def _team() -> None:
    """The team's threads are there before the first row is."""
    serial = _core.set_serial_work(0)
    _core.relu_forward(np.zeros(10**5, np.float32), np.zeros(10**5, np.float32))
    _core.set_serial_work(serial)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_input(case: Case, tmp_path: Path) -> None:
    run(case, tmp_path)


def test_every_row_has_a_name_of_its_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


# --- the checks themselves ---

KEPT: list[Any] = []


def refuse(*_: Any) -> None:
    raise ValueError("who: expected less, got more")


def spoil(world: World) -> None:
    world.model.parameters().__next__().data[0, 0] = 7
    refuse()


def spoil_average(world: World) -> None:
    world.optimizer.param_groups[0]["lr"] = 1.0
    refuse()


def keep(thing: Any) -> None:
    KEPT.append(thing)
    refuse()


def fill(world: World) -> None:
    np.full(300 << 18, 1.0, np.float32).sum()
    refuse()


def linger(world: World) -> None:
    start = time.process_time()
    while time.process_time() - start < 1.1 * SECONDS:
        pass
    refuse()


def start_thread(world: World) -> None:
    event = threading.Event()
    thread = threading.Thread(target=event.wait, daemon=True)
    thread.start()
    keep(event)


def warn(world: World) -> None:
    warnings.warn("look out", stacklevel=1)
    refuse()


PLANTED: dict[str, tuple[Callable[[World], Any], str]] = {
    "another exception": (lambda w: [][0], "IndexError"),
    "another message": (lambda w: int("x"), "invalid literal"),
    "no exception": (lambda w: 3, "expected ValueError, got 3"),
    "time": (linger, "seconds"),
    "memory": (fill, "mebibytes"),
    "weights": (spoil, "model, optimizer or data changed"),
    "optimizer": (spoil_average, "model, optimizer or data changed"),
    "file left open": (lambda w: keep(open(os.devnull)), "descriptors changed"),  # noqa: SIM115
    "thread": (start_thread, "threads changed"),
    "temporary file": (lambda w: keep(tempfile.mkstemp()), "changed"),
    "environment": (lambda w: keep(os.environ.update(PLANTED="1")), "environment changed"),
    "random numbers": (lambda w: keep(np.random.rand()), "random numbers changed"),
    "floating-point errors": (lambda w: keep(np.seterr(all="ignore")), "floating-point"),
    "warning": (warn, "look out"),
}


@pytest.mark.parametrize(("call", "message"), PLANTED.values(), ids=PLANTED.keys())
def test_what_a_row_must_not_do_is_seen(
    call: Callable[[World], Any], message: str, tmp_path: Path
) -> None:
    errors, state = np.geterr(), np.random.get_state()
    try:
        with pytest.raises(AssertionError, match=message):
            run(bad("planted", call, ValueError, "^who: expected less, got more$"), tmp_path)
    finally:
        np.seterr(**errors)
        np.random.set_state(state)
        os.environ.pop("PLANTED", None)
        for thing in KEPT:
            if isinstance(thing, threading.Event):
                thing.set()
            elif isinstance(thing, tuple):
                os.close(thing[0])
            with contextlib.suppress(AttributeError):
                thing.close()
        KEPT.clear()


def test_another_result_is_seen(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        run(fine("planted", lambda w: np.float32(0), lambda w: np.float32(-0.0)), tmp_path)
