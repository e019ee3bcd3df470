"""Layers and losses as functions, with PyTorch's names (`torch.nn.functional`)."""

from fastnn.missing import refusal as _refusal
from fastnn.nn.functional.activations import *
from fastnn.nn.functional.dropout import *
from fastnn.nn.functional.linear import *
from fastnn.nn.functional.losses import *
from fastnn.nn.functional.normalization import *
from fastnn.nn.functional.one_hot import *
from fastnn.nn.functional.weighted_mean import *

__all__ = [
    "batch_norm", "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy",
    "dropout", "elu", "gelu", "huber_loss", "l1_loss", "layer_norm", "leaky_relu", "linear",
    "log_softmax", "mse_loss", "nll_loss", "one_hot", "poisson_nll_loss", "quantile_loss", "relu",
    "sigmoid", "silu", "smooth_l1_loss", "softmax", "softplus", "tanh", "weighted_mean",
]  # fmt: skip


def __getattr__(name: str) -> object:
    raise _refusal("fastnn.nn.functional", name, __all__)
