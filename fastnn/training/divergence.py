"""Where a training left the finite numbers: what an error can say after the fact."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn.autograd import Array
from fastnn.errors import NonFiniteError
from fastnn.nn.module import Module
from fastnn.random import default_generator
from fastnn.tensor import Tensor, as_array
from fastnn.training.recording import record

__all__ = ["check_parameters", "non_finite_loss"]

_ADVICE = "try a smaller learning rate, and look for NaN or huge values in the data"


def non_finite_loss(
    model: Module,
    inputs: Any,
    targets: Sequence[Any],
    loss: float,
    epoch: int,
    batch: int,
    draws: int | None = None,
) -> NonFiniteError:
    """The error of a loss that is NaN or infinite, with the first place where numbers were.

    The model is run once more on the batch, in training mode, and is afterwards as it was.

    Args:
        model: With the weights that gave the loss.
        inputs: Of the batch.
        targets: What the loss was given besides the outputs.
        loss: Its value.
        epoch: The epoch's number.
        batch: The batch's number within it.
        draws: How many masks the library had drawn before the batch; they are drawn once more.

    >>> import fastnn
    >>> model = fastnn.nn.Sequential(fastnn.nn.Linear(1, 1), fastnn.nn.ReLU())
    >>> model[0].weight.data[...] = float("inf")
    >>> error = non_finite_loss(model, fastnn.ones(1, 1), [fastnn.ones(1)], float("inf"), 1, 7)
    >>> str(error).split("; try")[0]
    'fit: the loss is inf in epoch 1, batch 7; parameter 0.weight is inf'
    """
    where = _in_data("the input", inputs) or _in_parameters(model)
    where = where or _in_layers(model, inputs, draws)
    for values in targets:
        where = where or _in_data("the target", values)
    return NonFiniteError(
        f"fit: the loss is {loss} in epoch {epoch}, batch {batch}; "
        f"{where or 'the loss makes it of finite outputs'}; {_ADVICE}"
    )


def check_parameters(model: Module, epoch: int, batch: int) -> None:
    """Make sure of finite weights: an update may spoil them although the loss was finite.

    Raises:
        NonFiniteError: if a parameter is not, after so many batches of the epoch.
    """
    where = _in_parameters(model)
    if where:
        raise NonFiniteError(f"fit: {where} after epoch {epoch}, batch {batch}; {_ADVICE}")


def _in_data(what: str, values: Any) -> str | None:
    bad = _first_bad(values)
    return None if bad is None else f"{what} of its row {bad[0]} is {bad[1]}"


def _in_parameters(model: Module) -> str | None:
    for name, parameter in model.named_parameters():
        bad = _first_bad(parameter)
        if bad is not None:
            return f"parameter {name} is {bad[1]}"
    return None


def _in_layers(model: Module, inputs: Any, draws: int | None) -> str | None:
    now = default_generator.draws
    default_generator.draws = now if draws is None else draws
    try:
        calls = record(model, inputs, training=True)
    except Exception:  # a forward that a person wrote may do anything; the loss is known
        return None
    finally:
        default_generator.draws = now
    names = {module: name for name, module in model.named_modules()}
    for module, given, output in calls:
        bad = _first_bad(output)
        if bad is not None:
            side = "output" if all(_first_bad(x) is None for x in given) else "input"
            layer = f"layer {names[module]} ({type(module).__name__})" if names[module] else "model"
            return f"the first that is {bad[1]} is the {side} of {layer}"
    return None


def _first_bad(values: Any) -> tuple[int, float] | None:
    """Row and value of the first element that is NaN or infinite."""
    if not isinstance(values, Tensor | np.ndarray):
        return None
    array: Array = as_array(values)
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return None
    place = int(np.flatnonzero(~np.isfinite(array))[0])
    return place // max(array[0].size if array.ndim else 1, 1), float(array.flat[place])
