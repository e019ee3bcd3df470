"""The programs of `test_tutorials.py` are PyTorch's: they run there as they stand."""

import io
from contextlib import redirect_stdout

import pytest
from tables.tutorials import TUTORIALS


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # of torch.Tensor
@pytest.mark.parametrize("name", TUTORIALS)
def test_program_runs_with_pytorch(name: str) -> None:
    with redirect_stdout(io.StringIO()):
        exec(compile(TUTORIALS[name], name, "exec"), {"__name__": name})
