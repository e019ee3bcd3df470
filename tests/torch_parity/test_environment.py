"""M30: a process that has PyTorch too, with its own threads and its own OpenMP library."""

from pathlib import Path

import pytest
from environment_support import outcome
from tables.environments import Environment

USE = "import torch; torch.randn(300, 300).mm(torch.randn(300, 300)).sum()"


@pytest.mark.parametrize("place", [Environment(first=USE), Environment(then=USE)])
@pytest.mark.parametrize("threads", ["1", "2"])
def test_the_same_bits(place: Environment, threads: str, tmp_path: Path) -> None:
    variables: dict[str, str | None] = {"OMP_NUM_THREADS": threads}
    alone = outcome(Environment(variables), tmp_path)
    assert outcome(Environment(variables, first=place.first, then=place.then), tmp_path) == alone
