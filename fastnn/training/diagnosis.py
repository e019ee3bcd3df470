"""Warnings that name the cause, where a training looks like one of the usual mistakes.

A few rows are looked at before the training, and once more with the trained model; what cannot be
looked at without disturbing the training is left alone, and so is whatever could be meant.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.autograd import Array, no_grad
from fastnn.data import MinMaxScale, Standardize
from fastnn.errors import TrainingWarning
from fastnn.metrics import names_of
from fastnn.nn import BatchNorm1d, LayerNorm, Linear, Module, ReLU
from fastnn.tensor import Tensor, as_array
from fastnn.training.batches import Loader
from fastnn.training.recording import Call, record
from fastnn.training.sample import sample

if TYPE_CHECKING:
    from fastnn.trainer import Trainer

__all__ = ["Diagnosis"]

# Above this root of the mean square, first steps of usual size overshoot; digits of 0 to 16 and
# lengths in centimetres train well unscaled.
_HUGE = 100.0
_SPREAD = 1000.0  # between the widest and the narrowest column
_WIDE = 10.0  # what the widest must be: pixels in 0 .. 1 that are nearly always 0 do no harm
_FEW = 50  # rows of which nothing is concluded
_STEPS = 20  # of the optimizer, after which the end is looked at: it takes as long as one or two
# Up to half of the units are silent from the start where all inputs are positive: they do no harm.
_MOST = 0.75
_SCALED = (BatchNorm1d, LayerNorm, Standardize, MinMaxScale)

_CLASSES = {"CrossEntropyLoss", "cross_entropy", "NLLLoss", "nll_loss"}
_BITS = {"BCEWithLogitsLoss", "binary_cross_entropy_with_logits"}
_SHARES = {"BCELoss", "binary_cross_entropy"}
_DISTANCES = {"MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss",
              "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"}  # fmt: skip


class Diagnosis:
    """What is looked at around one `fit`.

    Args:
        trainer: Whose `fit` it is.
        loader: The training data.
    """

    def __init__(self, trainer: Trainer, loader: Loader) -> None:
        self.trainer, self.loader = trainer, loader
        self.names = names_of(trainer.loss)

    def before(self) -> None:
        """Warn of inputs that are not scaled, and of labels that are no classes."""
        if self.trainer.epochs and (found := self._rows(128)):
            X, y = found
            self._warn([_unscaled(self.trainer.model, X), self._no_classes(y)])

    def after(self) -> None:
        """Warn of a loss that did not fall, and of dead ReLUs."""
        trainer = self.trainer
        if (trainer.batches or 0) * len(trainer.history) < _STEPS:
            return
        if (found := self._rows(512)) and (calls := _calls(trainer.model, found[0])):
            outputs = calls[-1].output
            dead = None if trainer.l1 else _dead(trainer.model, calls)  # L1 means to switch off
            self._warn([self._stuck(outputs, found[1], dead), dead])

    def _rows(self, rows: int) -> tuple[Tensor, Array] | None:
        found = sample(self.loader, rows)
        if found is None or not as_array(found[0]).size or not as_array(found[1]).size:
            return None
        return Tensor.of(as_array(found[0])), as_array(found[1])

    def _warn(self, problems: list[str | None]) -> None:
        found = [problem for problem in problems if problem]
        if found:
            warnings.warn("fit: " + ";\nand ".join(found), TrainingWarning, stacklevel=4)

    # --- labels ---

    def _no_classes(self, y: Array) -> str | None:
        """Labels that are numbers, given to a loss for classes."""
        if self.names & _CLASSES and y.ndim == 1 and y.dtype.kind in "iu":
            return self._many_labels(y)
        if self.names & _CLASSES and y.ndim == 2 and y.dtype.kind == "f":
            sums = y.sum(1, dtype=np.float64)
            if y.min() < 0 or abs(sums - 1).max() > 0.01:
                return (f"rows of soft labels should be at least 0 and add up to 1, but they add "
                        f"up to {sums.min():.4g} to {sums.max():.4g}; for numbers take "
                        "nn.MSELoss")  # fmt: skip
        return None

    def _many_labels(self, y: Array) -> str | None:
        if len(np.unique(y)) <= len(y) / 2 or not (found := self._rows(4096)):
            return None
        y = found[1]
        labels = len(np.unique(y))
        if len(y) < _FEW or labels <= len(y) / 2:
            return None
        return (f"the labels look like numbers, not like classes: {labels} different ones in "
                f"{len(y)} rows; for numbers take nn.MSELoss, one output and float "
                "targets")  # fmt: skip

    # --- the loss ---

    def _stuck(self, outputs: Any, y: Array, dead: str | None) -> str | None:
        losses = self.trainer.history.loss
        late = losses[len(losses) // 2 :]
        if len(losses) < 3 or not np.median(late) > 0.999 * losses[0] > 0:
            return None
        if len(y) < _FEW or not isinstance(outputs, Tensor):
            return None
        constant = _constant(self.names, as_array(outputs), y)
        if constant is None:
            return None
        with no_grad():
            own, simple = (float(self.trainer.loss(z, Tensor.of(y)).item())
                           for z in (outputs, constant))  # fmt: skip
        if not own >= 0.99 * simple:
            return None  # it had fallen within the first epoch, or before
        told = (f"the loss did not fall: {losses[0]:.4g} in epoch 1, {losses[-1]:.4g} in epoch "
                f"{len(losses)}, and always giving the same answer has {simple:.4g}")  # fmt: skip
        lr = self.trainer.history.lr[0]
        return told if dead else (f"{told}; try another learning rate than {lr:g}, and make sure "
                                  "that rows and targets belong together")  # fmt: skip


def _calls(model: Module, X: Tensor) -> list[Call]:
    try:
        with np.errstate(all="ignore"):
            return record(model, X)
    except Exception:  # it takes batches of one size only, say: then nothing is known
        return []


# --- inputs ---


def _unscaled(model: Module, X: Tensor) -> str | None:
    """Inputs whose scale hinders training, unless the model scales them itself."""
    array = as_array(X)
    if len(array) < _FEW or not _of_scale(array):
        return None
    for call in _calls(model, X):
        if isinstance(call.module, _SCALED):
            return None
        if isinstance(call.module, Linear):
            return _of_scale(as_array(call.inputs[0]))
    return None


def _of_scale(X: Array) -> str | None:
    table = X.reshape(len(X), -1).astype(np.float64)
    if not np.isfinite(table).all():
        return None
    with np.errstate(over="ignore"):
        sizes = np.sqrt((table**2).mean(0))
    low, high = np.percentile(table, [25, 75], axis=0, method="nearest")  # numbers that occur
    spreads = np.where(high > low, high - low, np.nan)  # NaN: constant, or nearly always zero
    advice = "; make fastnn.data.Standardize().fit(X) the first layer, or scale them yourself"
    if sizes.max() > _HUGE and table.min() >= 0 and table.max() <= 255 and not (table % 1).any():
        return "the inputs look like bytes, from 0 to 255; divide pixels by 255"
    if sizes.max() > _HUGE:
        k = int(sizes.argmax())
        return f"the inputs are not scaled: column {k} has values of about {sizes[k]:.4g}{advice}"
    widest = np.nanmax(spreads, initial=0)
    if not (widest > _WIDE and widest > _SPREAD * np.nanmin(spreads, initial=np.inf)):
        return None
    wide, narrow = int(np.nanargmax(spreads)), int(np.nanargmin(spreads))
    return (f"the inputs are of very different scales: column {wide} spreads over "
            f"{spreads[wide]:.4g}, column {narrow} over {spreads[narrow]:.4g}{advice}")  # fmt: skip


# --- outputs ---


def _constant(names: set[str], outputs: Array, y: Array) -> Tensor | None:
    """The best constant answer, or about that, in the form of the outputs; None if not known."""
    with np.errstate(divide="ignore"):
        if names & _CLASSES and outputs.ndim == 2:
            if y.ndim == 1:
                counts = np.bincount(y[(y >= 0) & (y < outputs.shape[1])],
                                     minlength=outputs.shape[1])  # fmt: skip
                answer = np.log(np.maximum(counts / max(1, counts.sum()), 1e-12))
            else:
                answer = np.log(np.maximum(y.mean(0), 1e-12))
        elif names & (_BITS | _SHARES | _DISTANCES) and y.size == outputs.size:
            answer = y.reshape(outputs.shape).mean(0)
            if names & (_BITS | _SHARES):
                answer = np.clip(answer, 1e-6, 1 - 1e-6)
            if names & _BITS:
                answer = np.log(answer / (1 - answer))
        else:
            return None
    return Tensor.of(np.broadcast_to(answer, outputs.shape).astype(outputs.dtype))


def _dead(model: Module, calls: list[Call]) -> str | None:
    """The layer of ReLUs most of which give 0 for every row."""
    worst, told = 0.0, None
    for where, values in _rectified(model, calls):
        units = values.shape[-1]
        table = values.reshape(-1, units)
        dead = int((table == 0).all(0).sum())
        enough = dead == units or (units >= 16 and dead >= _MOST * units)
        if len(table) >= _FEW and units and enough and dead / units > worst:
            worst = dead / units
            told = (f"{dead} of {units} ReLUs {where} are dead: they give 0 for each of "
                    f"{len(table)} rows, and learn nothing any more; try a smaller learning rate, "
                    "scaled inputs, or nn.LeakyReLU")  # fmt: skip
    return told


def _rectified(model: Module, calls: list[Call]) -> Iterator[tuple[str, Array]]:
    """What ReLUs gave, and where: those that are modules, and those in between."""
    paths = {module: path for path, module in model.named_modules()}
    given: list[Array] = []
    for call in calls:
        if isinstance(call.module, ReLU):
            yield f"in {paths[call.module]!r}", as_array(call.output)
        elif isinstance(call.module, Linear):
            values = as_array(call.inputs[0])
            if any(a.shape == values.shape and np.array_equal(values, np.maximum(a, 0))
                   and (a < 0).any() for a in given):  # fmt: skip
                yield f"before {paths[call.module]!r}", values
        if isinstance(call.output, Tensor):
            given.append(as_array(call.output))
