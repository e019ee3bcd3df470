"""Parts of the test suite, run for their figures."""

import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

from support import ROOT


def passed(*arguments: str) -> tuple[list[str], str]:
    """The names of the tests that passed, and what pytest said; all must pass."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        done = subprocess.run(
            [sys.executable, "-P", "-m", "pytest", "-p", "no:cacheprovider",
             f"--junitxml={report}", *arguments],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
        return [case.get("name", "") for case in ET.parse(report).iter("testcase")], done.stdout
