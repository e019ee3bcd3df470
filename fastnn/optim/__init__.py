"""Optimizers and schedules of their learning rates, with PyTorch's names and defaults."""

from fastnn.missing import refusal as _refusal
from fastnn.optim import lr_scheduler
from fastnn.optim.adagrad import *
from fastnn.optim.adam import *
from fastnn.optim.adamw import *
from fastnn.optim.optimizer import *
from fastnn.optim.rmsprop import *
from fastnn.optim.sgd import *

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop", "lr_scheduler"]


def __getattr__(name: str) -> object:
    raise _refusal("fastnn.optim", name, __all__)
