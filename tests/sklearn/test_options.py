"""Parameters that make no sense: nothing in the constructor, a clear error from fit."""

from typing import Any

import numpy as np
import pytest

from fastnn import NonFiniteError
from fastnn.optim.lr_scheduler import ConstantLR
from fastnn.sklearn import MLPClassifier, MLPRegressor

X = np.random.default_rng(0).standard_normal((30, 3))
Y = np.arange(30) % 3

BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"hidden_layer_sizes": (8, 0)}, ValueError, "expected hidden_layer_sizes >= 1, got 0"),
    ({"hidden_layer_sizes": -3}, ValueError, "expected hidden_layer_sizes >= 1, got -3"),
    ({"hidden_layer_sizes": 8.5}, TypeError, r"an integer hidden_layer_sizes, got 8\.5"),
    ({"hidden_layer_sizes": "8"}, TypeError, "an integer hidden_layer_sizes, got '8'"),
    ({"activation": "relux"}, ValueError, "expected activation 'identity', .*got 'relux'"),
    ({"activation": ["relu"] * 2}, ValueError, r"one activation for each of 1 hidden layers"),
    ({"activation": [1]}, TypeError, "expected names as activation, got 1"),
    ({"activation": None}, TypeError, "expected activation for all hidden layers, or a list"),
    ({"solver": "adagrad"}, ValueError, "expected solver 'adam', .* or 'lbfgs', got 'adagrad'"),
    ({"alpha": -1}, ValueError, "finite alpha >= 0, got -1"),
    ({"alpha": "small"}, TypeError, "alpha to be a number, got 'small'"),
    ({"batch_size": 0}, ValueError, "expected batch_size >= 1, got 0"),
    ({"batch_size": "all"}, ValueError, "got 'all'"),
    ({"learning_rate": "cosine"}, ValueError, "expected learning_rate 'constant', .*'cosine'"),
    ({"learning_rate_init": 0}, ValueError, "finite learning_rate_init > 0, got 0"),
    ({"power_t": -1}, ValueError, "power_t >= 0"),
    ({"max_iter": 0}, ValueError, "expected max_iter >= 1, got 0"),
    ({"shuffle": 1}, TypeError, "expected shuffle to be True or False, got 1"),
    ({"random_state": "seed"}, ValueError, "cannot be used to seed"),
    ({"tol": -1}, ValueError, "finite tol >= 0, got -1"),
    ({"verbose": -1}, ValueError, "expected verbose >= 0, got -1"),
    ({"warm_start": None}, TypeError, "warm_start to be True or False"),
    ({"momentum": 1.5}, ValueError, r"momentum <= 1, got 1\.5"),
    ({"nesterovs_momentum": 0}, TypeError, "nesterovs_momentum to be True or False"),
    ({"early_stopping": "yes"}, TypeError, "early_stopping to be True or False"),
    ({"validation_fraction": 1.0}, ValueError, r"0 <= validation_fraction < 1, got 1\.0"),
    ({"beta_1": 1.0}, ValueError, r"beta_1 < 1, got 1\.0"),
    ({"beta_2": -0.1}, ValueError, r"0 <= beta_2 < 1, got -0\.1"),
    ({"epsilon": 0}, ValueError, "finite epsilon > 0, got 0"),
    ({"n_iter_no_change": 0}, ValueError, "n_iter_no_change >= 1, got 0"),
    ({"max_fun": 0}, ValueError, "max_fun >= 1, got 0"),
    ({"class_weight": "even"}, ValueError, "balanced"),
    ({"class_weight": 2.0}, Exception, "class_weight"),
    ({"dropout": 1.0}, ValueError, r"0 <= dropout < 1, got 1\.0"),
    ({"dropout": [0.1, 0.2]}, ValueError, "one dropout for each of 1 hidden layers"),
    ({"dropout": "half"}, ValueError, "one dropout for each of 1 hidden layers, got 'half'"),
    ({"batch_norm": 1}, TypeError, "batch_norm to be True or False"),
    ({"scheduler": "cosine"}, TypeError, r"a function from an optimizer.*partial\(StepLR"),
    ({"callbacks": [print]}, TypeError, "list of fastnn.callbacks.Callback objects"),
    ({"callbacks": print}, TypeError, "list of fastnn.callbacks.Callback objects"),
    ({"n_threads": 0}, ValueError, "expected n_threads >= 1, got 0"),
    ({"scheduler": ConstantLR, "solver": "sgd", "learning_rate": "adaptive"}, ValueError,
     "either a scheduler or learning_rate='adaptive', got both"),
    ({"solver": "lbfgs", "dropout": 0.1}, ValueError, "solver='lbfgs' takes no dropout; 'adam'"),
    ({"solver": "lbfgs", "batch_norm": True}, ValueError, "takes no batch_norm"),
    ({"solver": "lbfgs", "scheduler": ConstantLR}, ValueError, "takes no scheduler"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "error", "pattern"), BAD, ids=str)
def test_fit_says_what_is_wrong(
    options: dict[str, Any], error: type[Exception], pattern: str
) -> None:
    model = MLPClassifier(**{"hidden_layer_sizes": (4,), **options})
    with pytest.raises(error, match=pattern) as caught:
        model.fit(X, Y)
    assert caught.type in (ValueError, TypeError) or issubclass(caught.type, ValueError)
    assert not hasattr(model, "loss_curve_")


def test_a_scheduler_that_makes_none() -> None:
    with pytest.raises(TypeError, match="expected a learning-rate schedule, got"):
        MLPClassifier(scheduler=id).fit(X, Y)


@pytest.mark.parametrize(("options", "error", "pattern"), [
    ({"loss": "mse"}, ValueError, "expected loss 'squared_error', .* or 'poisson', got 'mse'"),
    ({"quantile": 1.0}, ValueError, r"0 < quantile < 1, got 1\.0"),
    ({"delta": 0}, ValueError, "finite delta > 0, got 0"),
])  # fmt: skip
def test_parameters_of_the_regressor(
    options: dict[str, Any], error: type[Exception], pattern: str
) -> None:
    with pytest.raises(error, match=f"MLPRegressor: .*{pattern}"):
        MLPRegressor(**options).fit(X, X[:, 0])


@pytest.mark.parametrize(("X", "y", "pattern"), [
    (X, Y[:, None] + [0, 1], "got several columns of labels"),
    (X, X[:, 0], "Unknown label type"),
    (X, Y[:9], "inconsistent numbers of samples"),
    (X[0], Y, "Expected 2D array"),
    (np.where(X > 2, np.nan, X), Y, "contains NaN"),
    (np.where(X > 2, np.inf, X), Y, "contains infinity"),
    (X[:0], Y[:0], "0 sample"),
    (X[:, :0], Y, r"0 feature\(s\)"),
    (X.astype(str), Y, "could not convert|dtype='numeric'"),
])  # fmt: skip
def test_data_of_other_kinds(X: Any, y: Any, pattern: str) -> None:
    if pattern.startswith("could"):
        X = np.full(X.shape, "a")
    with pytest.raises(ValueError, match=pattern):
        MLPClassifier().fit(X, y)


def test_batches_larger_than_all_rows_are_all_rows() -> None:
    options = {"max_iter": 300, "tol": 0.1, "random_state": 0}
    with pytest.warns(UserWarning, match="batch_size=99 is more than the 30 rows"):
        large = MLPClassifier(batch_size=99, **options).fit(X, Y)
    assert large.loss_curve_ == MLPClassifier(batch_size=30, **options).fit(X, Y).loss_curve_


def test_divergence_is_an_error() -> None:
    model = MLPRegressor(solver="sgd", learning_rate_init=1e6, random_state=0)
    with pytest.raises(NonFiniteError, match=r"loss is (nan|inf) in epoch|not finite"):
        model.fit(1e6 * X, X[:, 0])


def test_a_network_that_is_not_fitted() -> None:
    from sklearn.exceptions import NotFittedError

    for call in ("predict", "predict_proba", "predict_log_proba"):
        with pytest.raises(NotFittedError):
            getattr(MLPClassifier(), call)(X)
    with pytest.raises(NotFittedError):
        MLPRegressor().to_module()
    with pytest.raises(AttributeError, match="not fitted yet; call fit first"):
        _ = MLPClassifier().coefs_


def test_it_warns_when_it_has_not_converged() -> None:
    from sklearn.exceptions import ConvergenceWarning

    for solver in ("adam", "lbfgs"):
        with pytest.warns(ConvergenceWarning, match="converged"):
            MLPClassifier(solver=solver, max_iter=2, random_state=0).fit(X, Y)
