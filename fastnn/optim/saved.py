"""Checks of a state dict before an optimizer loads it: it fits as a whole, or nothing changes."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from fastnn.autograd import Array
from fastnn.tensor import Tensor, as_array

if TYPE_CHECKING:
    from fastnn.optim.optimizer import Group, Optimizer

__all__ = ["checked_entry", "checked_groups", "keys_by_place"]


def checked_groups(optimizer: Optimizer, state_dict: Any) -> list[Group]:
    """The groups of a state dict with all options, if they are as long as the optimizer's."""
    who = f"{type(optimizer).__name__}.load_state_dict"
    if not isinstance(state_dict, Mapping) or not {"state", "param_groups"} <= set(state_dict):
        raise ValueError(f"{who}: expected a dict with 'state' and 'param_groups', "
                         f"got {state_dict!r:.80}")  # fmt: skip
    if not isinstance(state_dict["state"], Mapping):
        raise TypeError(f"{who}: expected 'state' as a dict, got {state_dict['state']!r:.80}")
    for group in state_dict["param_groups"]:
        if not isinstance(group, Mapping) or "params" not in group:
            raise ValueError(f"{who}: expected groups with 'params', got {group!r:.80}")
    got = [len(group["params"]) for group in state_dict["param_groups"]]
    expected = [len(group["params"]) for group in optimizer.param_groups]
    if got != expected:
        raise ValueError(f"{who}: expected groups of {expected} parameters, got {got}")
    return [{**optimizer.defaults, **copy.deepcopy(dict(g))} for g in state_dict["param_groups"]]


def keys_by_place(
    optimizer: Optimizer, state_dict: Mapping[str, Any]
) -> Iterator[tuple[int, Tensor, Mapping[str, Any]]]:
    """Place, parameter and state of each parameter that has a state."""
    keys = [key for group in state_dict["param_groups"] for key in group["params"]]
    params = [p for group in optimizer.param_groups for p in group["params"]]
    unknown = [key for key in state_dict["state"] if key not in keys]
    if unknown:
        raise ValueError(f"{type(optimizer).__name__}.load_state_dict: expected state for "
                         f"parameters {keys!r:.80}, got it for {unknown!r:.80}")  # fmt: skip
    for i, key in enumerate(keys):
        if state_dict["state"].get(key):
            yield i, params[i], state_dict["state"][key]


def checked_entry(
    who: str, place: int, p: Tensor, entry: Mapping[str, Any], needed: tuple[str, ...],
    known: list[str],
) -> tuple[int, dict[str, Array]]:  # fmt: skip
    """Step and arrays of one parameter's state.

    Args:
        who: The optimizer's name.
        place: The parameter's index.
        p: The parameter.
        entry: What the state dict has for it.
        needed: The names that must be there, "step" among them where steps are saved.
        known: The names of the optimizer's arrays.
    """
    where = f"{who}.load_state_dict: parameter {place}"
    if not isinstance(entry, Mapping):
        raise TypeError(f"{where}: expected its state as a dict, got {entry!r:.80}")
    given = {name: value for name, value in entry.items() if value is not None}
    unexpected = [name for name in given if name not in ("step", *known)]
    missing = [name for name in needed if name not in given] if given else []
    if unexpected or missing:
        raise ValueError(f"{where}: expected a state of {list(needed)}, got {list(entry)}")
    step = _step(where, given.pop("step")) if "step" in given else int(bool(given))
    arrays = {name: as_array(value) for name, value in given.items()}
    for name, array in arrays.items():
        if array.dtype.kind != "f":
            raise TypeError(f"{where}: expected {name} as floating-point, got {array.dtype}")
        if array.shape != p.shape:
            raise ValueError(f"{where}: expected {name} of shape {p.shape}, got {array.shape}")
    return step, arrays


def _step(where: str, value: Any) -> int:
    step = as_array(value)
    if step.size != 1 or not 0 <= step.item() < 2**53 or step.item() % 1:
        raise ValueError(f"{where}: expected step as a whole number >= 0, got {value!r:.80}")
    return int(step.item())
