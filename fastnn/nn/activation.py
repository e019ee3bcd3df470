"""Activations as modules."""

from __future__ import annotations

from typing import Any

from fastnn.nn import functional as F
from fastnn.nn.module import Module
from fastnn.tensor import Tensor

__all__ = ["ELU", "GELU", "LeakyReLU", "LogSoftmax", "ReLU", "SiLU", "Sigmoid", "Softmax",
           "Softplus", "Tanh"]  # fmt: skip


def _inplace(module: Any, *before: str) -> str:
    """What stands in the brackets of a module that has PyTorch's `inplace`."""
    return ", ".join([*before, "inplace=True"] if module.inplace else before)


class ReLU(Module):
    """`max(x, 0)`, element by element (`torch.nn.ReLU`). One object may be used many times.

    Args:
        inplace: Accepted for PyTorch's sake; the output is always a new tensor.

    >>> import fastnn
    >>> fastnn.nn.ReLU()(fastnn.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Any) -> Tensor:
        """Map any shape to the same shape."""
        return F.relu(input)

    def extra_repr(self) -> str:
        """`inplace` where it is set."""
        return _inplace(self)


class LeakyReLU(Module):
    """`x` where it is positive, else `negative_slope * x` (`torch.nn.LeakyReLU`).

    Args:
        negative_slope: The slope left of 0, and the gradient at 0.
        inplace: Accepted for PyTorch's sake; the output is always a new tensor.

    Raises:
        TypeError: if the slope is not a number, when called.

    >>> import fastnn
    >>> fastnn.nn.LeakyReLU(0.1)(fastnn.tensor([-1.0, 2.0]))
    tensor([-0.1000,  2.0000])
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope, self.inplace = negative_slope, inplace

    def forward(self, input: Any) -> Tensor:
        """Map any shape to the same shape."""
        return F.leaky_relu(input, self.negative_slope)

    def extra_repr(self) -> str:
        """The slope."""
        return _inplace(self, f"negative_slope={self.negative_slope}")


class ELU(Module):
    """`x` where it is positive, else `alpha * (exp(x) - 1)` (`torch.nn.ELU`).

    Args:
        alpha: Minus the limit far left of 0, and the gradient at 0.
        inplace: Accepted for PyTorch's sake; the output is always a new tensor.

    Raises:
        TypeError: if `alpha` is not a number, when called.

    >>> import fastnn
    >>> fastnn.nn.ELU()(fastnn.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.0000])
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha, self.inplace = alpha, inplace

    def forward(self, input: Any) -> Tensor:
        """Map any shape to the same shape."""
        return F.elu(input, self.alpha)

    def extra_repr(self) -> str:
        """`alpha`."""
        return _inplace(self, f"alpha={self.alpha}")


class GELU(Module):
    """`x * P(X <= x)` with X normally distributed (`torch.nn.GELU`).

    Args:
        approximate: "none", or "tanh" for `0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))`.

    Raises:
        ValueError: for another approximation, when called.

    >>> import fastnn
    >>> fastnn.nn.GELU()(fastnn.tensor([-1.0, 2.0]))
    tensor([-0.1587,  1.9545])
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Any) -> Tensor:
        """Map any shape to the same shape."""
        return F.gelu(input, self.approximate)

    def extra_repr(self) -> str:
        """The approximation."""
        return f"approximate={self.approximate!r}"


class SiLU(Module):
    """`x / (1 + exp(-x))`, also called swish (`torch.nn.SiLU`).

    Args:
        inplace: Accepted for PyTorch's sake; the output is always a new tensor.

    >>> import fastnn
    >>> fastnn.nn.SiLU()(fastnn.tensor([-1.0, 2.0]))
    tensor([-0.2689,  1.7616])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Any) -> Tensor:
        """Map any shape to the same shape."""
        return F.silu(input)

    def extra_repr(self) -> str:
        """`inplace` where it is set."""
        return _inplace(self)


class Sigmoid(Module):
    """`1 / (1 + exp(-x))`, element by element (`torch.nn.Sigmoid`).

    >>> import fastnn
    >>> fastnn.nn.Sigmoid()(fastnn.tensor([0.0, 2.0]))
    tensor([0.5000, 0.8808])
    """

    def forward(self, input: Any) -> Tensor:
        """Map any shape to the same shape."""
        return F.sigmoid(input)


class Tanh(Module):
    """The hyperbolic tangent, element by element (`torch.nn.Tanh`).

    >>> import fastnn
    >>> fastnn.nn.Tanh()(fastnn.tensor([0.0, 2.0]))
    tensor([0.0000, 0.9640])
    """

    def forward(self, input: Any) -> Tensor:
        """Map any shape to the same shape."""
        return F.tanh(input)


class Softplus(Module):
    """`log(1 + exp(beta x)) / beta`, `x` where `beta x > threshold` (`torch.nn.Softplus`).

    Args:
        beta: How sharply it bends; not 0.
        threshold: Where the straight line begins.

    Raises:
        TypeError: if an option is not a number, when called.
        ValueError: if `beta` is 0 or not finite, or `threshold` is NaN, when called.

    >>> import fastnn
    >>> fastnn.nn.Softplus()(fastnn.tensor([0.0, 30.0]))
    tensor([ 0.6931, 30.0000])
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta, self.threshold = beta, threshold

    def forward(self, input: Any) -> Tensor:
        """Map any shape to the same shape."""
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        """The two options."""
        return f"beta={self.beta}, threshold={self.threshold}"


class Softmax(Module):
    """`y_i = exp(x_i) / sum_j exp(x_j)` along a dimension (`torch.nn.Softmax`).

    A model that `CrossEntropyLoss` trains needs none: that loss takes the logits.

    Args:
        dim: The dimension whose values add up to 1. It may be left out for inputs of 1 or 2
            dimensions: it is the last one then, the classes of a batch.

    Raises:
        ValueError: if `dim` is left out for another input, when called.
        IndexError: if the input has no such dimension, when called.

    >>> import fastnn
    >>> fastnn.nn.Softmax(dim=1)(fastnn.tensor([[0.0, 0.0], [0.0, 1.0]]))
    tensor([[0.5000, 0.5000],
            [0.2689, 0.7311]])
    """

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Any) -> Tensor:
        """Map any shape to the same shape."""
        return F.softmax(input, self.dim)

    def extra_repr(self) -> str:
        """The dimension."""
        return f"dim={self.dim}"


class LogSoftmax(Module):
    """`y_i = x_i - log(sum_j exp(x_j))` along a dimension (`torch.nn.LogSoftmax`).

    Args:
        dim: The dimension whose values add up to 1 after `exp`. It may be left out for inputs of
            1 or 2 dimensions: it is the last one then, the classes of a batch.

    Raises:
        ValueError: if `dim` is left out for another input, when called.
        IndexError: if the input has no such dimension, when called.

    >>> import fastnn
    >>> fastnn.nn.LogSoftmax(dim=0)(fastnn.tensor([0.0, 1000.0]))
    tensor([-1000.,     0.])
    """

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Any) -> Tensor:
        """Map any shape to the same shape."""
        return F.log_softmax(input, self.dim)

    def extra_repr(self) -> str:
        """The dimension."""
        return f"dim={self.dim}"
