"""Losses element by element, against float64 formulas: ISA x dtype x threads x place."""

import math
from typing import Any

import numpy as np
import pytest
from kernel_support import OFFSETS, assert_near, draws
from support import TEAMS, awkward_sizes, bits, empty, force_threads, place
from tables.losses import bce, bce_with_logits, huber, pinball, smooth_l1, stirling

from fastnn import _core


def of_difference(value: Any, slope: Any) -> Any:
    return lambda x, y, w: ([value(x - y)], [slope(x - y)], [-slope(x - y)])


def poisson_parts(log_input: bool, full: bool) -> Any:
    def parts(x: np.ndarray, y: np.ndarray, w: Any) -> tuple[Any, ...]:
        eps = 0.5  # as the row below says
        log = x if log_input else np.log(x + eps)
        slopes = [np.exp(x), -y] if log_input else [1 + 0 * x, -y / (x + eps)]
        near = 0 if log_input else 1  # x + eps is rounded: log has digits behind the point only
        terms, more = [np.exp(x) if log_input else x, -y * (log + near), y * near], []
        if full:
            big = np.maximum(y, 1)
            terms += [np.where(y > 1, t, 0) for t in (
                big * np.log(big), -big, np.log(2 * np.pi * big) / 2)]  # fmt: skip
            more = [np.where(y > 1, np.log(big) + 0.5 / big, 0)]
            assert np.allclose(sum(terms[3:]), stirling(y))
        return terms, slopes, [-log - near, near, *more]

    return parts


def bce_parts(x: np.ndarray, y: np.ndarray, w: Any) -> tuple[Any, ...]:
    with np.errstate(divide="ignore"):
        logs = [np.maximum(np.log1p(-x), -100), -np.maximum(np.log(x), -100)]
    return [bce(x, y)], [(x - y) / np.maximum(x * (1 - x), 1e-12)], logs


def logits_parts(z: np.ndarray, y: np.ndarray, w: Any) -> tuple[Any, ...]:
    slopes = [(1 - y) / (1 + np.exp(-z)), -w * y / (1 + np.exp(z))]
    return [bce_with_logits(z, y, w)], slopes, [w * np.logaddexp(0, -z), -np.logaddexp(0, z)]


# beta, delta, quantile or eps; and the value, the gradient of the input and that of the target, as
# terms to add
ELEMENT_LOSSES: dict[str, tuple[float, Any]] = {
    "mse": (1.0, of_difference(np.square, lambda d: 2 * d)),
    "l1": (1.0, of_difference(abs, np.sign)),
    "smooth_l1": (0.5, of_difference(lambda d: smooth_l1(d, 0.5), lambda d: np.clip(2 * d, -1, 1))),
    "huber": (0.5, of_difference(lambda d: huber(d, 0.5), lambda d: np.clip(d, -0.5, 0.5))),
    "quantile": (
        0.75,
        of_difference(
            lambda d: pinball(d, 0.75), lambda d: np.where(d == 0, 0, np.where(d > 0, 0.25, -0.75))
        ),
    ),
    "poisson": (0.5, poisson_parts(False, False)),
    "poisson_full": (0.5, poisson_parts(False, True)),
    "poisson_log": (0.5, poisson_parts(True, False)),
    "poisson_log_full": (0.5, poisson_parts(True, True)),
    "bce": (1.0, bce_parts),
    "bce_with_logits": (1.0, logits_parts),
}
every_loss = pytest.mark.parametrize("kind", ELEMENT_LOSSES)


def loss_inputs(kind: str, n: int, dtype: Any) -> tuple[np.ndarray, np.ndarray]:
    """An input with values of all sizes, and a target."""
    rng = np.random.default_rng(n)
    if "poisson" in kind:
        x, y = rng.uniform(0.01, 4, n), rng.integers(0, 30, n) * rng.uniform(0.5, 1, n)
        y[::11] = 1  # where the terms of Stirling begin
        return x.astype(dtype), y.astype(dtype)
    if "bce" not in kind:
        x = draws(n, dtype, 1)
        return x, np.where(rng.random(n) < 0.1, x, draws(n, dtype, 2))
    y = np.where(rng.random(n) < 0.5, rng.integers(0, 2, n), rng.random(n)).astype(dtype)
    if kind == "bce":
        x = np.where(rng.random(n) < 0.5, rng.random(n), 10 ** rng.uniform(-9, 0, n))
        x[::11] = rng.integers(0, 2, len(x[::11]))
        return x.astype(dtype), y
    return (rng.standard_normal(n) * 10 ** rng.uniform(-3, 1.5, n)).astype(dtype), y


@every_loss
def test_element_losses(isa: str, dtype: Any, team: int, kind: str) -> None:
    parameter, formula = ELEMENT_LOSSES[kind]
    tiny = np.finfo(dtype).tiny / np.finfo(dtype).eps  # exp may flush what would be denormal
    for n in awkward_sizes(dtype):
        for offset in OFFSETS:
            x, y = (place(a, offset) for a in loss_inputs(kind, n, dtype))
            w, pw = (place(abs(draws(n, dtype, seed)), offset) for seed in (5, 6))
            g = place(draws(n, dtype, 7), offset)
            X, Y, W, PW, G = (a.astype(np.float64) for a in (x, y, w, pw, g))
            loss, dx, dy = (empty(n, dtype, offset) for _ in range(3))
            values, *slopes = formula(X, Y, PW)
            _core.element_loss_forward(loss, kind, x, y, w, pw, parameter)
            assert_near(loss, sum(values) * W, sum(map(abs, values)) * W + tiny, 16)
            _core.element_loss_backward(dx, dy, g, kind, x, y, w, pw, parameter, 3.0)
            for got, terms in zip((dx, dy), slopes, strict=True):
                size = sum(abs(t) for t in terms) * abs(W * G) + tiny
                assert_near(got, sum(terms) * W * G / 3, size, 16)


@every_loss
def test_element_losses_without_weights(isa: str, dtype: Any, kind: str) -> None:
    """Weights of 1 and one gradient for all give the same bits; each gradient alone too."""
    x, y = loss_inputs(kind, 83, dtype)
    one, g = np.ones(83, dtype), np.array(0.3, dtype)
    results = set()
    for weights, dloss in (((None, None), g), ((one, one), g), ((one, None), g * one)):
        loss, dx, dy, alone = (np.empty(83, dtype) for _ in range(4))
        _core.element_loss_forward(loss, kind, x, y, *weights, 0.5)
        _core.element_loss_backward(dx, dy, dloss, kind, x, y, *weights, 0.5)
        results.add(bits(loss, dx, dy))
        _core.element_loss_backward(alone, None, dloss, kind, x, y, *weights, 0.5)
        assert bits(alone) == bits(dx)
        _core.element_loss_backward(None, alone, dloss, kind, x, y, *weights, 0.5)
        assert bits(alone) == bits(dy)
    assert len(results) == 1


@every_loss
def test_element_losses_do_not_hide_nan(isa: str, dtype: Any, kind: str) -> None:
    for n in (1, 7, 19):
        for at in range(n):
            for which in (0, 1):
                given = loss_inputs(kind, n, dtype)
                given[which][at] = np.nan
                loss, dx, dy = (np.empty(n, dtype) for _ in range(3))
                _core.element_loss_forward(loss, kind, *given)
                _core.element_loss_backward(dx, dy, np.ones((), dtype), kind, *given)
                assert np.flatnonzero(np.isnan(loss)).tolist() == [at]
                assert np.isnan(dx[at])
                if which == 0:
                    assert np.isnan(dy[at])


@every_loss
def test_element_losses_do_not_depend_on_place_or_threads(isa: str, dtype: Any, kind: str) -> None:
    n = 10007
    x, y = loss_inputs(kind, n, dtype)
    g = draws(n, dtype, 3)

    def run(part: slice, offset: int) -> list[np.ndarray]:
        a, b, dloss = (place(v[part], offset) for v in (x, y, g))
        loss, dx, dy = (empty(len(a), dtype, offset) for _ in range(3))
        _core.element_loss_forward(loss, kind, a, b, None, None, 0.5)
        _core.element_loss_backward(dx, dy, dloss, kind, a, b, None, None, 0.5)
        return [loss, dx, dy]

    whole = run(slice(None), 0)
    for start in range(40):
        for stop in (start + 1, start + 5, 83):
            part = slice(start, stop)
            assert bits(*run(part, start % 4)) == bits(*(a[part] for a in whole)), part
    for team in (2, 3, 7):
        force_threads(team)
        assert bits(*run(slice(None), 1)) == bits(*whole)


def test_losses_are_summed_in_float64(isa: str, dtype: Any) -> None:
    """A sum of ten thousand is the float64 sum rounded once; it does not depend on threads."""
    x, y = (draws(10007, dtype, seed) for seed in (1, 2))
    losses, total = np.empty(10007, dtype), np.empty((), dtype)
    _core.element_loss_forward(losses, "l1", x, y)
    for team in TEAMS:
        force_threads(team)
        for divisor in (1.0, 10007.0):
            _core.element_loss_forward(total, "l1", x, y, divisor=divisor)
            exact = math.fsum(losses.tolist()) / divisor
            ulps = 8 if dtype is np.float64 else 0.51
            assert abs(float(total) - exact) <= ulps * np.spacing(dtype(exact))
