"""No code compiled for one ISA may be linked in place of another's.

The extension is stripped, so the symbols of the kernels' objects are looked at: what is weak or
global can be merged across objects by the linker or the loader, and then an old CPU runs AVX-512
code. The objects are those of a build whose folder FASTNN_BUILD names; without one, the kernels are
compiled once more with the build's options.
"""

import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from support import ROOT, fingerprint, kernel_commands, symbols

from fastnn import _core

COMMANDS = kernel_commands()
WEAK = "WwVvu"


def leaks(objects: Path, isa: str) -> list[str]:
    """Symbols the linker could merge with, or mistake for, those of another ISA."""
    own = re.compile(rf"\bEigen_{isa}::|^fastnn::kernels_{isa}$")
    return [
        f"{kind} {name}"
        for kind, name in symbols(objects)
        if (kind in WEAK or kind.isupper()) and not own.search(name)
    ]


def objects_of_build(folder: Path) -> dict[str, Path]:
    """The object of each ISA, where CMake leaves it."""
    return {isa: folder / f"CMakeFiles/kernels_{isa}.dir/cpp/kernels.cpp.o" for isa in COMMANDS}


def check(objects: dict[str, Path]) -> None:
    for isa, output in objects.items():
        assert f"fastnn::kernels_{isa}" in [name for _, name in symbols(output)]
        assert leaks(output, isa) == []


def test_objects_of_an_isa_share_nothing(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    if build := os.environ.get("FASTNN_BUILD"):
        check(objects_of_build(Path(build)))
        return
    sources = [p for p in (ROOT / "cpp").rglob("*") if p.suffix in (".h", ".cpp", ".def")]
    commands = [word for command in COMMANDS.values() for word in command]
    version = subprocess.run([commands[0], "--version"], capture_output=True, text=True, check=True)
    checked = fingerprint(sources, *commands, version.stdout)
    cache = getattr(pytestconfig, "cache", None)  # none with -p no:cacheprovider
    if cache is not None and cache.get("fastnn/symbols", None) == checked:
        return  # these very sources were compiled and found clean: it takes a while
    with ThreadPoolExecutor() as pool:
        check(dict(zip(COMMANDS, pool.map(partial(kernels, tmp_path), COMMANDS), strict=True)))
    if cache is not None:
        cache.set("fastnn/symbols", checked)


def kernels(folder: Path, isa: str) -> Path:
    """The object of an ISA, compiled now."""
    output = folder / f"{isa}.o"
    command = [*COMMANDS[isa], "-c", str(ROOT / "cpp/kernels.cpp"), "-o", str(output)]
    subprocess.run(command, check=True)
    return output


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("template <class T> __attribute__((noinline)) T f(T x) { return x; }"
         "template int f<int>(int);", True),
        ("inline __attribute__((noinline)) int g(int x) { return x; } int (*p)(int) = &g;", True),
        ("struct S { static inline int i = 3; }; int *p = &S::i;", True),
        ("int h(int x) { return x; }", True),
        ("namespace Eigen { template <class T> __attribute__((noinline)) T f(T x) { return x; }"
         "template int f<int>(int); }", False),
        ("namespace { int f(int x) { return x; } } namespace Eigen { int (*p)(int) = &f; }", False),
    ],
)  # fmt: skip
def test_the_check_finds_what_could_be_merged(source: str, found: bool, tmp_path: Path) -> None:
    """The check itself, on small pieces of code that do and do not leak."""
    isa, command = next(iter(COMMANDS.items()))
    code, output = tmp_path / "code.cpp", tmp_path / "code.o"
    code.write_text(source)
    subprocess.run([*command, "-c", str(code), "-o", str(output)], check=True)
    assert bool(leaks(output, isa)) == found


def test_every_isa_of_the_build_is_looked_at() -> None:
    assert set(COMMANDS) == {"baseline", "avx2", "avx512"}
    for isa, command in COMMANDS.items():
        assert f"-DEigen=Eigen_{isa}" in command
        assert f"-DFASTNN_KERNEL_ISA={isa}" in command
        assert "-O3" in command
    assert "-mavx512f" in COMMANDS["avx512"]


def test_the_extension_exports_its_entry_alone() -> None:
    """A symbol of ours must never take the place of another library's, nor be replaced."""
    exported = [name for _, name in symbols(Path(_core.__file__), "--dynamic")]
    assert exported == ["PyInit__core"]
