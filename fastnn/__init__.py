"""Train feed-forward networks on a CPU: PyTorch's interface over a fast C++ core.

>>> import fastnn
>>> import fastnn.nn as nn
>>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
>>> model(fastnn.randn(5, 4)).shape
(5, 3)
"""

from fastnn import _openmp  # isort: skip (before anything loads the core)
from fastnn import callbacks, data, nn, optim, plot, vision
from fastnn._core import available_isas, isa, set_isa
from fastnn.autograd import enable_grad, is_grad_enabled, no_grad
from fastnn.creation import *
from fastnn.differences import numerical_gradient
from fastnn.errors import *
from fastnn.gradcheck import GradcheckReport, gradcheck
from fastnn.nn.functional import log_softmax, relu, sigmoid, softmax, tanh
from fastnn.random import Generator, initial_seed, manual_seed
from fastnn.serialization import load, load_model, save, save_model
from fastnn.tensor import Tensor
from fastnn.threads import get_num_threads, set_num_threads
from fastnn.trainer import History, Trainer

__version__ = "0.1.0"

__all__ = [
    "FileFormatError", "Generator", "GradcheckError", "GradcheckReport", "History",
    "NonFiniteError", "Tensor", "Trainer", "allclose", "arange", "argmax", "available_isas",
    "bool", "callbacks", "cat", "data", "enable_grad", "equal", "exp", "float32", "float64",
    "from_numpy", "get_num_threads", "gradcheck", "initial_seed", "int64", "is_grad_enabled",
    "isa", "linspace", "load", "load_model", "log", "log_softmax", "manual_seed", "max", "mean",
    "nn", "no_grad", "numerical_gradient", "ones", "optim", "plot", "rand", "randn", "relu",
    "save", "save_model", "set_isa", "set_num_threads", "sigmoid", "softmax", "stack", "sum",
    "tanh", "tensor", "uint8", "vision", "zeros",
]  # fmt: skip
