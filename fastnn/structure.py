"""Nested values as JSON with their tensors beside it: how `save` writes a checkpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any

import numpy as np

from fastnn.autograd import Array
from fastnn.nn.module import Module
from fastnn.tensor import Tensor, as_array

__all__ = ["pack", "parse", "unpack"]

_DEPTH = 100  # of lists in lists; far below where Python's own recursion ends
_SCALARS = (str, bool, int, float, type(None))


def pack(value: Any) -> tuple[Any, dict[str, Array]]:
    """Split `value` into what JSON can hold and arrays by name.

    A list is a list; whatever else is not a JSON scalar becomes an object of one key that says
    what it is: `{"tensor": name}`, `{"dict": [[key, value], ...]}`, `{"tuple": [...]}`,
    `{"float": "nan"}`. Tensors are named by the path to them, `model.0.weight`.

    Raises:
        TypeError: for what is none of these.
        ValueError: if it is nested too deep, as what contains itself is.
    """
    arrays: dict[str, Array] = {}
    return _pack(value, (), arrays), arrays


def _pack(value: Any, path: tuple[Any, ...], arrays: dict[str, Array]) -> Any:
    if len(path) > _DEPTH:
        raise ValueError(f"save: nested deeper than {_DEPTH} at {_join(path[:4])}...; "
                         "does something contain itself?")  # fmt: skip
    if isinstance(value, Tensor | np.ndarray):
        name = _free_name(_join(path), arrays)
        arrays[name] = np.asarray(as_array(value), order="C")
        return {"tensor": name}
    if isinstance(value, np.generic):
        value = value.item()
    if _is_scalar(value):
        return value
    if isinstance(value, float):
        return {"float": repr(float(value))}
    if isinstance(value, list | tuple):
        items = [_pack(item, (*path, i), arrays) for i, item in enumerate(value)]
        return {"tuple": items} if isinstance(value, tuple) else items
    if isinstance(value, Mapping):
        return {"dict": [[_key(k, path), _pack(v, (*path, k), arrays)] for k, v in value.items()]}
    raise TypeError(_refusal(value, path))


def _is_scalar(value: Any) -> bool:
    """Whether JSON has this; it has no infinity, though Python's reader takes 1e999 for one."""
    return isinstance(value, _SCALARS) and not (isinstance(value, float) and not isfinite(value))


def _refusal(value: Any, path: tuple[Any, ...]) -> str:
    where = f" at {_join(path)}" if path else ""
    if isinstance(value, Module):
        return (
            f"save: expected tensors, got the module {type(value).__name__}{where}; "
            "fastnn.save_model(model, path) writes the whole model, and "
            "fastnn.save(model.state_dict(), path) its weights"
        )
    hint = "; save its state_dict()" if hasattr(value, "state_dict") else ""
    return (f"save: expected tensors, numbers, text, None, and lists or dicts of them, "
            f"got {type(value).__name__}{where}{hint}")  # fmt: skip


def _key(key: Any, path: tuple[Any, ...]) -> Any:
    if isinstance(key, np.generic):
        key = key.item()
    if not _is_scalar(key):
        raise TypeError(f"save: expected keys of text or numbers, got {key!r:.60} "
                        f"in {_join(path) or 'the dict'}")  # fmt: skip
    return key


def _join(path: tuple[Any, ...]) -> str:
    return ".".join(map(str, path))


def _free_name(name: str, taken: Mapping[str, Array]) -> str:
    """`name`, or with a number behind where two paths read alike or the format keeps the name."""
    name = name.encode(errors="replace").decode()
    free, count = name, 1
    while free in taken or free == "__metadata__":
        count += 1
        free = f"{name}#{count}"
    return free


def parse(text: str) -> Any:
    """JSON as a value; ValueError if it is none, whatever is wrong with it."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None


def unpack(value: Any, arrays: Mapping[str, Array], depth: int = 0) -> Any:
    """What `pack` split, together again; ValueError if `value` is nothing it makes."""
    if depth > _DEPTH:
        raise ValueError("nested too deep")
    if _is_scalar(value):
        return value
    if isinstance(value, list):
        return [unpack(item, arrays, depth + 1) for item in value]
    if isinstance(value, dict) and len(value) == 1:
        [(kind, content)] = value.items()
        if kind == "tensor" and isinstance(content, str) and content in arrays:
            return Tensor.of(arrays[content])
        if kind == "float" and content in ("nan", "inf", "-inf"):
            return float(content)
        if kind == "tuple" and isinstance(content, list):
            return tuple(unpack(item, arrays, depth + 1) for item in content)
        if kind == "dict" and isinstance(content, list):
            return {_pair(p)[0]: unpack(_pair(p)[1], arrays, depth + 1) for p in content}
    raise ValueError(f"expected what save writes, got {value!r:.60}")


def _pair(pair: Any) -> Any:
    if not isinstance(pair, list) or len(pair) != 2 or not _is_scalar(pair[0]):
        raise ValueError(f"expected a key and a value, got {pair!r:.60}")
    return pair
