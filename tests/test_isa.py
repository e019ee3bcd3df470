"""Choosing an instruction set."""

import re
from pathlib import Path

import numpy as np
import pytest
from support import run_python

import fastnn
from fastnn import _core

ISAS = fastnn.available_isas()


def test_available_isas_begin_with_the_one_every_cpu_has() -> None:
    assert ISAS[0] == "baseline"
    assert len(set(ISAS)) == len(ISAS)
    assert fastnn.isa() == ISAS[-1]  # the best, unless asked otherwise


def test_available_isas_are_those_of_the_cpu() -> None:
    text = Path("/proc/cpuinfo").read_text()
    flags = {flag for line in re.findall(r"^flags\s*:(.*)$", text, re.M) for flag in line.split()}
    expected = ["baseline"]  # all there is where the CPU is another than x86
    if {"avx2", "fma"} <= flags:
        expected.append("avx2")
    if {"avx512f", "avx512vl", "avx512dq", "avx512bw", "fma"} <= flags:
        expected.append("avx512")
    assert expected == ISAS


@pytest.mark.parametrize("name", ISAS)
def test_set_isa(name: str) -> None:
    fastnn.set_isa(name)
    assert fastnn.isa() == name


@pytest.mark.parametrize("name", ["sse9", "", "AVX2", "avx2 "])
def test_set_isa_of_an_unknown_name_lists_the_valid_ones(name: str) -> None:
    before = fastnn.isa()
    pattern = rf"set_isa: expected one of {', '.join(ISAS)}, got '{name}'"
    with pytest.raises(ValueError, match=pattern):
        fastnn.set_isa(name)
    assert fastnn.isa() == before


@pytest.mark.parametrize("name", [None, 3, b"avx2\xff"])
def test_set_isa_of_something_else_is_a_type_error(name: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        fastnn.set_isa(name)


def test_isas_differ() -> None:
    """Each name leads to kernels of its own: without FMA a product has other bits."""
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((30, 30)).astype(np.float32) for _ in range(2))
    results = {}
    for name in ISAS:
        fastnn.set_isa(name)
        out = np.empty((30, 30), np.float32)
        _core.gemm(out, a, b)
        results[name] = out.tobytes()
    assert results["baseline"] not in [results[name] for name in ISAS[1:]]


@pytest.mark.parametrize("name", ISAS)
def test_environment_chooses(name: str) -> None:
    run = run_python("import fastnn; print(fastnn.isa())", FASTNN_ISA=name)
    assert (run.returncode, run.stdout.strip()) == (0, name), run.stderr


def test_empty_environment_variable_means_the_best() -> None:
    run = run_python("import fastnn; print(fastnn.isa())", FASTNN_ISA="")
    assert (run.returncode, run.stdout.strip()) == (0, ISAS[-1]), run.stderr


def test_unknown_name_in_the_environment_is_an_error_at_import() -> None:
    run = run_python("import fastnn", FASTNN_ISA="mmx")
    last = run.stderr.strip().splitlines()[-1]
    assert run.returncode == 1
    assert last.startswith(("ImportError", "ValueError"))
    assert f"FASTNN_ISA: expected one of {', '.join(ISAS)}, got 'mmx'" in last
