"""Layers, activations and losses, with PyTorch's names."""

from fastnn.missing import absent as _absent
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

__all__ = [
    "ELU",
    "GELU",
    "BatchNorm1d",
    "CrossEntropyLoss",
    "Dropout",
    "Flatten",
    "Identity",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "Module",
    "ModuleDict",
    "ModuleList",
    "Parameter",
    "ReLU",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
    "functional",
    "init",
]


def __getattr__(name: str) -> object:
    raise AttributeError(_absent("fastnn.nn", name, __all__))
