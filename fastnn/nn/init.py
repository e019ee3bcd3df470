"""Initial values of parameters (`torch.nn.init`).

Each function overwrites a float32 or float64 tensor and returns it. Draws come from `generator`,
by default from the state that `fastnn.manual_seed` sets.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastnn.autograd import Array, no_grad
from fastnn.options import at_least_zero, number, one_of, share
from fastnn.random import Generator, default_generator
from fastnn.tensor import Tensor

__all__ = ["calculate_gain", "constant_", "eye_", "kaiming_normal_", "kaiming_uniform_",
           "normal_", "ones_", "orthogonal_", "sparse_", "trunc_normal_", "uniform_",
           "xavier_normal_", "xavier_uniform_", "zeros_"]  # fmt: skip

# The factor by which a layer's outputs must be scaled to keep their size through an activation.
_GAINS = {
    **dict.fromkeys(("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d",
                     "conv_transpose2d", "conv_transpose3d", "sigmoid"), 1.0),
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
    "selu": 3 / 4,
}  # fmt: skip


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The gain recommended for an activation (`torch.nn.init.calculate_gain`).

    1 for linear and sigmoid, 5/3 for tanh, `sqrt(2)` for relu, `sqrt(2 / (1 + param^2))` for
    leaky_relu, 3/4 for selu.

    Args:
        nonlinearity: One of these names.
        param: The negative slope of leaky_relu, 0.01 by default.

    Raises:
        ValueError: for another name.
        TypeError: if the slope is not a number.

    >>> calculate_gain("leaky_relu", 1.0)
    1.0
    """
    if nonlinearity in _GAINS:
        return _GAINS[nonlinearity]
    if nonlinearity != "leaky_relu":
        raise ValueError(
            f"calculate_gain: expected one of {', '.join([*_GAINS, 'leaky_relu'])}, "
            f"got {nonlinearity!r}"
        )
    slope = number("calculate_gain", "the slope", 0.01 if param is None else param)
    return math.sqrt(2 / (1 + slope**2))


# --- without a law ---


@no_grad()
def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with one value (`torch.nn.init.constant_`).

    >>> import fastnn
    >>> constant_(fastnn.zeros(2), 0.5)
    tensor([0.5000, 0.5000])
    """
    return tensor.fill_(val)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with 1 (`torch.nn.init.ones_`).

    >>> import fastnn
    >>> ones_(fastnn.zeros(2))
    tensor([1., 1.])
    """
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with 0 (`torch.nn.init.zeros_`).

    >>> import fastnn
    >>> zeros_(fastnn.ones(2))
    tensor([0., 0.])
    """
    return constant_(tensor, 0.0)


@no_grad()
def eye_(tensor: Tensor) -> Tensor:
    """Make a matrix the identity: as many inputs as possible pass (`torch.nn.init.eye_`).

    Raises:
        ValueError: if it is not a matrix.

    >>> import fastnn
    >>> eye_(fastnn.zeros(2, 3)).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """
    rows, cols = _matrix("eye_", tensor)
    return tensor.copy_(np.eye(rows, cols))


# --- uniform and normal ---


@no_grad()
def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill with draws from the uniform distribution on `[a, b)` (`torch.nn.init.uniform_`).

    Raises:
        ValueError: if `a > b`.

    >>> import fastnn
    >>> w = fastnn.nn.init.uniform_(fastnn.zeros(100), -1, 1)
    >>> bool((w.abs() <= 1).all())
    True
    """
    if not a <= b:
        raise ValueError(f"uniform_: expected a <= b, got a={a}, b={b}")
    draws = _stream(generator).random(tensor.shape, dtype=_float_type("uniform_", tensor))
    return tensor.copy_(draws * tensor.dtype.type(b - a) + tensor.dtype.type(a))


@no_grad()
def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill with draws from the normal distribution (`torch.nn.init.normal_`).

    Raises:
        ValueError: if `std` is negative.

    >>> import fastnn
    >>> fastnn.nn.init.normal_(fastnn.zeros(3), mean=5.0, std=0.0)
    tensor([5., 5., 5.])
    """
    at_least_zero("normal_", "std", std, infinite=True)
    dtype = _float_type("normal_", tensor)
    draws = _stream(generator).standard_normal(tensor.shape, dtype=dtype)
    return tensor.copy_(draws * tensor.dtype.type(std) + tensor.dtype.type(mean))


@no_grad()
def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Fill with draws from the normal distribution cut to `[a, b]` (`torch.nn.init.trunc_normal_`).

    Unlike PyTorch's, the law is right however far the interval lies from the mean.

    Args:
        tensor: What to fill.
        mean: Of the normal distribution before the cut.
        std: Its deviation.
        a: The smallest value, not in units of `std`.
        b: The largest value.
        generator: Where the draws come from.

    Raises:
        ValueError: if `a > b`, if `std` is not positive or something is not finite.

    >>> import fastnn
    >>> w = fastnn.nn.init.trunc_normal_(fastnn.zeros(100), std=0.02, a=-0.04, b=0.04)
    >>> bool((w.abs() <= 0.04).all())
    True
    """
    _float_type("trunc_normal_", tensor)
    if not (a <= b and 0 < std < math.inf and math.isfinite(mean)):
        raise ValueError(
            "trunc_normal_: expected a <= b, a finite mean and a finite std > 0, "
            f"got mean={mean}, std={std}, a={a}, b={b}"
        )
    z = _truncated(_stream(generator), (a - mean) / std, (b - mean) / std, tensor.numel())
    # clipped: the sum may be rounded past a bound
    return tensor.copy_(np.clip(z * std + mean, a, b).reshape(tensor.shape))


# --- by the sizes of a layer ---


def xavier_uniform_(
    tensor: Tensor, gain: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill with the uniform distribution on `(-a, a)`, `a = gain sqrt(6 / (fan_in + fan_out))`.

    `torch.nn.init.xavier_uniform_`; Glorot and Bengio, "Understanding the difficulty of training
    deep feedforward neural networks" (2010). The fans are the sizes of a weight `(out, in)`.

    Raises:
        ValueError: if the tensor has fewer than two dimensions.

    >>> import fastnn
    >>> w = fastnn.nn.init.xavier_uniform_(fastnn.zeros(2, 4))
    >>> bool((w.abs() <= 1).all())
    True
    """
    bound = math.sqrt(3) * _xavier_std("xavier_uniform_", tensor, gain)
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with the normal distribution of deviation `gain sqrt(2 / (fan_in + fan_out))`.

    `torch.nn.init.xavier_normal_`; Glorot and Bengio (2010). The fans are the sizes of a weight
    `(out, in)`.

    Raises:
        ValueError: if the tensor has fewer than two dimensions.

    >>> import fastnn
    >>> fastnn.nn.init.xavier_normal_(fastnn.zeros(2, 4)).shape
    (2, 4)
    """
    return normal_(tensor, 0.0, _xavier_std("xavier_normal_", tensor, gain), generator)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill with the uniform distribution on `(-b, b)`, `b = gain sqrt(3 / fan)`.

    `torch.nn.init.kaiming_uniform_`; He, Zhang, Ren and Sun, "Delving deep into rectifiers" (2015).

    Args:
        tensor: A weight `(out, in)`.
        a: The negative slope of the leaky_relu that follows.
        mode: "fan_in" keeps the size of what goes forward, "fan_out" that of the gradients.
        nonlinearity: What follows; see `calculate_gain`.
        generator: Where the draws come from.

    Raises:
        ValueError: for another mode or nonlinearity, or fewer than two dimensions.

    >>> import fastnn
    >>> w = fastnn.nn.init.kaiming_uniform_(fastnn.zeros(3, 6), nonlinearity="relu")
    >>> bool((w.abs() <= 1).all())
    True
    """
    bound = math.sqrt(3) * _kaiming_std("kaiming_uniform_", tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill with the normal distribution of deviation `gain / sqrt(fan)`.

    `torch.nn.init.kaiming_normal_`; He et al. (2015). Arguments and errors as of
    `kaiming_uniform_`.

    >>> import fastnn
    >>> fastnn.nn.init.kaiming_normal_(fastnn.zeros(3, 6), nonlinearity="relu").shape
    (3, 6)
    """
    std = _kaiming_std("kaiming_normal_", tensor, a, mode, nonlinearity)
    return normal_(tensor, 0.0, std, generator)


# --- whole matrices ---


@no_grad()
def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """Fill with a random matrix whose rows (or columns, the fewer) are orthonormal, times `gain`.

    `torch.nn.init.orthogonal_`; Saxe, McClelland and Ganguli, "Exact solutions to the nonlinear
    dynamics of learning" (2013). Dimensions after the first count as one.

    Raises:
        ValueError: if the tensor has fewer than two dimensions.

    >>> import fastnn
    >>> w = fastnn.nn.init.orthogonal_(fastnn.zeros(2, 5))
    >>> fastnn.allclose(w @ w.T, [[1, 0], [0, 1]], atol=1e-6)
    True
    """
    _float_type("orthogonal_", tensor)
    if tensor.ndim < 2:
        raise ValueError(f"orthogonal_: expected at least 2 dimensions, got shape {tensor.shape}")
    rows = tensor.shape[0]
    cols = math.prod(tensor.shape[1:])
    draws = _stream(generator).standard_normal((max(rows, cols), min(rows, cols)))
    q, r = np.linalg.qr(draws)
    q *= np.copysign(1.0, np.diag(r))  # else the signs, and so the law, would be LAPACK's choice
    return tensor.copy_(gain * (q.T if rows < cols else q).reshape(tensor.shape))


@no_grad()
def sparse_(
    tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None
) -> Tensor:
    """Fill with normal draws, and with 0 at random in each column (`torch.nn.init.sparse_`).

    Martens, "Deep learning via Hessian-free optimization" (2010).

    Args:
        tensor: A matrix.
        sparsity: The share of zeros in each column, rounded up to whole elements.
        std: Deviation of the others.
        generator: Where the draws come from.

    Raises:
        ValueError: if the tensor is not a matrix, or the share not in [0, 1].

    >>> import fastnn
    >>> w = fastnn.nn.init.sparse_(fastnn.zeros(4, 3), sparsity=0.5)
    >>> (w == 0).sum(0).tolist()
    [2, 2, 2]
    """
    rows, cols = _matrix("sparse_", tensor)
    share("sparse_", "sparsity", sparsity)
    normal_(tensor, 0.0, std, generator)
    order = _stream(generator).random((rows, cols)).argsort(axis=0)
    values = tensor._array.copy()
    np.put_along_axis(values, order[: math.ceil(sparsity * rows)], 0, axis=0)
    return tensor.copy_(values)


# --- helpers ---


def _stream(generator: Generator | None) -> np.random.Generator:
    if generator is None:
        return default_generator.numpy
    if not isinstance(generator, Generator):
        raise TypeError(f"init: expected generator to be a fastnn.Generator, got {generator!r}")
    return generator.numpy


def _float_type(who: str, tensor: Tensor) -> Any:
    if not isinstance(tensor, Tensor) or tensor.dtype.kind != "f":
        got = tensor.dtype if isinstance(tensor, Tensor) else type(tensor).__name__
        raise TypeError(f"{who}: expected a tensor of float32 or float64, got {got}")
    return tensor.dtype


def _matrix(who: str, tensor: Tensor) -> tuple[int, int]:
    _float_type(who, tensor)
    if tensor.ndim != 2:
        raise ValueError(f"{who}: expected a matrix, got shape {tensor.shape}")
    return tensor.shape[0], tensor.shape[1]


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """`(fan_in, fan_out)`, under the name that layers written after PyTorch's Linear call."""
    return _fans("fan_in and fan_out", tensor)


def _fans(who: str, tensor: Tensor) -> tuple[int, int]:
    """Inputs of an output and outputs of an input of a weight `(out, in, *)`."""
    _float_type(who, tensor)
    if tensor.ndim < 2:
        raise ValueError(
            f"{who}: expected a weight of shape (out, in), got shape {tensor.shape}; "
            "a bias has no fans, see zeros_ or uniform_"
        )
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def _xavier_std(who: str, tensor: Tensor, gain: float) -> float:
    return gain * math.sqrt(2 / max(sum(_fans(who, tensor)), 1))


def _kaiming_std(who: str, tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    fans = dict(zip(("fan_in", "fan_out"), _fans(who, tensor), strict=True))
    fan = fans[one_of(who, "mode", mode, *fans)]
    return calculate_gain(nonlinearity, a) / math.sqrt(max(fan, 1))


def _truncated(rng: np.random.Generator, low: float, high: float, n: int) -> Array:
    """`n` draws from the standard normal distribution cut to `[low, high]`, by rejection."""
    top = min(max(low, 0.0), high)  # where the density is highest
    if low == high or abs(top) > 1e8:  # so far out all of the law lies at the bound
        return np.full(n, top)
    if math.erf(high / math.sqrt(2)) - math.erf(low / math.sqrt(2)) > 0.5:
        return _accepted(rng.standard_normal, lambda z: (z >= low) & (z <= high), n)
    # Little of the law lies there: uniform draws, each kept by its density against the highest.
    # Past 80 in the exponent (1e-35 of it) the tail is left out.
    reach = math.sqrt(top**2 + 80)
    low, high = max(low, -reach), min(high, reach)

    def keep(z: Array) -> Array:
        return rng.random(z.size) < np.exp((top**2 - z**2) / 2)

    return _accepted(lambda size: rng.uniform(low, high, size), keep, n)


def _accepted(draw: Any, keep: Any, n: int) -> Array:
    """The first `n` of the draws that are kept."""
    kept = np.empty(0)
    while kept.size < n:
        z = draw(2 * (n - kept.size) + 8)
        kept = np.concatenate([kept, z[keep(z)]])
    return kept[:n]
