"""The network of an estimator, with scikit-learn's first weights."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from fastnn import nn
from fastnn.autograd import Array
from fastnn.random import fork_rng

__all__ = ["ACTIVATIONS", "linear_layers", "make_network"]

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "identity": nn.Identity,
    "logistic": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
}


def make_network(
    sizes: Sequence[int],
    activations: Sequence[str],
    dropout: Sequence[float],
    batch_norm: bool,
    dtype: np.dtype[Any],
    rng: np.random.RandomState,
) -> nn.Sequential:
    """Linear layers, and between them batch norm, activation and dropout.

    Weights and biases are uniform on `(-b, b)`, `b = sqrt(6 / (inputs + outputs))`, with 2 for 6
    in front of a logistic activation (Glorot and Bengio, 2010), in the order in which
    scikit-learn draws them: the same `rng` gives the same weights.

    Args:
        sizes: Of the input, the hidden layers and the output.
        activations: A name for each layer; that of the last is only what its weights are drawn
            for.
        dropout: A share for each hidden layer; 0 is none.
        batch_norm: Whether there is one before each activation.
        dtype: Of the weights.
        rng: Where they come from.

    >>> rng = np.random.RandomState(0)
    >>> dtype = np.dtype(np.float64)
    >>> make_network([4, 8, 2], ["relu", "relu"], [0.1], False, dtype, rng)
    Sequential(
      (0): Linear(in_features=4, out_features=8, bias=True)
      (1): ReLU()
      (2): Dropout(p=0.1, inplace=False)
      (3): Linear(in_features=8, out_features=2, bias=True)
    )
    """
    layers: list[nn.Module] = []
    for i, (inputs, outputs) in enumerate(pairwise(sizes)):
        layers.append(_linear(inputs, outputs, activations[i], dtype, rng))
        if i == len(sizes) - 2:
            break
        if batch_norm:
            layers.append(nn.BatchNorm1d(outputs, dtype=dtype))
        layers.append(ACTIVATIONS[activations[i]]())
        if dropout[i]:
            layers.append(nn.Dropout(dropout[i]))
    return nn.Sequential(*layers)


def linear_layers(network: nn.Module) -> list[nn.Linear]:
    """Its linear layers, from the input on."""
    return [layer for layer in network.modules() if isinstance(layer, nn.Linear)]


def _linear(
    inputs: int, outputs: int, activation: str, dtype: np.dtype[Any], rng: np.random.RandomState
) -> nn.Linear:
    with fork_rng():  # the layer's own first weights, which are not used
        layer = nn.Linear(inputs, outputs, dtype=dtype)
    bound = np.sqrt((2.0 if activation == "logistic" else 6.0) / (inputs + outputs))
    weight: Array = rng.uniform(-bound, bound, (inputs, outputs))
    layer.weight._array[...] = weight.T
    assert layer.bias is not None
    layer.bias._array[...] = rng.uniform(-bound, bound, outputs)
    return layer
