"""Losses."""

import numpy as np

from fastnn import nn
from tables.kinds import Array, Labels, ModuleCase


def cross_entropy(z: Array, labels: Array) -> Array:
    z = z - z.max(axis=1, keepdims=True)
    return np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(z)), labels]


_CE_ERRORS = (
    ((np.zeros((2, 3)), np.array([0, 3])), IndexError, r"label in 0 \.\. 2, got 3 in row 1"),
    ((np.zeros((2, 3)), np.array([-1, 0])), IndexError, r"label in 0 \.\. 2, got -1 in row 0"),
    ((np.zeros((2, 3)), np.array([0.0, 1.0])), TypeError, r"integer class labels, got float64"),
    ((np.zeros((2, 3)), np.array([0])), ValueError, r"2 labels of shape \(2,\).*\(1,\)"),
    ((np.zeros((2, 3)), np.zeros((2, 1), int)), ValueError, r"2 labels of shape.*\(2, 1\)"),
    ((np.zeros((0, 3)), np.zeros(0, int)), ValueError, r"N > 0, got \(0, 3\)"),
    ((np.zeros(3), np.array(1)), ValueError, r"shape \(N, classes\).*got \(3,\)"),
)

LOSSES = [
    ModuleCase(
        "CrossEntropyLoss-mean",
        make=nn.CrossEntropyLoss,
        inputs=((5, 3), Labels(5, 3)),
        reference=lambda z, labels: cross_entropy(z, labels).mean(),
        repr="CrossEntropyLoss()",
        errors=_CE_ERRORS,
    ),
    ModuleCase(
        "CrossEntropyLoss-sum",
        make=lambda: nn.CrossEntropyLoss(reduction="sum"),
        inputs=((4, 10), Labels(4, 10)),
        reference=lambda z, labels: cross_entropy(z, labels).sum(),
        repr="CrossEntropyLoss()",
        errors=_CE_ERRORS,
    ),
    ModuleCase(
        "CrossEntropyLoss-none",
        make=lambda: nn.CrossEntropyLoss(reduction="none"),
        inputs=((4, 19), Labels(4, 19)),
        reference=cross_entropy,
        repr="CrossEntropyLoss()",
        errors=_CE_ERRORS,
    ),
    ModuleCase(
        "CrossEntropyLoss-one-class",
        make=nn.CrossEntropyLoss,
        inputs=((3, 1), Labels(3, 1)),
        reference=lambda z, labels: 0.0 * z.sum(),
        repr="CrossEntropyLoss()",
    ),
]
