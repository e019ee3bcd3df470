"""Each bug of the tables has its place, where `planted_bugs.py` plants it, and its tests."""

from pathlib import Path

import pytest
from tables.bugs import BUGS
from tables.mutants import MUTANTS
from tables.planted import Bug

ROOT = Path(__file__).parent.parent
ALL = [*BUGS, *MUTANTS]


@pytest.mark.parametrize("bug", ALL, ids=[bug.name for bug in ALL])
def test_a_bug_has_its_place(bug: Bug) -> None:
    text = (ROOT / bug.file).read_text(encoding="utf-8")
    assert text.count(bug.right) == 1
    assert bug.right != bug.wrong
    for tests in bug.tests.split():
        assert (ROOT / tests.partition("::")[0]).exists(), tests


def test_no_two_bugs_have_one_name() -> None:
    assert len({bug.name for bug in ALL}) == len(ALL)
