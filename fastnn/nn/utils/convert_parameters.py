"""Parameters as one vector, and back."""

from __future__ import annotations

from typing import Any

from fastnn.autograd import no_grad
from fastnn.functions import cat
from fastnn.nn.utils.parameters import Parameters, tensors
from fastnn.tensor import Tensor, as_array

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def parameters_to_vector(parameters: Parameters) -> Tensor:
    """All values, one parameter after the other (`torch.nn.utils.parameters_to_vector`).

    Args:
        parameters: One tensor or several.

    Returns:
        A vector, on the tape where the parameters are.

    Raises:
        ValueError: if there are no parameters.

    >>> import fastnn
    >>> model = fastnn.nn.Linear(3, 2)
    >>> fastnn.nn.utils.parameters_to_vector(model.parameters()).shape
    (8,)
    """
    listed = tensors("parameters_to_vector", parameters)
    if not listed:
        raise ValueError("parameters_to_vector: expected parameters, got none")
    return cat([p.reshape(-1) for p in listed])


def vector_to_parameters(vec: Any, parameters: Parameters) -> None:
    """Overwrite parameters with the values of a vector (`torch.nn.utils.vector_to_parameters`).

    Args:
        vec: As many values as the parameters have, in their order.
        parameters: One tensor or several.

    Raises:
        ValueError: if `vec` has another size; nothing is changed.

    >>> import fastnn
    >>> model = fastnn.nn.Linear(1, 1)
    >>> fastnn.nn.utils.vector_to_parameters(fastnn.tensor([2.0, 3.0]), model.parameters())
    >>> model.bias.item()
    3.0
    """
    listed, values = tensors("vector_to_parameters", parameters), as_array(vec)
    size = sum(p.numel() for p in listed)
    if values.shape != (size,):
        raise ValueError(f"vector_to_parameters: expected a vector of shape ({size},), "
                         f"got {values.shape}")  # fmt: skip
    start = 0
    with no_grad():
        for p in listed:
            p.copy_(values[start : start + p.numel()].reshape(p.shape))
            start += p.numel()
