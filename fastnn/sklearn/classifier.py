"""`MLPClassifier`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import column_or_1d
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, is_multilabel

from fastnn.autograd import Array, no_grad
from fastnn.callbacks import Callback
from fastnn.nn import functional as F
from fastnn.sklearn.base import BaseMLP, _by_batches
from fastnn.sklearn.objective import Objective, of_bits, of_classes
from fastnn.sklearn.options import Options
from fastnn.sklearn.rows import Rows

__all__ = ["MLPClassifier"]


class MLPClassifier(ClassifierMixin, BaseMLP):  # type: ignore[misc]
    """A multi-layer perceptron that tells classes apart (`sklearn.neural_network.MLPClassifier`).

    It minimises the cross-entropy of its probabilities, `alpha / 2 sum w^2` divided by the rows of
    a batch added to it. Parameters and attributes have scikit-learn's names, defaults and
    meanings, and the same `random_state` gives the same first weights; those from `class_weight`
    on are fastnn's own.

    Args:
        hidden_layer_sizes: Sizes of the hidden layers.
        activation: Of the hidden layers, one name or a list of one for each: "identity",
            "logistic", "tanh", "relu", "leaky_relu", "elu", "gelu", "silu", "softplus".
        solver: "adam", "sgd", "rmsprop" (whose average remembers as `beta_2` says), "adamw" (with
            `alpha` as its weight decay), or "lbfgs", which takes all rows at once.
        alpha: Strength of the L2 penalty on the weights; biases have none.
        batch_size: Rows a batch, "auto" for 200 or all, if they are fewer. With `batch_norm` a
            last batch of a single row is left out.
        learning_rate: How the rate of "sgd" changes: "constant"; "invscaling", by
            `(t + 1) ** -power_t` after t rows; "adaptive", by 1/5 each time training stalls.
        learning_rate_init: The rate at first.
        power_t: See `learning_rate`.
        max_iter: Epochs at most; iterations of "lbfgs".
        shuffle: Whether each epoch takes the rows in a new order.
        random_state: Of first weights, the validation part, orders and dropout.
        tol: What counts as better, in the loss or with `early_stopping` in the score; for "lbfgs"
            the largest gradient at the end.
        verbose: Whether to show progress.
        warm_start: Whether `fit` goes on from the weights there are.
        momentum: Of "sgd".
        nesterovs_momentum: Whether it looks ahead.
        early_stopping: Whether to stop by the accuracy on a validation part, and to bring back
            the weights that had the best one, whatever ended training.
        validation_fraction: How large that part is; it has the classes in the same proportions.
        beta_1: Of "adam" and "adamw".
        beta_2: Of "adam", "adamw" and "rmsprop".
        epsilon: Of the same.
        n_iter_no_change: Stop when more epochs than this in a row are no better.
        max_fun: Evaluations of the loss at most, of "lbfgs".
        class_weight: A weight for each class by its label, or "balanced" for weights that make
            all classes count alike; it multiplies `sample_weight`.
        dropout: Share of each hidden layer's values that is dropped, one for all or a list.
        batch_norm: Whether hidden layers are normalised, before their activation.
        scheduler: A function that makes a schedule of an optimizer, such as
            `functools.partial(fastnn.optim.lr_scheduler.StepLR, step_size=20)`.
        callbacks: `fastnn.callbacks`, called between epochs. They see "loss", and with a validation
            part "val_loss" and "val_accuracy".
        n_threads: Threads at most; None for `fastnn.get_num_threads()`. No bit depends on it.

    Attributes:
        classes_: The labels, sorted.
        coefs_, intercepts_: Weights and biases of the layers, views of those of `module_`.
        module_: The network; `to_module` copies it.
        loss_curve_: The loss after each epoch, as the weights changed in it, penalty included. As
            in scikit-learn no probability is taken for less than the type's epsilon; only "lbfgs"
            shows the true loss.
        validation_loss_curve_: The same on the validation part, without the penalty.
        validation_scores_: The accuracy there.
        best_loss_, best_validation_score_, loss_, n_iter_, t_, n_layers_, n_outputs_,
            n_features_in_, feature_names_in_, out_activation_: As in scikit-learn.
        stopped_: Whether training came to its end before `max_iter`.

    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> y = np.where(X[:, 0] * X[:, 1] > 0, "same", "other")
    >>> classifier = MLPClassifier((32, 16), dropout=0.1, early_stopping=True, random_state=0,
    ...                            learning_rate_init=0.03, n_iter_no_change=20)
    >>> classifier.fit(X, y).score(X, y) > 0.9
    True
    """

    score_name = "accuracy"

    def __init__(
        self,
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
        class_weight: Any = None,
        dropout: float | Sequence[float] = 0.0,
        batch_norm: bool = False,
        scheduler: Callable[[Any], Any] | None = None,
        callbacks: Sequence[Callback] | None = None,
        n_threads: int | None = None,
    ) -> None:
        self._keep(locals())

    @available_if(_by_batches)  # type: ignore[untyped-decorator]
    def partial_fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        classes: Any = None,
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
            y: Labels.
            sample_weight: How much each row counts.
            classes: All labels there will be; needed at the first call.
            X_val: Inputs to watch, best the same ones at each call.
            y_val: Their labels.
            sample_weight_val: How much each of them counts.

        Raises:
            ValueError: without `classes` at the first call, for others later, and for a
                `class_weight` that needs all rows at once.
        """
        if isinstance(self.class_weight, str):
            raise ValueError(
                f"MLPClassifier: class_weight={self.class_weight!r} needs all rows, which "
                "partial_fit has not; give a weight for each label as a dict"
            )
        self._expect(classes)
        return self._fit_partly(X, y, sample_weight, (X_val, y_val, sample_weight_val))

    def predict(self, X: Any) -> Array:
        """The most probable label of each row, or for several labels a row of 0 and 1."""
        outputs = self._outputs(X)
        if self._multilabel:
            return (outputs > 0).astype(np.int64)
        two = self._objective.out_activation == "logistic"
        best: Array = (outputs[:, 0] > 0).astype(np.int64) if two else outputs.argmax(1)
        return self.classes_[best]

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class, in the order of `classes_`: `(n, classes)`."""
        outputs = self._outputs(X)
        if self._multilabel:
            return self._objective.predictions(outputs)
        with no_grad():
            return F.softmax(self._logits(outputs), 1).numpy()

    def predict_log_proba(self, X: Any) -> Array:
        """Their logarithms, with all digits where a probability is next to 0 or 1."""
        outputs = self._outputs(X)
        with no_grad():
            if self._multilabel:
                return (-F.softplus(-outputs)).numpy()
            return F.log_softmax(self._logits(outputs), 1).numpy()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    # --- inside ---

    def _logits(self, outputs: Array) -> Array:
        """Those of all classes; the one output of two classes is the second's."""
        if self._objective.out_activation == "softmax":
            return outputs
        return np.concatenate([np.zeros_like(outputs), outputs], axis=1)

    def _expect(self, classes: Any) -> None:
        """Learn the labels of the first call of `partial_fit`, or compare with them."""
        if hasattr(self, "module_"):
            self._awaited = None
            if classes is not None and not np.array_equal(np.unique(classes), self.classes_):
                raise ValueError(
                    f"MLPClassifier: expected the classes of before, {self.classes_}, "
                    f"got {np.unique(classes)}"
                )
        elif classes is None:
            raise ValueError("MLPClassifier: classes must be passed on the first call to "
                             "partial_fit")  # fmt: skip
        else:
            self._awaited = np.asarray(classes)

    def _read_targets(self, y: Any, X: Array, first: bool) -> Array:
        check_classification_targets(y)
        multilabel = is_multilabel(y)
        given = y.toarray() if hasattr(y, "toarray") else y
        if not multilabel and np.ndim(given) == 2 and given.shape[1] > 1:
            raise ValueError("MLPClassifier: expected one label a row, or 0 and 1 for each of "
                             "several, got several columns of labels")  # fmt: skip
        given = given if multilabel else column_or_1d(given, warn=True)
        if not first:
            self._check_shape(given, multilabel)
        awaited, self._awaited = getattr(self, "_awaited", None), None
        self._multilabel = multilabel
        if multilabel:
            self.classes_ = np.arange(given.shape[1])
            return given.astype(X.dtype)  # type: ignore[no-any-return]
        labels = self._learn(given, awaited) if first else self._numbers(given)
        return labels[:, None].astype(X.dtype) if len(self.classes_) == 2 else labels

    def _check_shape(self, y: Array, multilabel: bool) -> None:
        if multilabel != self._multilabel or (multilabel and y.shape[1] != len(self.classes_)):
            expected = f"(n, {len(self.classes_)})" if self._multilabel else "(n,)"
            raise ValueError(f"MLPClassifier: expected labels of shape {expected} as before, "
                             f"got {y.shape}")  # fmt: skip

    def _learn(self, y: Array, awaited: Array | None) -> Array:
        """Learn the classes, of all labels to come or of these; the number of each of these."""
        self._encoder = LabelEncoder()
        if awaited is None:
            labels: Array = self._encoder.fit_transform(y).astype(np.int64)
        else:
            self._encoder.fit(awaited)
        self.classes_ = self._encoder.classes_
        return labels if awaited is None else self._numbers(y)

    def _numbers(self, y: Array) -> Array:
        """The number of each label among the classes."""
        try:
            labels: Array = self._encoder.transform(y).astype(np.int64)
        except ValueError:
            raise ValueError(
                f"MLPClassifier: expected labels among {self.classes_}, got "
                f"{np.setdiff1d(y, self.classes_)}"
            ) from None
        return labels

    def _class_weights(self, y: Any) -> Array | None:
        if self.class_weight is None:
            return None
        given = y.toarray() if hasattr(y, "toarray") else y
        return compute_sample_weight(self.class_weight, given)  # type: ignore[no-any-return]

    def _make_objective(self, rows: Rows, options: Options) -> Objective:
        # scikit-learn takes no probability for less than epsilon where it shows the loss, and stops
        # by what it shows. A line search needs values that belong to the gradients: the true ones.
        least = np.finfo(rows.X.dtype).eps
        limit = math.inf if options.solver == "lbfgs" else -math.log(least)
        if rows.y.ndim == 1:
            return of_classes(len(self.classes_), limit)
        return of_bits(rows.y.shape[1], limit)

    def _labels(self, y: Array) -> Array | None:
        return None if self._multilabel else y.ravel()

    def _score(self, outputs: Array, rows: Rows) -> float:
        if rows.y.ndim == 1:
            right = outputs.argmax(1) == rows.y
        else:
            right = ((outputs > 0) == rows.y).all(1)
        return float(np.average(right, weights=rows.weight))
