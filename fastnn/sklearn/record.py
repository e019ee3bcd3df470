"""What was measured while an estimator was trained, and the weights that were best."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from fastnn import nn
from fastnn.autograd import Array

__all__ = ["Record", "Weights", "bring_back", "weights_of"]

Weights = dict[str, Array]


@dataclass
class Record:
    """What training has come to, over all calls of `partial_fit` and with `warm_start` of `fit`.

    Attributes:
        loss_curve, validation_scores, validation_loss_curve: One value an epoch.
        best_loss, best_score: The best so far.
        stale: Epochs in a row that were no better.
        seen: Rows learned from, each as often as it was.
        best: The weights that had the best score.
        latest: Those that training goes on from, where the network has the best.
        stopped: Whether training has come to its end.
    """

    loss_curve: list[float] = field(default_factory=list)
    validation_scores: list[float] = field(default_factory=list)
    validation_loss_curve: list[float] = field(default_factory=list)
    best_loss: float = math.inf
    best_score: float = -math.inf
    stale: int = 0
    seen: int = 0
    best: Weights | None = None
    latest: Weights | None = None
    stopped: bool = False

    def judge(self, value: float, best: float, tol: float) -> None:
        """Count an epoch as stale unless its value is greater than the best by `tol` at least."""
        self.stale = 0 if value >= best + tol else self.stale + 1


def weights_of(network: nn.Module) -> Weights:
    """A copy of its parameters and buffers."""
    return {name: t.numpy().copy() for name, t in network.state_dict().items()}


def bring_back(network: nn.Module, weights: Weights | None) -> None:
    """Give it these weights, if there are any."""
    if weights is not None:
        network.load_state_dict(weights)
