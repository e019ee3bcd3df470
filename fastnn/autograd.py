"""The tape: what was computed from what, and the walk back along it."""

from __future__ import annotations

import functools
import heapq
import itertools
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from fastnn.tensor import Tensor

__all__ = ["Node", "enable_grad", "is_grad_enabled", "no_grad", "run_backward"]

Array = np.ndarray[Any, Any]
BackwardFn = Callable[[Array], Sequence[Array | None]]
_F = TypeVar("_F", bound=Callable[..., Any])


class _State(threading.local):
    enabled = True


_state = _State()
_next_order = itertools.count().__next__


class Node:
    """One recorded operation: its inputs, and how a gradient of its output becomes theirs.

    `saved` lists tensors whose values the backward reads, by the version they had; a value
    changed in place since then would give a wrong gradient, so it is an error.
    """

    __slots__ = ("backward", "inputs", "name", "order", "saved")

    def __init__(
        self,
        name: str,
        inputs: tuple[Tensor, ...],
        backward: BackwardFn,
        saved: tuple[Tensor, ...],
    ) -> None:
        self.name = name
        self.inputs = inputs
        self.backward: BackwardFn | None = backward
        self.saved = tuple((t._version, t._version[0], t.shape) for t in saved)
        self.order = _next_order()

    def run(self, grad: Array) -> Sequence[Array | None]:
        """Return the gradients of the inputs, `None` where one needs none."""
        if self.backward is None:
            raise RuntimeError(
                f"backward: the graph of {self.name} was already walked and its saved values are "
                "freed; compute the forward again, or call backward(retain_graph=True) first"
            )
        for now, then, shape in self.saved:
            if now[0] != then:
                raise RuntimeError(
                    f"backward: {self.name} needs a tensor of shape {shape} that was "
                    "changed in place after the forward; compute the forward again, or change a "
                    "clone()"
                )
        return self.backward(grad)

    def free(self) -> None:
        """Drop what the backward kept alive."""
        self.backward = None
        self.saved = ()


def run_backward(output: Tensor, grad: Array, retain_graph: bool) -> None:
    """Add the gradient of `output` to the `grad` of every leaf it was computed from."""
    if output._node is None:
        output._accumulate(grad)
        return
    pending: dict[Node, Array] = {output._node: grad}
    heap = [(-output._node.order, output._node)]
    while heap:  # newest first: all uses of a value come before the operation that made it
        _, node = heapq.heappop(heap)
        grads = node.run(np.asarray(pending.pop(node)))  # NumPy makes scalars of 0-d sums
        for tensor, g in zip(node.inputs, grads, strict=True):
            if g is None or not tensor.requires_grad:
                continue
            g = np.asarray(g, tensor.dtype)  # mixed types; scalars that NumPy makes of 0-d results
            maker = tensor._node
            if maker is None:
                tensor._accumulate(g)
            elif maker in pending:
                pending[maker] = pending[maker] + g  # not in place: g may serve two inputs
            else:
                pending[maker] = g
                heapq.heappush(heap, (-maker.order, maker))
        if not retain_graph:
            node.free()


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
            with type(self)():
                return function(*args, **kwargs)

        return wrapped  # type: ignore[return-value]


class no_grad(_GradMode):
    """Compute without recording: for evaluation and for updates written by hand.

    >>> import fastnn
    >>> w = fastnn.ones(2, requires_grad=True)
    >>> with fastnn.no_grad():
    ...     (w * 2).requires_grad
    False
    """

    _enabled = False


class enable_grad(_GradMode):
    """Record again inside a `no_grad` block.

    >>> import fastnn
    >>> w = fastnn.ones(2, requires_grad=True)
    >>> with fastnn.no_grad(), fastnn.enable_grad():
    ...     (w * 2).requires_grad
    True
    """

    _enabled = True


def is_grad_enabled() -> bool:
    """Whether operations are recorded now, in this thread."""
    return _state.enabled
