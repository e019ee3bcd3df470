"""Train feed-forward networks on a CPU: PyTorch's interface over a fast C++ core.

>>> import fastnn
>>> import fastnn.nn as nn
>>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
>>> model(fastnn.randn(5, 4)).shape
(5, 3)
"""

from builtins import tuple as Size  # what `Tensor.shape` is
from importlib import import_module as _import_module
from math import e, inf, nan, pi
from typing import TYPE_CHECKING

from fastnn import _installed  # isort: skip (before anything loads the core)
from numpy import finfo, iinfo

from fastnn import (
    autograd,
    backends,
    callbacks,
    creation,
    cuda,
    data,
    functions,
    nn,
    optim,
    typed,
    utils,
)
from fastnn._core import available_isas, isa, set_isa
from fastnn.autograd import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
)
from fastnn.creation import *
from fastnn.devices import Device as device
from fastnn.differences import numerical_gradient
from fastnn.errors import *
from fastnn.frozen import FrozenModel, freeze
from fastnn.functions import *
from fastnn.gradcheck import GradcheckReport, gradcheck
from fastnn.missing import refusal as _refusal
from fastnn.nn.functional import log_softmax, relu, sigmoid, softmax, tanh
from fastnn.printing import set_printoptions
from fastnn.random import Generator, initial_seed, manual_seed
from fastnn.serialization import load, load_model, save, save_model
from fastnn.tensor import Tensor
from fastnn.threads import get_num_threads, set_num_threads
from fastnn.trainer import History, Trainer
from fastnn.typed import *

if TYPE_CHECKING:
    from fastnn import plot, report, sklearn, vision

__version__ = "0.1.0"


# plot and vision would be a sixth of the time of `import fastnn`; the others load libraries.
_ON_DEMAND = ("plot", "report", "sklearn", "vision")


def __getattr__(name: str) -> object:
    if name in _ON_DEMAND:
        return _import_module(f"fastnn.{name}")
    raise _refusal("fastnn", name, __all__)


def __dir__() -> list[str]:
    return sorted({*globals(), *_ON_DEMAND})


__all__ = [
    "FileFormatError", "FrozenModel", "Generator", "GradcheckError", "GradcheckReport", "History",
    "NonFiniteError", "Size", "Tensor", "Trainer", "TrainingWarning", "autograd", "available_isas",
    "backends", "callbacks", "cuda", "data", "device", "e", "enable_grad", "finfo", "freeze",
    "get_num_threads", "gradcheck", "iinfo", "inf", "inference_mode", "initial_seed",
    "is_grad_enabled", "isa", "load", "load_model", "log_softmax", "manual_seed", "nan", "nn",
    "no_grad", "numerical_gradient", "optim", "pi", "plot", "relu", "report", "save", "save_model",
    "set_grad_enabled", "set_isa", "set_num_threads", "set_printoptions", "sigmoid", "softmax",
    "tanh", "utils", "vision",
]  # fmt: skip
__all__ += creation.__all__
__all__ += functions.__all__
__all__ += typed.__all__
