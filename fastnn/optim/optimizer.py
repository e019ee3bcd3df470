"""`Optimizer`: parameter groups over one flat block of memory."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from fastnn.autograd import Array, enable_grad
from fastnn.data.dataset import overrides
from fastnn.errors import NotLowerable
from fastnn.nn.parameter import FlatBlock
from fastnn.optim.compiled import CompiledRule, CompiledUpdate
from fastnn.optim.saved import checked_entry, checked_groups, keys_by_place
from fastnn.options import flag
from fastnn.tensor import Tensor

__all__ = ["Optimizer"]

Group = dict[str, Any]


class Optimizer:
    """Base of all optimizers: a derived one has `check_options`, `init_state` and `update`.

    Groups and state dicts are PyTorch's, with its names (`torch.optim.Optimizer`). Of its options,
    `foreach`, `fused` and `capturable` choose among implementations; here there is one, and they
    are accepted without effect.

    The parameters are moved into one `FlatBlock`, group after group, so a step is one call of a
    kernel for each group (or for each stretch that has gradients, where some have none).

    Args:
        params: Parameters, or groups `{"params": [...], "lr": ...}` with options of their own.
        defaults: The options a group need not name.

    Raises:
        ValueError: if there are no parameters, or one is given twice.
        TypeError: if something else than a floating-point leaf tensor is given, or a set, which
            has no order.
    """

    state_from_start = False  # whether a parameter has a state before its first step
    _state: dict[str, Array]

    def __init__(self, params: Iterable[Any], defaults: Group) -> None:
        self.defaults = defaults
        self.param_groups: list[Group] = []
        self._scheduled = False  # whether a schedule watches the order of the calls of step()
        self._stepped = False
        given = self._listed(params)
        for group in given if given and isinstance(given[0], dict) else [{"params": given}]:
            self._append_group(group)
        if not any(group["params"] for group in self.param_groups):
            raise ValueError(f"{self._who}: expected parameters to optimize, got none; of a "
                             "module's layers, those in a plain list are not found: nn.ModuleList "
                             "holds them")  # fmt: skip
        self._lay_out()

    # --- what a derived class has ---

    def check_options(self, group: Group) -> None:
        """Raise unless the options of a group, its own and the defaults, are valid."""
        for name in ("foreach", "fused", "capturable"):
            if group.get(name) is not None:
                flag(self._who, name, group[name])
        flag(self._who, "maximize", group["maximize"])
        if flag(self._who, "differentiable", group["differentiable"]):
            raise ValueError(
                f"{self._who}: differentiable=True is not supported, a step is not recorded; "
                "write the update with tensor operations instead"
            )

    def init_state(self, values: Array, group: Group) -> dict[str, Array]:
        """What the state of the parameters `values` starts as: arrays of their size, by name."""
        raise NotImplementedError

    def uses_state(self, group: Group) -> bool:
        """Whether a step with these options reads and changes the state, and so is counted."""
        return True

    def state_names(self, group: Group) -> tuple[str, ...]:
        """What a state dict holds for a parameter: "step" and names of arrays of the state."""
        return "step", *self._state

    def update(
        self, values: Array, grads: Array, state: dict[str, Array], group: Group, step: int
    ) -> None:
        """Change `values` and `state` in place; `step` counts from 1."""
        raise NotImplementedError

    def compiled(self, group: Group) -> CompiledRule:
        """The update as a compiled step knows it; raise `NotLowerable` if it knows none.

        A class that changes what a step does has to say so here.
        """
        raise NotLowerable(f"{self._who} has no compiled form")

    # --- what a user calls ---

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient.

        Args:
            closure: Computes the loss again; its value is returned.
        """
        self._stepped = True
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
        try:
            self._lay_out()
        except TypeError:  # of another dtype than the others
            self.param_groups.pop()
            raise

    @property
    def state(self) -> dict[Tensor, dict[str, Tensor]]:
        """The state of each parameter that has one, by name; it shares memory with the optimizer.

        >>> import fastnn
        >>> w = fastnn.ones(2, requires_grad=True)
        >>> optimizer = fastnn.optim.Adam([w])
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> optimizer.state[w]["exp_avg"]
        tensor([0.2000, 0.2000])
        """
        found, i = {}, 0
        for group in self.param_groups:
            names = self.state_names(group)
            for p in group["params"]:
                if self._steps[i] or self.state_from_start:
                    found[p] = {name: self._state_of(i, name, p.shape) for name in names}
                i += 1
        return found

    def state_dict(self) -> dict[str, Any]:
        """All that a later run needs to go on with the same bits, in PyTorch's format.

        Returns:
            `{"state": {index: {"step": ..., name: tensor}}, "param_groups": [{"lr": ...,
            "params": [index, ...]}]}`, with copies of the tensors.
        """
        place = {id(p): i for i, p in enumerate(self._parameters())}
        state = {
            place[id(p)]: {name: Tensor.of(t._array.copy()) for name, t in entry.items()}
            for p, entry in self.state.items()
        }
        groups = [
            {
                **copy.deepcopy({k: v for k, v in group.items() if k != "params"}),
                "params": [place[id(p)] for p in group["params"]],
            }
            for group in self.param_groups
        ]
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict()` gave, of fastnn or, as tensors or arrays, of PyTorch.

        Options come from the state dict, state that it does not hold starts anew, and nothing is
        changed unless all fits.

        Args:
            state_dict: Groups and state for the same parameters in the same order.

        Raises:
            ValueError: if its groups, names or shapes are not this optimizer's, or an option is
                out of range.
            TypeError: if a part of it is of another kind.
        """
        groups = checked_groups(self, state_dict)
        for group in groups:
            self.check_options(group)
        owners = [group for group in groups for _ in group["params"]]
        entries = {
            i: checked_entry(self._who, i, p, entry, self.state_names(owners[i]), list(self._state))
            for i, p, entry in keys_by_place(self, state_dict)
        }
        for own, new in zip(self.param_groups, groups, strict=True):
            own.update({**new, "params": own["params"]})
        if not self._block.is_current():
            self._lay_out()
        self._state, self._steps = self._initial_state(), [0] * len(self._block.slices)
        for i, (step, arrays) in entries.items():
            self._steps[i] = step
            for name, array in arrays.items():
                self._state[name][self._block.slices[i]] = array.ravel()

    # --- for a compiled step ---

    def compiled_updates(self, reached: set[int]) -> list[CompiledUpdate]:
        """What one step does to the parameters of these `id`s.

        Raises:
            NotLowerable: if this optimizer has no compiled form.
        """
        for method in ("update", "step"):
            if not overrides(self, "compiled", than=method):
                raise NotLowerable(f"{self._who}.{method} has no compiled form")
        updates: list[CompiledUpdate] = []
        first = 0
        for group in self.param_groups:
            last = first + len(group["params"])
            counted = self.uses_state(group)
            members = [i for i in range(first, last) if id(self._block.parameters[i]) in reached]
            for place, _, owners in self._stretches(members):
                updates.append(CompiledUpdate(self, group, place, owners, counted))
            first = last
        return updates

    def compiled_gradients(self) -> dict[int, Array]:
        """Where gradients go, by the parameters' `id`; all are forgotten."""
        if not self._block.is_current():
            self._lay_out()
        self._block.free_grads()
        self._stepped = True
        return {id(p): p._grad_buffer for p in self._block.parameters}  # type: ignore[misc]

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

    def _listed(self, params: Any) -> list[Any]:
        if isinstance(params, set | frozenset):
            raise TypeError(f"{self._who}: expected parameters in an order, such as a list, "
                            "got a set")  # fmt: skip
        if callable(params):
            raise TypeError(f"{self._who}: expected parameters, such as model.parameters(), got "
                            f"{params!r:.60}; call it")  # fmt: skip
        return [params] if isinstance(params, Tensor) else list(params)

    def _append_group(self, given: Group) -> None:
        if not isinstance(given, dict):
            raise TypeError(f"{self._who}: expected a group as a dict, got {given!r:.80}")
        if "params" not in given:
            raise ValueError(f"{self._who}: expected a group with 'params', got {given!r:.80}")
        group = {**self.defaults, **given}
        group["params"] = self._listed(given["params"])
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
        self._state = self._initial_state()
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

    def _initial_state(self) -> dict[str, Array]:
        """The state of all groups, as long as the block."""
        parts, first, start = [], 0, 0
        for group in self.param_groups:
            first += len(group["params"])
            end = self._block.slices[first - 1].stop if first else 0
            parts.append(self.init_state(self._block.values[start:end], group))
            start = end
        if len(parts) == 1:
            return parts[0]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _state_of(self, i: int, name: str, shape: tuple[int, ...]) -> Tensor:
        if name == "step":  # float64 counts on where PyTorch's float32 stays at 2^24
            return Tensor.of(np.array(float(self._steps[i])))
        return Tensor.of(self._state[name][self._block.slices[i]].reshape(shape))

    def _step_group(self, group: Group, first: int, last: int) -> None:
        block = self._block
        members = [i for i in range(first, last) if block.parameters[i].grad is not None]
        counted = self.uses_state(group)
        for i in members:
            self._steps[i] += counted
        for run, step, _ in self._stretches(members):
            state = {name: array[run] for name, array in self._state.items()}
            self.update(block.values[run], block.grads[run], state, group, step)
        for i in members:
            block.parameters[i]._version[0] += 1

    def _stretches(self, members: list[int]) -> list[tuple[slice, int, list[int]]]:
        """Parameters that lie together and have come equally far: place, step, and which."""
        found: list[tuple[slice, int, list[int]]] = []
        for i in members:
            place, step = self._block.slices[i], self._steps[i]
            before, last, owners = found[-1] if found else (place, -1, [])
            if before.stop == place.start and last == step:
                found[-1] = slice(before.start, place.stop), step, [*owners, i]
            else:
                found.append((place, step, [i]))
        return found
