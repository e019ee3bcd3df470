"""Activations."""

import numpy as np

from fastnn import nn
from tables.kinds import Array, ModuleCase


def relu(x: Array) -> Array:
    return np.where(x > 0, x, 0.0)


ACTIVATIONS = [
    ModuleCase(
        "ReLU",
        make=nn.ReLU,
        inputs=((3, 7),),
        reference=relu,
        repr="ReLU()",
        smooth=False,
        errors=(
            ((np.zeros(3, np.int64),), TypeError, r"float32 or float64, got an array of int64"),
            ((np.zeros(3, complex),), TypeError, r"real numbers, got an array of complex128"),
            (("text",), TypeError, r"real numbers, got str 'text'"),
        ),
    ),
    ModuleCase(
        "ReLU-4d",
        make=nn.ReLU,
        inputs=((2, 3, 2, 2),),
        reference=relu,
        repr="ReLU()",
        smooth=False,
    ),
]
