"""Weights of rows and of classes."""

from typing import Any

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_sample_weight
from support import bits, state_bits

from fastnn.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

_rng = np.random.default_rng(0)
X = _rng.standard_normal((90, 4))
Y = np.array(["a", "b", "c"])[(X[:, 0] > 0.5).astype(int) + (X[:, 1] > 0.9)]
LABELS = np.stack([X[:, 0] > 1, X[:, 1] > 0], axis=1).astype(int)
COUNTS = _rng.integers(0, 4, 90)
ESTIMATORS: dict[str, tuple[Any, Any]] = {
    "classes": (MLPClassifier, Y),
    "two": (MLPClassifier, Y == "a"),
    "labels": (MLPClassifier, LABELS),
    "numbers": (MLPRegressor, X[:, :2] * X[:, 2:]),
}
every_estimator = pytest.mark.parametrize(("kind", "y"), ESTIMATORS.values(), ids=ESTIMATORS.keys())


def fitted(kind: Any, y: Any, X: Any = X, weight: Any = None, **options: Any) -> Any:
    return (
        kind((16,), max_iter=20, random_state=0, **options).fit(X, y, weight)
        if kind is MLPClassifier
        else kind(hidden_layer_sizes=(16,), max_iter=20, random_state=0, **options).fit(
            X, y, weight
        )
    )


@every_estimator
@pytest.mark.parametrize("options", [
    {}, {"solver": "lbfgs"}, {"batch_size": 17, "alpha": 5.0}, {"solver": "adamw"},
    {"early_stopping": True, "batch_norm": True, "dropout": 0.1},
], ids=str)  # fmt: skip
def test_weights_of_one_give_the_same_bits_as_none(kind: Any, y: Any, options: Any) -> None:
    plain = fitted(kind, y, **options)
    for ones in (np.ones(90), np.ones(90, np.float32), [1] * 90, 1.0):
        weighted = fitted(kind, y, weight=ones, **options)
        assert state_bits(weighted.module_) == state_bits(plain.module_)
        assert bits(weighted.loss_curve_) == bits(plain.loss_curve_)


@every_estimator
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_whole_weights_are_repeated_rows(kind: Any, y: Any, solver: str) -> None:
    """Rows of weight 0 among them, in batches of all rows."""
    options = {"solver": solver, "alpha": 2.0, "batch_size": int(COUNTS.sum()), "max_fun": 40}
    repeated = np.repeat(np.arange(90), COUNTS)
    a = fitted(kind, y[repeated], X[repeated], **options)
    options["batch_size"] = int((COUNTS > 0).sum())
    b = fitted(kind, y, weight=COUNTS, **options)
    np.testing.assert_allclose(a.loss_curve_, b.loss_curve_, rtol=1e-8)
    for p, q in zip(a.coefs_, b.coefs_, strict=True):
        np.testing.assert_allclose(p, q, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", ["classes", "two", "labels"])
def test_balanced_classes_are_the_weights_they_stand_for(name: str) -> None:
    kind, y = ESTIMATORS[name]
    expected = fitted(kind, y, weight=compute_sample_weight("balanced", y))
    balanced = fitted(kind, y, class_weight="balanced")
    assert state_bits(balanced.module_) == state_bits(expected.module_)
    assert state_bits(balanced.module_) != state_bits(fitted(kind, y).module_)


def test_class_weights_multiply_the_rows() -> None:
    weight = np.linspace(0.5, 2, 90)
    by_class = {"a": 1.0, "b": 4.0, "c": 0.25}
    a = fitted(MLPClassifier, Y, weight=weight, class_weight=by_class, early_stopping=True)
    both = weight * np.array([by_class[label] for label in Y])
    b = fitted(MLPClassifier, Y, weight=both, early_stopping=True)
    assert state_bits(a.module_) == state_bits(b.module_)
    assert a.validation_scores_ == b.validation_scores_


def test_a_heavy_class_is_predicted_more_often() -> None:
    rare = (X[:, 0] > 1.2).astype(int)
    noisy = X[:, :1] + _rng.standard_normal((90, 1))
    options = {"learning_rate_init": 0.05}
    plain = fitted(MLPClassifier, rare, noisy, **options).predict(noisy).sum()
    balanced = fitted(MLPClassifier, rare, noisy, class_weight="balanced", **options)
    assert balanced.predict(noisy).sum() > plain + 10


@pytest.mark.parametrize(("weight", "pattern"), [
    (np.ones(89), r"for each of 90 rows, of shape \(90,\), got shape \(89,\)"),
    (np.ones((90, 1)), r"of shape \(90,\), got shape \(90, 1\)"),
    (np.where(np.arange(90) == 7, -1, 1), r"finite sample_weight >= 0, got -1\.0 in row 7"),
    (np.where(np.arange(90) == 7, np.nan, 1), "got nan in row 7"),
    (np.where(np.arange(90) == 7, np.inf, 1), "got inf in row 7"),
    (np.zeros(90), "above zero, got zeros alone"),
    (["one"] * 90, "expected numbers as sample_weight"),
])  # fmt: skip
def test_bad_weights(weight: Any, pattern: str) -> None:
    with pytest.raises(ValueError, match=pattern):
        fitted(MLPClassifier, Y, weight=weight)
