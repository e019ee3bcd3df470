"""Layers, activations and losses, with PyTorch's names."""

from fastnn.missing import refusal as _refusal
from fastnn.nn import functional, init, utils
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

__all__ = [
    "ELU", "GELU", "BCELoss", "BCEWithLogitsLoss", "BatchNorm1d", "CrossEntropyLoss", "Dropout",
    "Flatten", "HuberLoss", "Identity", "L1Loss", "LayerNorm", "LeakyReLU", "Linear",
    "LogSoftmax", "MSELoss", "Module", "ModuleDict", "ModuleList", "NLLLoss", "Parameter",
    "PoissonNLLLoss", "QuantileLoss", "ReLU", "Sequential", "SiLU", "Sigmoid", "SmoothL1Loss",
    "Softmax", "Softplus", "Tanh", "WeightedLoss", "functional", "init", "utils",
]  # fmt: skip


def __getattr__(name: str) -> object:
    raise _refusal("fastnn.nn", name, __all__)
