"""Layers, activations and losses, with PyTorch's names."""

from fastnn.nn import functional, init
from fastnn.nn.activation import *
from fastnn.nn.container import *
from fastnn.nn.dropout import *
from fastnn.nn.flatten import *
from fastnn.nn.identity import *
from fastnn.nn.linear import *
from fastnn.nn.loss import *
from fastnn.nn.module import *
from fastnn.nn.normalization import *
from fastnn.nn.parameter import Parameter

__all__ = ["BatchNorm1d", "CrossEntropyLoss", "Dropout", "Flatten", "Identity", "LayerNorm",
           "Linear", "Module", "Parameter", "ReLU", "Sequential", "functional", "init"]  # fmt: skip
