"""Frozen models: the bits of the model as it was, for any rows."""

import copy
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support import bits, mlp
from test_gradients import CLASSES, FEATURES, LAYERS, Layer, name

import fastnn
from fastnn import nn

RNG = np.random.default_rng(3)
X = RNG.standard_normal((2100, 11)).astype(np.float32)


def eager(model: nn.Module, rows: np.ndarray = X) -> np.ndarray:
    """Outputs in eval mode, with no program."""
    before = model.training
    with fastnn.no_grad():
        outputs = model.eval()(fastnn.from_numpy(rows)).numpy()
    model.train(before)
    return outputs


@pytest.mark.parametrize("layer", LAYERS, ids=name)
def test_layers(layer: Layer, team: int) -> None:
    model = nn.Sequential(nn.Linear(11, FEATURES), layer.make(), nn.Linear(FEATURES, 17),
                          nn.ReLU(), nn.Linear(17, CLASSES))  # fmt: skip
    assert bits(fastnn.freeze(model)(X[:100])) == bits(eager(model, X[:100]))


@pytest.mark.parametrize("rows", [1, 3, 6, 7, 14, 28, 57, 300, 1025, 2049])
def test_numbers_of_rows(rows: int, isa: str, team: int) -> None:
    model = mlp(11, 90, 33, 10)
    assert bits(fastnn.freeze(model)(X[:rows])) == bits(eager(model, X[:rows]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_types_of_weights(dtype: Any, isa: str) -> None:
    model, rows = mlp(11, 40, 12).to(dtype), X.astype(dtype)
    outputs = fastnn.freeze(model)(rows)
    assert outputs.dtype == dtype
    assert bits(outputs) == bits(eager(model, rows))


FORMS = {
    "float64": lambda rows: rows.astype(np.float64),
    "list": lambda rows: rows.tolist(),
    "tensor": fastnn.from_numpy,
    "frame": pd.DataFrame,
    "columns first": np.asfortranarray,
    "big-endian": lambda rows: rows.astype(">f4"),
    "strided": lambda rows: np.repeat(rows, 2, 1)[:, ::2],
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_rows(form: str) -> None:
    model = mlp(11, 20, 10)
    assert bits(fastnn.freeze(model)(FORMS[form](X))) == bits(eager(model))


def test_other_rows_than_before() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 9), nn.ReLU(), nn.Linear(9, 3))
    frozen, rows = fastnn.freeze(model), np.ascontiguousarray(X[:60, :4].reshape(20, 12))
    for shape in (20, 12), (20, 3, 4), (20, 12), (20, 1, 2, 6):
        assert bits(frozen(rows.reshape(shape))) == bits(eager(model, rows))


def test_what_happens_to_the_model_does_not_reach_it() -> None:
    model = mlp(11, 20, 10)
    frozen, expected = fastnn.freeze(model), eager(model)
    frozen(X[:5])
    for parameter in model.parameters():
        parameter.detach().numpy()[...] = 7.0
    model[1].forward = lambda x: x * 0.0
    assert bits(frozen(X)) == bits(expected)
    assert bits(frozen(X[:5])) == bits(expected[:5])
    assert bits(eager(model)) != bits(expected)


def test_it_leaves_the_model_alone() -> None:
    model = nn.Sequential(nn.Linear(11, 20), nn.BatchNorm1d(20), nn.Dropout(), nn.Linear(20, 10))
    before = copy.deepcopy(model.state_dict())
    fastnn.freeze(model)(X)
    assert model.training
    for key, value in model.state_dict().items():
        assert bits(value.numpy()) == bits(before[key].numpy())


class Own(nn.Module):
    """Takes a way that depends on the values."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(11, 10)

    def forward(self, x: Any) -> Any:
        y = self.layer(x)
        return y if y.sum().item() > 0 else -y


def test_a_forward_of_its_own() -> None:
    model = Own()
    frozen = fastnn.freeze(model)
    for rows in X[:40], -X[:40], X[:1]:
        assert bits(frozen(rows)) == bits(eager(model, rows))


def test_another_isa_than_it_was_frozen_under() -> None:
    model = mlp(11, 50, 10)
    frozen = fastnn.freeze(model)
    for _ in range(2):
        for isa in fastnn.available_isas():
            fastnn.set_isa(isa)
            assert bits(frozen(X)) == bits(eager(model)), isa


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda f: pickle.loads(pickle.dumps(f))],
                         ids=["deepcopy", "pickle"])  # fmt: skip
def test_copies(copied: Any) -> None:
    frozen = fastnn.freeze(mlp(11, 20, 10))
    expected = frozen(X)
    assert bits(copied(frozen)(X)) == bits(expected)


@pytest.mark.parametrize(("rows", "error", "words"), [
    (X[:, :5], ValueError, r"expected input of shape \(N, 11\), got \(1024, 5\)"),
    (X[:0], ValueError, "expected at least one row"),
    (X.astype(complex), TypeError, "complex"),
    (np.array([["a"] * 11]), TypeError, "expected"),
    (None, TypeError, "expected"),
], ids=["columns", "none", "complex", "strings", "nothing"])  # fmt: skip
def test_bad_rows(rows: Any, error: type[Exception], words: str) -> None:
    frozen = fastnn.freeze(mlp(11, 20, 10))
    expected = frozen(X[:5])
    with pytest.raises(error, match=words):
        frozen(rows)
    assert bits(frozen(X[:5])) == bits(expected)


@pytest.mark.parametrize("model", [None, nn.ReLU, "model.safetensors", mlp(11, 3).parameters()])
def test_what_is_no_module(model: Any) -> None:
    with pytest.raises(TypeError, match=r"freeze: expected an nn\.Module, got"):
        fastnn.freeze(model)


def test_what_it_shows() -> None:
    assert repr(fastnn.freeze(nn.ReLU())) == "FrozenModel(ReLU())"
