"""Layers and losses as functions, with PyTorch's names (`torch.nn.functional`)."""

from fastnn.nn.functional.activations import *
from fastnn.nn.functional.linear import *
from fastnn.nn.functional.losses import *

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "huber_loss",
    "l1_loss", "linear", "mse_loss", "nll_loss", "relu", "smooth_l1_loss",
]  # fmt: skip
