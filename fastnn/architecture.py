"""Models as JSON: classes, constructor arguments and sub-modules, without code in the file."""

from __future__ import annotations

import contextlib
import inspect
import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastnn.autograd import Array
from fastnn.nn.module import Module
from fastnn.random import fork_rng
from fastnn.structure import pack, unpack
from fastnn.tensor import Tensor

__all__ = ["build", "describe"]

_NAMESPACES = ("nn", "data")
_CONTAINERS = ("nn.Sequential", "nn.ModuleList", "nn.ModuleDict")  # built empty, then filled
_SLACK = 1 << 22  # elements that modules may make beyond those of the file's tensors
_MODULES = 10_000

Node = dict[str, Any]


# --- a model as a tree of nodes ---


def describe(model: Module) -> Node:
    """The architecture of a model as JSON; a module that is in it twice is told once.

    A node is `{"class", "args", "training", "frozen", "children"}`, or `{"same": path}`.

    Raises:
        TypeError: naming a constructor argument that no attribute tells.
    """
    try:
        return _describe(model, "", {})
    except RecursionError:
        raise TypeError("save_model: the modules are nested too deep") from None


def _describe(module: Module, path: str, seen: dict[int, str]) -> Node:
    if id(module) in seen:
        return {"same": seen[id(module)]}
    seen[id(module)] = path
    return {
        "class": _class_name(type(module)),
        "args": {p.name: _argument(module, p) for p in _parameters(type(module))
                 if _is_kept(module, p)},
        "training": module.training,
        "frozen": [k for k, p in module._parameters.items() if p is not None
                   and not p.requires_grad],
        "children": {
            name: _describe(child, f"{path}.{name}" if path else name, seen)
            for name, child in module._modules.items() if child is not None
        },
    }  # fmt: skip


def _class_name(kind: type[Module]) -> str:
    for namespace in _NAMESPACES:
        if _public(namespace).get(kind.__name__) is kind:
            return f"{namespace}.{kind.__name__}"
    return kind.__name__


def _public(namespace: str) -> dict[str, type[Module]]:
    import fastnn

    home = getattr(fastnn, namespace)
    found = {name: getattr(home, name) for name in home.__all__}
    return {n: c for n, c in found.items() if isinstance(c, type) and issubclass(c, Module)}


def _parameters(kind: type[Module]) -> list[inspect.Parameter]:
    """Of the constructor, without `*modules` and `**options`: those have no attribute."""
    if _class_name(kind) in _CONTAINERS:
        return []
    parameters = list(inspect.signature(kind).parameters.values())
    return [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


def _is_kept(module: Module, p: inspect.Parameter) -> bool:
    if hasattr(module, p.name) or p.name == "dtype":
        return True
    if p.default is p.empty:
        who = type(module).__name__
        raise TypeError(
            f"save_model: {who} does not keep its constructor's argument {p.name!r}; set "
            f"self.{p.name} = {p.name} in {who}.__init__, or save model.state_dict() with "
            "fastnn.save"
        )
    return False


def _argument(module: Module, p: inspect.Parameter) -> Any:
    value = getattr(module, p.name, None)
    if p.name == "dtype" and value is None:
        return {"dtype": str(_dtype(module))}
    if isinstance(value, np.dtype):
        return {"dtype": str(value)}
    if isinstance(p.default, bool) and (value is None or isinstance(value, Tensor)):
        return value is not None
    if isinstance(value, type) and issubclass(value, Module):
        return {"class": _class_name(value)}
    if isinstance(value, Module) and p.name in module._modules:
        return {"module": p.name}
    if isinstance(value, Tensor) and (p.name in module._parameters or p.name in module._buffers):
        return {"own": p.name}
    with contextlib.suppress(TypeError):
        packed, tensors = pack(value)
        if not tensors:
            return packed
    raise TypeError(
        f"save_model: {type(module).__name__} keeps its argument {p.name!r} as a "
        f"{type(value).__name__}, which a file without code cannot hold; expected a number, "
        "text, a list or dict of those, a module, a parameter or a registered buffer"
    )


def _dtype(module: Module) -> np.dtype[Any]:
    own = (*module._parameters.values(), *module._buffers.values())
    return next(
        (t.dtype for t in own if t is not None and t.dtype.kind == "f"), np.dtype(np.float32)
    )


# --- and back ---


def build(tree: Any, arrays: Mapping[str, Array], classes: Sequence[type[Module]]) -> Module:
    """The model that a tree describes, with its state from `arrays`.

    Raises:
        ValueError: if it is not such a tree, needs a class that is not given, or does not fit the
            arrays.
    """
    if _count(tree) > _MODULES:
        raise ValueError(f"more than {_MODULES} modules")
    try:
        with fork_rng():  # initial values are drawn, and then overwritten
            builder = _Builder(arrays, classes)
            model = builder.module(tree, "")
            builder.fill(model)
    except RecursionError:
        raise ValueError("the modules are nested too deep") from None
    return model


def _count(tree: Any) -> int:
    """How many nodes there are, of whatever kind."""
    nodes, below = 0, [tree]
    while below:
        node = below.pop()
        nodes += 1
        children = node.get("children") if isinstance(node, dict) else None
        below += children.values() if isinstance(children, dict) else ()
    return nodes


class _Builder:
    def __init__(self, arrays: Mapping[str, Array], classes: Sequence[type[Module]]) -> None:
        self.arrays = arrays
        self.given: dict[str, type[Module]] = {}
        for kind in classes:
            if not (isinstance(kind, type) and issubclass(kind, Module)):
                raise TypeError(f"load_model: expected module classes, got {kind!r:.60}")
            if self.given.setdefault(kind.__name__, kind) is not kind:
                raise TypeError(f"load_model: two classes are named {kind.__name__}")
        self.made: dict[str, Module] = {}
        self.room = _SLACK + sum(a.size for a in arrays.values())
        self.sizes: Counter[str] = Counter()  # elements of a module's own tensors
        for name, array in arrays.items():
            self.sizes[name.rpartition(".")[0]] += array.size

    def module(self, node: Any, path: str) -> Module:
        """The module of one node, with all below it."""
        if isinstance(node, dict) and list(node) == ["same"]:
            if not isinstance(node["same"], str) or node["same"] not in self.made:
                raise ValueError(f"{path}: expected a module that came before, got {node!r:.60}")
            self.made[path] = self.made[node["same"]]
            return self.made[path]
        self._check_node(node, path)
        children = {
            name: self.module(child, f"{path}.{name}" if path else name)
            for name, child in node["children"].items()
        }
        module = self._construct(node, path, children)
        self._adopt(module, children, node["class"], path)
        module.__dict__["training"] = node["training"]
        for name in node["frozen"]:
            if not isinstance(name, str) or module._parameters.get(name) is None:
                raise ValueError(f"{path}: expected a parameter, got {name!r:.60}")
            module._parameters[name].requires_grad = False
        self.made[path] = module
        return module

    def _adopt(self, module: Module, children: Mapping[str, Module], kind: str, path: str) -> None:
        for name, child in children.items():
            if kind not in (*_CONTAINERS, *self.given) and name not in module._modules:
                raise ValueError(f"{path}: {kind} has no sub-module {name!r:.60}")
            try:
                module.add_module(name, child)
            except (KeyError, TypeError) as error:
                raise ValueError(f"{path or 'the model'}: {error}") from None

    @staticmethod
    def _check_node(node: Any, path: str) -> None:
        kinds = {"class": str, "args": dict, "training": bool, "frozen": list, "children": dict}
        if not isinstance(node, dict) or node.keys() != kinds.keys() or not all(
            isinstance(node[key], kind) for key, kind in kinds.items()
        ):  # fmt: skip
            raise ValueError(f"{path or 'the model'}: expected a module, got {node!r:.60}")

    def _construct(self, node: Node, path: str, children: Mapping[str, Module]) -> Module:
        kind = self._class(node["class"])
        allowed = {p.name for p in _parameters(kind)}
        if not node["args"].keys() <= allowed:
            raise ValueError(f"{path}: {kind.__name__} has no arguments {node['args']!r:.60}")
        self._check_room(node["args"], path, kind)
        args = {name: self._value(v, path, children) for name, v in node["args"].items()}
        try:
            return kind(**args)
        except (
            TypeError,
            ValueError,
            ArithmeticError,
            LookupError,
            AttributeError,
            MemoryError,
        ) as error:
            raise ValueError(
                f"{path or 'the model'}: {kind.__name__} refused its arguments: {error}"
            ) from None

    def _class(self, name: str) -> type[Module]:
        namespace, _, short = name.rpartition(".")
        if namespace in _NAMESPACES and short in _public(namespace):
            return _public(namespace)[short]
        if name in self.given:
            return self.given[name]
        raise ValueError(
            f"the model has a module of the class {name!r:.60}, which is not fastnn's; pass it as "
            "load_model(path, classes=[...]), or build the model and use "
            "model.load_state_dict(fastnn.load(path))"
        )

    def _check_room(self, args: Mapping[str, Any], path: str, kind: type[Module]) -> None:
        """Refuse sizes that would make more elements than the file has, before making them."""
        sizes = [max(1, abs(n)) for n in _integers(list(args.values()))]
        made = max(sizes, default=1) if kind in self.given.values() else math.prod(sizes)
        self.room -= max(0, made - self.sizes[path])
        if self.room < 0:
            raise ValueError(f"{path or 'the model'}: {kind.__name__} with {dict(args)!r:.60} is "
                             "larger than the file's tensors")  # fmt: skip

    def _value(self, value: Any, path: str, children: Mapping[str, Module]) -> Any:
        if isinstance(value, dict) and len(value) == 1:
            [(kind, content)] = value.items()
            if kind == "dtype" and content in ("float32", "float64", "int64", "uint8", "bool"):
                return np.dtype(content)
            if kind == "class" and isinstance(content, str):
                return self._class(content)
            if kind == "module" and isinstance(content, str) and content in children:
                return children[content]
            if kind == "own" and isinstance(content, str):
                name = f"{path}.{content}" if path else content
                if name in self.arrays:
                    return Tensor.of(self.arrays[name].copy())
        return unpack(value, {})

    def fill(self, model: Module) -> None:
        """Give parameters and buffers the file's values, which must be of the same shapes."""
        slots = {}
        for name in model.state_dict():
            path, _, key = name.rpartition(".")
            module = self.made[path]
            slots[name] = module._parameters.get(key, module._buffers.get(key))
        problems = [f"missing: {name}" for name in slots if name not in self.arrays]
        problems += [f"unexpected: {name}" for name in self.arrays if name not in slots]
        for name in slots.keys() & self.arrays.keys():
            tensor, array = slots[name], self.arrays[name]
            if tensor.shape != array.shape or tensor.dtype.kind != array.dtype.kind:
                problems.append(f"{name}: expected {tensor.dtype} of shape {tensor.shape}, "
                                f"got {array.dtype} of shape {array.shape}")  # fmt: skip
        if problems:
            raise ValueError("its tensors do not fit its modules: " + "; ".join(problems[:9]))
        for name, tensor in slots.items():
            tensor.data = self.arrays[name].copy()


def _integers(value: Any) -> list[int]:
    if isinstance(value, dict):
        return _integers(list(value.values()))
    if isinstance(value, list):
        return list(itertools.chain.from_iterable(map(_integers, value)))
    return [value] if isinstance(value, int) and not isinstance(value, bool) else []
