"""Activations: their formulas, and a row for each module."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn import nn
from tables.kinds import Array, ModuleCase

# --- formulas: limits written out, and no difference of nearly equal values ---


def relu(x: Array) -> Array:
    return np.where(x < 0, 0.0, x)


def leaky_relu(x: Array, slope: float = 0.01) -> Array:
    return np.where(x > 0, x, slope * x)


def elu(x: Array, alpha: float = 1.0) -> Array:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def sigmoid(x: Array) -> Array:
    e = np.exp(-abs(x))
    return np.where(x < 0, e, 1.0) / (1 + e)


def _times(x: Array, share: Array) -> Array:
    """`x * share`, 0 where the share is, however far x."""
    return np.where(share == 0, 0.0, x) * share


def silu(x: Array) -> Array:
    return _times(x, sigmoid(x))


def silu_slope(x: Array) -> Array:
    return sigmoid(x) + _times(x, sigmoid(x) * sigmoid(-x))


def normal_below(x: Array) -> Array:
    tail = np.array([math.erfc(v) for v in np.ravel(-x / math.sqrt(2))])
    return tail.reshape(np.shape(x)) / 2


def normal_density(x: Array) -> Array:
    return np.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def gelu(x: Array) -> Array:
    return _times(x, normal_below(x))


def gelu_slope(x: Array) -> Array:
    return normal_below(x) + _times(x, normal_density(x))


def _gate(x: Array) -> Array:
    return 2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)


def gelu_tanh(x: Array) -> Array:
    return _times(x, sigmoid(_gate(x)))


def gelu_tanh_slope(x: Array) -> Array:
    s, rate = sigmoid(_gate(x)), 2 * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x**2)
    return s + _times(x * rate, s * sigmoid(-_gate(x)))


def softplus(x: Array, beta: float = 1.0, threshold: float = 20.0) -> Array:
    z = beta * x
    return np.where(z > threshold, x, (np.maximum(z, 0) + np.log1p(np.exp(-abs(z)))) / beta)


def softplus_slope(x: Array, beta: float = 1.0, threshold: float = 20.0) -> Array:
    return np.where(beta * x > threshold, 1.0, sigmoid(beta * x))


def softmax(x: Array, dim: int = -1) -> Array:
    e = np.exp(x - x.max(axis=dim, keepdims=True))
    return e / e.sum(axis=dim, keepdims=True)


def log_softmax(x: Array, dim: int = -1) -> Array:
    x = x - x.max(axis=dim, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=dim, keepdims=True))


# --- the kernels that work element by element ---


def _one(x: Array) -> Any:
    return 1.0


@dataclass(frozen=True)
class Formula:
    """An activation's kernel with its formula.

    Attributes:
        name: Of the kernel.
        value: y of x and the options.
        slope: dy/dx of what the kernel saves, and the options.
        options: What the kernel is told.
        saves: "x" or "y".
        condition: How many times larger than y's own rounding the error of y may be, because x
            was rounded, or a function of it was before it went into `exp`.
        terms: The size of what the slope is a sum of, where that can be larger than the slope.
    """

    name: str
    value: Callable[..., Array]
    slope: Callable[..., Array]
    options: tuple[float, ...] = ()
    saves: str = "x"
    condition: Callable[[Array], Any] = _one
    terms: Callable[[Array], Any] | None = None


FORMULAS = [
    Formula("relu", relu, lambda y: np.where(y > 0, 1.0, 0.0), saves="y"),
    Formula("leaky_relu", leaky_relu, lambda x, slope: np.where(x > 0, 1.0, slope), (0.01,)),
    Formula("leaky_relu", leaky_relu, lambda x, slope: np.where(x > 0, 1.0, slope), (-1.5,)),
    Formula("elu", elu, lambda x, alpha: np.where(x > 0, 1.0, alpha * np.exp(np.minimum(x, 0))),
            (1.0,)),
    Formula("elu", elu, lambda x, alpha: np.where(x > 0, 1.0, alpha * np.exp(np.minimum(x, 0))),
            (-0.7,)),
    Formula("gelu", gelu, gelu_slope, condition=lambda x: 1 + np.minimum(x * x, 1e3),
            terms=lambda x: normal_below(x) + _times(abs(x), normal_density(x))),
    Formula("gelu_tanh", gelu_tanh, gelu_tanh_slope, condition=lambda x: 1 + abs(_gate(x)),
            terms=lambda x: (1 + 2 * abs(_gate(x))) * sigmoid(_gate(x))),
    Formula("silu", silu, silu_slope, terms=lambda x: (1 + abs(x)) * sigmoid(x)),
    Formula("sigmoid", sigmoid, lambda y: y * (1 - y), saves="y"),
    Formula("tanh", np.tanh, lambda y: (1 - y) * (1 + y), saves="y"),
    Formula("softplus", softplus, softplus_slope, (1.0, 20.0)),
    Formula("softplus", softplus, softplus_slope, (4.0, -1.0)),
    Formula("softplus", softplus, softplus_slope, (-0.5, math.inf)),
]  # fmt: skip

# --- modules ---

NOT_FLOATS = (
    ((np.zeros(3, np.int64),), TypeError, r"float32 or float64, got an array of int64.*float\(\)"),
    ((np.zeros(3, bool),), TypeError, r"float32 or float64, got an array of bool"),
    ((np.zeros(3, complex),), TypeError, r"real numbers, got an array of complex128"),
    (("text",), TypeError, r"real numbers, got str 'text'"),
)

ACTIVATIONS = [
    ModuleCase(
        "ReLU",
        make=nn.ReLU,
        inputs=((3, 7),),
        reference=relu,
        repr="ReLU()",
        smooth=False,
        errors=NOT_FLOATS,
    ),
    ModuleCase(
        "ReLU-4d",
        make=lambda: nn.ReLU(inplace=True),
        inputs=((2, 3, 2, 2),),
        reference=relu,
        repr="ReLU(inplace=True)",
        smooth=False,
    ),
    ModuleCase(
        "LeakyReLU",
        make=nn.LeakyReLU,
        inputs=((3, 7),),
        reference=leaky_relu,
        repr="LeakyReLU(negative_slope=0.01)",
        smooth=False,
        errors=NOT_FLOATS,
    ),
    ModuleCase(
        "LeakyReLU-slope",
        make=lambda: nn.LeakyReLU(0.3, inplace=True),
        inputs=((5,),),
        reference=lambda x: leaky_relu(x, 0.3),
        repr="LeakyReLU(negative_slope=0.3, inplace=True)",
        smooth=False,
    ),
    ModuleCase(
        "ELU",
        make=nn.ELU,
        inputs=((3, 7),),
        reference=elu,
        repr="ELU(alpha=1.0)",
        smooth=False,
        errors=NOT_FLOATS,
    ),
    ModuleCase(
        "ELU-alpha",
        make=lambda: nn.ELU(0.5, inplace=True),
        inputs=((2, 2, 5),),
        reference=lambda x: elu(x, 0.5),
        repr="ELU(alpha=0.5, inplace=True)",
        smooth=False,
    ),
    ModuleCase(
        "GELU",
        make=nn.GELU,
        inputs=((3, 7),),
        reference=gelu,
        repr="GELU(approximate='none')",
        errors=NOT_FLOATS,
    ),
    ModuleCase(
        "GELU-tanh",
        make=lambda: nn.GELU("tanh"),
        inputs=((3, 7),),
        reference=gelu_tanh,
        repr="GELU(approximate='tanh')",
        errors=NOT_FLOATS,
    ),
    ModuleCase(
        "SiLU",
        make=nn.SiLU,
        inputs=((3, 7),),
        reference=silu,
        repr="SiLU()",
        errors=NOT_FLOATS,
    ),
    ModuleCase(
        "SiLU-inplace",
        make=lambda: nn.SiLU(inplace=True),
        inputs=((1,),),
        reference=silu,
        repr="SiLU(inplace=True)",
    ),
    ModuleCase(
        "Sigmoid",
        make=nn.Sigmoid,
        inputs=((3, 7),),
        reference=sigmoid,
        repr="Sigmoid()",
        errors=NOT_FLOATS,
    ),
    ModuleCase(
        "Tanh",
        make=nn.Tanh,
        inputs=((3, 7),),
        reference=np.tanh,
        repr="Tanh()",
        errors=NOT_FLOATS,
    ),
    ModuleCase(
        "Softplus",
        make=nn.Softplus,
        inputs=((3, 7),),
        reference=softplus,
        repr="Softplus(beta=1.0, threshold=20.0)",
        errors=NOT_FLOATS,
    ),
    ModuleCase(
        "Softplus-beta",
        make=lambda: nn.Softplus(beta=2.5, threshold=1.5),
        inputs=((3, 7),),
        reference=lambda x: softplus(x, 2.5, 1.5),
        repr="Softplus(beta=2.5, threshold=1.5)",
    ),
    ModuleCase(
        "Softmax",
        make=nn.Softmax,
        inputs=((3, 7),),
        reference=softmax,
        repr="Softmax(dim=None)",
        errors=(
            *NOT_FLOATS,
            ((np.zeros((2, 3, 4)),), ValueError, r"softmax: expected dim .* 3 dimensions; dim=1"),
            ((np.zeros(()),), ValueError, r"softmax: expected dim .* 0 dimensions"),
        ),
    ),
    ModuleCase(
        "Softmax-first",
        make=lambda: nn.Softmax(dim=0),
        inputs=((5, 3),),
        reference=lambda x: softmax(x, 0),
        repr="Softmax(dim=0)",
    ),
    ModuleCase(
        "Softmax-middle",
        make=lambda: nn.Softmax(dim=1),
        inputs=((2, 17, 3),),
        reference=lambda x: softmax(x, 1),
        repr="Softmax(dim=1)",
        errors=(
            ((np.zeros(3),), IndexError, r"softmax: .*dim in -1 \.\. 0 .* 1 dimensions, got 1"),
        ),
    ),
    ModuleCase(
        "LogSoftmax",
        make=nn.LogSoftmax,
        inputs=((19,),),
        reference=log_softmax,
        repr="LogSoftmax(dim=None)",
        errors=(
            *NOT_FLOATS,
            ((np.zeros((2, 3, 4)),), ValueError, r"log_softmax: expected dim .* 3 dimensions"),
        ),
    ),
    ModuleCase(
        "LogSoftmax-last-but-two",
        make=lambda: nn.LogSoftmax(dim=-3),
        inputs=((4, 2, 3),),
        reference=lambda x: log_softmax(x, -3),
        repr="LogSoftmax(dim=-3)",
        errors=(((np.zeros((2, 2)),), IndexError, r"log_softmax: .*dim in -2 \.\. 1 .*, got -3"),),
    ),
]
