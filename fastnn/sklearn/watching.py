"""What happens between the epochs of an estimator: validation, stopping, the learning rate."""

from __future__ import annotations

from collections.abc import Callable

from fastnn import nn
from fastnn.autograd import Array
from fastnn.callbacks import Callback, Logs
from fastnn.sklearn.objective import Objective
from fastnn.sklearn.options import Options
from fastnn.sklearn.record import Record, weights_of
from fastnn.sklearn.rows import Rows
from fastnn.sklearn.solvers import change_rate
from fastnn.training.batches import input_rows, make_loader
from fastnn.training.evaluation import predict

__all__ = ["Stopping", "Validation", "outputs_of"]

_ROWS = 1024  # at a time: activations of that many stay in the L2 cache
_LEAST_RATE = 1e-6  # below it an adaptive rate is not lowered again


def outputs_of(network: nn.Module, X: Array) -> Array:
    """The network's outputs in eval mode, one row for each of X."""
    return predict(network, make_loader(input_rows(X, network), _ROWS, False, False, 0))


class Validation(Callback):
    """Measures loss and score on the rows that are watched, for all callbacks behind it.

    Args:
        rows: The rows.
        objective: What is learned.
        name: What the score is called.
        score: Makes it of outputs and rows.
    """

    def __init__(
        self, rows: Rows, objective: Objective, name: str, score: Callable[[Array, Rows], float]
    ) -> None:
        self.rows, self.objective, self.name, self.score = rows, objective, name, score

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        outputs = outputs_of(self.trainer.model, self.rows.X)
        logs["val_loss"] = self.objective.value(outputs, self.rows)
        logs[f"val_{self.name}"] = self.score(outputs, self.rows)


class Stopping(Callback):
    """scikit-learn's rules: when to stop, how the rate of SGD changes, which weights are best.

    Args:
        record: Where all is written down.
        options: The estimator's.
        objective: What is learned.
        rows: What an epoch learns from.
        score: The name of the validation score; None without validation.
    """

    def __init__(
        self, record: Record, options: Options, objective: Objective, rows: Rows, score: str | None
    ) -> None:
        self.record, self.options, self.score = record, options, score
        self.rows, self.shown = len(rows.X), objective.shown
        self.constant = objective.constant(rows)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        record, options = self.record, self.options
        record.seen += self.rows
        loss = logs["loss"] * self.shown + self.constant
        record.loss_curve.append(loss + logs.get("penalty", 0.0))
        if self.score is not None:
            record.validation_loss_curve.append(logs["val_loss"] * self.shown)
            record.validation_scores.append(logs[f"val_{self.score}"])
        self._judge()
        if options.solver == "sgd" and options.learning_rate == "invscaling":
            rate = options.learning_rate_init / (record.seen + 1) ** options.power_t
            change_rate(self.trainer.optimizer, rate)
        if record.stale > options.n_iter_no_change:
            self._end_or_slow_down()

    def _judge(self) -> None:
        record, tol = self.record, self.options.tol
        if self.options.early_stopping:
            score = record.validation_scores[-1]
            record.judge(score, record.best_score, tol)
            if score > record.best_score:
                record.best_score = score
                record.best = weights_of(self.trainer.model)
        else:
            loss = record.loss_curve[-1]
            record.judge(-loss, -record.best_loss, tol)
            record.best_loss = min(record.best_loss, loss)

    def _end_or_slow_down(self) -> None:
        options, optimizer = self.options, self.trainer.optimizer
        rate = self.trainer.rates[0]
        adaptive = options.solver == "sgd" and options.learning_rate == "adaptive"
        if adaptive and rate > _LEAST_RATE:
            change_rate(optimizer, rate / 5)
            self.record.stale = 0
        else:
            self.record.stopped = self.trainer.should_stop = True
