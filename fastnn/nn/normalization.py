"""Normalisation as modules."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from fastnn.nn import functional as F
from fastnn.nn import init
from fastnn.nn.module import Module
from fastnn.nn.parameter import Parameter
from fastnn.nn.sizes import checked_shape, new_weights
from fastnn.options import at_least_zero, share, whole
from fastnn.tensor import Tensor, as_tensor

__all__ = ["BatchNorm1d", "LayerNorm"]


class BatchNorm1d(Module):
    """Normalise each channel over the batch (`torch.nn.BatchNorm1d`).

    `y = (x - mean) / sqrt(var + eps) * weight + bias`, with the batch's mean and variance while
    training and the running ones in eval mode. Ioffe and Szegedy, "Batch normalization" (2015).

    Args:
        num_features: The number C of channels.
        eps: Added to the variance.
        momentum: The share of the latest batch in the running statistics; None gives every batch
            seen so far the same share.
        affine: Whether there are `weight`, which starts at 1, and `bias`, which starts at 0.
        track_running_stats: Whether there are running statistics; without them eval mode uses the
            batch's too.
        dtype: float32, float64 or `None`, the default one.
        bias: With False an affine layer has a weight only.

    Raises:
        TypeError: if `num_features` is not an integer, or the dtype another one.
        ValueError: if it or eps is negative, or momentum is not in 0 .. 1; when called, if a shape
            does not fit or a channel has fewer than two values in training.

    >>> import fastnn
    >>> norm = fastnn.nn.BatchNorm1d(2)
    >>> norm(fastnn.tensor([[1.0, 10.0], [3.0, 30.0]]))[:, 0]
    tensor([-1.0000,  1.0000], grad_fn=<index>)
    >>> norm.running_mean
    tensor([0.2000, 2.0000])
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-05,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        dtype: Any = np.float32,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features = whole("BatchNorm1d", "num_features", num_features, 0)
        self.eps = at_least_zero("BatchNorm1d", "eps", eps)
        self.momentum = None if momentum is None else share("BatchNorm1d", "momentum", momentum)
        self.affine, self.track_running_stats = affine, track_running_stats
        new = partial(new_weights, "BatchNorm1d", (self.num_features,), dtype)
        self.weight = Parameter(new()) if affine else None
        self.bias = Parameter(new()) if affine and bias else None
        statistics = {
            "running_mean": new(),
            "running_var": new(),
            "num_batches_tracked": np.array(0, np.int64),
        }
        for name, values in statistics.items():
            if track_running_stats:
                self.register_buffer(name, Tensor.of(values))
            else:
                setattr(self, name, None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Forget what was seen: mean 0, variance 1."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Start anew: weight 1, bias 0, no statistics."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Any) -> Tensor:
        """Map `(N, C)` or `(N, C, L)` to the same shape."""
        x = as_tensor(input)
        if x.ndim not in (2, 3):
            raise ValueError(
                f"BatchNorm1d({self.num_features}): expected input of shape "
                f"(N, {self.num_features}) or (N, {self.num_features}, L), got {x.shape}"
            )
        learns = self.training and self.track_running_stats
        used = learns or not self.training
        y = F.batch_norm(
            x,
            self.running_mean if used else None,
            self.running_var if used else None,
            self.weight,
            self.bias,
            self.training or self.running_mean is None,
            self._share() if learns else 0.0,
            self.eps,
        )
        if learns:  # after what may fail: a refused input changes nothing
            self.num_batches_tracked += 1
        return y

    def _share(self) -> float:
        if self.momentum is not None:
            return self.momentum
        return 1 / (int(self.num_batches_tracked._array) + 1)

    def extra_repr(self) -> str:
        """The options, as PyTorch shows them."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class LayerNorm(Module):
    """Normalise each sample over its last dimensions (`torch.nn.LayerNorm`).

    `y = (x - mean) / sqrt(var + eps) * weight + bias`, the same in training and in eval mode. Ba,
    Kiros and Hinton, "Layer normalization" (2016).

    Args:
        normalized_shape: The sizes of the last dimensions, or the size of the last one.
        eps: Added to the variance.
        elementwise_affine: Whether there are `weight`, which starts at 1, and `bias`, which
            starts at 0, both of shape `normalized_shape`.
        bias: With False there is a weight only.
        dtype: float32, float64 or `None`, the default one.

    Raises:
        TypeError: if the shape is not made of integers, or the dtype another one.
        ValueError: if a size is less than 1; when called, if the input does not end in the shape.

    >>> import fastnn
    >>> fastnn.nn.LayerNorm(2, eps=0.0)(fastnn.tensor([[1.0, 3.0], [8.0, 4.0]])).tolist()
    [[-1.0, 1.0], [1.0, -1.0]]
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-05,
        elementwise_affine: bool = True,
        bias: bool = True,
        dtype: Any = np.float32,
    ) -> None:
        super().__init__()
        self.normalized_shape = checked_shape("LayerNorm", "normalized_shape", normalized_shape)
        self.eps = at_least_zero("LayerNorm", "eps", eps)
        self.elementwise_affine = elementwise_affine
        new = partial(new_weights, "LayerNorm", self.normalized_shape, dtype)
        self.weight = Parameter(new()) if elementwise_affine else None
        self.bias = Parameter(new()) if elementwise_affine and bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start anew: weight 1, bias 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Any) -> Tensor:
        """Map `(*, *normalized_shape)` to the same shape."""
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """The options, as PyTorch shows them."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, "
            f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        )
