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
from fastnn.errors import *
from fastnn.nn.functional import relu
from fastnn.random import Generator, initial_seed, manual_seed
from fastnn.serialization import load, save
from fastnn.tensor import Tensor
from fastnn.threads import get_num_threads, set_num_threads
from fastnn.trainer import History, Trainer

__version__ = "0.1.0"

__all__ = [
    "FileFormatError", "Generator", "History", "NonFiniteError", "Tensor", "Trainer", "allclose",
    "arange", "argmax", "available_isas", "bool", "callbacks", "cat", "data", "enable_grad",
    "equal", "exp", "float32", "float64", "from_numpy", "get_num_threads", "initial_seed", "int64",
    "is_grad_enabled", "isa", "linspace", "load", "log", "manual_seed", "max", "mean", "nn",
    "no_grad", "ones", "optim", "plot", "rand", "randn", "relu", "save", "set_isa",
    "set_num_threads", "stack", "sum", "tensor", "uint8", "vision", "zeros",
]  # fmt: skip
