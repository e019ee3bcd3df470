"""The layer that does nothing."""

from __future__ import annotations

from typing import Any

from fastnn.nn.module import Module

__all__ = ["Identity"]


class Identity(Module):
    """`y = x`: takes the place of a layer that is left out (`torch.nn.Identity`).

    Args:
        args: Anything; what the layer it stands for was given.
        kwargs: Anything.

    >>> import fastnn
    >>> fastnn.nn.Identity(54, bias=False)(fastnn.ones(2))
    tensor([1., 1.])
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        """Return the input itself."""
        return input
