"""With the same `random_state`: scikit-learn's weights, batches, losses and stops."""

from typing import Any

import numpy as np
import pytest
from sklearn import neural_network as theirs
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_limits

from fastnn import sklearn as ours

# teams of BLAS threads spin: with as many of ours beside them each step takes a time slice
_blas = threadpool_limits(1, user_api="blas")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_digits(return_X_y=True)
X, Y = X[:500] / 16, Y[:500]
WEIGHT = np.random.default_rng(0).uniform(0.1, 3, 500)

TARGETS: dict[str, tuple[str, Any]] = {
    "classes": ("MLPClassifier", Y),
    "two-classes": ("MLPClassifier", np.where(Y > 4, "high", "low")),
    "labels": ("MLPClassifier", np.stack([Y > 4, Y % 2, Y % 3 == 0], axis=1).astype(int)),
    "number": ("MLPRegressor", Y / 10),
    "numbers": ("MLPRegressor", np.stack([Y / 10, np.sin(Y), -Y / 5], axis=1)),
}

OPTIONS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "in-order": {"shuffle": False, "batch_size": 33},
    "penalty": {"alpha": 3.0, "batch_size": 64},
    "tanh": {"activation": "tanh", "hidden_layer_sizes": (20, 10)},
    "logistic": {"activation": "logistic", "hidden_layer_sizes": [15]},
    "identity": {"activation": "identity", "hidden_layer_sizes": 8},
    "linear": {"hidden_layer_sizes": ()},
}
SGD: dict[str, dict[str, Any]] = {
    "plain": {"momentum": 0.0},
    "no-nesterov": {"nesterovs_momentum": False},
    "invscaling": {"learning_rate": "invscaling", "learning_rate_init": 0.5, "power_t": 0.2},
    "adaptive": {"learning_rate": "adaptive", "tol": 1.0, "n_iter_no_change": 1, "max_iter": 9},
}
ADAM: dict[str, dict[str, Any]] = {
    "moments": {"beta_1": 0.7, "beta_2": 0.9, "epsilon": 1e-3},
    "fast": {"learning_rate_init": 0.02},
    "ignored": {"learning_rate": "adaptive", "momentum": 0.1},
}
SETTINGS = {
    f"{solver}-{name}": {"solver": solver, **options}
    for solver, own in (("adam", ADAM), ("sgd", SGD))
    for name, options in {**OPTIONS, **own}.items()
}


def both(target: str, **options: Any) -> tuple[Any, Any]:
    given = {"max_iter": 5, "random_state": 3, **options}
    name, _ = TARGETS[target]
    return getattr(ours, name)(**given), getattr(theirs, name)(**given)


def assert_same_training(target: str, options: dict[str, Any], times: int = 1, **fit: Any) -> None:
    pair = both(target, **options)
    for estimator in pair * times:
        estimator.fit(X, TARGETS[target][1], **fit)
    a, b = pair
    np.testing.assert_allclose(a.loss_curve_, b.loss_curve_, rtol=1e-9)
    for name in ("coefs_", "intercepts_"):
        for p, q in zip(getattr(a, name), getattr(b, name), strict=True):
            assert p.dtype == q.dtype
            np.testing.assert_allclose(p, q, rtol=1e-6, atol=1e-9)
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_"):
        assert getattr(a, name) == getattr(b, name), name
    assert a.loss_ == pytest.approx(b.loss_, rel=1e-9)
    for name in ("best_loss_", "best_validation_score_", "validation_scores_"):
        mine, other = getattr(a, name), getattr(b, name)
        assert mine == other if other is None else mine == pytest.approx(other, rel=1e-9), name
    if target.startswith("number"):
        np.testing.assert_allclose(a.predict(X), b.predict(X), rtol=1e-7)
    else:
        np.testing.assert_array_equal(a.predict(X), b.predict(X))


@pytest.mark.parametrize("options", SETTINGS.values(), ids=SETTINGS.keys())
def test_settings(options: dict[str, Any]) -> None:
    assert_same_training("classes", options)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("target", TARGETS)
def test_targets(target: str, solver: str) -> None:
    assert_same_training(target, {"solver": solver})
    assert_same_training(target, {"solver": solver, "alpha": 2.0}, sample_weight=WEIGHT)


@pytest.mark.parametrize("target", ["two-classes", "number", "numbers"])
def test_early_stopping(target: str) -> None:
    """The same rows are set aside, and the same epoch's weights come back."""
    options = {"early_stopping": True, "learning_rate_init": 0.02, "n_iter_no_change": 2}
    assert_same_training(target, {**options, "max_iter": 30, "validation_fraction": 0.2})


def test_early_stopping_of_weights() -> None:
    options = {"early_stopping": True, "learning_rate_init": 0.02, "max_iter": 8}
    assert_same_training("two-classes", options, sample_weight=WEIGHT)


@pytest.mark.filterwarnings("ignore:.*not scaled:fastnn.TrainingWarning")
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("target", ["classes", "two-classes", "labels"])
def test_rows_that_are_utterly_wrong(target: str, dtype: Any) -> None:
    """A probability next to 0 counts as epsilon in the loss that is shown."""
    y = TARGETS[target][1]
    a, b = both(target, max_iter=4, learning_rate_init=1e-4)
    a, b = (estimator.fit((1000 * X).astype(dtype), y) for estimator in (a, b))
    found = a.predict_log_proba((1000 * X).astype(dtype))
    of_target = (
        found[y == 1] if target == "labels" else found[np.arange(500), a.classes_.searchsorted(y)]
    )
    assert of_target.min() < 1.5 * np.log(np.finfo(dtype).eps)
    # of a bit scikit-learn takes log(1 - p), with the digits that are left of it beside 1
    exact = target == "classes" and dtype == np.float64
    np.testing.assert_allclose(a.loss_curve_, b.loss_curve_, rtol=1e-9 if exact else 1e-4)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_warm_starts(solver: str) -> None:
    """The weights go on, the moments and the order begin again."""
    assert_same_training("two-classes", {"solver": solver, "warm_start": True}, times=3)


def test_counts() -> None:
    pair = both("number", loss="poisson", learning_rate_init=0.01)
    y = np.random.default_rng(1).poisson(Y / 2).astype(float)
    a, b = (estimator.fit(X, y, sample_weight=WEIGHT) for estimator in pair)
    np.testing.assert_allclose(a.loss_curve_[0], b.loss_curve_[0], rtol=2e-2)
    np.testing.assert_allclose(a.predict(X), b.predict(X), rtol=1e-9)
    a, b = (estimator.fit(X, y) for estimator in pair)
    np.testing.assert_allclose(a.loss_curve_, b.loss_curve_, rtol=1e-9)
    assert a.out_activation_ == b.out_activation_ == "exp"


def test_stops_where_scikit_learn_does() -> None:
    """By the training loss: neither an epoch earlier nor later, without a warning."""
    for options in ({"tol": 0.02, "n_iter_no_change": 4}, {"tol": 0.05, "n_iter_no_change": 2}):
        a, b = both("two-classes", max_iter=200, learning_rate_init=0.01, **options)
        assert a.fit(X, Y > 4).n_iter_ == b.fit(X, Y > 4).n_iter_ < 60
        assert a.stopped_


@pytest.mark.parametrize("target", [name for name in TARGETS if name != "numbers"])
def test_lbfgs_finds_the_same_optimum(target: str) -> None:
    """Of several numbers scikit-learn's gradient is not that of its loss."""
    options = {"solver": "lbfgs", "max_iter": 3000, "alpha": 5.0, "hidden_layer_sizes": ()}
    a, b = (e.fit(X[:99], TARGETS[target][1][:99]) for e in both(target, **options))
    assert a.loss_ == pytest.approx(b.loss_, rel=1e-6)
    for p, q in zip(a.coefs_, b.coefs_, strict=True):
        np.testing.assert_allclose(p, q, atol=1e-3)


def test_lbfgs_of_a_network() -> None:
    options = {"solver": "lbfgs", "max_iter": 300, "alpha": 0.5, "hidden_layer_sizes": (5,)}
    a, b = (e.fit(X[:60], Y[:60] > 4) for e in both("two-classes", activation="tanh", **options))
    assert a.loss_ == pytest.approx(b.loss_, abs=1e-3)
    assert a.n_iter_ == len(a.loss_curve_) > 10
    assert a.loss_curve_[-1] == pytest.approx(a.loss_, rel=1e-9)


def test_lbfgs_of_several_numbers_is_least_squares() -> None:
    x, y = np.random.default_rng(0).standard_normal((99, 10)), TARGETS["numbers"][1][:99]
    model, _ = both("numbers", solver="lbfgs", max_iter=300, alpha=0.0, hidden_layer_sizes=(),
                    tol=1e-7)  # fmt: skip
    design = np.column_stack([x, np.ones(99)])
    expected = design @ np.linalg.lstsq(design, y, rcond=None)[0]
    np.testing.assert_allclose(model.fit(x, y).predict(x), expected, atol=1e-3)
    assert model.loss_ == pytest.approx(0.5 * np.mean((y - expected) ** 2), rel=1e-6)


def test_the_constructors_have_scikit_learns_parameters() -> None:
    for name in ("MLPClassifier", "MLPRegressor"):
        mine, other = (getattr(lib, name)().get_params() for lib in (ours, theirs))
        assert other.items() <= mine.items()
        signature = [list(getattr(lib, name)._get_param_names()) for lib in (ours, theirs)]
        assert set(signature[1]) <= set(signature[0])
