"""Programs as tutorials write them for PyTorch run when only their import lines are changed."""

import io
import re
from contextlib import redirect_stdout

import pytest
from tables.tutorials import TUTORIALS

IMPORTS = [
    (r"^import torch$", "import fastnn as torch"),
    (r"^import torch\.nn as nn$", "import fastnn.nn as nn"),
    (r"^import torch\.nn\.functional as F$", "import fastnn.nn.functional as F"),
    (r"^import torch\.optim as optim$", "import fastnn.optim as optim"),
    (r"^from torch import", "from fastnn import"),
    (r"^from torch\.utils\.data", "from fastnn.utils.data"),
    (r"^from torch\.(nn|optim|autograd)", r"from fastnn.\1"),
]


@pytest.mark.parametrize("name", TUTORIALS)
def test_program_runs(name: str) -> None:
    source = TUTORIALS[name]
    for pattern, replacement in IMPORTS:
        source = re.sub(pattern, replacement, source, flags=re.MULTILINE)
    assert not re.search(r"^(import|from) torch\b", source, re.MULTILINE)
    with redirect_stdout(io.StringIO()):
        exec(compile(source, name, "exec"), {"__name__": name})
