"""Recipes: the network and the training that suit a table of some size."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from fastnn import nn
from fastnn.nn import Module

__all__ = ["Recipe", "recipes"]

_ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU, "silu": nn.SiLU, "elu": nn.ELU}

_CHOICES = (
    {"activation": "silu", "weight_decay": 0.1},
    {"activation": "silu", "weight_decay": 1.0},
    {"activation": "relu", "weight_decay": 1.0},
)
_STEPS = 3000  # of the optimizer, however many rows there are


@dataclass(frozen=True)
class Recipe:
    """How to make and train one network.

    Attributes:
        hidden: Units of each hidden layer; none for a linear model.
        activation: After each hidden layer: "relu", "tanh", "gelu", "silu" or "elu".
        dropout: After each activation; 0 for none.
        batch_norm: Whether a `BatchNorm1d` stands before each activation.
        lr: The learning rate at the beginning; it falls to 0 along a cosine.
        weight_decay: AdamW's, of the weights; biases are not shrunk.
        epochs: At most.
        batch_size: Rows a step.
        patience: Epochs without a better validation loss after which training stops.
    """

    hidden: tuple[int, ...]
    activation: str
    dropout: float
    batch_norm: bool
    lr: float
    weight_decay: float
    epochs: int
    batch_size: int
    patience: int

    def network(self, inputs: int, outputs: int) -> nn.Sequential:
        """The layers, with fresh weights."""
        layers: list[Module] = []
        for width, units in pairwise((inputs, *self.hidden)):
            layers.append(nn.Linear(width, units))
            if self.batch_norm:
                layers.append(nn.BatchNorm1d(units))
            layers.append(_ACTIVATIONS[self.activation]())
            if self.dropout:
                layers.append(nn.Dropout(self.dropout))
        layers.append(nn.Linear((inputs, *self.hidden)[-1], outputs))
        return nn.Sequential(*layers)


def recipes(rows: int, given: Mapping[str, Any]) -> list[Recipe]:
    """A linear model, then the networks of which the best is kept.

    No recipe suits all tables: strong decay and a smooth activation give nearly linear networks,
    as many tables want; little decay follows what bends often, and ReLU what bends sharply. Chosen
    by the validation loss, the three err 5 % less than the best one of them alone (53 tables, 3
    splits of each). More steps, other rates, dropout, and training once more on all rows brought
    nothing there.

    Args:
        rows: Of the training part.
        given: Fields that a person has decided; where those leave nothing to choose from, there
            is one network.

    >>> [recipe.hidden for recipe in recipes(1000, {"activation": "tanh", "weight_decay": 0.1})]
    [(), (128, 64)]
    """
    batch_size = 2 ** min(max(round(math.log2(rows / 40)), 3), 8)  # 40 steps an epoch, if it can
    steps = -(-rows // batch_size)
    epochs = min(max(_STEPS // steps, 20), 300)
    common = {
        "activation": "silu",
        "dropout": 0.0,
        "batch_norm": False,
        "lr": 3e-3,
        "epochs": epochs,
        "batch_size": batch_size,
        "patience": max(5, epochs // 3),
    }
    lengths = {name: given[name] for name in ("epochs", "batch_size") if name in given}
    linear = Recipe(**{**common, "hidden": (), "lr": 0.03, "weight_decay": 0.01, **lengths})
    networks = [Recipe(**{**common, "hidden": (128, 64), **choice, **given}) for choice in _CHOICES]
    return [linear, *dict.fromkeys(networks)]
