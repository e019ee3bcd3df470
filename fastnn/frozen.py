"""`freeze`: a model for predictions alone."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from fastnn.autograd import Array, no_grad
from fastnn.nn.module import Module
from fastnn.tensor import Tensor
from fastnn.training.batches import input_rows, make_loader, weight_dtype
from fastnn.training.inference import Predictor

__all__ = ["FrozenModel", "freeze"]

_ROWS = 1024  # at a time, of what is cast or needs the model's own `forward`


class FrozenModel:
    """A model as it was when `freeze` made this of it, in eval mode.

    Any number of threads may call it at once.

    Args:
        model: What to copy.
    """

    def __init__(self, model: Module) -> None:
        if not isinstance(model, Module):
            raise TypeError(f"freeze: expected an nn.Module, got {type(model).__name__}")
        self._model = copy.deepcopy(model).eval()
        self._dtype = weight_dtype(self._model)
        self._predictor = Predictor(self._model, frozen=True)

    def __repr__(self) -> str:
        return f"FrozenModel({self._model!r})"

    def __call__(self, rows: Any) -> Array:
        """The outputs for rows, with the bits that the model's own have in eval mode.

        Args:
            rows: An array, tensor, data frame or list of shape (N, ...). What is not of the
                weights' type is cast, 1024 rows at a time.

        Returns:
            An array (N, ...) of outputs.

        Raises:
            ValueError: if there are no rows, or their shape is not what the model takes.
        """
        if type(rows) is np.ndarray and rows.dtype == self._dtype:
            outputs = self._predictor(rows)
            if outputs is not None:
                return outputs
        batches = make_loader(input_rows(rows, self._model), _ROWS, False, False, None)
        parts = [self._of_batch(inputs) for (inputs,) in batches]
        if not parts:
            raise ValueError("freeze: expected at least one row, got none")
        return np.concatenate(parts)

    def _of_batch(self, inputs: Tensor) -> Array:
        outputs = self._predictor(inputs.numpy())
        if outputs is not None:
            return outputs
        with no_grad():
            result: Array = self._model(inputs).numpy()
        return result


def freeze(model: Module) -> FrozenModel:
    """A copy of a model for predictions: its weights are packed once, not in every call.

    Of use where few rows at a time are asked for and the model no longer changes, as in a program
    that answers requests; what is done to the model afterwards does not reach the copy.
    `Trainer.predict` reads the weights where they lie, so it always answers for the model as it is.
    The counterpart in PyTorch is
    https://pytorch.org/docs/stable/generated/torch.jit.freeze.html, in onnxruntime a session.

    Args:
        model: Any module. One with a `forward` of its own runs that, on the copy.

    Returns:
        What takes an array of rows (N, ...) and gives an array of outputs (N, ...).

    Raises:
        TypeError: if it is no module.

    >>> import numpy as np
    >>> import fastnn
    >>> import fastnn.nn as nn
    >>> model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
    >>> frozen = fastnn.freeze(model)
    >>> x = np.ones((2, 4), np.float32)
    >>> bool((frozen(x) == model(x).detach().numpy()).all())
    True
    >>> _ = model[0].weight.data.zero_()
    >>> bool((frozen(x) == model(x).detach().numpy()).all())
    False
    """
    return FrozenModel(model)
