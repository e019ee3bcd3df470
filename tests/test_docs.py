"""The Python blocks of the pages run as they stand."""

import os
import re
from pathlib import Path

import pytest
from support import ROOT, run_python

PAGES = {"docs/from-scikit-learn.md": 2}  # and how many blocks each has


def blocks(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.M | re.S)


@pytest.mark.parametrize(("page", "number"), [(p, i) for p, n in PAGES.items() for i in range(n)])
def test_a_block_runs(page: str, number: int) -> None:
    done = run_python(blocks(page)[number], timeout=300, PYTHONWARNINGS="ignore")
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_all_blocks_are_known() -> None:
    assert {page: len(blocks(page)) for page in PAGES} == PAGES


def test_links_lead_somewhere() -> None:
    pages = [ROOT / "README.md", *ROOT.glob("*/*.md")]
    for page in pages:
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if "://" not in link:
                assert Path(os.path.join(page.parent, link)).exists(), f"{page}: {link}"
