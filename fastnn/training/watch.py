"""Whether a model still consists of the objects that something was made from."""

from __future__ import annotations

import operator
from itertools import chain
from typing import Any

from fastnn import _core
from fastnn.nn.module import Module

__all__ = ["Watch", "same_objects"]

_ARRAY = operator.attrgetter("_array")


class Watch:
    """The attributes of modules and the memory of their tensors, to be compared with a later time.

    Args:
        roots: The modules, and all below them.

    >>> import fastnn.nn as nn
    >>> model = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    >>> watch = Watch(model)
    >>> before = watch.parts()
    >>> watch.still_has(before)
    True
    >>> model[1] = nn.Tanh()
    >>> watch.still_has(before)
    False
    """

    def __init__(self, *roots: Module) -> None:
        self.modules = list(chain.from_iterable(root.modules() for root in roots))
        homes = [(vars(m), m._parameters, m._modules, m._buffers) for m in self.modules]
        self.homes = list(chain.from_iterable(homes))
        tensors = [(*m._parameters.values(), *m._buffers.values()) for m in self.modules]
        self.tensors = [t for t in chain.from_iterable(tensors) if t is not None]

    def parts(self) -> list[Any]:
        """What the modules consist of now."""
        return [*chain.from_iterable(map(dict.values, self.homes)), *map(_ARRAY, self.tensors)]

    def still_has(self, parts: list[Any]) -> bool:
        """Whether the modules consist of these parts."""
        return _core.consists_of(self.homes, self.tensors, parts)

    def steady(self) -> list[Any]:
        """The same without the modes of the modules."""
        parts = [v for home in self.homes for name, v in home.items() if name != "training"]
        return [*parts, *map(_ARRAY, self.tensors)]


def same_objects(now: list[Any], before: list[Any]) -> bool:
    """Whether two lists have the very same objects."""
    return len(now) == len(before) and all(map(operator.is_, now, before))
