"""The C++ core: kernels on NumPy arrays, outputs first."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = np.ndarray[Any, Any]

def isa() -> str:
    """The instruction set the kernels use now."""

def available_isas() -> list[str]:
    """The instruction sets this machine can run, from the slowest to the fastest."""

def set_isa(name: str) -> None:
    """Use the kernels of another instruction set; ValueError lists the valid names."""

def get_num_threads() -> int: ...
def set_num_threads(n: int) -> None: ...
def set_serial_work(work: int) -> int: ...
def raise_in_team(threads: int) -> None: ...
def fma_peak(threads: int, seconds: float = 0.1) -> float: ...
def consists_of(dicts: list[dict[str, Any]], tensors: list[Any], parts: list[Any]) -> bool: ...
def gemm(out: Array, a: Array, b: Array) -> None: ...
def linear_forward(
    y: Array, x: Array, w: Array, b: Array | None = None, relu: bool = False
) -> None: ...
def linear_backward_input(dx: Array, dy: Array, w: Array, mask: Array | None = None) -> None: ...
def linear_backward_weight(dw: Array, dy: Array, x: Array) -> None: ...
def column_sum(sum: Array, x: Array) -> None: ...
def relu_forward(y: Array, x: Array) -> None: ...
def relu_backward(dx: Array, dy: Array, y: Array) -> None: ...
def leaky_relu_forward(y: Array, x: Array, negative_slope: float) -> None: ...
def leaky_relu_backward(dx: Array, dy: Array, x: Array, negative_slope: float) -> None: ...
def elu_forward(y: Array, x: Array, alpha: float) -> None: ...
def elu_backward(dx: Array, dy: Array, x: Array, alpha: float) -> None: ...
def gelu_forward(y: Array, x: Array) -> None: ...
def gelu_backward(dx: Array, dy: Array, x: Array) -> None: ...
def gelu_tanh_forward(y: Array, x: Array) -> None: ...
def gelu_tanh_backward(dx: Array, dy: Array, x: Array) -> None: ...
def silu_forward(y: Array, x: Array) -> None: ...
def silu_backward(dx: Array, dy: Array, x: Array) -> None: ...
def sigmoid_forward(y: Array, x: Array) -> None: ...
def sigmoid_backward(dx: Array, dy: Array, y: Array) -> None: ...
def tanh_forward(y: Array, x: Array) -> None: ...
def tanh_backward(dx: Array, dy: Array, y: Array) -> None: ...
def softplus_forward(y: Array, x: Array, beta: float, threshold: float) -> None: ...
def softplus_backward(dx: Array, dy: Array, x: Array, beta: float, threshold: float) -> None: ...
def softmax_forward(y: Array, x: Array) -> None: ...
def softmax_backward(dx: Array, dy: Array, y: Array) -> None: ...
def log_softmax_forward(y: Array, x: Array) -> None: ...
def log_softmax_backward(dx: Array, dy: Array, y: Array) -> None: ...
def softmax_cross_entropy_forward(
    loss: Array,
    probabilities: Array,
    logits: Array,
    labels: Array,
    reduction: str = "none",
    weight: Array | None = None,
    ignore_index: int = -100,
    smoothing: float = 0.0,
) -> float: ...
def softmax_cross_entropy_backward(
    dlogits: Array,
    dloss: Array,
    probabilities: Array,
    labels: Array,
    divisor: float = 1.0,
    weight: Array | None = None,
    ignore_index: int = -100,
    smoothing: float = 0.0,
) -> None: ...
def soft_cross_entropy_forward(
    loss: Array,
    probabilities: Array,
    logits: Array,
    targets: Array,
    reduction: str = "none",
    weight: Array | None = None,
    smoothing: float = 0.0,
) -> float: ...
def soft_cross_entropy_backward(
    dlogits: Array,
    dloss: Array,
    probabilities: Array,
    targets: Array,
    divisor: float = 1.0,
    weight: Array | None = None,
    smoothing: float = 0.0,
) -> None: ...
def soft_cross_entropy_backward_target(
    dtargets: Array,
    dloss: Array,
    logits: Array,
    divisor: float = 1.0,
    weight: Array | None = None,
    smoothing: float = 0.0,
) -> None: ...
def nll_forward(
    loss: Array,
    x: Array,
    labels: Array,
    reduction: str = "none",
    weight: Array | None = None,
    ignore_index: int = -100,
) -> float: ...
def nll_backward(
    dx: Array,
    dloss: Array,
    labels: Array,
    divisor: float = 1.0,
    weight: Array | None = None,
    ignore_index: int = -100,
) -> None: ...
def element_loss_forward(
    loss: Array,
    kind: str,
    x: Array,
    y: Array,
    weight: Array | None = None,
    pos_weight: Array | None = None,
    parameter: float = 1.0,
    divisor: float | None = None,
) -> None: ...
def element_loss_backward(
    dx: Array | None,
    dy: Array | None,
    dloss: Array,
    kind: str,
    x: Array,
    y: Array,
    weight: Array | None = None,
    pos_weight: Array | None = None,
    parameter: float = 1.0,
    divisor: float = 1.0,
) -> None: ...
def weighted_mean_forward(
    mean: Array, x: Array, weight: Array | None = None, factor: float = 1.0, limit: float = ...
) -> float: ...
def weighted_mean_backward(
    dx: Array, dmean: Array, weight: Array | None = None, divisor: float = 1.0
) -> None: ...
def sgd(
    w: Array,
    velocity: Array | None,
    grad: Array,
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    first: bool,
    maximize: bool = False,
) -> None: ...
def adam(
    w: Array,
    m: Array,
    v: Array,
    v_max: Array | None,
    grad: Array,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    correction1: float,
    correction2: float,
    decoupled: bool = False,
    maximize: bool = False,
) -> None: ...
def adagrad(
    w: Array,
    sum: Array,
    grad: Array,
    rate: float,
    eps: float,
    weight_decay: float,
    maximize: bool = False,
) -> None: ...
def rmsprop(
    w: Array,
    square: Array,
    mean: Array | None,
    velocity: Array | None,
    grad: Array,
    lr: float,
    alpha: float,
    eps: float,
    weight_decay: float,
    momentum: float,
    maximize: bool = False,
) -> None: ...
def squared_norm(x: Array, scale: float = 1.0) -> float: ...
def scale_values(x: Array, factor: float) -> None: ...
def clip_values(x: Array, limit: float) -> None: ...
def l1_gradient(grad: Array, w: Array, l1: float) -> float: ...
def l2_gradient(grad: Array, w: Array, l2: float) -> float: ...
def gather_rows(source: Array, index: Array, divisor: float) -> NDArray[np.float32]: ...
def philox(words: Array, seed: int, draw: int, block: int = 0) -> None: ...
def dropout(y: Array, x: Array, p: float, seed: int, draw: int) -> None: ...
def batch_norm_train(
    y: Array,
    mean: Array,
    variance: Array,
    running_mean: Array | None,
    running_var: Array | None,
    x: Array,
    weight: Array | None,
    bias: Array | None,
    eps: float,
    momentum: float,
) -> None: ...
def batch_norm_forward(
    y: Array,
    x: Array,
    mean: Array,
    variance: Array,
    weight: Array | None,
    bias: Array | None,
    eps: float,
) -> None: ...
def batch_norm_backward(
    dx: Array | None,
    dweight: Array | None,
    dbias: Array | None,
    dy: Array,
    x: Array,
    mean: Array,
    variance: Array,
    weight: Array | None,
    eps: float,
    batch: bool,
) -> None: ...
def layer_norm_forward(
    y: Array,
    mean: Array,
    inverse: Array,
    x: Array,
    weight: Array | None,
    bias: Array | None,
    eps: float,
) -> None: ...
def layer_norm_backward(
    dx: Array | None,
    dweight: Array | None,
    dbias: Array | None,
    dy: Array,
    x: Array,
    mean: Array,
    inverse: Array,
    weight: Array | None,
) -> None: ...

class _Program:
    """A compiled step; `fastnn.training.lowering` and `compiled` are its only users."""

    seen: list[int]
    finite: bool
    def __init__(self, max_rows: int) -> None: ...
    def __getattr__(self, name: str) -> Any: ...

class Program32(_Program): ...
class Program64(_Program): ...
