"""`Module`: the base of every layer and model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import numpy as np

from fastnn.nn.parameter import Parameter
from fastnn.tensor import Tensor, as_array

__all__ = ["Module"]

_M = TypeVar("_M", bound="Module")


class Module:
    """A part of a model: parameters, sub-modules, and a `forward` (`torch.nn.Module`).

    A derived class calls `super().__init__()`, sets its parameters and sub-modules as attributes,
    and defines `forward`; calling the module calls that.

    >>> import fastnn
    >>> class Double(fastnn.nn.Module):
    ...     def forward(self, x):
    ...         return x + x
    >>> Double()(fastnn.ones(1))
    tensor([2.])
    """

    training: bool

    def __init__(self) -> None:
        self.__dict__.update(training=True, _parameters={}, _modules={}, _buffers={})

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output; every module defines its own."""
        raise TypeError(f"{type(self).__name__} has no forward method; define one")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)

    # --- attributes ---

    def __setattr__(self, name: str, value: Any) -> None:
        try:
            homes = {Parameter: self._parameters, Module: self._modules}
            buffers = self._buffers
        except AttributeError:
            raise AttributeError(
                f"{type(self).__name__}: call super().__init__() before setting {name!r}"
            ) from None
        for kind, home in homes.items():
            if isinstance(value, kind):
                self.__dict__.pop(name, None)
                home[name] = value
                return
            if name in home and value is not None:
                raise TypeError(f"{type(self).__name__}.{name}: expected a {kind.__name__}, "
                                f"got {type(value).__name__}")  # fmt: skip
            home.pop(name, None)
        if name in buffers and isinstance(value, Tensor):
            buffers[name] = value
            return
        self.__dict__[name] = value

    def __getattr__(self, name: str) -> Any:
        for home in ("_parameters", "_modules", "_buffers"):
            if name in self.__dict__.get(home, ()):
                return self.__dict__[home][name]
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __delattr__(self, name: str) -> None:
        for home in (self._parameters, self._modules, self._buffers):
            if name in home:
                del home[name]
                return
        super().__delattr__(name)

    def register_buffer(self, name: str, tensor: Tensor) -> None:
        """Keep a tensor in the state dict that is not trained, such as running statistics."""
        self._buffers[name] = tensor

    def add_module(self, name: str, module: Module) -> None:
        """Add a sub-module under a name that need not be a Python name."""
        if not isinstance(module, Module):
            raise TypeError(f"add_module: expected a Module, got {type(module).__name__}")
        self._modules[name] = module

    # --- what is inside ---

    def children(self) -> Iterator[Module]:
        """The direct sub-modules."""
        return iter(self._modules.values())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The direct sub-modules with their names."""
        return iter(self._modules.items())

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module and all below it, each once, with dotted names."""
        seen: set[int] = set()
        stack: list[tuple[str, Module]] = [(prefix, self)]  # no recursion: depth has no limit
        while stack:
            name, module = stack.pop()
            if id(module) in seen:
                continue
            seen.add(id(module))
            yield name, module
            below = [(f"{name}.{key}" if name else key, m) for key, m in module._modules.items()]
            stack.extend(reversed(below))

    def modules(self) -> Iterator[Module]:
        """This module and all below it, each once."""
        return (module for _, module in self.named_modules())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """All parameters, each once, with dotted names."""
        seen: set[int] = set()
        for name, home, key in self._slots("_parameters"):
            if id(home[key]) not in seen:
                seen.add(id(home[key]))
                yield name, home[key]

    def parameters(self) -> Iterator[Parameter]:
        """All parameters, each once."""
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """All buffers with dotted names."""
        return ((name, home[key]) for name, home, key in self._slots("_buffers"))

    def buffers(self) -> Iterator[Tensor]:
        """All buffers: the tensors of the state dict that are not trained."""
        return (tensor for _, tensor in self.named_buffers())

    def _slots(self, home: str) -> Iterator[tuple[str, dict[str, Any], str]]:
        for prefix, module in self.named_modules():
            tensors = module.__dict__[home]
            for key in tensors:
                yield (f"{prefix}.{key}" if prefix else key), tensors, key

    # --- state ---

    def state_dict(self) -> dict[str, Tensor]:
        """Parameters and buffers by dotted name, sharing memory with the module."""
        tensors = {}
        for prefix, module in self.named_modules():
            for key, tensor in (*module._parameters.items(), *module._buffers.items()):
                tensors[f"{prefix}.{key}" if prefix else key] = tensor.detach()
        return tensors

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> None:
        """Copy values in by name; nothing is changed unless all of them fit.

        Raises:
            ValueError: listing missing, unexpected and mis-shaped names.
        """
        own = self.state_dict()
        problems = [
            f"{name}: expected shape {own[name].shape}, got {as_array(value).shape}"
            for name, value in state_dict.items()
            if name in own and as_array(value).shape != own[name].shape
        ]
        if strict:
            problems += [f"missing: {name}" for name in own if name not in state_dict]
            problems += [f"unexpected: {name}" for name in state_dict if name not in own]
        if problems:
            raise ValueError(
                f"load_state_dict: the state does not fit {type(self).__name__}:\n  "
                + "\n  ".join(problems)
            )
        for name, value in state_dict.items():
            if name in own:
                own[name].copy_(value)

    # --- modes ---

    def train(self: _M, mode: bool = True) -> _M:
        """Switch to training mode, where dropout drops and batch norm learns its statistics."""
        for module in self.modules():
            module.__dict__["training"] = mode
        return self

    def eval(self: _M) -> _M:
        """Switch to evaluation mode."""
        return self.train(False)

    def requires_grad_(self: _M, requires_grad: bool = True) -> _M:
        """Freeze or unfreeze all parameters."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.grad = None

    def apply(self: _M, function: Callable[[Module], Any]) -> _M:
        """Call `function` with every module inside, this one last."""
        for module in reversed(list(self.modules())):
            function(module)
        return self

    def to(self: _M, dtype: Any) -> _M:
        """Convert parameters and buffers to another floating-point type; "cpu" changes nothing."""
        if str(dtype) == "cpu":
            return self
        for home in ("_parameters", "_buffers"):
            for _, tensors, key in self._slots(home):
                tensor = tensors[key]
                if tensor.dtype.kind == "f" and tensor.dtype != np.dtype(dtype):
                    tensor.data = tensor._array.astype(dtype)
                    tensor.grad = None
        return self

    def double(self: _M) -> _M:
        """Convert parameters and buffers to float64."""
        return self.to(np.float64)

    def float(self: _M) -> _M:
        """Convert parameters and buffers to float32."""
        return self.to(np.float32)

    # --- on screen ---

    def extra_repr(self) -> str:
        """What stands between the brackets of this module's line."""
        return ""

    def __repr__(self) -> str:
        lines = [
            f"({name}): " + repr(child).replace("\n", "\n  ")
            for name, child in self._modules.items()
        ]
        head = f"{type(self).__name__}({self.extra_repr()}"
        return head + ("\n  " + "\n  ".join(lines) + "\n)" if lines else ")")
