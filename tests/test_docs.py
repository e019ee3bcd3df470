"""The Python blocks of the pages run as they stand, those that are short and need no file."""

import os
import re
from pathlib import Path

import pytest
from support import ROOT, run_python

RUN = {"README.md": [2], "docs/from-scikit-learn.md": [0, 1]}
LEFT = {"README.md": [0, 1], "docs/command-line.md": [0]}  # trains on MNIST, reads a user's table


def blocks(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.M | re.S)


@pytest.mark.parametrize(("page", "number"), [(p, i) for p, which in RUN.items() for i in which])
def test_a_block_runs(page: str, number: int) -> None:
    done = run_python(blocks(page)[number], timeout=300, PYTHONWARNINGS="ignore")
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_all_blocks_are_known() -> None:
    pages = ["README.md", *(str(p.relative_to(ROOT)) for p in ROOT.glob("docs/*.md"))]
    for page in pages:
        known = sorted(RUN.get(page, []) + LEFT.get(page, []))
        assert known == list(range(len(blocks(page)))), page


def test_links_lead_somewhere() -> None:
    pages = [ROOT / "README.md", *ROOT.glob("*/*.md")]
    for page in pages:
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if "://" not in link:
                assert Path(os.path.join(page.parent, link)).exists(), f"{page}: {link}"
