"""Outputs of a model by one call of C++: the compiled form of `evaluation.predict`, bit for bit."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np

from fastnn.autograd import Array, enable_grad, watch_values
from fastnn.errors import NotLowerable
from fastnn.nn.module import Module
from fastnn.tensor import Tensor
from fastnn.training.lowering import Lowering, Pass, nodes_of, signature
from fastnn.training.watch import Watch, same_objects

__all__ = ["Predictor"]

# At a time. 10,000 rows through 784-512-512-10 take 512 at a time 52 ms, 1024 48, 2048 51.
_MOST_ROWS = 1024


class Predictor:
    """A model in eval mode as a program, made anew when a part of the model is another one.

    Weights are read where they lie, so training or loading needs no word to it. Only models made
    of fastnn's own modules are taken: what else a `forward` looks at, nobody can watch.

    Any number of threads may call it at once: each takes a program of its own out of a pool.

    Args:
        model: Whose outputs to compute.
        frozen: Nothing will change the model, so nobody looks whether something has, and weights
            are packed once, for all programs.

    >>> import fastnn.nn as nn
    >>> model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    >>> Predictor(model)(np.ones((5, 3), np.float32)).shape
    (5, 2)
    """

    def __init__(self, model: Module, frozen: bool = False) -> None:
        self.model, self.frozen = model, frozen
        self._made: _Made | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Predictor, (self.model, self.frozen)

    def __call__(self, rows: Any) -> Array | None:
        """The outputs for (N, ...) rows; None where they need the model's own `forward`.

        That is so for other models, and for rows that are empty, or of another type or shape than
        the model takes: `forward` has the words for it.
        """
        if type(rows) is not np.ndarray or not rows.size or not rows.dtype.isnative:
            return None
        made = self._made
        if made is None or not made.is_for(rows) or not (self.frozen or made.is_current()):
            made = self._made = _Made(self.model, rows, self.frozen)
        return made.run(rows)


class _Made:
    """Programs of a model as it was, and how to tell whether it still is.

    Args:
        model: What to make them of.
        rows: Some rows of the type and shape to make them for.
        frozen: Whether it will stay so.
    """

    def __init__(self, model: Module, rows: Array, frozen: bool) -> None:
        self.frozen = frozen
        self.packed: _Forward | None = None  # whose weights are those of all, if frozen
        self.watch = Watch(model)
        self.parts, self.steady = self.watch.parts(), self.watch.steady()
        self.model, self.row, self.dtype = model, rows.shape[1:], rows.dtype
        self.pool: list[_Forward] = []
        self.possible = all(map(_is_known, self.watch.modules))

    def is_for(self, rows: Array) -> bool:
        """Whether the programs take such rows."""
        return bool(rows.shape[1:] == self.row and rows.dtype == self.dtype)

    def is_current(self) -> bool:
        """Whether the model consists of the same objects as before."""
        if self.watch.still_has(self.parts):
            return True
        if not same_objects(self.watch.steady(), self.steady):
            return False
        # only modes have changed, and a program is always of eval mode
        self.parts = self.watch.parts()
        return True

    def run(self, rows: Array) -> Array | None:
        """Their outputs, or None."""
        most = min(len(rows), _MOST_ROWS)
        try:
            forward = self.pool.pop()  # one that nobody else uses now
        except IndexError:
            forward = None
        if forward is None or forward.most < most:
            forward = self._make(most) if self.possible else None
            if forward is None:
                return None
        outputs = forward.run(rows)
        self.pool.append(forward)
        return outputs

    def _make(self, most: int) -> _Forward | None:
        """A program with room for so many rows."""
        try:
            forward = _Forward(self.model, np.zeros((3, *self.row), self.dtype), most)
            if self.frozen:
                forward.freeze(self.packed)
                self.packed = forward
            return forward
        except Exception:  # the model's own forward says better what is wrong
            self.possible = False
            return None


def _is_known(module: Module) -> bool:
    """Whether its class is fastnn's own, and so is its `forward`."""
    return type(module).__module__.startswith("fastnn.nn.") and "forward" not in vars(module)


class _Forward:
    """One program.

    Args:
        model: What to make it of.
        rows: Three rows to put a pass on the tape with.
        most: How many rows it is to have room for.

    Raises:
        NotLowerable: if the model has no compiled form.
    """

    def __init__(self, model: Module, rows: Array, most: int) -> None:
        self.most = most
        copies: dict[int, Any] = {}
        spare = copy.deepcopy(model, copies).eval()  # other threads may use the model meanwhile
        original = {id(copies[id(t)]): t for t in (*model.parameters(), *model.buffers())}
        first, second = _pass(spare, rows[:2]), _pass(spare, rows)
        if signature(first) != signature(second):
            raise NotLowerable("two passes do not do the same")
        self.lowered = Lowering(model, first, original, most, None)
        self.lowered.build_outputs()
        if self.lowered.dtype != rows.dtype:
            raise NotLowerable(f"rows of {rows.dtype} for weights of {self.lowered.dtype}")
        self.outputs = first.outputs.shape[1:]
        self.columns = rows[0].size, math.prod(self.outputs)
        if 0 in self.columns:
            raise NotLowerable("there is nothing to compute from, or nothing to compute")

    def freeze(self, other: _Forward | None) -> None:
        """Pack the weights for good, or take those that another one of the model has packed."""
        self.lowered.program.freeze(other and other.lowered.program)

    def run(self, rows: Array) -> Array:
        """Their outputs."""
        out = np.empty((len(rows), *self.outputs), self.lowered.dtype)
        lies_well = rows.flags.c_contiguous and rows.flags.aligned
        inputs, outputs = ((len(rows), columns) for columns in self.columns)
        table = (rows if lies_well else rows.copy("C")).reshape(inputs)
        self.lowered.program.predict(out.reshape(outputs), (table, None))
        return out


def _pass(model: Module, rows: Array) -> Pass:
    """One pass, on the tape."""
    inputs = Tensor.of(rows)
    inputs.requires_grad = True
    with enable_grad(), watch_values() as values_were_read:
        outputs = model(inputs)
        if values_were_read():
            raise NotLowerable("forward reads a value of a tensor, on which its course may depend")
    if not isinstance(outputs, Tensor) or outputs._node is None or outputs.ndim < 1:
        raise NotLowerable("outputs are not a tensor on the tape")
    return Pass(inputs, inputs, None, outputs, outputs, nodes_of(outputs._node))
