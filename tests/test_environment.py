"""One program in environments of all kinds: it comes to the same bits, or the error says why."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from environment_support import outcome
from support import SANITIZED, run_python
from tables.environments import ENVIRONMENTS, UPWARD, Environment

import fastnn

LIVED_IN = {name: e for name, e in ENVIRONMENTS.items() if e.sanitized or not SANITIZED}


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return outcome(Environment(), tmp_path_factory.mktemp("usual"))


@pytest.mark.parametrize("name", LIVED_IN)
def test_the_same_bits(name: str, usual: dict[str, Any], tmp_path: Path) -> None:
    assert outcome(ENVIRONMENTS[name], tmp_path) == usual
    assert usual["mode"] is True


def test_another_rounding_is_taken_and_stays(usual: dict[str, Any], tmp_path: Path) -> None:
    upward = outcome(UPWARD, tmp_path)
    assert upward["mode"] is True
    assert upward["bits"] != usual["bits"]
    np.testing.assert_allclose(upward["losses"], usual["losses"], rtol=1e-4)


def test_what_the_program_says_is_seen(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="a word"):
        outcome(Environment(then="import sys; print('a word', file=sys.stderr)"), tmp_path)


def test_a_package_in_a_zip_file_says_what_it_needs(tmp_path: Path) -> None:
    """M29: no compiled module can be imported from there."""
    sources = Path(fastnn.__file__).parent
    made = shutil.make_archive(str(tmp_path / "packed"), "zip", sources.parent, "fastnn")
    code = "import sys; sys.path.insert(0, sys.argv[1]); import fastnn"
    done = run_python(code, made)
    assert done.returncode == 1
    assert f"expected its compiled core beside its sources, got none in {made}" in done.stderr
