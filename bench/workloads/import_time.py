"""Seconds that an import takes beyond NumPy's, in fresh processes, and the room on disk."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from harness import Case, Entry, Group, WrongAnswerError, contestant
from processes import run_python

PROGRAM = """
import time
import numpy
start = time.perf_counter()
import {module}
print(time.perf_counter() - start)
print({expression})
"""
EXPECTED = 3.0  # of every expression: what was imported can be used


def groups(quick: bool) -> list[Group]:
    return [
        Group(
            "Import, after NumPy's",
            [Case("import", 0.0, {"what": "import"})],
            view="matrix",
            rounds=1 if quick else 9,
        ),
        Group(
            "Room on disk, without what it depends on and without data sets",
            [Case("installed", 0.0, {"what": "installed"})],
            view="matrix",
            quantity="bytes",
            rounds=1,
        ),
        Group(
            "Wheel, without the data set",
            [Case("wheel", 0.0, {"what": "wheel"})],
            view="matrix",
            quantity="bytes",
            rounds=1,
            only=(fastnn.name,),
        ),
    ]


def check(case: Case, answer: Any) -> None:
    """See that what was imported works, and that what is weighed holds the extension."""
    if case.params["what"] == "import":
        if answer != EXPECTED:
            raise WrongAnswerError(f"expected {EXPECTED}, got {answer}")
    elif not any(name.endswith((".so", ".pyd", ".dylib")) for name in answer):
        raise WrongAnswerError(f"expected compiled code among the files, got {answer[:5]}")


@contestant("fastnn", needs=("fastnn",), ours=True)
def fastnn(case: Case) -> Entry:
    expression = "fastnn.tensor([1.0, 2.0]).sum().item()"
    return _entry(case, "fastnn", expression, _package_files)


@contestant("torch", needs=("torch",))
def torch(case: Case) -> Entry:
    return _entry(case, "torch", "torch.tensor([1.0, 2.0]).sum().item()", _distribution_files)


@contestant("jax", needs=("jax",))
def jax(case: Case) -> Entry:
    expression = "float(jax.numpy.array([1.0, 2.0]).sum())"
    return _entry(case, "jax", expression, lambda _: _distribution_files("jax", "jaxlib"))


@contestant("scikit-learn", needs=("sklearn",))
def sklearn(case: Case) -> Entry:
    expression = "sum(sklearn.neural_network.MLPClassifier((1, 2)).hidden_layer_sizes)"
    return _entry(
        case, "sklearn.neural_network", expression, lambda _: _distribution_files("scikit-learn")
    )


CONTESTANTS = [fastnn, torch, jax, sklearn]


def _entry(case: Case, module: str, expression: str, files: Callable[[str], list[Path]]) -> Entry:
    if case.params["what"] == "import":
        program = ["-c", PROGRAM.format(module=module, expression=expression)]
        return Entry(
            run=lambda: float(run_python(program).output.split()[0]),
            answer=lambda: float(run_python(program).output.split()[1]),
            measures=True,
        )
    weigh = _zipped if case.params["what"] == "wheel" else _plain
    paths = files(module)
    return Entry(
        run=lambda: weigh(paths), answer=lambda: [path.name for path in paths], measures=True
    )


def _package_files(module: str) -> list[Path]:
    """Every file of an importable package, without its data sets: also where none is installed."""
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return list(_weighed(Path(spec.origin).parent.rglob("*")))


def _distribution_files(*names: str) -> list[Path]:
    files = [file for name in names for file in importlib.metadata.files(name) or ()]
    return list(_weighed(Path(str(file.locate())) for file in files))


def _weighed(paths: Any) -> Iterator[Path]:
    for path in paths:
        if path.is_file() and path.suffix != ".pyc" and "datasets" not in path.parts:
            yield path


def _plain(paths: list[Path]) -> int:
    return sum(path.stat().st_size for path in paths)


def _zipped(paths: list[Path]) -> int:
    """Compress as a wheel does."""
    root = os.path.commonpath(paths)
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as wheel:
            for path in paths:
                wheel.write(path, path.relative_to(root))
        return file.tell()
