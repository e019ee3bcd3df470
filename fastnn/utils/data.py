"""`fastnn.data` under the name that PyTorch's programs import."""

from fastnn.data import *  # noqa: F403
from fastnn.data import __all__ as __all__
