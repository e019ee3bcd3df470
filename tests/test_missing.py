"""Names that are not here: errors that say what is nearest, and tools that ask quietly."""

import copy
import inspect
import pickle
from typing import Any

import pytest
from support import run_python

import fastnn
from fastnn import nn, optim
from fastnn.missing import _NEAREST
from fastnn.nn import functional as F


@pytest.mark.parametrize(("owner", "name", "pattern"), [
    (fastnn, "cuda_is_fast", "fastnn has no attribute 'cuda_is_fast'"),
    (fastnn, "einsum", "use @, matmul"),
    (fastnn, "compile", "fastnn.Trainer"),
    (fastnn, "jit", "fastnn.Trainer"),
    (fastnn, "bfloat16", r"\.float\(\) or \.double\(\)"),
    (fastnn, "distributed", "set_num_threads"),
    (fastnn, "zeros_lik", "did you mean zeros_like"),
    (nn, "Conv2d", r"fastnn\.nn has no attribute 'Conv2d': .*nn\.Flatten and nn\.Linear"),
    (nn, "MaxPool2d", "nn.Flatten"),
    (nn, "BatchNorm2d", "nn.BatchNorm1d"),
    (nn, "LSTM", "nn.Linear on inputs of a fixed size"),
    (nn, "TransformerEncoder", "feed-forward"),
    (nn, "Embedding", "one-hot"),
    (nn, "Linaer", "did you mean Linear"),
    (F, "conv2d", "nn.Flatten"),
    (F, "normalize", r"x\.norm\(dim=1, keepdim=True\)"),
    (nn, "KLDivLoss", "soft labels"),
    (nn, "PReLU", "see nn.LeakyReLU"),
    (fastnn.autograd, "Function", "write forward with tensor operations"),
    (fastnn.vision.transforms, "RandomHorizontalFlip", r"transforms\.Lambda"),
    (F, "cross_entorpy", "did you mean cross_entropy"),
    (optim, "LBFGS", "optim.Adam"),
    (optim, "Adm", "did you mean Adam"),
    (optim.lr_scheduler, "CyclicLR", "see OneCycleLR"),
    (optim.lr_scheduler, "StepLr", "did you mean StepLR"),
    (fastnn.ones(1), "cuda", "runs on the CPU"),
    (fastnn.ones(1), "half", r"\.float\(\)"),
    (fastnn.ones(1), "register_hook", "hooks are not here.*retain_grad"),
    (fastnn.ones(1), "unsqeeze", "did you mean unsqueeze"),
    (nn.ReLU(), "register_forward_hook", "ReLU has no attribute .*hooks are not here"),
    (nn.ReLU(), "cuda", "runs on the CPU"),
    (nn.Linear(1, 1), "wieght", "did you mean weight"),
])  # fmt: skip
def test_the_nearest_thing_is_named(owner: Any, name: str, pattern: str) -> None:
    with pytest.raises(AttributeError, match=pattern):
        getattr(owner, name)
    assert not hasattr(owner, name)


def test_advice_is_for_names_that_are_not_there() -> None:
    """What comes to be here must leave the table."""
    for name in _NEAREST:
        if not name.endswith("*") and name not in ("cuda", "data", "norm"):  # a module; no method
            for owner in (fastnn, nn, F, optim, optim.lr_scheduler):
                assert not hasattr(owner, name), name


def test_python_asks_quietly() -> None:
    x = fastnn.ones(2, 2)
    for owner in (x, nn.Linear(1, 1), fastnn, nn, F, optim):
        assert not hasattr(owner, "__wrapped__")
        with pytest.raises(AttributeError, match=r"has no attribute '__lenn__'$"):
            owner.__lenn__  # noqa: B018
    assert copy.copy(x).tolist() == [[1, 1], [1, 1]]
    assert pickle.loads(pickle.dumps(x)).tolist() == [[1, 1], [1, 1]]
    assert inspect.getmembers(x)
    assert inspect.getmembers(nn.Linear(1, 1))
    assert "weight" in dir(nn.Linear(1, 1))
    assert inspect.unwrap(nn.Linear) is nn.Linear


@pytest.mark.parametrize(("statement", "pattern"), [
    ("from fastnn.nn import Conv2d", r"fastnn\.nn has no attribute 'Conv2d': .*nn\.Flatten"),
    ("from fastnn import einsum, nn", "use @, matmul"),
    ("from fastnn.optim.lr_scheduler import StepLR, CyclicLR", "see OneCycleLR"),
    ("from fastnn.nn.functional import cross_entorpy", "did you mean cross_entropy"),
])  # fmt: skip
def test_an_import_names_the_nearest_thing_too(statement: str, pattern: str) -> None:
    with pytest.raises(ImportError, match=pattern):
        exec(statement)


def test_an_import_finds_modules_that_nothing_has_loaded() -> None:
    run = run_python("from fastnn import cli; from fastnn.vision import images; "
                     "print(cli.__name__, images.__name__)")  # fmt: skip
    assert run.stdout.split() == ["fastnn.cli", "fastnn.vision.images"], run.stderr
