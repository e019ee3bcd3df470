"""Plants bugs in a copy of the project, one at a time, and tells which the suite catches.

Run by hand, from the project's folder (`pip install '.[dev]'` brings what it needs):

    python tests/planted_bugs.py              # all of them
    python tests/planted_bugs.py --list
    python tests/planted_bugs.py adam-eps-inside-the-root gzip-end-not-read
    python tests/planted_bugs.py --area kernels gates readers --json found.json

The tables are `tables/bugs.py` and, for three areas, `tables/mutants.py`. The tests named with a
bug run first; if they pass, the whole suite does. A bug that survives is a hole in the suite, and
the exit code is 1.

The mutants in C++ are all built at once, each behind a number that FASTNN_PLANTED chooses: the
kernels take minutes to compile. For other bugs in C++ what they change is compiled again.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import page
from tables.bugs import BUGS
from tables.mutants import AREAS, MUTANTS
from tables.planted import Bug

ROOT = Path(__file__).parent.parent
HOUR = 3600  # no run of tests takes longer; a bug may make one endless

_DECLARED = "namespace fastnn { extern const int kPlanted; }\n"
_DEFINED = """
namespace fastnn {
extern const int kPlanted = std::getenv("FASTNN_PLANTED") ? std::atoi(std::getenv("FASTNN_PLANTED"))
                                                          : 0;
}
"""
# It sees that each bug has its place, which one that is planted has not.
_NOT_OF_COPIES = ("--ignore=tests/test_planted.py",)
# It compiles the kernels again, and takes the number that chooses for a leak.
_NOT_OF_MUTANTS = ("--ignore=tests/test_symbols.py",)


@dataclass
class Found:
    """What came of one bug."""

    name: str
    area: str
    file: str
    caught: bool
    by: str  # the first test that failed
    whole_suite: bool  # whether the tests named with it were not enough
    seconds: float


class Copy:
    """The project in a folder, with an extension of its own.

    Args:
        folder: Where; what is there from an earlier run is brought up to date.
        built_in: Bugs to build all at once; those of them that are not in C++ are left.
    """

    def __init__(self, folder: Path, built_in: Sequence[Bug] = ()) -> None:
        self.root, self.build = folder / "project", folder / "build"
        self.numbers = {bug.name: number for number, bug in enumerate(built_in, start=1)
                        if bug.file.startswith("cpp/")}  # fmt: skip
        sources = {name: (ROOT / name).read_bytes() for name in _files() if (ROOT / name).is_file()}
        for bug in built_in:
            if number := self.numbers.get(bug.name):
                text = sources[bug.file].decode()
                sources[bug.file] = replaced(text, bug, _either(bug, number)).encode()
        for name in {bug.file for bug in built_in if bug.name in self.numbers}:
            sources[name] = _DECLARED.encode() + sources[name]
        if self.numbers:
            sources["cpp/dispatch.cpp"] += _DEFINED.encode()
        for name, content in sources.items():
            write(self.root / name, content)
        pybind11 = subprocess.run(
            [sys.executable, "-m", "pybind11", "--cmakedir"],
            capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip
        self._run(
            "cmake", "-S", self.root, "-B", self.build, "-G", "Ninja",
            f"-DCMAKE_PREFIX_PATH={sysconfig.get_path('purelib')}",
            f"-DPython_EXECUTABLE={sys.executable}", f"-Dpybind11_DIR={pybind11}",
        )  # fmt: skip
        self.compile()

    def compile(self) -> None:
        """Build the extension and put it where the package looks for it."""
        self._run("cmake", "--build", self.build)
        for library in self.build.glob("_core*"):
            shutil.copy2(library, self.root / "fastnn" / library.name)

    @contextmanager
    def planted(self, bug: Bug) -> Iterator[dict[str, str]]:
        """The bug is there meanwhile, if the tests run with these variables."""
        if bug.name in self.numbers:
            yield {"FASTNN_PLANTED": str(self.numbers[bug.name])}
            return
        path = self.root / bug.file
        source = path.read_text()
        path.write_text(replaced(source, bug, bug.wrong))
        try:
            if not self.numbers:
                self.compile()  # what the bug before left in the extension goes, too
            yield {}
        finally:
            path.write_text(source)

    def fails(self, *tests: str, **variables: str) -> str:
        """The first failing test, or nothing."""
        left_out = _NOT_OF_COPIES + (_NOT_OF_MUTANTS if self.numbers else ())
        try:
            done = subprocess.run(
                [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p",
                 "no:cacheprovider", "--tb=no", *left_out, *tests],
                cwd=self.root, capture_output=True, text=True, check=False, timeout=HOUR,
                env=_environment() | variables,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return f"pytest: no end after {HOUR} s"
        if done.returncode == 0:
            return ""
        lines = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        if not lines:
            return f"pytest: exit code {done.returncode}\n{done.stdout[-500:]}"
        return lines[0].partition(" - ")[0].removeprefix("FAILED ")

    @staticmethod
    def _run(*command: object) -> None:
        words = [str(word) for word in command]
        done = subprocess.run(words, capture_output=True, text=True, check=False,
                              env=_environment())  # fmt: skip
        if done.returncode:
            raise SystemExit(f"{' '.join(words)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")


def _files() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return listed.stdout.splitlines()


def _environment() -> dict[str, str]:
    """This one, with the programs that pip put beside Python."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


def write(path: Path, content: bytes) -> None:
    """Write a file; one that holds this already keeps its time, so nothing is compiled for it."""
    if not path.is_file() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def replaced(source: str, bug: Bug, text: str) -> str:
    """The source with `text` where the bug goes."""
    if source.count(bug.right) != 1:
        raise SystemExit(f"{bug.name}: {bug.file} holds {bug.right!r} "
                         f"{source.count(bug.right)} times, not once")  # fmt: skip
    return source.replace(bug.right, text)


def _either(bug: Bug, number: int) -> str:
    """Right or wrong, as the number says when the extension is loaded."""
    chosen = f"fastnn::kPlanted == {number}"
    if bug.right.endswith(";"):
        return f"if ({chosen}) {{ {bug.wrong} }} else {{ {bug.right} }}"
    return f"({chosen} ? ({bug.wrong}) : ({bug.right}))"


def look_for(copy: Copy, bugs: Sequence[Bug], whole_suite: bool) -> Iterator[Found]:
    """Plant each in turn and see which test fails."""
    if failed := copy.fails(*sorted({tests for bug in bugs for tests in bug.tests.split()})):
        raise SystemExit(f"with no bug planted: {failed}")
    for bug in bugs:
        start = time.perf_counter()
        with copy.planted(bug) as variables:
            named = copy.fails(*bug.tests.split(), **variables)
            by = named or (copy.fails(**variables) if whole_suite else "")
        yield Found(bug.name, bug.area, bug.file, bool(by), by, whole_suite and not named,
                    round(time.perf_counter() - start, 1))  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="bugs to plant; all by default")
    parser.add_argument("--area", nargs="+", choices=AREAS, help="the mutants of these areas")
    parser.add_argument("--list", action="store_true", help="print the names and exit")
    parser.add_argument("--named-tests", action="store_true", help="never run the whole suite")
    parser.add_argument("--json", type=Path, metavar="F", help="write what came of each to F")
    parser.add_argument("--write", nargs="+", type=Path, metavar="F",
                        help="run nothing; put these figures into docs/reliability.md")  # fmt: skip
    parser.add_argument("--folder", type=Path, help="keep the copies and their builds there")
    options = parser.parse_args()
    if options.write:
        results = [json.loads(path.read_text()) for path in options.write]
        page.write("mutants", _table(results), [result["machine"] for result in results])
        return 0
    everything = [*BUGS, *MUTANTS]
    unknown = set(options.names) - {bug.name for bug in everything}
    if unknown:
        parser.error(f"unknown bugs: {', '.join(sorted(unknown))}")
    chosen = [bug for bug in everything
              if (not options.names or bug.name in options.names)
              and (not options.area or bug.area in options.area)]  # fmt: skip
    if options.list:
        print("\n".join(f"{bug.name:40s} {bug.file}" for bug in chosen))
        return 0
    for bug in chosen:  # one that has lost its place is told before anything is built
        replaced((ROOT / bug.file).read_text(), bug, bug.wrong)
    found: list[Found] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        for place, built_in in ("bugs", ()), ("mutants", MUTANTS):
            bugs = [bug for bug in chosen if (bug in MUTANTS) == bool(built_in)]
            if not bugs:
                continue
            copy = Copy(folder.absolute() / place, built_in)
            for one in look_for(copy, bugs, not options.named_tests):
                found.append(one)
                print(f"{'caught  ' if one.caught else 'SURVIVED'} {one.name:40s} "
                      f"{one.seconds:5.0f} s  {one.by}", flush=True)  # fmt: skip
                if options.json:
                    result = {"machine": page.machine(), "bugs": [asdict(f) for f in found]}
                    options.json.write_text(json.dumps(result, indent=1) + "\n")
    caught = sum(one.caught for one in found)
    print(f"{caught} of {len(found)} caught")
    return int(caught < len(found))


def _table(results: list[dict]) -> list[str]:
    bugs = {bug["name"]: bug for result in results for bug in result["bugs"]}.values()
    rows = []
    for area in (*AREAS, ""):
        caught = [bug["caught"] for bug in bugs if bug["area"] == area]
        if caught:
            rows.append(f"| {area or 'anywhere'} | {len(caught)} | {sum(caught)} |")
    return ["| in | planted | caught |", "| :--- | ---: | ---: |", *rows]


if __name__ == "__main__":
    sys.exit(main())
