"""Layers and losses as functions, with PyTorch's names (`torch.nn.functional`)."""

from fastnn.nn.functional.activations import *
from fastnn.nn.functional.linear import *
from fastnn.nn.functional.losses import *

__all__ = ["cross_entropy", "elu", "gelu", "leaky_relu", "linear", "log_softmax", "relu",
           "sigmoid", "silu", "softmax", "softplus", "tanh"]  # fmt: skip
