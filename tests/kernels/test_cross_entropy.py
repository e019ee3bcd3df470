"""Losses of classes, against float64 formulas: ISA x dtype x threads x place."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from kernel_support import OFFSETS, assert_near, draws, run_cross_entropy
from support import bits, empty, force_threads, place
from tables.activations import log_softmax, softmax
from tables.losses import cross_entropy

from fastnn import _core

CE_SHAPES = [
    (0, 3),
    (1, 1),
    (1, 2),
    (5, 10),
    (3, 15),
    (3, 16),
    (3, 17),
    (9, 32),
    (9, 33),
    (7, 67),
    (2, 1000),
    (129, 3),
]


def check_cross_entropy(logits: np.ndarray, labels: np.ndarray, offset: int = 0) -> None:
    """Forward within 10 eps; the shift by the row's maximum may cost |shift| eps more."""
    losses, probabilities = run_cross_entropy(logits, labels, offset)
    z = logits.astype(np.float64)
    expected = cross_entropy(z, labels)
    assert_near(losses, expected, np.maximum(abs(expected), 1), 10)
    p = softmax(z)
    depth = 10 + abs(z - z.max(axis=1, keepdims=True))
    smallest = np.finfo(logits.dtype).tiny  # exp may flush what would be denormal
    bound = np.finfo(logits.dtype).eps * depth * p + 2 * smallest
    assert (abs(probabilities - p) <= bound).all()

    dlosses = draws(len(labels), logits.dtype, 5)
    one_hot = np.eye(logits.shape[1])[labels]
    dlogits = empty(logits.shape, logits.dtype, offset)
    _core.softmax_cross_entropy_backward(dlogits, dlosses, probabilities, labels)
    expected = (probabilities.astype(np.float64) - one_hot) * dlosses[:, None]
    assert_near(dlogits, expected, abs(dlosses[:, None]), 4)
    in_place = place(probabilities, offset)
    _core.softmax_cross_entropy_backward(in_place, dlosses, in_place, labels)
    assert bits(in_place) == bits(dlogits)


def test_softmax_cross_entropy(isa: str, dtype: Any, team: int) -> None:
    rng = np.random.default_rng(0)
    for rows, classes in CE_SHAPES:
        for offset in OFFSETS:
            logits = place(rng.normal(0, 3, (rows, classes)).astype(dtype), offset)
            check_cross_entropy(logits, rng.integers(0, classes, rows), offset)


def test_softmax_cross_entropy_of_one_dloss(isa: str, dtype: Any, team: int) -> None:
    p = place(np.full((5, 4), 0.25, dtype))
    labels = np.array([0, 1, 2, 3, 0])
    dlogits = np.empty_like(p)
    _core.softmax_cross_entropy_backward(dlogits, np.array([0.5], dtype), p, labels)
    np.testing.assert_array_equal(dlogits, (0.25 - np.eye(4)[labels]) * 0.5)


def test_softmax_cross_entropy_of_extreme_logits(isa: str, dtype: Any, team: int) -> None:
    for classes in (2, 10, 17, 40):
        far = np.where(np.arange(classes) % 2, 1e4, -1e4)
        rows = np.stack([far, -far, np.full(classes, 7.0), np.full(classes, -1e4),
                         np.zeros(classes)]).astype(dtype)  # fmt: skip
        for label in range(classes):
            check_cross_entropy(rows, np.full(len(rows), label))
        losses, probabilities = run_cross_entropy(rows[2:], np.zeros(3, np.int64))
        assert_near(losses, np.log(np.full(3, classes)), np.log(classes), 4)
        assert_near(probabilities, np.full((3, classes), 1 / classes), 1 / classes, 4)


def test_softmax_cross_entropy_of_infinite_logits(isa: str, dtype: Any, team: int) -> None:
    for classes in (2, 10, 17, 40):
        logits = np.zeros((3, classes), dtype)
        logits[0, 1:] = -np.inf  # certain of class 0, rightly and wrongly
        logits[1, 1:] = -np.inf
        logits[2, 1] = -np.inf
        losses, p = run_cross_entropy(logits, np.array([0, 1, 0]))
        assert losses[0] == 0
        assert losses[1] == np.inf
        assert_near(losses[2:], np.log([classes - 1.0]), 1, 4)
        assert p[0].tolist() == [1, *[0] * (classes - 1)]
        assert p[2, 1] == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_softmax_cross_entropy_does_not_hide(isa: str, dtype: Any, team: int, bad: float) -> None:
    """NaN or +inf anywhere in a row gives a NaN loss of that row alone."""
    for classes in (1, 2, 10, 17, 40):
        for place_of_bad in range(classes):
            logits = np.ones((3, classes), dtype)
            logits[1, place_of_bad] = bad
            losses, _ = run_cross_entropy(logits, np.zeros(3, np.int64))
            assert np.isnan(losses).tolist() == [False, True, False], (classes, place_of_bad)


def test_rows_of_a_softmax_do_not_depend_on_their_place(isa: str, dtype: Any) -> None:
    for classes in (1, 3, 10, 17, 35):
        logits = draws(11 * classes, dtype).reshape(11, classes) * 5
        labels = np.arange(11) % classes
        losses, probabilities = run_cross_entropy(logits, labels)
        for team in (1, 3):
            force_threads(team)
            for start in range(11):
                part = run_cross_entropy(logits[start:], labels[start:], start % 3)
                assert bits(*part) == bits(losses[start:], probabilities[start:])


def test_classes_that_cannot_be_change_no_bits(isa: str, dtype: Any) -> None:
    """Few classes are computed in another way than many, with the same bits."""
    for classes in range(1, 36):
        logits = draws(11 * classes, dtype).reshape(11, classes) * 5
        more = np.full((11, 70), -np.inf, dtype)
        more[:, :classes] = logits
        labels = np.arange(11) % classes
        losses, probabilities = run_cross_entropy(logits, labels)
        same_losses, padded = run_cross_entropy(more, labels)
        assert bits(same_losses, padded[:, :classes]) == bits(losses, probabilities), classes
        assert not padded[:, classes:].any()


# --- losses of classes with weights, ignored labels, smoothing, soft labels ---


def class_options(classes: int, dtype: Any) -> list[dict[str, Any]]:
    weight = place(np.random.default_rng(9).uniform(0, 3, classes).astype(dtype), 1)
    weight[0] = 0
    return [
        {"weight": weight},
        {"ignore_index": classes - 1},
        {"ignore_index": -1, "smoothing": 0.1},
        {"weight": weight, "ignore_index": 0, "smoothing": 0.6},
    ]


def class_losses(shape: tuple[int, int], dtype: Any, offset: int) -> Iterator[tuple[Any, ...]]:
    """(logits, labels, target of each row and class with weight, options) of every option."""
    rng = np.random.default_rng(0)
    rows, classes = shape
    logits = place(rng.normal(0, 3, shape).astype(dtype), offset)
    for options in class_options(classes, dtype):
        labels = rng.integers(0, classes, rows)
        if options.get("ignore_index") == -1:
            labels[::3] = -1
        share = options.get("smoothing", 0.0)
        target = (1 - share) * np.eye(classes)[labels] + share / classes
        target[labels == options.get("ignore_index")] = 0
        yield logits, labels, target * options.get("weight", 1.0), options


@pytest.mark.parametrize("shape", [s for s in CE_SHAPES if s[0]], ids=str)
def test_cross_entropy_options(isa: str, dtype: Any, team: int, shape: tuple[int, int]) -> None:
    for offset in OFFSETS:
        for logits, labels, target, options in class_losses(shape, dtype, offset):
            losses, p = empty(shape[0], dtype, offset), empty(shape, dtype, offset)
            _core.softmax_cross_entropy_forward(losses, p, logits, labels, **options)
            parts = abs(target * log_softmax(logits.astype(np.float64)))
            assert_near(losses, parts.sum(1), 1 + parts.sum(1), 16)
            assert losses[labels == options.get("ignore_index")].tolist().count(0) == sum(
                labels == options.get("ignore_index")
            )
            dlosses, total = draws(shape[0], dtype, 5), target.sum(1, keepdims=True)
            dlogits = empty(shape, dtype, offset)
            _core.softmax_cross_entropy_backward(dlogits, dlosses, p, labels, 3.0, **options)
            expected = (p * total - target) * dlosses[:, None] / 3
            assert_near(dlogits, expected, (total + target) * abs(dlosses[:, None]), 8)
            _core.softmax_cross_entropy_backward(p, dlosses, p, labels, 3.0, **options)
            assert bits(p) == bits(dlogits)


@pytest.mark.parametrize("shape", [s for s in CE_SHAPES if s[0]], ids=str)
def test_soft_cross_entropy(isa: str, dtype: Any, team: int, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    for offset in OFFSETS:
        logits = place(rng.normal(0, 3, shape).astype(dtype), offset)
        t = place(rng.dirichlet(np.ones(shape[1]), shape[0]).astype(dtype), offset)
        for options in class_options(shape[1], dtype):
            options.pop("ignore_index", None)
            losses, p = empty(shape[0], dtype, offset), empty(shape, dtype, offset)
            _core.soft_cross_entropy_forward(losses, p, logits, t, **options)
            w, share = options.get("weight", 1.0), options.get("smoothing", 0.0)
            target = w * ((1 - share) * t.astype(np.float64) + share / shape[1])
            log_p = log_softmax(logits.astype(np.float64))
            expected = -(target * log_p).sum(1)
            assert_near(losses, expected, 1 + expected, 16)
            dlosses, total = draws(shape[0], dtype, 5), target.sum(1, keepdims=True)
            dt, dlogits = empty(shape, dtype, offset), empty(shape, dtype, offset)
            _core.soft_cross_entropy_backward_target(dt, dlosses, logits, 3.0, **options)
            expected = -w * (1 - share) * log_p * dlosses[:, None] / 3
            assert_near(dt, expected, w * (1 + abs(log_p)) * abs(dlosses[:, None]), 8)
            _core.soft_cross_entropy_backward(dlogits, dlosses, p, t, 3.0, **options)
            expected = (p * total - target) * dlosses[:, None] / 3
            assert_near(dlogits, expected, (total + target) * abs(dlosses[:, None]), 8)
            _core.soft_cross_entropy_backward(p, dlosses, p, t, 3.0, **options)
            assert bits(p) == bits(dlogits)


def test_nll(isa: str, dtype: Any, team: int) -> None:
    """Exact: each loss is one product, each gradient another."""
    for shape in CE_SHAPES[1:]:
        for x, labels, _, options in class_losses(shape, dtype, 1):
            options.pop("smoothing", None)
            weight = options.get("weight", np.ones(shape[1], dtype))
            counted = labels != options.get("ignore_index", -100)
            losses, dx, rows = empty(shape[0], dtype), empty(shape, dtype), np.arange(shape[0])
            _core.nll_forward(losses, x, labels, **options)
            np.testing.assert_array_equal(losses, -x[rows, labels] * weight[labels] * counted)
            dlosses = draws(shape[0], dtype, 5)
            _core.nll_backward(dx, dlosses, labels, 2.0, **options)
            expected = np.zeros(shape, dtype)
            expected[rows, labels] = -dlosses / 2 * weight[labels] * counted
            np.testing.assert_array_equal(dx, expected)


def test_what_a_mean_divides_by(isa: str, dtype: Any, team: int) -> None:
    logits, weight = np.zeros((5, 3), dtype), np.array([0.5, 2.0, 8.0], dtype)
    labels, t = np.array([0, 1, 1, 2, 0]), np.ones((5, 3), dtype)
    loss, p = np.empty((), dtype), np.empty((5, 3), dtype)
    for reduction, options, divisor in (
        ("mean", {}, 5), ("sum", {}, 1), ("sum", {"weight": weight}, 1),
        ("mean", {"weight": weight}, 13), ("mean", {"ignore_index": 1}, 3),
        ("mean", {"weight": weight, "ignore_index": 2}, 5),
    ):  # fmt: skip
        given = (labels, reduction)
        assert _core.softmax_cross_entropy_forward(loss, p, logits, *given, **options) == divisor
        assert _core.nll_forward(loss, logits, *given, **options) == divisor
    assert _core.soft_cross_entropy_forward(loss, p, logits, t, "mean", weight) == 5
