"""`fastnn.data` under the names that PyTorch's programs import."""

import sys

from fastnn.data import *  # noqa: F403
from fastnn.data import __all__ as __all__

for _part in ("dataloader", "dataset", "sampler"):  # older programs import from PyTorch's files
    sys.modules[f"{__name__}.{_part}"] = sys.modules[__name__]
