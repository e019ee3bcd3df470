"""D: labels of classes."""

from typing import Any

import numpy as np

from bad_inputs.case import bad, fine
from bad_inputs.world import World, X, Y, f32, with_value
from fastnn import nn
from fastnn.sklearn import MLPClassifier

NAMES = np.array(["cat", "dog", "eel"])


def classifier(**options: Any) -> MLPClassifier:
    return MLPClassifier((4,), tol=1e9, n_iter_no_change=3, random_state=0, **options)


def fitted(labels: Any) -> np.ndarray:
    return classifier().fit(X, labels).predict_proba(X)


def ignored(world: World, rows: Any) -> float:
    """The mean loss with some rows ignored, or left out."""
    labels = with_value(np.array([2, 1, 0]), rows, -100)
    return world.loss_of(labels)


def of_two(world: World) -> float:
    logits = np.random.default_rng(1).standard_normal((3, 3)).astype(np.float32)
    return nn.CrossEntropyLoss()(logits[:2], np.array([2, 1])).item()


CASES = [
    bad("D02 10**6 more than there are", lambda w: w.loss_of(np.array([0, 1, 10**6 + 3])),
        IndexError, r"0 \.\. 2, got 1000003 in row 2"),
    fine("D04 -100, which is ignored", lambda w: ignored(w, 2), of_two),
    fine("D10 labels as float64 of whole numbers",
         lambda w: fitted(Y.astype(float)), lambda w: fitted(Y)),
    bad("D10 whole floats into a loss", lambda w: w.loss_of(np.array([0.0, 1.0, 2.0])), TypeError,
        r"integer class labels, got float64.*long\(\)"),
    fine("D14 bool", lambda w: w.loss_of(np.array([True, False, True])),
         lambda w: w.loss_of(np.array([1, 0, 1]))),
    fine("D15 strings into an estimator", lambda w: fitted(NAMES[Y]), lambda w: fitted(Y)),
    fine("D15 an estimator gives strings back",
         lambda w: NAMES[np.argmax(fitted(Y), axis=1)].tolist(),
         lambda w: classifier().fit(X, NAMES[Y]).predict(X).tolist()),
    bad("D16 text and numbers", lambda w: fitted(np.array([1, "a", 2] * 4, object)), ValueError,
        "label"),
    bad("D17 None into an estimator", lambda w: fitted(None), ValueError, "y"),
    fine("D18 one class", lambda w: fitted(np.zeros(12, int)), lambda w: f32(12, 1) + 1),
    fine("D19 a class that a batch has not", lambda w: w.loss_of(np.array([0, 0, 2])),
         lambda w: w.loss_of(np.array([0, 0, 2], np.int8))),
    fine("D20 all rows ignored", lambda w: np.isnan(w.loss_of(np.full(3, -100))),
         lambda w: np.True_),
    bad("D21 weights for 2 of 3 classes",
        lambda w: w.loss_of(Y[:3], weight=np.ones(2, np.float32)), ValueError,
        r"weight.*\(3,\).*\(2,\)"),
    fine("D22 one-hot", lambda w: w.loss_of(np.eye(3, dtype=np.float32)),
         lambda w: w.loss_of(np.arange(3))),
    bad("D22 one-hot of two classes", lambda w: w.loss_of(np.ones((3, 2), np.float32)), TypeError,
        r"got float32 of shape \(3, 2\).*of shape \(3, 3\)"),
    bad("D24 label_smoothing -0.1", lambda w: nn.CrossEntropyLoss(label_smoothing=-0.1),
        ValueError, "0 <= label_smoothing <= 1, got -0.1"),
    bad("D24 label_smoothing 1.1", lambda w: nn.CrossEntropyLoss(label_smoothing=1.1),
        ValueError, "0 <= label_smoothing <= 1, got 1.1"),
    bad("D25 a new class at partial_fit",
        lambda w: classifier().partial_fit(X, Y, classes=[0, 1, 2]).partial_fit(X, Y + 1),
        ValueError, "3"),
    bad("D25 partial_fit without classes", lambda w: classifier().partial_fit(X, Y), ValueError,
        "classes"),
    fine("D26 big-endian", lambda w: w.loss_of(np.arange(3, dtype=">i4")),
         lambda w: w.loss_of(np.arange(3))),
    fine("D27 every second", lambda w: w.loss_of(np.arange(6)[::2] % 3),
         lambda w: w.loss_of(np.array([0, 2, 1]))),
    bad("D30 two dimensions into an estimator", lambda w: fitted(np.stack([Y, Y], 1)), ValueError,
        "got several columns of labels"),
    *[fine(f"D26 {dtype}", lambda w, dtype=dtype: w.loss_of(np.arange(3, dtype=dtype)),
           lambda w: w.loss_of(np.arange(3)))
      for dtype in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", ">u8")],
    bad("D01 fit of the number of classes", lambda w: w.trainer.fit((X, Y + 1), shuffle=False),
        IndexError,
        r"0 \.\. 2, got 3 in row 2"),
    bad("D01 the number of classes", lambda w: w.loss_of(np.array([0, 1, 3])), IndexError,
        r"0 \.\. 2, got 3 in row 2"),
    bad("D03 -1", lambda w: w.loss_of(np.array([0, -1, 1])), IndexError, r"got -1 in row 1"),
    bad("D03 -3 of int8", lambda w: w.loss_of(np.array([0, -3, 0], np.int8)), IndexError,
        "got -3 in row 1"),
    bad("D03 fit of -1", lambda w: w.trainer.fit((X, Y - 1), shuffle=False), IndexError,
        "got -1 in row 0"),
    bad("D05 -100 where another is ignored",
        lambda w: nn.CrossEntropyLoss(ignore_index=-1)(f32(1, 3), np.array([-100])), IndexError,
        "got -100 in row 0"),
    bad("D05 2**64 - 100",
        lambda w: w.loss_of(np.array([0, 2**64 - 100, 0], np.uint64)), IndexError, "in row 1"),
    bad("D06 the smallest int64", lambda w: w.loss_of(np.array([0, 0, -(2**63)])), IndexError,
        "got -9223372036854775808 in row 2"),
    bad("D07 the largest int64", lambda w: w.loss_of(np.array([0, 0, 2**63 - 1])), IndexError,
        "got 9223372036854775807 in row 2"),
    bad("D07 the largest uint64", lambda w: w.loss_of(np.array([0, 2**64 - 1, 0], np.uint64)),
        IndexError,
        "in row 1"),
    bad("D08 2**32 + 1", lambda w: w.loss_of(np.array([2**32 + 1, 0, 0])), IndexError,
        "got 4294967297 in row 0"),
    bad("D09 2**31", lambda w: w.loss_of(np.array([2**31, 0, 0])), IndexError,
        "got 2147483648 in row 0"),
    bad("D11 1.5", lambda w: w.loss_of([0, 1.5, 1]), TypeError,
        "integer class labels, got float64"),
    bad("D11 fit of 0.5", lambda w: w.trainer.fit((X, Y + 0.5)), TypeError,
        "integer class labels, got float"),
    bad("D12 NaN", lambda w: w.loss_of(np.array([0, np.nan, 1])), TypeError,
        r"integer class labels, got float64.*long\(\)"),
    bad("D13 255 of uint8", lambda w: w.loss_of(np.array([0, 255, 0], np.uint8)), IndexError,
        "got 255 in row 1"),
    bad("D15 fit of strings", lambda w: w.trainer.fit((X, np.full(12, "a"))), TypeError,
        "an array of <U1"),
    bad("D15 strings into a loss", lambda w: w.loss_of(["a", "b"], 2), TypeError,
        "real numbers, got list"),
    bad("D17 None", lambda w: w.loss_of([0, None], 2), TypeError, "real numbers, got list"),
    bad("D28 the last of 10**5",
        lambda w: w.loss_of(with_value(np.zeros(10**5, int), -1, 3), 10**5),
        IndexError, "got 3 in row 99999"),
    bad("D29 dates", lambda w: w.loss_of(np.zeros(2, "M8[D]"), 2), TypeError, "datetime64"),
    bad("D30 a column", lambda w: w.loss_of(np.zeros((3, 1), int)), ValueError,
        r"3 labels.*got shape \(3, 1\)"),
    bad("D30 too few", lambda w: w.loss_of(np.array([0, 1])), ValueError,
        r"3 labels of shape \(3,\).*got shape \(2,\)"),
]  # fmt: skip
