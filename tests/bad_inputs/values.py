"""C: values of inputs, targets, probabilities and weights of rows."""

import math
import re
from typing import Any

import numpy as np
from support import mlp

from bad_inputs.case import bad, fine
from bad_inputs.world import NAN_ROW, World, X, Y, f32, with_value
from fastnn import NonFiniteError, Trainer, nn, optim
from fastnn.nn import functional as F
from fastnn.sklearn import MLPClassifier, MLPRegressor

ONES = np.ones(12)


def squares(world: World, targets: Any, **options: Any) -> None:
    """An epoch of a regression."""
    world.regression.fit((X, targets[:, None]), batch_size=12, verbose=0, **options)


def spoilt(world: World) -> np.ndarray:
    """Predictions with a weight that the user made NaN: NaN where it matters, and no error."""
    world.model[2].weight.data[1, 0] = math.nan
    return np.isnan(world.predict(X)).any(axis=0)


def norm(values: Any, **options: Any) -> np.ndarray:
    return nn.BatchNorm1d(1, **options)(np.asarray(values, np.float32).reshape(-1, 1)).detach()


def far_off() -> bool:
    """Batch normalization of values around 10**8, where float32 knows multiples of 8."""
    values = (1e8 + 64 * np.arange(-4, 4)).astype(np.float32)
    exact = (values.astype(float) - values.astype(float).mean()) / values.astype(float).std()
    return bool(np.abs(norm(values).numpy().ravel() - exact).max() < 1e-3)


def estimator(x: Any = X, y: Any = Y, weights: Any = None, kind: Any = MLPClassifier) -> Any:
    return kind((4,), tol=1e9, random_state=0, n_iter_no_change=3).fit(x, y, sample_weight=weights)


def weighted(weights: Any) -> np.ndarray:
    return estimator(weights=weights).predict_proba(X)


def class_weights(weights: list[float]) -> float:
    """The sum of the losses of four rows of equal logits."""
    loss = nn.CrossEntropyLoss(np.array(weights, np.float32), reduction="sum")
    return loss(f32(4, 3), np.array([0, 1, 2, 0])).item()


def diverge(world: World) -> str:
    """What is said when a training goes astray."""
    world.model = mlp(4, 5, 3)
    world.optimizer = optim.SGD(world.model.parameters(), lr=1e30)
    world.trainer = Trainer(world.model, world.loss, world.optimizer)
    try:
        return str(world.fit())
    except NonFiniteError as error:
        return str(error)


CASES = [
    bad("C01 fit of an estimator on NaN", lambda w: estimator(NAN_ROW), ValueError,
        "contains NaN"),
    bad("C01 prediction of an estimator for NaN", lambda w: estimator().predict(NAN_ROW),
        ValueError, "contains NaN"),
    fine("C01 prediction of NaN", lambda w: np.isnan(w.predict(NAN_ROW)).any(axis=1),
         lambda w: np.arange(12) == 7),
    bad("C02 fit of an estimator on inf", lambda w: estimator(with_value(X, (0, 0), np.inf)),
        ValueError, "contains infinity"),
    bad("C04 NaN in the last place",
        lambda w: w.fit(with_value(X, (-1, -1), np.nan), batch_size=12), NonFiniteError,
        "nan in epoch 1, batch 1"),
    bad("C05 NaN as a target", lambda w: squares(w, with_value(ONES, 3, np.nan)), NonFiniteError,
        "epoch 1, batch 1"),
    bad("C05 NaN as an estimator's target",
        lambda w: estimator(y=with_value(ONES, 3, np.nan), kind=MLPRegressor), ValueError, "NaN"),
    bad("C06 inf as a target", lambda w: squares(w, with_value(ONES, 3, np.inf)), NonFiniteError,
        "epoch 1, batch 1"),
    fine("C08 1e-310", lambda w: w.predict(np.full((3, 4), 1e-310)),
        lambda w: w.predict(f32(3, 4))),
    fine("C09 denormals", lambda w: w.predict(np.full((3, 4), 1e-42, np.float32)),
         lambda w: w.predict(f32(3, 4))),
    fine("C10 -0.0", lambda w: w.predict(-f32(3, 4)), lambda w: w.predict(f32(3, 4))),
    fine("C11 a constant column under batch normalization", lambda w: norm([5, 5, 5]),
         lambda w: f32(3, 1)),
    fine("C12 zeros", lambda w: w.predict(f32(3, 4)), lambda w: w.predict(np.zeros((3, 4)))),
    fine("C14 logits of 10**4",
         lambda w: w.loss(np.array([[1e4, -1e4, 0]], np.float32), np.array([1])).item(),
         lambda w: 2e4),
    fine("C15 equal logits", lambda w: w.loss(f32(1, 4) + 7, np.array([2])).item(),
         lambda w: float(np.float32(math.log(4)))),
    fine("C16 a logit of -inf",
         lambda w: w.loss(np.array([[0, -np.inf]], np.float32), np.array([0])).item(),
         lambda w: 0.0),
    fine("C16 only logits of -inf",
         lambda w: math.isnan(w.loss(np.full((1, 2), -np.inf, np.float32), np.array([0])).item()),
         lambda w: True),
    bad("C17 a probability of -0.1", lambda w: F.binary_cross_entropy(f32(2) - 0.1, f32(2)),
        ValueError, r"in 0 \.\. 1, got -0\.1"),
    bad("C17 a probability of 1.1", lambda w: F.binary_cross_entropy(f32(2) + 1.1, f32(2)),
        ValueError, r"in 0 \.\. 1, got 1\.1"),
    fine("C17 a probability of NaN",
         lambda w: math.isnan(F.binary_cross_entropy(f32(2) + np.nan, f32(2)).item()),
         lambda w: True),
    fine("C18 probabilities of 0 and 1", lambda w: F.binary_cross_entropy(
        np.array([0, 1], np.float32), np.array([1, 0], np.float32)).item(), lambda w: 100.0),
    bad("C19 a target of 2", lambda w: F.binary_cross_entropy(f32(2), f32(2) + 2), ValueError,
        r"targets in 0 \.\. 1, got 2"),
    fine("C20 a target of NaN",
         lambda w: math.isnan(F.binary_cross_entropy_with_logits(f32(2), f32(2) + np.nan).item()),
         lambda w: True),
    bad("C22 a negative weight of a row", lambda w: weighted(with_value(ONES, 3, -1)), ValueError,
        "sample_weight.*>= 0.*-1"),
    bad("C23 NaN as a weight of a row", lambda w: weighted(with_value(ONES, 3, np.nan)), ValueError,
        "finite sample_weight >= 0, got nan in row 3"),
    bad("C24 weights of zero", lambda w: weighted(0 * ONES), ValueError,
        "a sample_weight above zero, got zeros"),
    fine("C24 one weight of zero", lambda w: np.isfinite(weighted(with_value(ONES, 3, 0))).all(),
         lambda w: np.True_),
    bad("C25 weights for 5 of 12 rows", lambda w: weighted(ONES[:5]), ValueError,
        r"sample_weight.*\(5,\)"),
    bad("C26 weights of two dimensions", lambda w: weighted(np.ones((12, 1))), ValueError,
        r"sample_weight.*\(12,\), got shape \(12, 1\)"),
    bad("C27 weights for 2 of 3 classes",
        lambda w: nn.CrossEntropyLoss(weight=np.ones(2, np.float32))(f32(2, 3), np.array([0, 1])),
        ValueError, r"weight.*\(3,\).*\(2,\)"),
    bad("C27 a negative weight of a class", lambda w: class_weights([1, -2, 1]), ValueError,
        r"CrossEntropyLoss: expected class weights >= 0, got \[1.0, -2.0, 1.0\]"),
    bad("C27 NaN as a weight of a class", lambda w: class_weights([1, math.nan, 1]), ValueError,
        r"class weights >= 0, got \[1.0, nan, 1.0\]"),
    fine("C28 a rate of 1e30", lambda w: re.search("epoch 1, batch [23];", diverge(w)) is not None,
         lambda w: True),
    fine("C29 NaN as a weight", spoilt, lambda w: np.array([False, True, False])),
    fine("C30 a variance of 0 without eps", lambda w: np.isnan(norm([5, 5], eps=0)).all(),
         lambda w: np.True_),
    bad("C31 a square beyond float32", lambda w: squares(w, 1e30 * ONES), NonFiniteError,
        "loss is inf in epoch 1, batch 1"),
    fine("C32 images as bytes", lambda w: w.predict(np.full((2, 4), 255, np.uint8)),
         lambda w: w.predict(np.full((2, 4), 255.0))),
    fine("C33 batch normalization around 10**8", lambda w: far_off(), lambda w: True),
    bad("C01 NaN", lambda w: w.trainer.fit((NAN_ROW, Y), batch_size=12), NonFiniteError,
        "loss is nan in epoch 1, batch 1;"),
    bad("C02 inf", lambda w: w.trainer.fit((with_value(X, (0, 0), np.inf), Y), batch_size=12),
        NonFiniteError, "epoch 1, batch 1;"),
    bad("C03 -inf", lambda w: w.trainer.fit((with_value(X, (11, 3), -np.inf), Y), batch_size=12),
        NonFiniteError, "epoch 1, batch 1;"),
    bad("C07 1e300", lambda w: w.trainer.fit((np.full((12, 4), 1e300), Y), batch_size=12),
        NonFiniteError, "epoch 1, batch 1;"),
    bad("C13 the largest float32",
        lambda w: w.trainer.fit((np.full((12, 4), 3.4e38, np.float32), Y), batch_size=12),
        NonFiniteError, "epoch 1, batch 1;"),
]  # fmt: skip
