"""`model.summary()`: layers, the shapes they give, and how many parameters they have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastnn.nn.module import Module
from fastnn.nn.sizes import checked_shape
from fastnn.tensor import Tensor

__all__ = ["Layer", "Summary", "summarize"]

Shape = tuple[int | str, ...]

_ROWS = 3  # in the batch that shapes are measured with
_SIZES = ("in_features", "num_features", "normalized_shape")


class Layer(NamedTuple):
    """One line of a summary.

    Attributes:
        path: The module's dotted name; "" for the model itself.
        kind: Its class.
        shapes: What it gives, with "N" for the rows of the batch: every shape once, none if it was
            not called; None if the model was not run.
        parameters: How many numbers it has itself, without those of modules within it and
            without those that a line above has counted.
    """

    path: str
    kind: str
    shapes: tuple[Shape, ...] | None
    parameters: int


class Summary:
    """A model at a glance; printed, it is a table.

    Attributes:
        input_shape: Shape of one row that it was measured with; None if it was not run.
        layers: One for each module, those within a module below it.
        parameters: How many numbers are trained or frozen, shared ones counted once.
        trainable: How many of them are trained.
        nbytes: The memory they take.
    """

    def __init__(self, model: Module, input_shape: tuple[int, ...] | None) -> None:
        self.input_shape = input_shape
        shapes = None if input_shape is None else _shapes(model, input_shape)
        self.layers = list(_layers(model, shapes))
        every = list(model.parameters())
        self.parameters = sum(p._array.size for p in every)
        self.trainable = sum(p._array.size for p in every if p.requires_grad)
        self.nbytes = sum(p._array.nbytes for p in every)

    def __repr__(self) -> str:
        rows = [("layer", "output", "parameters"), *map(_cells, self.layers)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}" for a, b, c in rows]
        lines.insert(1, "-" * len(lines[0]))
        frozen = self.parameters - self.trainable
        part = f", {frozen:,} of them frozen" if frozen else ""
        lines += [lines[1], f"{self.parameters:,} parameters{part}; {_bytes(self.nbytes)}"]
        if self.input_shape is None:
            lines.append("output shapes: not known; pass summary(input_shape=...) of one row")
        return "\n".join(line.rstrip() for line in lines)


def summarize(model: Module, input_shape: int | Sequence[int] | None = None) -> Summary:
    """What `Module.summary` gives.

    Args:
        model: Any module.
        input_shape: Of one row, without the batch; by default what the first layer that knows its
            size takes.

    Raises:
        TypeError: if the shape does not hold integers.
        ValueError: if a size is less than 1, or the model cannot take rows of this shape.
    """
    if input_shape is not None:
        return Summary(model, checked_shape("summary", "input_shape", input_shape))
    guessed = _first_shape(model)
    try:
        return Summary(model, guessed)
    except Exception:  # it takes something else than its first layer: tell what is known
        return Summary(model, None)


def _first_shape(model: Module) -> tuple[int, ...] | None:
    for module in model.modules():
        for name in _SIZES:
            size = getattr(module, name, None)
            if size:
                return checked_shape("summary", name, size)
    return None


def _shapes(model: Module, input_shape: tuple[int, ...]) -> dict[Module, tuple[Shape, ...]]:
    """The shapes that each module gives, each once, in order."""
    from fastnn.training.recording import record

    dtype = next((p.dtype for p in model.parameters()), np.dtype(np.float32))
    with np.errstate(all="ignore"):  # of values nothing is asked
        calls = record(model, Tensor.of(np.ones((_ROWS, *input_shape), dtype)))
    found: dict[Module, tuple[Shape, ...]] = {}
    for call in calls:
        before = found.get(call.module, ())
        new = [shape for shape in _shapes_of(call.output) if shape not in before]
        found[call.module] = (*before, *dict.fromkeys(new))
    return found


def _shapes_of(output: Any) -> list[Shape]:
    if isinstance(output, tuple | list):
        return [shape for part in output for shape in _shapes_of(part)]
    if isinstance(output, dict):
        return _shapes_of(list(output.values()))
    shape = getattr(output, "shape", None)
    if not isinstance(shape, tuple):
        return []
    return [("N", *shape[1:]) if shape[:1] == (_ROWS,) else shape]


def _layers(model: Module, shapes: dict[Module, tuple[Shape, ...]] | None) -> Iterator[Layer]:
    counted: set[int] = set()
    for path, module in model.named_modules():
        own = [p for p in module.parameters(recurse=False) if id(p) not in counted]
        counted.update(map(id, own))
        given = None if shapes is None else shapes.get(module, ())
        yield Layer(path, type(module).__name__, given, sum(p._array.size for p in own))


def _cells(layer: Layer) -> tuple[str, str, str]:
    """A line of the table: a module is indented below the one that it is in."""
    depth = layer.path.count(".") + 1 if layer.path else 0
    name = layer.path.rpartition(".")[2]
    title = "  " * depth + (f"{name}: {layer.kind}" if name else layer.kind)
    if layer.shapes is None:
        given = "?"
    else:
        given = ", ".join(f"({', '.join(map(str, s))}{',' * (len(s) == 1)})" for s in layer.shapes)
    return title, given or "-", f"{layer.parameters:,}"


def _bytes(n: int) -> str:
    """A number of bytes with three digits or four.

    >>> _bytes(2_678_824), _bytes(500)
    ('2.68 MB', '500 bytes')
    """
    for power, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if n >= power:
            return f"{n / power:.3g} {unit}"
    return f"{n} bytes"
