"""A model and its loss as a program: one pass is put on the tape, and the tape becomes operations.

A compiled step repeats what it was made from. So a pass is made twice, on other rows, and only
what comes out the same both times is taken: no value may have been read by Python (as `if
x.sum() > 0` does), no module may have changed, and every constant must be the same one.
"""

from __future__ import annotations

import copy
import functools
import inspect
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from fastnn import _core
from fastnn.autograd import Array, Node, enable_grad, watch_values
from fastnn.errors import NotLowerable
from fastnn.nn.module import Module
from fastnn.nn.normalization import BatchNorm1d
from fastnn.nn.parameter import Parameter
from fastnn.random import default_generator
from fastnn.tensor import Tensor

__all__ = ["LoweredModel", "Lowering", "Pass", "lower", "nodes_of", "signature"]

_OPERATIONS = frozenset({"activation", "affine", "batch_norm", "combine", "dropout", "layer_norm",
                         "linear", "log_softmax", "reshape", "softmax"})  # fmt: skip

LossFn = Callable[[Any, Any], Tensor]


class LoweredModel(NamedTuple):
    """A program without its optimizer.

    Attributes:
        program: `_core.Program32` or `_core.Program64`.
        parameters: Those that get a gradient.
        norms: Counts of the batches that batch norms have seen, in the program's order.
        classes: How many the loss tells apart by labels; 0 where targets are numbers.
        ignored: The label that counts for nothing.
        probabilities: Whether targets must lie in 0 .. 1.
        outputs: The shape of the model's outputs for one row.
        affine: What scales the inputs, as the program takes it, or None.
        least_rows: How many a batch must have: two where batch normalization trains on one value
            a row.
    """

    program: Any
    parameters: list[Parameter]
    norms: list[Tensor]
    classes: int
    ignored: int
    probabilities: bool
    outputs: tuple[int, ...]
    affine: tuple[Array, Array, Array] | None
    least_rows: int


Batch = tuple[Tensor, list[Tensor]]


class Pass(NamedTuple):
    """One pass through model and loss, on the tape."""

    inputs: Tensor
    targets: Tensor
    weights: Tensor | None
    outputs: Tensor
    loss: Tensor
    nodes: list[Node]


def lower(
    model: Module,
    loss: LossFn,
    batches: tuple[Batch, Batch],
    max_rows: int,
    gradients: dict[int, Array],
) -> LoweredModel:
    """The program of a model in training mode.

    Args:
        model: As `Trainer` takes it.
        loss: As `Trainer` takes it.
        batches: Two batches of inputs and what the loss gets besides outputs (targets, and any
            weights of rows), of different numbers of rows.
        max_rows: The largest batch to come.
        gradients: Where the gradient of a parameter goes, by the parameter's `id`.

    Raises:
        NotLowerable: if model or loss do something that a program cannot.
    """
    if not _is_ours(loss):
        raise NotLowerable("the loss is not one of fastnn.nn")
    copies: dict[int, Any] = {}
    spare = copy.deepcopy(model, copies)  # what a pass leaves behind, it leaves there
    original = {id(copies[id(t)]): t for t in (*model.parameters(), *model.buffers())}
    first, second = (_pass(spare, loss, *batch) for batch in batches)
    if signature(first) != signature(second):
        raise NotLowerable("two passes do not do the same")
    return Lowering(model, first, original, max_rows, gradients).build()


def _is_ours(loss: LossFn) -> bool:
    """Whether calling it twice more than the training does leaves nothing behind."""
    if isinstance(loss, functools.partial):
        return _is_ours(loss.func)
    module = getattr(loss if inspect.isfunction(loss) else type(loss), "__module__", "")
    return module.startswith("fastnn.")


def _pass(model: Module, loss: LossFn, inputs: Tensor, others: list[Tensor]) -> Pass:
    # whole numbers are for a scaler, which computes in float64 anyhow
    given = inputs._array if inputs.dtype.kind == "f" else inputs._array.astype(np.float64)
    traced = Tensor.of(given)
    traced.requires_grad = True  # so that all that is done to it is on the tape
    with _unchanged(model), enable_grad(), watch_values() as values_were_read:
        outputs = model(traced)
        value = loss(outputs, *others)
        if values_were_read():
            raise NotLowerable("forward reads a value of a tensor, on which its course may depend")
    if not isinstance(value, Tensor) or not isinstance(outputs, Tensor) or value._node is None:
        raise NotLowerable("outputs and loss are not single tensors on the tape")
    targets, *weights = others
    given_weights = weights[0] if weights else None
    return Pass(traced, targets, given_weights, outputs, value, nodes_of(value._node))


def nodes_of(last: Node) -> list[Node]:
    """All that lead to a node, in the order in which they were made."""
    found, stack = {last}, [last]
    while stack:
        for maker in stack.pop().makers:
            if maker is not None and maker not in found:
                found.add(maker)
                stack.append(maker)
    return sorted(found, key=lambda node: node.order)


@contextmanager
def _unchanged(model: Module) -> Iterator[None]:
    """Take back what a pass does to statistics and random numbers; refuse other changes."""
    buffers = [(b, b._array.copy()) for b in model.buffers()]
    random, before = default_generator.get_state(), _attributes(model)
    try:
        yield
    finally:
        drawn = default_generator.get_state()
        default_generator.set_state(random)
        for buffer, values in buffers:
            buffer._array[...] = values
    if repr(drawn["numpy"]) != repr(random["numpy"]) or _attributes(model) != before:
        raise NotLowerable("forward changes an attribute of a module or draws random numbers")


def _attributes(model: Module) -> list[tuple[int, ...]]:
    return [tuple(map(id, vars(module).values())) for module in model.modules()]


# --- whether two passes are the same ---


def signature(of: Pass) -> list[Any]:
    number = {node: i for i, node in enumerate(of.nodes)}
    rows = len(of.inputs)

    def role(value: Any, maker: Node | None = None) -> Any:
        if isinstance(value, Tensor):
            if maker is not None:
                return "node", number[maker]
            if value is of.inputs:
                return "inputs"
            if _is_of(value, of.targets):
                return "targets"
            if of.weights is not None and _is_of(value, of.weights):
                return "weights"
            if value.ndim == 0:
                return "number", value._array.item()
            return "tensor", id(value)
        if isinstance(value, np.ndarray):
            return _without_rows(value, rows)
        if isinstance(value, tuple):
            return tuple("rows" if i == 0 and v == rows else role(v) for i, v in enumerate(value))
        return "number", value

    def node_signature(node: Node) -> Any:
        roles = [role(t, m) for t, m in zip(node.inputs, node.makers, strict=True)]
        return node.name, roles, None if node.op is None else role(node.op)

    assert of.outputs._node is not None
    return [number.get(of.outputs._node), *map(node_signature, of.nodes)]


def _without_rows(array: Array, rows: int) -> Any:
    """An array's values; one that was repeated for each row counts once."""
    if array.ndim > 1 and len(array) == rows and all(np.array_equal(r, array[0]) for r in array):
        array = array[0]
    return "array", array.shape, array.tobytes()


def _is_of(value: Tensor, given: Tensor) -> bool:
    """Whether a tensor is another one, or a view with all of its values in the same order."""
    a, b = value._array, given._array
    return a.ctypes.data == b.ctypes.data and a.size == b.size and a.flags.c_contiguous


# --- the tape as operations ---


class Lowering:
    """One pass on its way to a program.

    Args:
        model: What the pass went through.
        of: The pass, made on a copy of the model.
        original: The model's tensors, by the `id` of their copies.
        max_rows: The largest batch to come.
        gradients: Where the gradient of a parameter goes, by the parameter's `id`; None: the
            program is for outputs alone.
    """

    def __init__(
        self,
        model: Module,
        of: Pass,
        original: dict[int, Tensor],
        max_rows: int,
        gradients: dict[int, Array] | None,
    ) -> None:
        self.of, self.original = of, original
        self.max_rows, self.gradients = max_rows, gradients
        self.rows = len(of.inputs)
        self.reached = {id(original.get(id(t), t)) for node in of.nodes for t, maker in
                        zip(node.inputs, node.makers, strict=True) if maker is None}  # fmt: skip
        self.kept = [p for p in model.parameters() if id(p) in self.reached
                     and (p.requires_grad or gradients is None)]  # fmt: skip
        self.batch_norms = {id(m.running_mean): m for m in model.modules()
                            if isinstance(m, BatchNorm1d)}  # fmt: skip
        self.dtype = next((p.dtype for p in self.kept), np.dtype(np.float32))
        self.program: Any = (_core.Program32 if self.dtype == np.float32 else _core.Program64)(
            max_rows
        )
        self.ids: dict[Node | None, Any] = {}
        self.uses: dict[Node, int] = {}
        self.affine: tuple[Array, Array, Array] | None = None
        self.norms: list[Tensor] = []
        self.least_rows = 1

    def build(self) -> LoweredModel:
        """The program of model and loss."""
        outputs = self.of.outputs
        forward, root, mean = self._split()
        self._build(forward)
        classes, ignored = self._loss(root)
        if mean is not None:
            self.program.weigh_rows(*mean)
        if outputs._node not in self.ids or self._id(root, 0) != self.ids[outputs._node]:
            raise NotLowerable("the loss is not taken of the model's outputs themselves")
        kind = root.op[1]  # type: ignore[index]
        return LoweredModel(self.program, self.kept, self.norms, classes, ignored,
                            kind.startswith("bce"), outputs.shape[1:], self.affine,
                            self.least_rows)  # fmt: skip

    def build_outputs(self) -> None:
        """Make the program of the model alone."""
        outputs = self.of.outputs
        self._build(self.of.nodes)
        if len(outputs) != self.rows:
            raise NotLowerable("outputs without a row for each sample")
        self.program.give(self.ids[outputs._node])

    def _build(self, forward: list[Node]) -> None:
        """What makes the outputs."""
        if not self.kept or any(p.dtype != self.dtype for p in self.kept):
            raise NotLowerable("there are no parameters of one type to train")
        for p in self.kept:  # in the model's order: norms are summed in it
            self.program.parameter(p._array, self._gradient(p))
        for node in self.of.nodes:
            for maker in node.makers:
                if maker is not None:
                    self.uses[maker] = self.uses.get(maker, 0) + 1
        self.ids[None] = self.program.input(math.prod(self.of.inputs.shape[1:]))
        fused: set[Node] = set()
        for i, node in enumerate(forward):
            if node not in fused:
                self._add(node, forward[i + 1 :], fused)

    def _split(self) -> tuple[list[Node], Node, tuple[float, float] | None]:
        """What makes the outputs, the loss of them, and factor and limit of its weighted mean."""
        *forward, root = self.of.nodes
        if root.op is None or root.op[0] != "weighted_mean":
            return forward, root, None
        given = root.inputs[1] if len(root.inputs) > 1 else None
        weights = self.of.weights
        if (given is None) != (weights is None) or root.makers[0] is not forward[-1]:
            raise NotLowerable("the loss does not weigh the rows alone")
        if given is not None and weights is not None and not _is_of(given, weights):
            raise NotLowerable("the loss does not weigh rows by the weights themselves")
        return forward[:-1], forward[-1], root.op[1:]

    def _add(self, node: Node, later: list[Node], fused: set[Node]) -> None:
        if node.op is None or node.op[0] not in _OPERATIONS:
            raise NotLowerable(f"there is no compiled form of {node.name}")
        name, *options = node.op
        if name == "linear":
            follower = next((n for n in later if node in n.makers), None)
            relu = (self.uses.get(node) == 1 and follower is not None and follower.op is not None
                    and follower.op[:2] == ("activation", "relu"))  # fmt: skip
            self.ids[node] = self._linear(node, relu)
            if relu:
                assert follower is not None
                self.ids[follower] = self.ids[node]
                fused.add(follower)
            return
        self.ids[node] = getattr(self, f"_{name}")(node, *options)

    def _id(self, node: Node, index: int) -> Any:
        """The value that is input `index` of an operation."""
        maker, tensor = node.makers[index], node.inputs[index]
        if maker is None and tensor is not self.of.inputs:
            raise NotLowerable(f"{node.name} of a tensor that is not computed from the inputs")
        if tensor.ndim == 0 or len(tensor) != self.rows:
            raise NotLowerable(f"{node.name} of a tensor without a row for each sample")
        unscaled = self.ids[maker] == self.ids[None] and self.affine is None
        scales = unscaled and node.op is not None and node.op[0] in ("affine", "reshape")
        if tensor.dtype != self.dtype and not scales:
            raise NotLowerable(f"{node.name} of {tensor.dtype} among {self.dtype}")
        return self.ids[maker]

    def _gradient(self, parameter: Tensor) -> Array | None:
        wanted = parameter.requires_grad and self.gradients is not None
        return self.gradients[id(parameter)] if wanted else None  # type: ignore[index]

    def _pair(self, parameter: Tensor | None) -> tuple[Array | None, Array | None]:
        """A parameter's values and gradient."""
        if parameter is None:
            return None, None
        if parameter._node is not None or id(parameter) not in self.original:
            raise NotLowerable("a layer's parameter is not one of the model's")
        parameter = self.original[id(parameter)]
        return parameter._array, self._gradient(parameter)

    # --- one method an operation ---

    def _linear(self, node: Node, relu: bool) -> Any:
        weight, *bias, x = node.inputs
        if x.ndim != 2:
            raise NotLowerable(f"Linear on {x.ndim} dimensions")
        w, b = self._pair(weight), self._pair(bias[0] if bias else None)
        id_of_x = self._id(node, len(node.inputs) - 1)
        return self.program.linear(id_of_x, weight.shape[0], *w, *b, relu)

    def _activation(self, node: Node, kind: str, options: tuple[float, ...]) -> Any:
        return self.program.activation(kind, self._id(node, 0), list(options))

    def _softmax(self, node: Node, classes: int) -> Any:
        return self.program.softmax(self._last_dim(node), classes, False)

    def _log_softmax(self, node: Node, classes: int) -> Any:
        return self.program.softmax(self._last_dim(node), classes, True)

    def _last_dim(self, node: Node) -> Any:
        if node.inputs[0].ndim < 2:
            raise NotLowerable(f"{node.name} along the rows")
        return self._id(node, 0)

    def _dropout(self, node: Node, p: float) -> Any:
        return self.program.dropout(self._id(node, 0), p)

    def _batch_norm(
        self,
        node: Node,
        weight: Tensor | None,
        bias: Tensor | None,
        mean: Tensor | None,
        variance: Tensor | None,
        training: bool,
        momentum: float,
        eps: float,
    ) -> Any:
        if training and self.gradients is None:
            raise NotLowerable("outputs depend on which rows are together in a batch")
        x = node.inputs[-1]
        if training and math.prod(x.shape[2:]) == 1:
            self.least_rows = 2
        mean, variance = (None if t is None else self.original.get(id(t)) for t in (mean, variance))
        moving = [None if t is None else t._array for t in (mean, variance)]
        seen = Tensor.of(np.array(0))
        if training and mean is not None:
            module = self.batch_norms.get(id(mean))
            if module is None:
                raise NotLowerable("batch_norm with running statistics that no BatchNorm1d has")
            seen = module.num_batches_tracked
            momentum = math.nan if module.momentum is None else momentum
        self.norms.append(seen)
        return self.program.batch_norm(
            self._id(node, len(node.inputs) - 1), *self._pair(weight), *self._pair(bias),
            x.shape[1], eps, training, *moving, momentum
        )  # fmt: skip

    def _layer_norm(
        self, node: Node, weight: Tensor | None, bias: Tensor | None, cols: int, eps: float
    ) -> Any:
        x = node.inputs[-1]
        if cols == x._array.size:
            raise NotLowerable("LayerNorm over the rows")
        id_of_x = self._id(node, len(node.inputs) - 1)
        return self.program.layer_norm(id_of_x, *self._pair(weight), *self._pair(bias), cols, eps)

    def _combine(self, node: Node, kind: str) -> Any:
        a, b = node.inputs
        if a.shape != b.shape:
            raise NotLowerable(f"{node.name} of shapes {a.shape} and {b.shape}")
        return self.program.combine(kind, self._id(node, 0), self._id(node, 1))

    def _reshape(self, node: Node, shape: tuple[int, ...]) -> Any:
        if not shape or shape[0] != self.rows:
            raise NotLowerable(f"a view of shape {shape}, without a row for each sample")
        maker = node.makers[0]
        if maker is not None and self.uses[maker] > 1 and self.uses[node] > 1:
            raise NotLowerable("a view beside other uses of its values")  # sums in another order
        return self._id(node, 0)

    def _affine(self, node: Node, shift: Any, divisor: Any, offset: Any) -> Any:
        if self.affine is not None or set(self.ids.values()) != {self.ids[None]}:
            raise NotLowerable(f"{node.name} of something else than the inputs alone")
        self._id(node, 0)
        cols = self.of.inputs._array[0].size
        self.affine = tuple(  # type: ignore[assignment]
            np.ascontiguousarray(np.broadcast_to(np.asarray(v, np.float64), (cols,)))
            for v in (shift, divisor, offset)
        )
        return self.ids[None]

    # --- losses ---

    def _loss(self, node: Node) -> tuple[int, int]:
        if node.op is None or node.op[0] not in ("class_loss", "element_loss"):
            raise NotLowerable(f"there is no compiled form of {node.name} as a loss")
        target = node.op[2]
        if not _is_of(target, self.of.targets) or target.requires_grad:
            raise NotLowerable("the loss is not taken of the targets themselves")
        weighs = node is not self.of.nodes[-1]
        if (node.op[-1] == "none") != weighs or self.of.loss.ndim:
            raise NotLowerable("the loss is not one number")
        make = self._class_loss if node.op[0] == "class_loss" else self._element_loss
        return make(node, *node.op[1:])

    def _class_loss(
        self,
        node: Node,
        kind: str,
        target: Tensor,
        weight: Array | None,
        ignored: int,
        smoothing: float,
        reduction: str,
    ) -> tuple[int, int]:
        x = node.inputs[0]
        if x.ndim != 2:
            raise NotLowerable(f"{node.name} on {x.ndim} dimensions")
        self.program.class_loss(kind, self._id(node, 0), x.shape[1], reduction == "mean", weight,
                                ignored, smoothing)  # fmt: skip
        return (0 if kind == "soft_cross_entropy" else x.shape[1]), ignored

    def _element_loss(
        self,
        node: Node,
        kind: str,
        target: Tensor,
        weight: Array | None,
        pos_weight: Array | None,
        parameter: float,
        reduction: str,
    ) -> tuple[int, int]:
        x = node.inputs[0]
        if target.ndim == 0 or len(target) != self.rows:
            raise NotLowerable("targets without a row for each sample")
        cols = x._array.size // self.rows
        weights = [self._for_all_rows(w, cols) for w in (weight, pos_weight)]
        self.program.element_loss(kind, self._id(node, 0), cols, reduction == "mean", *weights,
                                  parameter)  # fmt: skip
        return 0, 0

    def _for_all_rows(self, weight: Array | None, cols: int) -> Array | None:
        if weight is None:
            return None
        rows = weight.reshape(self.rows, cols)
        if not all(np.array_equal(row, rows[0]) for row in rows):
            raise NotLowerable("weights that differ from row to row")
        return np.ascontiguousarray(np.broadcast_to(rows[0], (self.max_rows, cols)))
