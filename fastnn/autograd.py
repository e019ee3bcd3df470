"""The tape: what was computed from what, and the walk back along it."""

from __future__ import annotations

import functools
import heapq
import itertools
import operator
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from fastnn.tensor import Tensor

__all__ = ["Node", "Variable", "backward", "enable_grad", "grad", "inference_mode",
           "is_grad_enabled", "no_grad", "run_backward", "set_grad_enabled"]  # fmt: skip

Array = np.ndarray[Any, Any]
Op = tuple[Any, ...]
BackwardFn = Callable[[Array], Sequence[Array | None]]
_F = TypeVar("_F", bound=Callable[..., Any])


class _State(threading.local):
    enabled = True
    values_read = False  # whether Python has looked at a value since that was last set


_state = _State()
_next_order = itertools.count().__next__
_maker = operator.attrgetter("_node")


class Node:
    """One recorded operation: its inputs, and how a gradient of its output becomes theirs.

    `op` says what it is to `fastnn.training.lowering`: a name and what else it was called with;
    None where a compiled step has no such operation.

    `saved` lists tensors whose values the backward reads, by the version they had; a value
    changed in place since then would give a wrong gradient, so it is an error. `makers` are the
    operations that made the inputs, which `out += x` may change later.
    """

    __slots__ = ("backward", "inputs", "makers", "name", "op", "order", "saved")

    def __init__(
        self,
        name: str,
        inputs: tuple[Tensor, ...],
        backward: BackwardFn,
        saved: tuple[Tensor, ...],
        op: Op | None = None,
    ) -> None:
        self.name, self.op = name, op
        self.inputs = inputs
        self.makers: Sequence[Node | None] = [*map(_maker, inputs)]
        self.backward: BackwardFn | None = backward
        self.saved: Sequence[Any] = [(t._version, t._version[0], t._array) for t in saved]
        self.order = _next_order()

    def run(self, grad: Array) -> Sequence[Array | None]:
        """Return the gradients of the inputs, `None` where one needs none."""
        if self.backward is None:
            raise RuntimeError(
                f"backward: the graph of {self.name} was already walked and its saved values are "
                "freed; compute the forward again, or call backward(retain_graph=True) first"
            )
        for now, then, array in self.saved:
            if now[0] != then:
                raise RuntimeError(
                    f"backward: {self.name} needs a tensor of shape {array.shape} that was "
                    "changed in place after the forward; compute the forward again, or change a "
                    "clone()"
                )
        return self.backward(grad)

    def watch(self, see: Callable[[Array], None]) -> None:
        """Let `see` have the gradient of the output too, when the walk comes by."""
        backward = self.backward

        def seen(grad: Array) -> Sequence[Array | None]:
            see(grad)
            assert backward is not None
            return backward(grad)

        if backward is not None:
            self.backward = seen

    def free(self) -> None:
        """Drop what the backward kept alive."""
        self.backward = None
        self.inputs = self.makers = self.saved = ()


def run_backward(
    roots: Sequence[tuple[Tensor, Array]],
    retain_graph: bool,
    deliver: Callable[[Tensor, Array], None] | None = None,
) -> None:
    """Walk from some outputs, with their gradients, to the leaves they were computed from.

    `deliver` gets each leaf and a gradient of it; by default it is added to the leaf's `grad`.
    """
    pending: dict[Node, Array] = {}
    heap: list[tuple[int, Node]] = []
    arriving: Iterable[tuple[Tensor, Node | None, Array | None]]
    arriving = [(tensor, tensor._node, g) for tensor, g in roots]
    with np.errstate(all="ignore"):  # infinities and NaNs are results, as in the forward
        while True:
            for tensor, maker, g in arriving:
                if g is None or not tensor.requires_grad:
                    if maker is not None and not tensor.requires_grad:
                        raise RuntimeError(
                            f"backward: a result of shape {tensor.shape} was taken off the tape by "
                            "detach_() after it was used; use detach(), which makes a new tensor"
                        )
                    continue
                g = np.asarray(g, tensor._array.dtype)  # mixed types; NumPy's scalars of 0-d sums
                if maker is None:
                    if tensor._node is not None:
                        continue  # a constant when it was used, which += made a result
                    if deliver is None:
                        tensor._accumulate(g)
                    else:
                        deliver(tensor, g)
                elif maker in pending:
                    # not in place, as g may serve two inputs; NumPy makes scalars of 0-d sums
                    pending[maker] = np.asarray(pending[maker] + g)
                else:
                    pending[maker] = g
                    heapq.heappush(heap, (-maker.order, maker))
            if not heap:
                return
            _, node = heapq.heappop(heap)  # newest first: all uses of a value before its maker
            grads = node.run(pending.pop(node))
            arriving = zip(node.inputs, node.makers, grads, strict=True)
            if not retain_graph:
                node.free()


def backward(tensors: Any, grad_tensors: Any = None, retain_graph: bool | None = None) -> None:
    """Add the gradients of one or several outputs to the leaves (`torch.autograd.backward`).

    Args:
        tensors: A tensor or several.
        grad_tensors: The gradient of each, `None` for a single value.
        retain_graph: Keep what the tape saved, to walk it again.

    Raises:
        RuntimeError: as `Tensor.backward`.
        ValueError: as `Tensor.backward`.

    >>> import fastnn
    >>> x = fastnn.tensor(3.0, requires_grad=True)
    >>> fastnn.autograd.backward([x * 2, x * x])
    >>> x.grad
    tensor(8.)
    """
    run_backward(_roots(tensors, grad_tensors), bool(retain_graph))


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of outputs with respect to inputs, added to no `grad` (`torch.autograd.grad`).

    Args:
        outputs: A tensor or several.
        inputs: A tensor or several: leaves or intermediate results.
        grad_outputs: The gradient of each output, `None` for a single value.
        retain_graph: Keep what the tape saved, to walk it again.
        create_graph: Only False: gradients of gradients are not recorded.
        allow_unused: Give `None` for an input on which no output depends, instead of an error.

    Raises:
        RuntimeError: if an input requires no gradient, or no output depends on it.
        ValueError: for `create_graph`, and as `Tensor.backward`.

    >>> import fastnn
    >>> x = fastnn.tensor(3.0, requires_grad=True)
    >>> fastnn.autograd.grad(x * x, x)
    (tensor(6.),)
    """
    if create_graph:
        raise ValueError("grad: gradients of gradients (create_graph) are not here; "
                         "fastnn.gradcheck compares with differences")  # fmt: skip
    wanted = list(inputs) if isinstance(inputs, Sequence) else [inputs]
    found: list[Array | None] = [None] * len(wanted)
    leaves: dict[int, list[int]] = {}

    def add(i: int, g: Array) -> None:
        so_far = found[i]
        found[i] = g.copy() if so_far is None else so_far + g

    def deliver(leaf: Tensor, g: Array) -> None:
        for i in leaves.get(id(leaf), ()):
            add(i, g)

    for i, tensor in enumerate(wanted):
        if not tensor.requires_grad:
            raise RuntimeError(f"grad: input {i} of shape {tensor.shape} requires no gradient")
        if tensor._node is None:
            leaves.setdefault(id(tensor), []).append(i)
    watched = [(t._node, t._node.backward) for t in wanted if t._node is not None]
    for i, tensor in enumerate(wanted):
        if tensor._node is not None:
            tensor._node.watch(functools.partial(add, i))
    try:
        run_backward(_roots(outputs, grad_outputs), bool(retain_graph), deliver)
    finally:
        for node, function in watched:
            node.backward = function if node.backward is not None else None
    return tuple(
        _found(t, g, i, allow_unused) for i, (t, g) in enumerate(zip(wanted, found, strict=True))
    )


def Variable(data: Tensor, requires_grad: bool = False) -> Tensor:
    """The tensor itself, as older programs write it (`torch.autograd.Variable`).

    >>> import fastnn
    >>> fastnn.autograd.Variable(fastnn.ones(1), requires_grad=True).requires_grad
    True
    """
    return data.requires_grad_() if requires_grad else data


def _roots(outputs: Any, grads: Any) -> list[tuple[Tensor, Array]]:
    tensors = list(outputs) if isinstance(outputs, Sequence) else [outputs]
    given = list(grads) if isinstance(grads, Sequence) else [grads] * len(tensors)
    return [(t, t._first_gradient(g)) for t, g in zip(tensors, given, strict=True)]


def _found(tensor: Tensor, grad: Array | None, i: int, allow_unused: bool) -> Tensor | None:
    if grad is not None:
        return tensor._constant(grad)
    if not allow_unused:
        raise RuntimeError(f"grad: no output depends on input {i} of shape {tensor.shape}; "
                           "allow_unused=True gives None for it")  # fmt: skip
    return None


class _GradMode:
    """Context manager and decorator that sets whether operations are recorded."""

    _enabled: bool

    def __enter__(self) -> None:
        # a stack, so that one object can be entered again inside itself
        self.__dict__.setdefault("_outer", []).append(_state.enabled)
        _state.enabled = self._enabled

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _state.enabled = self.__dict__["_outer"].pop()

    def __call__(self, function: _F) -> _F:
        """Run every call of `function` in this mode."""

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with _mode(self._enabled):
                return function(*args, **kwargs)

        return wrapped  # type: ignore[return-value]


class _mode(_GradMode):
    def __init__(self, enabled: bool) -> None:
        self._enabled = enabled


class _Fixed(_GradMode):
    """A mode that may be a decorator without brackets too: `@no_grad`."""

    if not TYPE_CHECKING:  # a class whose call may return something else is Any to checkers

        def __new__(cls, function: Any = None) -> Any:
            """Make the mode, or put a function in it."""
            return super().__new__(cls) if function is None else cls()(function)


class no_grad(_Fixed):
    """Compute without recording: for evaluation and for updates written by hand.

    >>> import fastnn
    >>> w = fastnn.ones(2, requires_grad=True)
    >>> with fastnn.no_grad():
    ...     (w * 2).requires_grad
    False
    """

    _enabled = False


class enable_grad(_Fixed):
    """Record again inside a `no_grad` block.

    >>> import fastnn
    >>> w = fastnn.ones(2, requires_grad=True)
    >>> with fastnn.no_grad(), fastnn.enable_grad():
    ...     (w * 2).requires_grad
    True
    """

    _enabled = True


class set_grad_enabled(_GradMode):
    """Record or not from here on; as a context manager, until its end.

    Args:
        mode: Whether operations are recorded.

    >>> import fastnn
    >>> w = fastnn.ones(2, requires_grad=True)
    >>> with fastnn.set_grad_enabled(False):
    ...     (w * 2).requires_grad
    False
    """

    def __init__(self, mode: bool) -> None:
        self._enabled = bool(mode)
        self._before = _state.enabled
        _state.enabled = self._enabled

    def __enter__(self) -> None:
        _state.enabled = self._before  # what the end of the block goes back to
        super().__enter__()

    def __call__(self, function: _F) -> _F:
        """Run every call of `function` in this mode; outside it the mode is as before."""
        _state.enabled = self._before
        return super().__call__(function)


class inference_mode(_GradMode):
    """The same as `no_grad`, or with False as `enable_grad` (`torch.inference_mode`).

    >>> import fastnn
    >>> w = fastnn.ones(2, requires_grad=True)
    >>> with fastnn.inference_mode():
    ...     (w * 2).requires_grad
    False
    """

    if not TYPE_CHECKING:

        def __new__(cls, mode: Any = True) -> Any:
            """Make the mode, or put a function in it."""
            return super().__new__(cls) if isinstance(mode, bool) else cls()(mode)

    def __init__(self, mode: bool = True) -> None:
        self._enabled = not mode


@contextmanager
def watch_values() -> Iterator[Callable[[], bool]]:
    """Give a function that tells whether a value was read as a Python number in this block."""
    before, _state.values_read = _state.values_read, False
    try:
        yield lambda: _state.values_read
    finally:
        _state.values_read = before


def note_read() -> None:
    """Say that a value leaves the tape: what follows may depend on it."""
    _state.values_read = True


def is_grad_enabled() -> bool:
    """Whether operations are recorded now, in this thread."""
    return _state.enabled


def __getattr__(name: str) -> object:
    from fastnn.missing import absent

    raise AttributeError(absent("fastnn.autograd", name, __all__))
