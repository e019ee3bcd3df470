"""Plants bugs in a copy of the project, one at a time, and tells which the suite catches.

Run by hand, from the project's folder (`pip install '.[dev]'` brings what it needs):

    python tests/planted_bugs.py              # all of them
    python tests/planted_bugs.py --list
    python tests/planted_bugs.py batch-norm-variance adam-eps

Each bug is one replacement in one file. The tests named with it run first; if they pass, the
whole suite does. A bug that survives is a hole in the suite, and the exit code is 1.
"""

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Bug:
    """A replacement that must make a test fail.

    Attributes:
        name: What is wrong.
        file: The file, from the project's folder.
        right: The text that stands there, once.
        wrong: What is put in its place.
        tests: Where it should be caught.
    """

    name: str
    file: str
    right: str
    wrong: str
    tests: str


BUGS = [
    Bug(
        "loss-mean-without-1/N",
        "fastnn/nn/functional/losses.py",
        '1 / z.shape[0] if reduction == "mean" else 1.0',
        "1.0",
        "tests/test_nn.py",
    ),
]


class Copy:
    """The project in a temporary folder, with an extension of its own."""

    def __init__(self, folder: Path) -> None:
        self.root, self.build = folder / "project", folder / "build"
        files = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, capture_output=True, text=True, check=True,
        ).stdout.split("\n")  # fmt: skip
        for name in filter(None, files):
            if (ROOT / name).is_file():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.root / name)
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

    def fails(self, *tests: str) -> str:
        """The first failing test, or nothing."""
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider",
             "--tb=no", *tests],
            cwd=self.root, capture_output=True, text=True, check=False, env=_environment(),
        )  # fmt: skip
        if done.returncode == 0:
            return ""
        lines = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        return lines[0] if lines else f"pytest: exit code {done.returncode}\n{done.stdout[-500:]}"

    @staticmethod
    def _run(*command: object) -> None:
        words = [str(word) for word in command]
        done = subprocess.run(words, capture_output=True, text=True, check=False,
                              env=_environment())  # fmt: skip
        if done.returncode:
            raise SystemExit(f"{' '.join(words)}\n{done.stdout}\n{done.stderr}")


def _environment() -> dict[str, str]:
    """This one, with the programs that pip put beside Python."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


def plant(copy: Copy, bug: Bug) -> str:
    """Where the suite catches `bug`, or nothing."""
    path = copy.root / bug.file
    source = path.read_text()
    if source.count(bug.right) != 1:
        raise SystemExit(f"{bug.name}: {bug.file} holds {bug.right!r} "
                         f"{source.count(bug.right)} times, not once")  # fmt: skip
    compiled = bug.file.startswith("cpp/")
    path.write_text(source.replace(bug.right, bug.wrong))
    try:
        if compiled:
            copy.compile()
        return copy.fails(*bug.tests.split()) or copy.fails()
    finally:
        path.write_text(source)
        if compiled:
            copy.compile()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="bugs to plant; all by default")
    parser.add_argument("--list", action="store_true", help="print the names and exit")
    options = parser.parse_args()
    unknown = set(options.names) - {bug.name for bug in BUGS}
    if unknown:
        parser.error(f"unknown bugs: {', '.join(sorted(unknown))}")
    chosen = [bug for bug in BUGS if not options.names or bug.name in options.names]
    if options.list:
        print("\n".join(f"{bug.name:40s} {bug.file}" for bug in chosen))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Copy(Path(folder))
        for tests in sorted({bug.tests for bug in chosen}):
            if found := copy.fails(*tests.split()):
                raise SystemExit(f"{tests} fails with no bug planted: {found}")
        survivors = 0
        for bug in chosen:
            start = time.perf_counter()
            found = plant(copy, bug)
            survivors += not found
            print(f"{'caught  ' if found else 'SURVIVED'} {bug.name:40s} "
                  f"{time.perf_counter() - start:5.0f} s  {found}", flush=True)  # fmt: skip
    print(f"{len(chosen) - survivors} of {len(chosen)} caught")
    return int(survivors > 0)


if __name__ == "__main__":
    sys.exit(main())
