"""Modules that hold modules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fastnn.nn.module import Module

__all__ = ["Sequential"]


class Sequential(Module):
    """Modules one after another: the output of each is the input of the next.

    Args:
        modules: The modules, or one ordered mapping of names to modules.

    Raises:
        TypeError: if something else than a module is given.

    >>> import fastnn.nn as nn
    >>> len(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)))
    3
    """

    def __init__(self, *modules: Any) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            named = modules[0].items()
        else:
            named = {str(i): module for i, module in enumerate(modules)}.items()
        for name, module in named:
            if not isinstance(module, Module):
                raise TypeError(f"Sequential: expected modules, got {type(module).__name__} "
                                f"at {name}")  # fmt: skip
            self.add_module(name, module)

    def forward(self, input: Any) -> Any:
        """Pass `input` through all modules."""
        for module in self._modules.values():
            input = module(input)
        return input

    def append(self, module: Module) -> Sequential:
        """Add a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def __getitem__(self, index: int | slice) -> Any:
        items = list(self._modules.items())[index]
        return Sequential(dict(items)) if isinstance(items, list) else items[1]
