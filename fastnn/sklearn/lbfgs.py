"""The solver "lbfgs": SciPy's, over the flat block of the parameters, with all rows at once."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import numpy as np

from fastnn import nn
from fastnn.autograd import Array
from fastnn.nn.parameter import FlatBlock
from fastnn.nn.utils import add_l2_grad_
from fastnn.sklearn.objective import Objective
from fastnn.sklearn.options import Options
from fastnn.sklearn.rows import Rows

__all__ = ["minimize"]


@dataclass
class _Loss:
    """The loss with its penalty as a function of all parameters in a row."""

    network: nn.Module
    objective: Objective
    rows: Rows
    alpha: float
    block: FlatBlock
    shown: float = np.inf  # the loss of the latest values, as scikit-learn shows it
    curve: list[float] = field(default_factory=list)

    def __call__(self, values: Array) -> tuple[float, Array]:
        self.block.values[...] = values
        for p in self.block.parameters:
            p._version[0] += 1
            p.grad = None
        objective, rows = self.objective, self.rows
        loss = objective.loss(self.network(rows.X), rows.y, rows.weight)
        loss.backward()
        matrices = [p for p in self.block.parameters if p.ndim > 1]
        penalty = add_l2_grad_(matrices, self.alpha / rows.mass())
        self.block.gather_grads()
        value = float(loss.item())
        self.shown = value * objective.shown + objective.constant(rows) + penalty
        return value + penalty, self.block.grads.copy()

    def iterated(self, values: Array) -> None:
        self.curve.append(self.shown)


def minimize(
    network: nn.Module, objective: Objective, rows: Rows, options: Options
) -> tuple[list[float], float]:
    """Train a network by L-BFGS (Liu and Nocedal, 1989); returns the losses, and the last.

    Args:
        network: In float64, as SciPy computes: in float32 a line search would end in noise.
        objective: What is learned.
        rows: All rows, in float64.
        options: `max_iter`, `max_fun` and `tol`, the gradient's largest element at the end.
    """
    from scipy.optimize import minimize
    from sklearn.exceptions import ConvergenceWarning

    block = FlatBlock(list(network.parameters()))
    loss = _Loss(network, objective, rows, options.alpha, block)
    limits = {"maxfun": options.max_fun, "maxiter": options.max_iter, "gtol": options.tol}
    result = minimize(loss, block.values.copy(), method="L-BFGS-B", jac=True,
                      callback=loss.iterated, options=limits)  # fmt: skip
    loss(result.x)  # which may not be what it tried last
    if not result.success:
        warnings.warn(
            f"lbfgs ended after {result.nit} iterations before it had converged: "
            f"{result.message}; increase max_iter, or scale the inputs",
            ConvergenceWarning,
            stacklevel=5,
        )
    return loss.curve, loss.shown
