"""Layers, activations and losses, with PyTorch's names."""

from fastnn.nn import functional, init, utils
from fastnn.nn.activation import *
from fastnn.nn.container import *
from fastnn.nn.flatten import *
from fastnn.nn.linear import *
from fastnn.nn.loss import *
from fastnn.nn.module import *
from fastnn.nn.parameter import Parameter

__all__ = ["CrossEntropyLoss", "Flatten", "Linear", "Module", "Parameter", "ReLU", "Sequential",
           "functional", "init", "utils"]  # fmt: skip
