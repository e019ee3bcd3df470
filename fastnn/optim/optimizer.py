"""`Optimizer`: parameter groups over one flat block of memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from fastnn.autograd import Array, enable_grad
from fastnn.nn.parameter import FlatBlock
from fastnn.tensor import Tensor

__all__ = ["Optimizer"]

Group = dict[str, Any]


class Optimizer:
    """Base of all optimizers: a derived one has `check_options`, `init_state` and `update`.

    The parameters are moved into one `FlatBlock`, group after group, so a step is one call of a
    kernel for each group (or for each stretch that has gradients, where some have none).

    Args:
        params: Parameters, or groups `{"params": [...], "lr": ...}` with options of their own.
        defaults: The options a group need not name.

    Raises:
        ValueError: if there are no parameters, or one is given twice.
        TypeError: if something else than a floating-point leaf tensor is given.
    """

    def __init__(self, params: Iterable[Any], defaults: Group) -> None:
        self.defaults = defaults
        self.param_groups: list[Group] = []
        given: list[Any] = [params] if isinstance(params, Tensor) else list(params)
        if not given:
            raise ValueError(f"{self._who}: expected parameters to optimize, got none")
        for group in given if isinstance(given[0], dict) else [{"params": given}]:
            self._append_group(group)
        self._lay_out()

    # --- what a derived class has ---

    def check_options(self, group: Group) -> None:
        """Raise unless the options of a group, its own and the defaults, are valid."""

    def init_state(self, values: Array) -> dict[str, Array]:
        """Arrays of the size of `values` that start at zero, by name."""
        raise NotImplementedError

    def update(
        self, values: Array, grads: Array, state: dict[str, Array], group: Group, step: int
    ) -> None:
        """Change `values` and `state` in place; `step` counts from 1."""
        raise NotImplementedError

    # --- what a user calls ---

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient.

        Args:
            closure: Computes the loss again; its value is returned.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        if not self._block.is_current():
            self._lay_out()
        self._block.gather_grads()
        first = 0
        for group in self.param_groups:
            last = first + len(group["params"])
            self._step_group(group, first, last)
            first = last
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients; with `set_to_none=False` they become zeros."""
        for parameter in self._block.parameters:
            if set_to_none:
                parameter.grad = None
            elif parameter.grad is not None:
                parameter.grad.zero_()

    def add_param_group(self, group: Group) -> None:
        """Optimize further parameters, with options of their own."""
        self._append_group(group)
        self._lay_out()

    def __repr__(self) -> str:
        lines = [type(self).__name__ + " ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {k}: {v}" for k, v in sorted(group.items()) if k != "params"]
        return "\n".join([*lines, ")"])

    # --- inside ---

    @property
    def _who(self) -> str:
        return type(self).__name__

    def _parameters(self) -> Iterator[Tensor]:
        return (p for group in self.param_groups for p in group["params"])

    def _append_group(self, given: Group) -> None:
        if "params" not in given:
            raise ValueError(f"{self._who}: expected a group with 'params', got {given!r:.80}")
        params = given["params"]
        group = {**self.defaults, **given}
        group["params"] = [params] if isinstance(params, Tensor) else list(params)
        known = {id(p) for p in self._parameters()}
        for p in group["params"]:
            if not isinstance(p, Tensor) or p.dtype.kind != "f" or not p.is_leaf:
                raise TypeError(f"{self._who}: expected leaf tensors of floating-point numbers, "
                                f"got {p!r:.80}")  # fmt: skip
            if id(p) in known:
                raise ValueError(f"{self._who}: a parameter of shape {p.shape} was given twice")
            known.add(id(p))
        self.check_options(group)
        self.param_groups.append(group)

    def _lay_out(self) -> None:
        """Move the parameters into a block of their own, and the state so far along with them."""
        before = getattr(self, "_block", None)
        state_before, steps_before = getattr(self, "_state", {}), getattr(self, "_steps", [])
        self._block = FlatBlock(list(self._parameters()))
        self._state = self.init_state(self._block.values)
        self._steps = [0] * len(self._block.slices)
        if before is None:
            return
        old = {id(p): i for i, p in enumerate(before.parameters)}
        for i, p in enumerate(self._block.parameters):
            if id(p) not in old:
                continue
            j = old[id(p)]
            self._steps[i] = steps_before[j]
            for name, array in self._state.items():
                array[self._block.slices[i]] = state_before[name][before.slices[j]]

    def _step_group(self, group: Group, first: int, last: int) -> None:
        block = self._block
        for run, step in self._runs(first, last):
            state = {name: array[run] for name, array in self._state.items()}
            self.update(block.values[run], block.grads[run], state, group, step)
        for p in block.parameters[first:last]:
            if p.grad is not None:
                p._version[0] += 1

    def _runs(self, first: int, last: int) -> list[tuple[slice, int]]:
        """Stretches of parameters with gradients that have come equally far, and their step."""
        found: list[tuple[slice, int]] = []
        for i in range(first, last):
            if self._block.parameters[i].grad is None:
                continue
            self._steps[i] += 1
            place = self._block.slices[i]
            if found and found[-1][0].stop == place.start and found[-1][1] == self._steps[i]:
                place = slice(found.pop()[0].start, place.stop)
            found.append((place, self._steps[i]))
        return found
