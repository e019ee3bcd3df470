"""Modules that hold modules."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from typing import Any, TypeVar

from fastnn.nn.module import Module

__all__ = ["ModuleDict", "ModuleList", "Sequential"]

_N = TypeVar("_N", bound="_Numbered")


class _Numbered(Module):
    """What `Sequential` and `ModuleList` share: the ways of a Python list."""

    def append(self: _N, module: Module) -> _N:
        """Add a module at the end."""
        return self.extend([module])

    def extend(self: _N, modules: Iterable[Module]) -> _N:
        """Add modules at the end."""
        for module in modules:
            name = str(len(self))
            _check(self, name, module)
            self.add_module(name, module)
        return self

    def insert(self: _N, index: int, module: Module) -> _N:
        """Add a module before the one at `index`; those after it are numbered anew."""
        _check(self, str(index), module)
        modules = list(self)
        modules.insert(index, module)
        self._renumber(modules)
        return self

    def _renumber(self, modules: list[Module]) -> None:
        self._modules.clear()
        self._modules.update({str(i): module for i, module in enumerate(modules)})

    def __setitem__(self, index: int, module: Module) -> None:
        _check(self, str(index), module)
        self._modules[list(self._modules)[index]] = module

    def __delitem__(self, index: Any) -> None:
        modules = list(self)
        del modules[index]
        self._renumber(modules)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def __contains__(self, module: object) -> bool:
        return any(module is each for each in self)


class Sequential(_Numbered):
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
            _check(self, name, module)
            self.add_module(name, module)

    def forward(self, input: Any) -> Any:
        """Pass `input` through all modules."""
        for module in self._modules.values():
            input = module(input)
        return input

    def __getitem__(self, index: Any) -> Any:
        items = list(self._modules.items())[index]
        return type(self)(dict(items)) if isinstance(items, list) else items[1]


class ModuleList(_Numbered):
    """A list of modules, whose parameters are found (`torch.nn.ModuleList`); it has no forward.

    Args:
        modules: The modules.

    Raises:
        TypeError: if something else than a module is given.

    >>> import fastnn.nn as nn
    >>> layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
    >>> len(list(layers.parameters()))
    6
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        self.extend(modules or ())

    def __getitem__(self, index: Any) -> Any:
        found = list(self._modules.values())[index]
        return ModuleList(found) if isinstance(found, list) else found


class ModuleDict(Module):
    """Modules by name, whose parameters are found (`torch.nn.ModuleDict`); it has no forward.

    Args:
        modules: A mapping of names to modules, or pairs of them.

    Raises:
        TypeError: if something else than a module is given.

    >>> import fastnn.nn as nn
    >>> heads = nn.ModuleDict({"age": nn.Linear(4, 1), "price": nn.Linear(4, 1)})
    >>> list(heads)
    ['age', 'price']
    """

    def __init__(self, modules: Any = None) -> None:
        super().__init__()
        self.update(modules or {})

    def update(self, modules: Any) -> None:
        """Add modules by name."""
        for name, module in dict(modules).items():
            self[name] = module

    def keys(self) -> KeysView[str]:
        """The names."""
        return self._modules.keys()

    def values(self) -> ValuesView[Module]:
        """The modules."""
        return self._modules.values()

    def items(self) -> ItemsView[str, Module]:
        """The names and the modules."""
        return self._modules.items()

    def __getitem__(self, name: str) -> Module:
        module: Module = self._modules[name]
        return module

    def __setitem__(self, name: str, module: Module) -> None:
        _check(self, name, module)
        self._modules[name] = module

    def __delitem__(self, name: str) -> None:
        del self._modules[name]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, name: object) -> bool:
        return name in self._modules


def _check(home: Module, name: str, module: Any) -> None:
    if not isinstance(module, Module):
        unpack = "; unpack a list: Sequential(*layers)" if isinstance(module, list | tuple) else ""
        raise TypeError(f"{type(home).__name__}: expected modules, got {type(module).__name__} "
                        f"at {name}{unpack}")  # fmt: skip
