"""What `import fastnn` loads, and what it says where it cannot work."""

import shutil
import subprocess
import sys
from pathlib import Path

from support import run_python

import fastnn


def test_sources_taken_for_the_package(tmp_path: Path) -> None:
    """Python in a clone's folder finds the sources there before what pip installed."""
    sources = Path(fastnn.__file__).parent
    shutil.copytree(sources, tmp_path / "fastnn",
                    ignore=shutil.ignore_patterns("_core*", "datasets"))  # fmt: skip
    done = subprocess.run([sys.executable, "-c", "import fastnn"], cwd=tmp_path,
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 1
    assert f"expected its compiled core beside its sources, got none in {tmp_path}" in done.stderr
    assert "start it in another folder" in done.stderr


def test_some_parts_are_loaded_when_they_are_asked_for() -> None:
    parts = ["plot", "report", "sklearn", "vision"]
    done = run_python(
        "import sys, fastnn\n"
        f"for part in {parts}:\n"
        "    name = f'fastnn.{part}'\n"
        "    print(part in dir(fastnn), name in sys.modules, getattr(fastnn, part).__name__)\n"
    )
    assert done.stdout.splitlines() == [f"True False fastnn.{part}" for part in parts], done.stderr
