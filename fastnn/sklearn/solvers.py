"""The optimizers of an estimator's solvers."""

from __future__ import annotations

import math
from typing import Any

from fastnn import nn, optim
from fastnn.autograd import Array
from fastnn.optim.compiled import CompiledRule
from fastnn.optim.optimizer import Group
from fastnn.sklearn.options import Options

__all__ = ["change_rate", "l2_of", "make_optimizer"]


class _Adam(optim.Adam):
    """Adam with eps beside the plain root: `sqrt(v) + eps`, then the corrections for its start.

    This is how its authors write it in the end of their section 2, and scikit-learn computes it;
    PyTorch corrects v first, which makes eps 30 times smaller in the first steps.
    """

    def update(
        self, values: Array, grads: Array, state: dict[str, Array], group: Group, step: int
    ) -> None:
        eps = group["eps"] / math.sqrt(1 - group["betas"][1] ** step)
        super().update(values, grads, state, {**group, "eps": eps}, step)

    def compiled(self, group: Group) -> CompiledRule:
        rule = super().compiled(group)
        return rule._replace(options={**rule.options, "plain_root": True})


def make_optimizer(network: nn.Module, options: Options) -> optim.Optimizer:
    """The optimizer of `options.solver`, which is not "lbfgs".

    "adamw" decays the matrices by `alpha`; for the others alpha is a penalty, `l2_of`.
    """
    parameters = list(network.parameters())
    lr = options.learning_rate_init
    moments: Any = {"lr": lr, "betas": (options.beta_1, options.beta_2), "eps": options.epsilon}
    if options.solver == "sgd":
        nesterov = options.nesterovs_momentum and options.momentum > 0
        return optim.SGD(parameters, lr, options.momentum, nesterov=nesterov)
    if options.solver == "rmsprop":
        return optim.RMSprop(parameters, lr, alpha=options.beta_2, eps=options.epsilon)
    if options.solver == "adam":
        return _Adam(parameters, **moments)
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": options.alpha},
        {"params": [p for p in parameters if p.ndim == 1], "weight_decay": 0.0},
    ]
    return optim.AdamW(groups, **moments)


def l2_of(options: Options) -> float:
    """The factor of the L2 penalty; AdamW decays weights by itself instead."""
    return 0.0 if options.solver == "adamw" else options.alpha


def change_rate(optimizer: optim.Optimizer, rate: float) -> None:
    """Set the learning rate between epochs.

    scikit-learn's velocity is the step that was made, PyTorch's is that over the rate: it changes
    with the rate, so that the momentum stays what it was.
    """
    for group in optimizer.param_groups:
        before, group["lr"] = group["lr"], rate
        for p in group["params"]:
            state = optimizer.state.get(p, {})
            if "momentum_buffer" in state:
                state["momentum_buffer"] *= before / rate
