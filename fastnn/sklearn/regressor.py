"""`MLPRegressor`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import column_or_1d

from fastnn.autograd import Array
from fastnn.callbacks import Callback
from fastnn.options import above_zero, one_of, within
from fastnn.sklearn.base import BaseMLP
from fastnn.sklearn.objective import Objective, of_numbers
from fastnn.sklearn.options import LOSSES, Options
from fastnn.sklearn.rows import Rows

__all__ = ["MLPRegressor"]


class MLPRegressor(RegressorMixin, BaseMLP):  # type: ignore[misc]
    """A multi-layer perceptron that learns numbers (`sklearn.neural_network.MLPRegressor`).

    The losses of several outputs are added. Neither inputs nor targets are scaled: put a
    `StandardScaler` in front, and a `TransformedTargetRegressor` around it.

    Args:
        loss: "squared_error", half of `(p - y)^2`; "absolute_error"; "huber", half the squared
            error within `delta` and a straight line beyond; "quantile", whose predictions have a
            share `quantile` of the targets below them; or "poisson", half the deviance of counts
            `y >= 0`, with predictions `exp(outputs)`.
        hidden_layer_sizes, activation, solver, alpha, batch_size, learning_rate,
            learning_rate_init, power_t, max_iter, shuffle, random_state, tol, verbose, warm_start,
            momentum, nesterovs_momentum, early_stopping, validation_fraction, beta_1, beta_2,
            epsilon, n_iter_no_change, max_fun: As for `MLPClassifier`; `early_stopping` looks at
            the coefficient of determination, R^2.
        quantile: See `loss`.
        delta: See `loss`.
        dropout, batch_norm, scheduler, callbacks, n_threads: As for `MLPClassifier`; callbacks see
            "val_r2".

    Attributes:
        coefs_, intercepts_, module_, loss_curve_, validation_loss_curve_, validation_scores_,
            best_loss_, best_validation_score_, loss_, n_iter_, t_, n_layers_, n_outputs_,
            n_features_in_, feature_names_in_, out_activation_, stopped_: As of `MLPClassifier`.

    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> y = X[:, 0] ** 2 + X[:, 1]
    >>> regressor = MLPRegressor(hidden_layer_sizes=(32,), solver="lbfgs", max_iter=2000,
    ...                          random_state=0)
    >>> regressor.fit(X, y).score(X, y) > 0.99
    True
    """

    score_name = "r2"

    def __init__(
        self,
        loss: str = "squared_error",
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: str | Sequence[str] = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        quantile: float = 0.5,
        delta: float = 1.0,
        dropout: float | Sequence[float] = 0.0,
        batch_norm: bool = False,
        scheduler: Callable[[Any], Any] | None = None,
        callbacks: Sequence[Callback] | None = None,
        n_threads: int | None = None,
    ) -> None:
        self._keep(locals())

    def predict(self, X: Any) -> Array:
        """The numbers for each row: `(n,)`, or `(n, outputs)` of several."""
        outputs = self._outputs(X)
        predictions = self._objective.predictions(outputs)
        return predictions.ravel() if predictions.shape[1] == 1 else predictions

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.positive_only = self.loss == "poisson"
        return tags

    # --- inside ---

    def _read_targets(self, y: Any, X: Array, first: bool) -> Array:
        name = one_of("MLPRegressor", "loss", self.loss, *LOSSES)
        y = column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y
        targets: Array = y.reshape(len(y), -1)
        if targets.dtype.kind != "f":
            targets = targets.astype(X.dtype)
        if name == "poisson" and targets.min() < 0:
            row = int(targets.min(1).argmin())
            raise ValueError(f"MLPRegressor: loss='poisson' expects targets >= 0, "
                             f"got {targets[row].min()} in row {row}")  # fmt: skip
        return targets

    def _make_objective(self, rows: Rows, options: Options) -> Objective:
        quantile = within("MLPRegressor", "quantile", self.quantile)
        delta = above_zero("MLPRegressor", "delta", self.delta)
        return of_numbers(self.loss, rows.y.shape[1], quantile, delta)

    def _score(self, outputs: Array, rows: Rows) -> float:
        predictions = self._objective.predictions(outputs)
        if not np.isfinite(predictions).all():
            return float("nan")
        return float(r2_score(rows.y, predictions, sample_weight=rows.weight))
