"""What both estimators share: reading rows, training, the attributes of scikit-learn's."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from fastnn import nn, optim
from fastnn.autograd import Array
from fastnn.errors import NonFiniteError
from fastnn.random import fork_rng
from fastnn.sklearn import lbfgs
from fastnn.sklearn.network import linear_layers, make_network
from fastnn.sklearn.objective import Objective
from fastnn.sklearn.options import Options
from fastnn.sklearn.order import Shuffles
from fastnn.sklearn.record import Record, bring_back, weights_of
from fastnn.sklearn.rows import Rows, checked_weights, split
from fastnn.sklearn.solvers import l2_of, make_optimizer
from fastnn.sklearn.watching import Stopping, Validation, outputs_of
from fastnn.threads import limited_threads
from fastnn.trainer import Trainer

__all__ = ["BaseMLP"]

_FLOATS = (np.float64, np.float32)  # what stays as it is; anything else becomes float64


def _by_batches(estimator: Any) -> bool:
    if estimator.solver == "lbfgs":
        raise AttributeError("partial_fit: expected a solver by mini-batches, got solver='lbfgs'")
    return True


@contextmanager
def _masks(seed: int | None) -> Iterator[None]:
    """Draw the masks of dropout from this seed in a block, if there is one."""
    if seed is None:
        yield
        return
    with fork_rng() as generator:
        generator.manual_seed(seed)
        yield


def _widened(array: Array) -> Array:
    return array.astype(np.float64) if array.dtype.kind == "f" else array


class BaseMLP(BaseEstimator):  # type: ignore[misc]
    """A network that is trained by rows; a derived class says what targets are.

    Attributes:
        module_: The network, in eval mode.
    """

    module_: nn.Sequential
    _optimizer: optim.Optimizer | None
    _saved_optimizer: dict[str, Any] | None
    score_name: str

    # --- what a derived class has ---

    def _read_targets(self, y: Any, X: Array, first: bool) -> Array:
        """Targets as the loss takes them, of those that a user gave."""
        raise NotImplementedError

    def _class_weights(self, y: Any) -> Array | None:
        """A weight for each row by its class."""
        return None

    def _make_objective(self, rows: Rows, options: Options) -> Objective:
        raise NotImplementedError

    def _labels(self, y: Array) -> Array | None:
        """What a validation part is to have in the same proportions as the rest."""
        return None

    def _score(self, outputs: Array, rows: Rows) -> float:
        """How good outputs are; more is better."""
        raise NotImplementedError

    # --- what a user calls ---

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Train on rows.

        Args:
            X: Inputs `(n, features)`: an array, a list, or a data frame. float32 is trained in
                float32, anything else in float64. Sparse ones must be made dense before.
            y: Targets `(n,)` or `(n, outputs)`.
            sample_weight: How much each row counts, `(n,)`; rows of weight 0 count as not there.
            X_val: Inputs to watch after each epoch; with `early_stopping` they replace the part
                that is split off.
            y_val: Their targets.
            sample_weight_val: How much each of them counts.

        Returns:
            The estimator.

        Raises:
            ValueError: if the data or a parameter are wrong.
            TypeError: for a parameter of another kind, or sparse inputs.
            NonFiniteError: if training diverged.
        """
        options = self._options()
        with limited_threads(options.n_threads):
            rows = self._begin(options, X, y, sample_weight)
            held = self._read_validation(X_val, y_val, sample_weight_val)
            if options.solver == "lbfgs":
                if held is not None:
                    raise ValueError(f"{self._who}: solver='lbfgs' takes no X_val")
                self._minimize(options, rows)
            else:
                self._optimizer, self._saved_optimizer = None, None
                self._record.stopped, self._record.latest = False, None
                if held is None and options.early_stopping:
                    rows, held = self._split(options, rows, self._random_state)
                self._train(options, rows, held, options.max_iter)
        return self

    @available_if(_by_batches)  # type: ignore[untyped-decorator]
    def partial_fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Train for one epoch on these rows, from where the last call ended.

        With `early_stopping` the estimator predicts with the best weights so far, while training
        goes on from the latest; when no call has been better for long enough `stopped_` is True,
        and further calls change nothing. The same rows are split in the same way each time.

        Args:
            X: Inputs, as for `fit`.
            y: Targets.
            sample_weight: How much each row counts.
            X_val: Inputs to watch, best the same ones at each call.
            y_val: Their targets.
            sample_weight_val: How much each of them counts.
        """
        return self._fit_partly(X, y, sample_weight, (X_val, y_val, sample_weight_val))

    def to_module(self) -> nn.Sequential:
        """A copy of the network, for `fastnn.save_model` or for a loop of one's own.

        It maps inputs to outputs before the last activation: logits of a classifier, whose softmax
        (or sigmoid, where `out_activation_` is "logistic") are the probabilities; numbers of a
        regressor, or their logarithms with `loss="poisson"`.
        """
        check_is_fitted(self)
        return copy.deepcopy(self.module_)

    # --- attributes of scikit-learn's ---

    @property
    def coefs_(self) -> list[Array]:
        """The weights of each linear layer, `(inputs, outputs)`, views of those of `module_`."""
        return [layer.weight.detach().numpy().T for layer in linear_layers(self._fitted())]

    @property
    def intercepts_(self) -> list[Array]:
        """The biases of each linear layer, views of those of `module_`."""
        return [layer.bias.detach().numpy() for layer in linear_layers(self._fitted())
                if layer.bias is not None]  # fmt: skip

    @property
    def stopped_(self) -> bool:
        """Whether training came to its end by itself."""
        self._fitted()
        return self._record.stopped

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = dict(super().__getstate__())
        optimizer = state.get("_optimizer")
        if optimizer is not None:  # whose memory is the module's
            state |= {"_optimizer": None, "_saved_optimizer": optimizer.state_dict()}
        return state

    # --- inside ---

    @property
    def _who(self) -> str:
        return type(self).__name__

    def _keep(self, given: Mapping[str, Any]) -> None:
        """Set the parameters that a constructor got, unchanged and unchecked."""
        for name, value in given.items():
            if name != "self":
                setattr(self, name, value)

    def _options(self) -> Options:
        return Options.of(self._who, self.get_params(deep=False))

    def _fitted(self) -> nn.Sequential:
        try:
            return self.module_
        except AttributeError:
            raise AttributeError(f"{self._who}: not fitted yet; call fit first") from None

    def _begin(
        self, options: Options, X: Any, y: Any, sample_weight: Any, partly: bool = False
    ) -> Rows:
        """The rows to learn from; and a new network, unless training is to go on.

        A part draws where the one before ended, `fit` anew, as scikit-learn's does.
        """
        first = not ((partly or options.warm_start) and hasattr(self, "module_"))
        rows = self._read(X, y, sample_weight, first)
        objective = self._make_objective(rows, options)
        sizes = (rows.X.shape[1], *options.hidden, objective.outputs)
        layout = (sizes, options.activations, options.dropout, options.batch_norm,
                  objective.out_activation)  # fmt: skip
        if first or not partly:
            self._random_state = check_random_state(self.random_state)
        if first:
            self.module_ = make_network(
                sizes, [*options.activations, options.last_activation], options.dropout,
                options.batch_norm, rows.X.dtype, self._random_state,
            )  # fmt: skip
            self._split_seed: int | None = None
            self._record, self._layout = Record(), layout
            self._optimizer = self._saved_optimizer = None
        elif layout != self._layout:
            raise ValueError(
                f"{self._who}: expected the network of before (sizes, activations, dropout, batch "
                f"norm, output): {self._layout}, got parameters for {layout}; fit with "
                "warm_start=False begins anew"
            )
        self._objective = objective
        return rows.that_count()

    def _read(self, X: Any, y: Any, sample_weight: Any, first: bool) -> Rows:
        X, given = validate_data(
            self, X, y, reset=first, dtype=_FLOATS, order="C", multi_output=True,
            y_numeric=self.score_name == "r2",
        )  # fmt: skip
        targets = self._read_targets(given, X, first)
        weight = checked_weights(self._who, sample_weight, X)
        by_class = self._class_weights(given)
        if by_class is not None:
            weight = (by_class if weight is None else weight * by_class).astype(X.dtype)
        return Rows(X, targets, weight)

    def _read_validation(self, X: Any, y: Any, sample_weight: Any) -> Rows | None:
        if X is None and y is None and sample_weight is None:
            return None
        if X is None or y is None:
            raise ValueError(f"{self._who}: expected X_val and y_val together, got one of them")
        held = self._read(X, y, sample_weight, first=False).that_count()
        if len(held.X) < 2:
            raise ValueError(f"{self._who}: expected at least 2 rows as X_val, got {len(held.X)}")
        return held

    def _split(self, options: Options, rows: Rows, rng: np.random.RandomState) -> tuple[Rows, Rows]:
        labels = self._labels(rows.y)
        return split(self._who, rows, options.validation_fraction, rng, labels)

    def _fit_partly(
        self, X: Any, y: Any, sample_weight: Any, validation: tuple[Any, Any, Any]
    ) -> Self:
        options = self._options()
        with limited_threads(options.n_threads):
            rows = self._begin(options, X, y, sample_weight, partly=True)
            held = self._read_validation(*validation)
            if self._record.stopped and options.early_stopping:
                warnings.warn(
                    f"{self._who}: training has stopped early, this call changes nothing; fit "
                    "begins anew, set_params(early_stopping=False) goes on",
                    stacklevel=3,
                )
                return self
            if held is None and options.early_stopping:
                if self._split_seed is None:
                    self._split_seed = self._draw_seed()
                rows, held = self._split(options, rows, np.random.RandomState(self._split_seed))
            bring_back(self.module_, self._record.latest)
            self._train(options, rows, held, 1, partly=True)
        return self

    def _train(
        self, options: Options, rows: Rows, held: Rows | None, epochs: int, partly: bool = False
    ) -> None:
        record, before = self._record, len(self._record.loss_curve)
        try:
            with _masks(self._draw_seed() if any(options.dropout) else None):
                self._run(options, rows, held, epochs)
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=3)
        finally:
            if options.early_stopping and record.best is not None:
                record.latest = weights_of(self.module_) if partly else None
                bring_back(self.module_, record.best)
            self.module_.eval()
            self._publish(options, held, len(record.loss_curve) - before)
        self._check_weights()
        if self.n_iter_ == options.max_iter and not record.stopped and not partly:
            warnings.warn(
                f"{self._who}: max_iter={options.max_iter} epochs are over, and training has not "
                "converged yet",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _run(self, options: Options, rows: Rows, held: Rows | None, epochs: int) -> None:
        n = len(rows.X)
        size = min(200, n) if options.batch_size is None else options.batch_size
        if size > n:
            warnings.warn(f"{self._who}: batch_size={size} is more than the {n} rows: it is taken "
                          f"as {n}", stacklevel=4)  # fmt: skip
            size = n
        optimizer = self._running_optimizer(options)
        score = None if held is None else self.score_name
        callbacks = [
            *options.callbacks,
            Stopping(self._record, options, self._objective, rows, score),
        ]
        if held is not None:
            validation = Validation(held, self._objective, self.score_name, self._score)
            callbacks.insert(0, validation)
        trainer = Trainer(
            self.module_, self._objective.loss, optimizer,
            options.scheduler and options.scheduler(optimizer), metrics=(), callbacks=callbacks,
            seed=Shuffles(self._random_state), l2=l2_of(options),
        )  # fmt: skip
        alone = options.batch_norm and n % size == 1 and n > 1  # has no variance
        try:
            trainer.fit(rows.data(), epochs, size, shuffle=options.shuffle, drop_last=alone,
                        verbose=options.verbose)  # fmt: skip
        finally:
            for callback in options.callbacks:  # which are parameters: a copy is no copy of all
                vars(callback).pop("trainer", None)

    def _minimize(self, options: Options, rows: Rows) -> None:
        record = self._record
        wide = Rows(*map(_widened, rows.data()))
        dtype = next(self.module_.parameters()).dtype
        curve, loss = lbfgs.minimize(self.module_.double(), self._objective, wide, options)
        self.module_.to(dtype).eval()
        record.loss_curve += curve
        record.best_loss = min(record.best_loss, loss)
        self._publish(options, None, len(curve))
        self.loss_ = loss
        self._check_weights()

    def _running_optimizer(self, options: Options) -> optim.Optimizer:
        if self._optimizer is None:
            self._optimizer = make_optimizer(self.module_, options)
            if self._saved_optimizer is not None:
                self._optimizer.load_state_dict(self._saved_optimizer)
                self._saved_optimizer = None
        return self._optimizer

    def _draw_seed(self) -> int:
        return int(self._random_state.randint(2**31))

    def _publish(self, options: Options, held: Rows | None, epochs: int) -> None:
        """Give what was measured scikit-learn's names."""
        record, early = self._record, options.early_stopping and options.solver != "lbfgs"
        self.n_iter_ = epochs
        self.t_ = record.seen
        self.loss_curve_ = record.loss_curve
        self.validation_scores_ = record.validation_scores if held is not None else None
        self.validation_loss_curve_ = record.validation_loss_curve if held is not None else None
        self.best_loss_ = None if early else record.best_loss
        self.best_validation_score_ = record.best_score if early else None
        if record.loss_curve:
            self.loss_ = record.loss_curve[-1]
        self.n_layers_ = len(options.hidden) + 2
        self.n_outputs_ = self._objective.outputs
        self.out_activation_ = self._objective.out_activation

    def _check_weights(self) -> None:
        for name, t in self.module_.state_dict().items():
            if not np.isfinite(t.numpy()).all():
                raise NonFiniteError(
                    f"{self._who}: training diverged, {name} is not finite; scale the inputs, or "
                    "lower learning_rate_init"
                )

    def _outputs(self, X: Any) -> Array:
        """The network's outputs for X, before the last activation."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=_FLOATS, order="C")
        with limited_threads(self._options().n_threads):
            return outputs_of(self.module_, X)
