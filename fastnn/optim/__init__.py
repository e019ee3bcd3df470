"""Optimizers, with PyTorch's names and defaults."""

from fastnn.missing import absent as _absent
from fastnn.optim.adam import *
from fastnn.optim.optimizer import *
from fastnn.optim.sgd import *

__all__ = ["SGD", "Adam", "Optimizer"]


def __getattr__(name: str) -> object:
    raise AttributeError(_absent("fastnn.optim", name, __all__))
