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
def gemm(out: Array, a: Array, b: Array) -> None: ...
def linear_forward(
    y: Array, x: Array, w: Array, b: Array | None = None, relu: bool = False
) -> None: ...
def linear_backward_input(dx: Array, dy: Array, w: Array, mask: Array | None = None) -> None: ...
def linear_backward_weight(dw: Array, dy: Array, x: Array) -> None: ...
def column_sum(sum: Array, x: Array) -> None: ...
def relu_forward(y: Array, x: Array) -> None: ...
def relu_backward(dx: Array, dy: Array, y: Array) -> None: ...
def softmax_cross_entropy_forward(
    losses: Array, probabilities: Array, logits: Array, labels: Array
) -> None: ...
def softmax_cross_entropy_backward(
    dlogits: Array, dlosses: Array, probabilities: Array, labels: Array
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
) -> None: ...
def adam(
    w: Array,
    m: Array,
    v: Array,
    grad: Array,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    correction1: float,
    correction2: float,
) -> None: ...
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
