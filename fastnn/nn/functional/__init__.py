"""Layers and losses as functions, with PyTorch's names (`torch.nn.functional`)."""

from fastnn.nn.functional.activations import *
from fastnn.nn.functional.dropout import *
from fastnn.nn.functional.linear import *
from fastnn.nn.functional.losses import *
from fastnn.nn.functional.normalization import *

__all__ = ["batch_norm", "cross_entropy", "dropout", "layer_norm", "linear", "relu"]
