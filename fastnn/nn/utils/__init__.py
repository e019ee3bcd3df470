"""What is done to parameters and gradients beside a step, with PyTorch's names."""

from fastnn.nn.utils.clip_grad import *
from fastnn.nn.utils.convert_parameters import *
from fastnn.nn.utils.penalty import *

__all__ = ["add_l1_grad_", "add_l2_grad_", "clip_grad_norm_", "clip_grad_value_",
           "clip_grads_with_norm_", "get_total_norm", "parameters_to_vector",
           "vector_to_parameters"]  # fmt: skip
