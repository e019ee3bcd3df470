"""Layers and losses as functions, with PyTorch's names (`torch.nn.functional`)."""

from fastnn.missing import absent as _absent
from fastnn.nn.functional.activations import *
from fastnn.nn.functional.linear import *
from fastnn.nn.functional.losses import *

__all__ = ["cross_entropy", "linear", "relu"]


def __getattr__(name: str) -> object:
    raise AttributeError(_absent("fastnn.nn.functional", name, __all__))
