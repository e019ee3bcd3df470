"""Steps of optimizers, against float64 formulas: ISA x dtype x threads x place."""

from typing import Any

import numpy as np
import pytest
from kernel_support import arrays, assert_near, draws
from support import place
from tables.optimizers import adagrad_rule, adam_rule, rmsprop_rule, sgd_rule

from fastnn import _core

SGD_OPTIONS = [
    {}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}, {"weight_decay": 0.1},
    {"momentum": 0.5, "dampening": 0.9, "weight_decay": 0.01}, {"maximize": True},
]  # fmt: skip


@pytest.mark.parametrize("options", SGD_OPTIONS, ids=lambda o: "-".join(o) or "plain")
@pytest.mark.parametrize("step", [1, 2])
def test_sgd(isa: str, dtype: Any, team: int, options: dict[str, Any], step: int) -> None:
    rule = sgd_rule(lr=0.1, **options)
    given = {"momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False, **options}
    for w, offset in arrays(dtype):
        g, u = (place(draws(w.size, dtype, seed), offset) for seed in (1, 2))
        W, G, U = (a.astype(np.float64) for a in (w, g, u))
        state = {"v": U}
        expected = rule(W, G, state, step)
        velocity = u if given["momentum"] else None
        _core.sgd(w, velocity, g, 0.1, **given, first=step == 1)
        size = abs(W) + abs(G) + abs(U)
        assert_near(w, expected, size, 8)
        assert_near(u, state["v"] if given["momentum"] else U, size, 4)


@pytest.mark.parametrize("step", [1, 7, 100_000])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_adam(isa: str, dtype: Any, team: int, decay: float, step: int) -> None:
    lr, betas, eps = 0.01, (0.9, 0.999), 1e-8
    rule = adam_rule(lr, betas, eps, decay)
    for w, offset in arrays(dtype):
        g, m = (place(draws(w.size, dtype, seed), offset) for seed in (1, 2))
        v = place(draws(w.size, dtype, 3) ** 2, offset)
        W, G, M, V = (a.astype(np.float64) for a in (w, g, m, v))
        state = {"m": M, "v": V}
        expected = rule(W, G, state, step)
        corrections = [1 - beta**step for beta in betas]
        _core.adam(w, m, v, None, g, lr, *betas, eps, decay, *corrections)
        size = abs(G) + abs(decay * W)
        assert_near(m, state["m"], 0.9 * abs(M) + 0.1 * size, 8)
        assert_near(v, state["v"], 0.999 * V + 0.001 * size**2, 8)
        update = abs(expected - W)
        cancelled = lr * (0.9 * abs(M) + 0.1 * size) / np.sqrt(state["v"])
        assert_near(w, expected, abs(W) + 8 * update + 32 * cancelled, 2)


@pytest.mark.parametrize("maximize", [False, True])
def test_adam_with_all_options(isa: str, dtype: Any, team: int, maximize: bool) -> None:
    lr, betas, eps, decay = 0.01, (0.9, 0.999), 1e-8, 0.1
    rule = adam_rule(lr, betas, eps, decay, True, maximize, decoupled_weight_decay=True)
    for w, offset in arrays(dtype):
        g, m = (place(draws(w.size, dtype, seed), offset) for seed in (1, 2))
        v, largest = (place(draws(w.size, dtype, seed) ** 2, offset) for seed in (3, 4))
        W, G, M, V, L = (a.astype(np.float64) for a in (w, g, m, v, largest))
        state = {"m": M, "v": V, "largest": L}
        expected = rule(W, G, state, 7)
        corrections = [1 - beta**7 for beta in betas]
        _core.adam(w, m, v, largest, g, lr, *betas, eps, decay, *corrections, True, maximize)
        size = 0.9 * abs(M) + 0.1 * abs(G)
        assert_near(m, state["m"], size, 8)
        assert_near(v, state["v"], 0.999 * V + 0.001 * G**2, 8)
        assert_near(largest, state["largest"], state["largest"], 8)
        cancelled = lr * size / np.sqrt(state["largest"])
        assert_near(w, expected, abs(W) + 32 * cancelled, 2)


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_adagrad(isa: str, dtype: Any, team: int, decay: float) -> None:
    rule = adagrad_rule(0.1, weight_decay=decay, eps=1e-3, maximize=decay > 0)
    for w, offset in arrays(dtype):
        g = place(draws(w.size, dtype, 1), offset)
        total = place(draws(w.size, dtype, 2) ** 2, offset)
        W, G, S = (a.astype(np.float64) for a in (w, g, total))
        state = {"s": S}
        expected = rule(W, G, state, 1)
        _core.adagrad(w, total, g, 0.1, 1e-3, decay, decay > 0)
        size = abs(G) + abs(decay * W)
        assert_near(total, state["s"], S + size**2, 8)
        assert_near(w, expected, abs(W) + size / (np.sqrt(state["s"]) + 1e-3), 8)


@pytest.mark.parametrize("options", [
    {}, {"momentum": 0.9}, {"centered": True},
    {"momentum": 0.5, "centered": True, "weight_decay": 0.1, "maximize": True},
], ids=lambda o: "-".join(o) or "plain")  # fmt: skip
def test_rmsprop(isa: str, dtype: Any, team: int, options: dict[str, Any]) -> None:
    rule = rmsprop_rule(0.1, 0.9, 1e-2, **options)
    momentum, decay = options.get("momentum", 0.0), options.get("weight_decay", 0.0)
    for w, offset in arrays(dtype):
        g, u = (place(draws(w.size, dtype, seed), offset) for seed in (1, 2))
        mean = place(draws(w.size, dtype, 3) / 10, offset)
        square = place(1 + mean**2, offset)
        W, G, U, M, S = (a.astype(np.float64) for a in (w, g, u, mean, square))
        state = {"s": S, "mean": M, "u": U}
        expected = rule(W, G, state, 1)
        centered, maximize = options.get("centered", False), options.get("maximize", False)
        _core.rmsprop(w, square, mean if centered else None, u if momentum else None, g, 0.1,
                      0.9, 1e-2, decay, momentum, maximize)  # fmt: skip
        size = abs(G) + abs(decay * W)
        assert_near(square, state["s"], S + size**2, 8)
        assert_near(mean, state["mean"], abs(M) + size, 8)
        assert_near(u, state["u"], abs(U) + size, 16)
        assert_near(w, expected, abs(W) + abs(U) + size, 16)
