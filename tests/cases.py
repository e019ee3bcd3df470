"""The table: one row gives a class its forward, gradient, repr, pickle, state and error tests.

To add a layer, activation or loss, add a `ModuleCase` to its file of `tables/`; to add an
optimizer, a `RuleCase`. The formulas are float64 NumPy, written from the papers and not from the
code.
"""

from tables.activations import ACTIVATIONS
from tables.kinds import Array, Labels, ModuleCase, RuleCase
from tables.layers import LAYERS
from tables.losses import LOSSES
from tables.optimizers import OPTIMIZERS

__all__ = ["MODULES", "OPTIMIZERS", "Array", "Labels", "ModuleCase", "RuleCase"]

MODULES = [*LAYERS, *ACTIVATIONS, *LOSSES]
