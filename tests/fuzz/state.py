"""`load_state_dict` of models and optimizers: all of a state is taken, or nothing changes."""

import io
from random import Random
from typing import Any

import numpy as np

import fastnn
from fastnn import nn, optim
from fuzz import container

ALLOWED = (ValueError, TypeError)  # FileFormatError among them
BLUNT = 0.05
_MAKERS = {  # by what only their files hold
    b"exp_avg": lambda p: optim.Adam(p, lr=0.01, amsgrad=True),
    b"momentum_buffer": lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
    b"param_groups": lambda p: optim.Adagrad(p, lr=0.1),
}


def read(content: bytes) -> tuple[Any, Any]:
    """A model or an optimizer, and the state that it took."""
    value = fastnn.load(io.BytesIO(content))
    owner: Any = _model()
    for word, make in _MAKERS.items():
        if word in content:
            owner = make(owner.parameters())
            break
    _load(owner, value)
    return owner, value


def verify(content: bytes, taken: tuple[Any, Any]) -> str:
    owner, value = taken
    if isinstance(owner, optim.Optimizer):
        return _verify_optimizer(owner)
    for name, tensor in owner.state_dict().items():
        given = np.asarray(value[name])
        if given.dtype.kind == tensor.dtype.kind == "f":
            with np.errstate(over="ignore"):
                expected = given.astype(tensor.dtype)
            assert np.array_equal(np.asarray(tensor), expected, equal_nan=True), name
    return "model"


def _verify_optimizer(optimizer: optim.Optimizer) -> str:
    """What is taken can be saved, taken again, and gone on from."""
    state = optimizer.state_dict()
    optimizer.load_state_dict(fastnn.load(io.BytesIO(container.file(state))))
    assert container.plain(optimizer.state_dict()) == container.plain(state)
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = fastnn.ones(*parameter.shape)
    with np.errstate(all="ignore"):
        optimizer.step()
    return type(optimizer).__name__


def _load(owner: Any, value: Any) -> None:
    """Load a state; if it is refused, all must be as it was."""
    before = container.plain(owner.state_dict())
    try:
        with np.errstate(over="ignore"):
            owner.load_state_dict(value)
    except Exception:
        assert container.plain(owner.state_dict()) == before, "changed by a state it refused"
        raise


def _model() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))


def change(content: bytes, chance: Random) -> bytes:
    return container.change(content, chance, inside=0.9)


def seeds() -> dict[str, bytes]:
    files = {"good-model": container.file(_model().state_dict())}
    for word, make in _MAKERS.items():
        model = _model()
        optimizer = make(model.parameters())
        files["good-fresh-" + word.decode()] = container.file(optimizer.state_dict())
        model(fastnn.ones(3, 2)).sum().backward()
        optimizer.step()
        files["good-" + word.decode()] = container.file(optimizer.state_dict())
    other = nn.Linear(2, 2).state_dict()
    return files | {
        "bad-other-model": container.file(other),
        "bad-no-dict": container.file([1, 2]),
        "bad-no-groups": container.file({"state": {}, "param_groups": []}),
        "bad-state-list": container.file({"state": [], "param_groups": [{"params": [0, 1, 2, 3]}]}),
    }
