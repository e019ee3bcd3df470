"""Helpers of the tests: memory at chosen addresses, numerical gradients, other processes."""

import ctypes
import hashlib
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import fastnn
from fastnn import _core, nn
from fastnn.tensor import as_array

ROOT = Path(__file__).parent.parent
DTYPES = (np.float32, np.float64)
TEAMS = (1, 2, 5)
SANITIZED = "libasan" in os.environ.get("LD_PRELOAD", "")
VECTOR_BYTES = {"baseline": 16, "avx2": 32, "avx512": 64}


def force_threads(n: int) -> None:
    """Make every kernel, however small, run on a team of `n`."""
    fastnn.set_num_threads(n)
    _core.set_serial_work(0)
    assert fastnn.get_num_threads() == n, (
        f"this test needs teams of {n}, but a CPU quota or an OpenMP limit allows only "
        f"{fastnn.get_num_threads()}"
    )


def empty(shape: int | tuple[int, ...], dtype: Any, offset: int = 0) -> np.ndarray:
    """Uninitialised memory that starts `offset` elements after a 64-byte boundary."""
    count, size = int(np.prod(shape)), np.dtype(dtype).itemsize
    raw = np.empty((count + offset) * size + 64, np.uint8)
    start = -raw.ctypes.data % 64 + offset * size
    return raw[start : start + count * size].view(dtype).reshape(shape)


def place(values: Any, offset: int = 0) -> np.ndarray:
    """A copy of `values` that starts `offset` elements after a 64-byte boundary."""
    values = np.asarray(values)
    out = empty(values.shape, values.dtype, offset)
    out[...] = values
    return out


def awkward_sizes(dtype: Any, large: bool = True) -> list[int]:
    """0, 1, N-1, N, N+1 and 4N+3 for the vector widths N of all ISAs, and a large prime-ish one."""
    item = np.dtype(dtype).itemsize
    widths = [size // item for size in VECTOR_BYTES.values()]
    sizes = {0, 1} | {n for w in widths for n in (w - 1, w, w + 1, 4 * w + 3)}
    return sorted(sizes | ({10007} if large else set()))


def bits(*arrays: Any) -> bytes:
    """All bits of some arrays or tensors: equality that tells NaN and -0 apart."""
    return b"".join(np.ascontiguousarray(as_array(a)).tobytes() for a in arrays)


def numerical_gradient(f: Callable[[], float], x: np.ndarray, smooth: bool = True) -> np.ndarray:
    """d f() / d x by central differences; `f` reads x, whose elements are moved one by one.

    With steps h and h/2 extrapolated where `f` is smooth; else one step, small enough that no
    kink lies within it.
    """
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        value = x[index]
        h = (1e-3 if smooth else 6e-6) * max(1.0, abs(value))

        def slope(h: float, index: Any = index, value: float = value) -> float:
            x[index] = value + h
            up = f()
            x[index] = value - h
            down = f()
            x[index] = value
            return (up - down) / (2 * h)

        gradient[index] = (4 * slope(h / 2) - slope(h)) / 3 if smooth else slope(h)
    return gradient


def gradient_error(got: Any, expected: np.ndarray) -> float:
    """The largest relative difference; elements below 1/1000 of the largest count as that."""
    got = np.asarray(got, np.float64)
    assert got.shape == expected.shape
    if got.size == 0:
        return 0.0
    floor = max(1e-3 * np.abs(expected).max(), 1e-6)
    scale = np.maximum(np.maximum(np.abs(got), np.abs(expected)), floor)
    return float((np.abs(got - expected) / scale).max())


def relative_error(got: Any, expected: Any) -> float:
    """The largest difference relative to the largest expected value."""
    got, expected = np.asarray(got, np.float64), np.asarray(expected, np.float64)
    assert got.shape == expected.shape
    return float(np.abs(got - expected).max() / np.abs(expected).max())


def mlp(*sizes: int, seed: int = 0) -> nn.Sequential:
    """A ReLU network with seeded weights."""
    fastnn.manual_seed(seed)
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def state_bits(*models: nn.Module) -> bytes:
    """All bits of the parameters and buffers of some models."""
    return bits(*(t for model in models for t in model.state_dict().values()))


def environment(**env: str) -> dict[str, str]:
    """An environment in which another process finds the fastnn under test, `env` for our settings.

    A process needs a working folder other than the sources' too: Python looks there first.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("FASTNN_", "OMP_"))}
    kept["PYTHONPATH"] = os.pathsep.join([str(Path(fastnn.__file__).parent.parent), *sys.path])
    return {**kept, **env}


def run_python(code: str, *args: str, timeout: float = 60, **env: str) -> Any:
    """Run Python code, or `-m module`, in a process of its own with `env` for our settings."""
    command = code.split() if code.startswith("-m") else ["-c", code]
    return subprocess.run(
        [sys.executable, *command, *args],
        env=environment(**env),
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def fpu_mode() -> tuple[int, int]:
    """This thread's rounding, denormal and exception modes: MXCSR and x87's word, or FPCR.

    `fegetenv` writes the CPU's own registers; flags of what has happened are masked out.
    """
    registers = (ctypes.c_uint32 * 64)()  # room for the environment of any CPU
    ctypes.CDLL(None).fegetenv(registers)
    if platform.machine() in ("x86_64", "AMD64"):
        return registers[7] & ~0x3F, registers[0] & 0xFFFF
    return registers[0], 0


def peak_bytes(work: Callable[[], Any]) -> int:
    """The most memory that Python and NumPy held at once during `work`, mapped files apart."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@contextmanager
def little_memory(bytes_more: int) -> Iterator[None]:
    """With so many bytes of address space left."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + bytes_more
    resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


# --- the kernels as the build compiles them ---


def kernel_compiler() -> tuple[str, Path] | None:
    """The compiler and Eigen's folder, or None where they or the sources are not at hand."""
    compiler = shutil.which("g++") or shutil.which("c++")
    folders = [Path(p) / "cmeel.prefix/include/eigen3" for p in sys.path if p]
    folders += [Path("/usr/include/eigen3"), Path("/usr/local/include/eigen3")]
    eigen = next((f for f in folders if (f / "Eigen/Core").exists()), None)
    sources = (ROOT / "cpp/kernels.cpp").exists() and (ROOT / "CMakeLists.txt").exists()
    return (compiler, eigen) if compiler and eigen and sources and shutil.which("nm") else None


def kernel_commands() -> dict[str, list[str]]:
    """The compiler's command line for the kernels of each ISA, out of CMakeLists.txt."""
    found = kernel_compiler()
    assert found is not None
    compiler, eigen = found
    text = (ROOT / "CMakeLists.txt").read_text()
    options = re.search(r"target_compile_options\(kernels_\S+ PRIVATE([^)]*?)\$\{ARGN\}\)", text)
    definitions = re.search(r"target_compile_definitions\(kernels_\S+ PRIVATE([^)]*)\)", text)
    assert options, "kernels' options not found in CMakeLists.txt"
    assert definitions, "kernels' definitions not found in CMakeLists.txt"
    commands = {}
    for isa, flags in re.findall(r"^\s*add_kernels\((\w+)([^)]*)\)", text, re.MULTILINE):
        words = definitions[1].replace("${isa}", isa).split()
        commands[isa] = [
            compiler, "-std=c++17", "-DNDEBUG", "-fPIC", "-fvisibility=hidden",
            "-fvisibility-inlines-hidden", "-w", *options[1].split(), *flags.split(),
            *(f"-D{word}" for word in words), "-isystem", str(eigen),
        ]  # fmt: skip
    return commands


def symbols(path: Path, *options: str) -> list[tuple[str, str]]:
    """Type and demangled name of each symbol that `path` defines."""
    lines = subprocess.run(
        ["nm", "-C", "--defined-only", *options, str(path)],
        capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    return [(parts[1], parts[2]) for line in lines if len(parts := line.split(maxsplit=2)) == 3]


def fingerprint(paths: Sequence[Path], *more: str) -> str:
    """A hash of some files and words."""
    digest = hashlib.sha256("\0".join(more).encode())
    for path in sorted(paths):
        digest.update(path.read_bytes())
    return digest.hexdigest()
