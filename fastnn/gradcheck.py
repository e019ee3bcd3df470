"""Gradient checking: every gradient on the tape against differences of function values."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from fastnn.autograd import Array, enable_grad, no_grad
from fastnn.differences import central, settled
from fastnn.errors import GradcheckError
from fastnn.nn.module import Module
from fastnn.random import default_generator
from fastnn.tensor import Tensor, as_array

__all__ = ["GradcheckReport", "TensorCheck", "gradcheck"]

_STEP = float(np.finfo(np.float64).eps ** (1 / 3))
_SMALL = 1e-3  # of the largest element: smaller ones are compared with that
_FAINT = 1e-4  # of the function's value: what is smaller drowns in its rounding


def gradcheck(
    target: Callable[..., Any],
    inputs: Any,
    *,
    loss: Callable[[Any, Any], Any] | None = None,
    eps: float | None = None,
    rtol: float = 1e-6,
    fast: bool = False,
    seed: int = 0,
    raise_exception: bool = True,
) -> GradcheckReport:
    """Compare gradients with central differences, in float64.

    `numeric_i = (f(x + h e_i) - f(x - h e_i)) / 2h` with `h = eps^(1/3) max(1, |x_i|)`, for every
    element of every input and parameter. Where that is not within `rtol / 10` of the gradient, it
    is measured again with steps of all lengths, extrapolated, to about 1e-11 of the function's
    value; so a correct gradient of a smooth function passes with rtol 1e-7 too. The error is
    `|analytic - numeric| / max(|analytic|, |numeric|, floor)`; the floor is 1/1000 of the tensor's
    largest gradient, or 1/10000 of the function's value (or of 1) if that is more.

    Near a kink, such as that of ReLU at 0, differences tell a derivative only within bounds: a
    gradient inside them passes, and the report counts it.

    Modules are checked on a copy, in the mode they are in; dropout drops the same elements at each
    evaluation, and batch norm starts from the same statistics. Of the caller's, nothing changes.

    Args:
        target: A function of tensors, a layer, a loss or a model.
        inputs: One tensor or array, or a tuple of them. Integers are not perturbed. If some
            tensors require a gradient, only those are checked; else all floating-point ones but
            the argument that `target` calls `target`, as losses do.
        loss: Called with the output of `target` and the last of `inputs`, which is not perturbed.
        eps: The step h, instead of the one above.
        rtol: The largest relative error that passes.
        fast: Check a few random directions through each tensor instead of every element: seconds
            for millions of weights. One wrong element shows in every direction.
        seed: Of the directions, and of the weights that make one number of many outputs.
        raise_exception: False to only report.

    Raises:
        GradcheckError: naming the element with the largest error, if that is above `rtol`.
        TypeError: if `target` cannot be called, or an output is not a floating-point tensor.
        ValueError: if there is nothing to check.

    >>> import fastnn
    >>> model = fastnn.nn.Sequential(fastnn.nn.Linear(4, 3), fastnn.nn.ReLU())
    >>> x, y = fastnn.randn(5, 4), fastnn.tensor([0, 1, 2, 1, 0])
    >>> report = fastnn.gradcheck(model, (x, y), loss=fastnn.nn.CrossEntropyLoss())
    >>> report.passed, [t.name for t in report.tensors]
    (True, ['input 0', '0.weight', '0.bias'])
    """
    subject = _Subject(target, inputs, loss, seed)
    size = subject.prepare()
    report = GradcheckReport(_name(target), rtol)
    for name, tensor, gradient in subject.gradients():
        check = _Check(subject.value, name, tensor, gradient, size, rtol, eps)
        report.tensors.append(check.directions(seed) if fast else check.elements())
    report.notes += subject.notes
    if raise_exception and not report.passed:
        raise GradcheckError(str(report))
    return report


# --- the report ---


@dataclass
class TensorCheck:
    """What was found for one tensor.

    Attributes:
        name: "input 0", or the parameter's name.
        shape: Of the tensor.
        checked: How many elements, or directions, were compared.
        error: The largest relative error.
        index: The element that has it.
        analytic: Its gradient on the tape.
        numeric: Its gradient by differences.
        kinks: How many elements lie so near a kink that only bounds are known.
        coarse: How many see the function's values jump by more than float64 rounds them.
    """

    name: str
    shape: tuple[int, ...]
    checked: int = 0
    error: float = 0.0
    index: tuple[int, ...] = ()
    analytic: float = 0.0
    numeric: float = 0.0
    kinks: int = 0
    coarse: int = 0

    @property
    def element(self) -> str:
        """The worst element, as in `0.weight[2, 3]`."""
        return self.name + (f"[{', '.join(map(str, self.index))}]" if self.index else "")

    def row(self) -> tuple[str, ...]:
        """A line of the report's table."""
        where = ", ".join(map(str, self.index))
        remarks = [f"{self.kinks} near a kink"] if self.kinks else []
        if self.coarse:
            remarks.append("values coarser than float64: is a part computed in float32?")
        return (self.name, str(self.shape), str(self.checked), f"{self.error:.1e}", f"[{where}]",
                f"{self.analytic:.9g}", f"{self.numeric:.9g}",
                "; ".join(remarks))  # fmt: skip


@dataclass
class GradcheckReport:
    """What `gradcheck` found; true if everything passed, and readable with `print`."""

    target: str
    rtol: float
    tensors: list[TensorCheck] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether every gradient is within `rtol` of its numeric value."""
        return not self.notes and self.max_error <= self.rtol

    @property
    def max_error(self) -> float:
        """The largest relative error of all tensors."""
        return max((t.error for t in self.tensors), default=0.0)

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        return "\n".join([f"gradcheck of {self.target}: {self._verdict()}", *self.notes,
                          *self._table()])  # fmt: skip

    def _verdict(self) -> str:
        if not self.tensors or self.max_error <= self.rtol:
            word = "passed" if self.passed else "FAILED"
            return f"{word}, largest relative error {self.max_error:.1e} (rtol {self.rtol:g})"
        worst = max(self.tensors, key=lambda t: t.error)
        return (f"FAILED at {worst.element}: expected the gradient {worst.numeric:.9g} that "
                f"differences give, got {worst.analytic:.9g} "
                f"(relative error {worst.error:.1e}, rtol {self.rtol:g})")  # fmt: skip

    def _table(self) -> list[str]:
        head = ("tensor", "shape", "checked", "error", "worst at", "analytic", "numeric", "")
        rows = [head, *(t.row() for t in self.tensors)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]


# --- what is differentiated ---


class _Subject:
    """The target as a function of its inputs and parameters that gives one number, repeatably."""

    def __init__(self, target: Any, inputs: Any, loss: Any, seed: int) -> None:
        for role, value in (("target", target), ("loss", loss)):
            if not callable(value) and not (role == "loss" and value is None):
                raise TypeError(f"gradcheck: expected a function or module as {role}, "
                                f"got {type(value).__name__}")  # fmt: skip
        twins: dict[int, Any] = {}  # one memory: a layer that target and loss share stays shared
        self.target, self.loss = (
            copy.deepcopy(f, twins).double() if isinstance(f, Module) else f for f in (target, loss)
        )
        given = list(inputs) if isinstance(inputs, tuple | list) else [inputs]
        self.inputs = [_float64(x) for x in given]
        self.wanted = _wanted(target, given, loss is not None)
        self.seed = seed
        self.notes: list[str] = []

    def prepare(self) -> float:
        """Keep the buffers that each evaluation starts from; the size of the function's value."""
        modules = [m for f in (self.target, self.loss) if isinstance(f, Module)
                   for m in f.modules()]  # fmt: skip
        self._buffers = [(m._buffers, key, tensor, tensor._array.copy()) for m in modules
                         for key, tensor in m._buffers.items() if tensor is not None]  # fmt: skip
        with no_grad():
            outputs = self._outputs()
        self._weights = _weights(outputs, self.seed)
        if self.value() != (again := self.value()) and not np.isnan(again):
            raise ValueError(
                f"gradcheck: {_name(self.target)} gave two values for the same inputs, so it has "
                "no derivative to check; randomness must come from fastnn.random"
            )
        terms = zip(self._weights, outputs, strict=True)
        return max(1.0, sum(float(np.abs(w * y._array).sum()) for w, y in terms))

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """What the gradient is taken of, by name."""
        for i in self.wanted:
            yield f"input {i}", self.inputs[i]
        for prefix, f in (("", self.target), ("loss.", self.loss)):
            for name, parameter in f.named_parameters() if isinstance(f, Module) else ():
                if parameter.requires_grad:
                    yield prefix + name, parameter

    def value(self) -> float:
        """The function, as evaluated at every step."""
        with no_grad():
            terms = zip(self._weights, self._outputs(), strict=True)
            return float(sum((w * y._array).sum() for w, y in terms))

    def gradients(self) -> list[tuple[str, Tensor, Array]]:
        """The gradients on the tape; taken twice, with another evaluation amid the second."""
        tensors = list(self.tensors())
        if not tensors:
            raise ValueError("gradcheck: expected a floating-point input or a parameter that "
                             "requires a gradient, got none")  # fmt: skip
        first = self._backward(tensors, lambda: None)
        second = self._backward(tensors, lambda: self._elsewhere(tensors))
        for (name, _), a, b in zip(tensors, first, second, strict=True):
            if not np.array_equal(a, b, equal_nan=True):
                self.notes.append(
                    f"{name}: the second backward gave another gradient than the first; "
                    "does the backward read memory that another forward has overwritten?"
                )
        return [(*pair, a) for pair, a in zip(tensors, first, strict=True)]

    def _backward(
        self, tensors: Sequence[tuple[str, Tensor]], between: Callable[[], None]
    ) -> list[Array]:
        for _, tensor in tensors:
            tensor.grad = None
        with enable_grad():
            outputs = self._outputs()
            between()
            kept = [(leaf, leaf.grad) for leaf in _leaves(outputs)]
            for leaf, _ in kept:  # the caller's parameters too, which a function may read
                leaf.grad = None
            total = sum(((Tensor.of(w) * y).sum() for w, y in zip(self._weights, outputs,
                         strict=True)), start=Tensor.of(np.zeros(())))  # fmt: skip
            if total.requires_grad:
                total.backward()
        found = [np.zeros(t.shape) if t.grad is None else t.grad._array.copy() for _, t in tensors]
        for leaf, grad in kept:
            leaf.grad = grad
        return found

    def _elsewhere(self, tensors: Sequence[tuple[str, Tensor]]) -> None:
        """Evaluate at other inputs, as a training does between one backward and the next."""
        before = [t._array.copy() for _, t in tensors]
        for _, tensor in tensors:
            tensor._array *= 1.0 - 1e-3
        try:
            self._outputs()
        finally:
            for (_, tensor), values in zip(tensors, before, strict=True):
                tensor._array[...] = values

    def _outputs(self) -> list[Tensor]:
        random = default_generator.get_state()
        try:
            given = self.inputs if self.loss is None else self.inputs[:-1]
            out = self.target(*given)
            if self.loss is not None:
                out = self.loss(out, self.inputs[-1])
        finally:
            default_generator.set_state(random)
            for home, key, tensor, values in self._buffers:
                tensor._array[...] = values
                home[key] = tensor
        outputs = list(out) if isinstance(out, tuple | list) else [out]
        for y in outputs:
            if not isinstance(y, Tensor) or y.dtype.kind != "f":
                kind = f"a tensor of {y.dtype}" if isinstance(y, Tensor) else type(y).__name__
                raise TypeError(f"gradcheck: expected {_name(self.target)} to give tensors of "
                                f"floating-point numbers, got {kind}")  # fmt: skip
        return outputs


def _float64(value: Any) -> Tensor:
    array = as_array(value)
    is_float = array.dtype.kind == "f"
    return Tensor.of(array.astype(np.float64) if is_float else array.copy(), is_float)


def _wanted(target: Any, given: Sequence[Any], with_loss: bool) -> list[int]:
    """Which inputs to differentiate by."""
    floats = [i for i, x in enumerate(given) if as_array(x).dtype.kind == "f"]
    if with_loss:
        floats = [i for i in floats if i < len(given) - 1]
    asked = [i for i in floats if isinstance(given[i], Tensor) and given[i].requires_grad]
    if asked:
        return asked
    function = target.forward if isinstance(target, Module) else target
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # a builtin
        names = []
    return [i for i in floats if names[i : i + 1] != ["target"]]


def _weights(outputs: Sequence[Tensor], seed: int) -> list[Array]:
    """By which outputs are added up: none near 0, where the gradient of its output would hide."""
    if len(outputs) == 1 and outputs[0].numel() == 1:
        return [np.ones(outputs[0].shape)]
    rng = np.random.default_rng(seed)
    return [
        np.asarray(rng.choice([-1.0, 1.0], y.shape) * rng.uniform(0.5, 1.5, y.shape))
        for y in outputs
    ]


def _leaves(outputs: Sequence[Tensor]) -> list[Tensor]:
    """The tensors that a backward from `outputs` adds gradients to."""
    stack, seen, found = list(outputs), set(), []
    while stack:
        tensor = stack.pop()
        if id(tensor) in seen:
            continue
        seen.add(id(tensor))
        if tensor._node is not None:
            stack.extend(tensor._node.inputs)
        elif tensor.requires_grad:
            found.append(tensor)
    return found


def _name(target: Any) -> str:
    return str(getattr(target, "__name__", type(target).__name__))


# --- one tensor ---


class _Compared(NamedTuple):
    """The slope along one direction."""

    analytic: float
    numeric: float
    error: float
    kink: bool = False
    coarse: bool = False


@dataclass
class _Check:
    """Compares the gradient of one tensor with differences of `value`."""

    value: Callable[[], float]
    name: str
    tensor: Tensor
    gradient: Array
    size: float
    rtol: float
    eps: float | None

    def __post_init__(self) -> None:
        self.found = TensorCheck(self.name, self.tensor.shape)
        self.before = self.tensor._array.copy()
        self.largest = float(np.abs(self.gradient).max(initial=0.0))

    def elements(self) -> TensorCheck:
        """Compare every element."""
        for i in range(self.gradient.size):
            self._note(self._compare_element(i), i)
        return self.found

    def directions(self, seed: int, count: int = 3) -> TensorCheck:
        """Compare the slopes along some directions; where one is wrong, find an element."""
        rng, n = np.random.default_rng(seed), self.gradient.size
        everywhere = np.arange(n)
        for _ in range(count if n else 0):
            along = rng.choice([-1.0, 1.0], n) * rng.uniform(0.5, 1.5, n) / np.sqrt(n)
            compared = self._compare(everywhere, along)
            self._note(compared)
            if compared.error > self.rtol:
                i = self._wrong_element(everywhere, along)
                at = self._compare_element(i)  # says more than a direction
                self._note(at._replace(error=max(at.error, self.found.error)), i)
                break
        return self.found

    def _note(self, compared: _Compared, element: int | None = None) -> None:
        found = self.found
        found.checked += 1
        found.kinks += compared.kink
        found.coarse += compared.coarse
        if compared.error >= found.error:
            found.analytic, found.numeric, found.error = compared[:3]
            if element is not None:
                found.index = tuple(map(int, np.unravel_index(element, self.tensor.shape)))

    def _wrong_element(self, places: Array, along: Array) -> int:
        """Halve a set of elements along which the slope is wrong, until one is left."""
        while places.size > 1:
            half = places.size // 2
            halves = (places[:half], along[:half]), (places[half:], along[half:])
            gaps = [abs(c.analytic - c.numeric) for c in (self._compare(*part) for part in halves)]
            places, along = halves[int(gaps[1] > gaps[0])]
        return int(places[0])

    def _compare_element(self, i: int) -> _Compared:
        return self._compare(np.array([i]), np.ones(1), max(1.0, abs(float(self.before.flat[i]))))

    def _compare(self, places: Array, along: Array, unit: float = 1.0) -> _Compared:
        parts = self.gradient.flat[places] * along
        analytic = float(parts.sum())
        floor = max(float(np.sqrt((parts**2).sum())), _FAINT * self.size,
                    _SMALL * self.largest * float(np.abs(along).max()))  # fmt: skip

        def line(step: float) -> float:
            return self._moved(places, along, step)

        def error(numeric: float, doubt: float = 0.0) -> float:
            gap = abs(analytic - numeric) - doubt
            if not np.isfinite(gap):
                return np.inf
            return float(max(0.0, gap) / max(abs(analytic), abs(numeric), floor))

        with np.errstate(all="ignore"):  # steps may lead to where a logarithm is none
            numeric = central(line, self.eps or _STEP * unit)
            if error(numeric) <= self.rtol / 10:
                return _Compared(analytic, numeric, error(numeric))
            enough = 0.5 * self.rtol * floor
            slope = settled(line, self.size, unit, enough)
        known = slope.coarse or slope.doubt <= enough
        off = error(slope.value, 0.0 if known else slope.doubt)
        return _Compared(analytic, slope.value, off, slope.kink, slope.coarse)

    def _moved(self, places: Array, along: Array, step: float) -> float:
        """The value a step away; NaN where the function refuses, as outside its domain."""
        flat = self.tensor._array.flat
        try:
            flat[places] = self.before.flat[places] + step * along
            return self.value()
        except (ArithmeticError, ValueError):
            return np.nan
        finally:
            flat[places] = self.before.flat[places]
