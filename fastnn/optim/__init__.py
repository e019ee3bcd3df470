"""Optimizers, with PyTorch's names and defaults."""

from fastnn.optim.adam import *
from fastnn.optim.optimizer import *
from fastnn.optim.sgd import *

__all__ = ["SGD", "Adam", "Optimizer"]
