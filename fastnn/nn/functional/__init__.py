"""Layers and losses as functions, with PyTorch's names (`torch.nn.functional`)."""

from fastnn.missing import absent as _absent
from fastnn.nn.functional.activations import *
from fastnn.nn.functional.dropout import *
from fastnn.nn.functional.linear import *
from fastnn.nn.functional.losses import *
from fastnn.nn.functional.normalization import *

__all__ = [
    "batch_norm",
    "cross_entropy",
    "dropout",
    "elu",
    "gelu",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_softmax",
    "relu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "tanh",
]


def __getattr__(name: str) -> object:
    raise AttributeError(_absent("fastnn.nn.functional", name, __all__))
