"""Watching a model at work: which module was given what, and what it answered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from fastnn.autograd import no_grad
from fastnn.nn.module import Module
from fastnn.random import default_generator
from fastnn.training.evaluation import eval_mode

__all__ = ["Call", "record"]


class Call(NamedTuple):
    """One call of a module."""

    module: Module
    inputs: tuple[Any, ...]
    output: Any


def record(model: Module, *inputs: Any, training: bool = False) -> list[Call]:
    """Run a model in eval mode and note every call within it, in the order in which they end.

    Modules, their buffers and the library's random numbers are afterwards as they were.

    Args:
        model: Any module.
        *inputs: What it is called with.
        training: Run it in the modes in which it is, and not in eval mode.

    >>> import fastnn
    >>> model = fastnn.nn.Sequential(fastnn.nn.Linear(3, 2), fastnn.nn.ReLU())
    >>> [type(call.module).__name__ for call in record(model, fastnn.ones(5, 3))]
    ['Linear', 'ReLU', 'Sequential']
    """
    state = default_generator.get_state()
    buffers = [(buffer, buffer.numpy().copy()) for buffer in model.buffers()]
    try:
        with no_grad() if training else eval_mode(model), _noted(model) as calls:
            model(*inputs)
    finally:
        default_generator.set_state(state)
        for buffer, values in buffers:
            buffer._changed(values)
    return calls


@contextmanager
def _noted(model: Module) -> Iterator[list[Call]]:
    """For a block, each module's `forward` notes its calls before it answers."""
    calls: list[Call] = []
    before = {module: module.__dict__.get("forward") for module in model.modules()}

    def noting(module: Module) -> Any:
        forward = module.forward

        def noted(*args: Any, **kwargs: Any) -> Any:
            output = forward(*args, **kwargs)
            calls.append(Call(module, (*args, *kwargs.values()), output))
            return output

        return noted

    try:
        for module in before:
            module.__dict__["forward"] = noting(module)
        yield calls
    finally:
        for module, own in before.items():
            module.__dict__.pop("forward", None)
            if own is not None:
                module.__dict__["forward"] = own
