"""`Module`: the base of every layer and model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from fastnn.autograd import Array
from fastnn.devices import target
from fastnn.missing import absent
from fastnn.nn.parameter import Parameter
from fastnn.tensor import Tensor, as_array

if TYPE_CHECKING:
    from fastnn.summary import Summary

__all__ = ["Module"]

_M = TypeVar("_M", bound="Module")
_HOMES = "_parameters", "_modules", "_buffers"


class LoadedKeys(NamedTuple):
    """What `load_state_dict` returns: names without a value, and values without a name."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return (f"LoadedKeys(missing_keys={self.missing_keys}, "
                f"unexpected_keys={self.unexpected_keys})")  # fmt: skip


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
    _modules: dict[str, Any]

    def __init__(self) -> None:
        self.__dict__.update(
            training=True, _parameters={}, _modules={}, _buffers={}, _unsaved=frozenset()
        )

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
            if not isinstance(value, Parameter | Module):
                self.__dict__[name] = value
                return
            raise AttributeError(
                f"{type(self).__name__}: call super().__init__() before setting {name!r}"
            ) from None
        for kind, home in homes.items():
            if isinstance(value, kind):
                self._refuse_itself(value)
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
        own = self.__dict__
        for home in _HOMES:
            if name in own.get(home, ()):
                return own[home][name]
        if "_modules" not in self.__dict__ and name in _HOMES:
            raise AttributeError(f"{type(self).__name__}: call super().__init__() in its __init__")
        raise AttributeError(absent(type(self).__name__, name, dir(self)))

    def __dir__(self) -> list[str]:
        homes = (self.__dict__.get(home, ()) for home in _HOMES)
        return sorted({*super().__dir__(), *(name for home in homes for name in home)})

    def __delattr__(self, name: str) -> None:
        for home in (self._parameters, self._modules, self._buffers):
            if name in home:
                del home[name]
                return
        super().__delattr__(name)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Keep a tensor that is not trained, such as running statistics.

        Args:
            name: The attribute it becomes.
            tensor: Its value, or `None` for none as yet.
            persistent: Whether it is part of the state dict.

        Raises:
            TypeError: if it is not a tensor.
            KeyError: if the name is taken by something else.
        """
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(f"register_buffer: expected a tensor or None for {name!r}, "
                            f"got {type(tensor).__name__}")  # fmt: skip
        self._free_name("register_buffer", name, self._buffers)
        self._buffers[name] = tensor
        unsaved = self._unsaved - {name} if persistent else self._unsaved | {name}
        self.__dict__["_unsaved"] = unsaved

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter, or the place for one that this module has not.

        Raises:
            TypeError: if it is not a parameter.
            KeyError: if the name is taken by something else.
        """
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(f"register_parameter: expected a Parameter or None for {name!r}, "
                            f"got {type(param).__name__}")  # fmt: skip
        self._free_name("register_parameter", name, self._parameters)
        self._parameters[name] = param

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a sub-module under a name that need not be a Python name.

        Raises:
            TypeError: if it is not a module.
            KeyError: if the name is taken by something else, is empty or has a dot.
        """
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"add_module: expected a Module, got {type(module).__name__}")
        self._free_name("add_module", name, self._modules)
        self._refuse_itself(module)
        self._modules[name] = module

    register_module = add_module

    def _refuse_itself(self, part: Any) -> None:
        if isinstance(part, Module) and any(module is self for module in part.modules()):
            raise ValueError(f"{type(self).__name__}: a module cannot be a part of itself")

    def _free_name(self, who: str, name: str, home: Mapping[str, Any]) -> None:
        if not isinstance(name, str):
            raise TypeError(f"{who}: expected a name, got {name!r}")
        if not name or "." in name:
            raise KeyError(f"{who}: expected a name without a dot, got {name!r}")
        # not `hasattr`: its error lists all names, so that 10,000 layers took minutes to add
        places = (self.__dict__, self._parameters, self._modules, self._buffers,
                  *map(vars, type(self).__mro__))  # fmt: skip
        if name not in home and any(name in place for place in places):
            raise KeyError(f"{who}: {type(self).__name__} has an attribute {name!r} already")

    # --- what is inside ---

    def children(self) -> Iterator[Module]:
        """The direct sub-modules, each once."""
        return (module for _, module in self.named_children())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The direct sub-modules with their names, each once."""
        return _once(self._below())

    def named_modules(
        self, memo: None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module and all below it with dotted names, each once unless told otherwise."""
        seen: set[int] = set()
        stack: list[tuple[str, Module]] = [(prefix, self)]  # no recursion: depth has no limit
        while stack:
            name, module = stack.pop()
            if remove_duplicate and id(module) in seen:
                continue
            seen.add(id(module))
            yield name, module
            if module._modules:  # most have none
                stack.extend(reversed([(_join(name, key), m) for key, m in module._below()]))

    def modules(self) -> Iterator[Module]:
        """This module and all below it, each once."""
        return (module for _, module in self.named_modules())

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """All parameters with dotted names, each once unless told otherwise.

        Args:
            prefix: What stands before each name.
            recurse: Whether those of sub-modules count.
            remove_duplicate: Whether a parameter with two names is listed under the first only.
        """
        found = self._tensors("_parameters", prefix, recurse, remove_duplicate)
        return _once(found) if remove_duplicate else found

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """All parameters, each once."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """All buffers with dotted names, as `named_parameters`."""
        found = self._tensors("_buffers", prefix, recurse, remove_duplicate)
        return _once(found) if remove_duplicate else found

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """All buffers, each once."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def get_submodule(self, target: str) -> Module:
        """The module of a dotted name; "" is this one.

        Raises:
            AttributeError: if there is none.
        """
        module: Any = self
        for name in target.split(".") if target else ():
            below = module._modules.get(name) if isinstance(module, Module) else None
            if below is None:
                raise AttributeError(absent(type(module).__name__, name, module._modules))
            module = below
        return module  # type: ignore[no-any-return]

    def get_parameter(self, target: str) -> Parameter:
        """The parameter of a dotted name.

        Raises:
            AttributeError: if there is none.
        """
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        parameter = module._parameters.get(name)
        if parameter is None:
            raise AttributeError(absent(type(module).__name__, name, module._parameters))
        return parameter  # type: ignore[no-any-return]

    def get_buffer(self, target: str) -> Tensor:
        """The buffer of a dotted name.

        Raises:
            AttributeError: if there is none.
        """
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        buffer = module._buffers.get(name)
        if buffer is None:
            raise AttributeError(absent(type(module).__name__, name, module._buffers))
        return buffer  # type: ignore[no-any-return]

    def _below(self) -> Iterator[tuple[str, Module]]:
        return ((name, m) for name, m in self._modules.items() if m is not None)

    def _tensors(
        self, home: str, prefix: str, recurse: bool, once: bool
    ) -> Iterator[tuple[str, Any]]:
        below = self.named_modules(prefix=prefix, remove_duplicate=once)
        for path, module in below if recurse else [(prefix, self)]:
            for key, tensor in getattr(module, home).items():
                if tensor is not None:
                    yield _join(path, key), tensor

    # --- state ---

    def state_dict(self, *, prefix: str = "", keep_vars: bool = False) -> dict[str, Tensor]:
        """Parameters and buffers by dotted name, sharing memory with the module.

        Args:
            prefix: What stands before each name.
            keep_vars: Give the parameters themselves, not detached.
        """
        tensors = {}
        # a module with two names is listed under both, as PyTorch does
        for path, module in self.named_modules(
            prefix=prefix.removesuffix("."), remove_duplicate=False
        ):
            saved = {k: t for k, t in module._buffers.items() if k not in module._unsaved}
            for key, tensor in (*module._parameters.items(), *saved.items()):
                if tensor is not None:
                    tensors[_join(path, key)] = tensor if keep_vars else tensor.detach()
        return tensors

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> LoadedKeys:
        """Copy values in by name; nothing is changed unless all of them fit.

        Args:
            state_dict: Tensors or arrays by name, such as `fastnn.load(path)`.
            strict: Whether names must be the same on both sides.
            assign: Only False: values are copied into the parameters that an optimizer holds.

        Returns:
            `missing_keys` and `unexpected_keys`.

        Raises:
            TypeError: if `state_dict` is not a mapping of names to numbers.
            ValueError: listing missing, unexpected and mis-shaped names; if a count would not stay
                the number it is.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError("load_state_dict: expected a mapping of names to tensors such as "
                            f"fastnn.load(path), got {type(state_dict).__name__}")  # fmt: skip
        if assign:
            raise ValueError("load_state_dict: assign=True is not here; values are copied")
        own = self.state_dict()
        given = {name: _entry(name, value) for name, value in state_dict.items() if name in own}
        missing = [name for name in own if name not in state_dict]
        unexpected = [name for name in state_dict if name not in own]
        problems = [
            f"{name}: expected shape {own[name].shape}, got {array.shape}"
            for name, array in given.items()
            if array.shape != own[name].shape
        ]
        if strict:
            problems += [f"missing: {name}" for name in missing]
            problems += [f"unexpected: {name}" for name in unexpected]
        if problems:
            raise ValueError(
                f"load_state_dict: the state does not fit {type(self).__name__}:\n  "
                + "\n  ".join(problems)
            )
        values = {name: _cast(name, array, own[name].dtype) for name, array in given.items()}
        for name, array in values.items():
            own[name]._changed(array)
        return LoadedKeys(missing, unexpected)

    # --- modes ---

    def train(self: _M, mode: bool = True) -> _M:
        """Switch to training mode, where dropout drops and batch norm learns its statistics.

        Raises:
            ValueError: if the mode is not True or False.
        """
        if not isinstance(mode, bool):
            raise ValueError(f"train: expected True or False, got {mode!r}")
        for module in self.modules():
            if module is self or type(module).train is Module.train:
                module.__dict__["training"] = mode
            else:  # a class that keeps a part of itself frozen, say
                module.train(mode)
        return self

    def eval(self: _M) -> _M:
        """Switch to evaluation mode."""
        return self.train(False)

    def requires_grad_(self: _M, requires_grad: bool = True) -> _M:
        """Freeze or unfreeze all parameters."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters; with `set_to_none=False` they become zeros."""
        for parameter in self.parameters():
            if set_to_none:
                parameter.grad = None
            elif parameter.grad is not None:
                parameter.grad.zero_()

    def apply(self: _M, fn: Callable[[Module], Any]) -> _M:
        """Call `fn` with every module inside, those below a module before it."""
        order: list[Module] = []
        stack: list[Module] = [self]
        while stack:  # this module first, the last below it next: backwards it is what is wanted
            module = stack.pop()
            order.append(module)
            stack.extend(module.children())
        for module in reversed(order):
            fn(module)
        return self

    def to(self: _M, *args: Any, **kwargs: Any) -> _M:
        """Convert floating-point parameters and buffers: `to(dtype)`, `to(device)`, or both.

        Raises:
            ValueError: for another device than the CPU.
            TypeError: for a type that is not floating-point.
        """
        kind = target("to", *args, **kwargs)
        if kind is None:
            return self
        if kind.kind != "f":
            raise TypeError(f"to: expected float32 or float64 for a module, got {kind}")
        for module in self.modules():
            module._convert(kind)
        return self

    def _convert(self, kind: np.dtype[Any]) -> None:
        """What `to` does to this module itself, without those below."""
        for tensor in (*self._parameters.values(), *self._buffers.values()):
            if tensor is not None and tensor.dtype.kind == "f" and tensor.dtype != kind:
                tensor.data = tensor._array.astype(kind)
                tensor.grad = None

    def type(self: _M, dst_type: Any) -> _M:
        """The same as `to(dtype)`."""
        return self.to(dst_type)

    def cpu(self: _M) -> _M:
        """The module itself: it is on the CPU."""
        return self

    def double(self: _M) -> _M:
        """Convert parameters and buffers to float64."""
        return self.to(np.float64)

    def float(self: _M) -> _M:
        """Convert parameters and buffers to float32."""
        return self.to(np.float32)

    # --- on screen ---

    def summary(self, input_shape: int | Sequence[int] | None = None) -> Summary:
        """Layers, the shapes they give, and how many parameters they have, as a table.

        The model is run once in eval mode, on a batch of N = 3 rows of ones.

        Args:
            input_shape: Of one row, without the batch; by default what the first layer that knows
                its size takes.

        Returns:
            An object that prints as a table, with `layers`, `parameters`, `trainable`, `nbytes`.

        Raises:
            TypeError: if the shape does not hold integers.
            ValueError: if a size is less than 1, or the model cannot take rows of this shape.

        >>> import fastnn.nn as nn
        >>> nn.Sequential(nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 10)).summary()
        layer        output   parameters
        --------------------------------
        Sequential   (N, 10)           0
          0: Linear  (N, 32)      25,120
          1: ReLU    (N, 32)           0
          2: Linear  (N, 10)         330
        --------------------------------
        25,450 parameters; 102 kB
        """
        from fastnn.summary import summarize

        return summarize(self, input_shape)

    def extra_repr(self) -> str:
        """What stands between the brackets of this module's line."""
        return ""

    def __repr__(self) -> str:
        lines = [f"({name}): " + repr(child).replace("\n", "\n  ") for name, child in self._below()]
        head = f"{type(self).__name__}({self.extra_repr()}"
        return head + ("\n  " + "\n  ".join(lines) + "\n)" if lines else ")")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _entry(name: str, value: Any) -> Array:
    try:
        return as_array(value)
    except TypeError as error:
        raise TypeError(f"load_state_dict: {name}: {error}") from None


def _cast(name: str, given: Array, dtype: np.dtype[Any]) -> Array:
    """The values in the type of what they go into; a count must stay the number it is."""
    with np.errstate(invalid="ignore"):
        values = given.astype(dtype, copy=False)
    if dtype.kind != "f" and not np.array_equal(values, given):
        raise ValueError(
            f"load_state_dict: {name}: expected whole numbers that {dtype} can hold, "
            f"got {given.dtype} with others"
        )
    return values


def _once(named: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Each thing under its first name only."""
    seen: set[int] = set()
    for name, thing in named:
        if id(thing) not in seen:
            seen.add(id(thing))
            yield name, thing
