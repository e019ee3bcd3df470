"""Predictions of the compiled form against the eager one, bit for bit, whatever a model becomes."""

import pickle
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support import bits, mlp
from test_gradients import CLASSES, FEATURES, LAYERS, Layer, name

import fastnn
from fastnn import Trainer, nn, optim
from fastnn.training.inference import Predictor

RNG = np.random.default_rng(7)
X = RNG.standard_normal((2100, 11)).astype(np.float32)


def trainer_of(model: nn.Module, compile: str | bool = "auto") -> Trainer:
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    return Trainer(model, nn.CrossEntropyLoss(), optimizer, compile=compile)


def check(model: nn.Module, rows: np.ndarray = X, compiled: bool = True) -> np.ndarray:
    """Both forms give the same; and it is the compiled one that answers, or not."""
    predictor = Predictor(model)
    got = predictor(rows)
    assert (got is not None) == compiled
    expected = trainer_of(model, compile=False).predict(rows)
    outputs = trainer_of(model).predict(rows)
    assert bits(outputs) == bits(expected)
    assert got is None or bits(got) == bits(expected)
    return outputs


@pytest.mark.parametrize("layer", LAYERS, ids=name)
def test_layers(layer: Layer, team: int) -> None:
    model = nn.Sequential(nn.Linear(11, FEATURES), layer.make(), nn.Linear(FEATURES, 17),
                          nn.ReLU(), nn.Linear(17, CLASSES))  # fmt: skip
    # without running statistics the outputs depend on which rows are a batch
    check(model, compiled=getattr(model[1], "track_running_stats", True))


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 511, 1023, 1024, 1025, 2049])
def test_numbers_of_rows(rows: int, isa: str, team: int) -> None:
    model = mlp(11, 40, 33, 10)
    whole = check(model, X[:rows])
    parts = [trainer_of(model).predict(part) for part in np.array_split(X[:rows], 3) if len(part)]
    assert bits(whole) == bits(np.concatenate(parts))


ODD_MODELS: dict[str, tuple[Callable[[], nn.Module], np.ndarray]] = {
    "float64": (lambda: mlp(11, 20, 3).double(), X.astype(np.float64)),
    "images": (lambda: nn.Sequential(nn.Flatten(), mlp(12, 5, 3)), X[:60, :4].reshape(5, 1, 12, 4)
               [:, :, :3]),
    "nothing in the middle": (lambda: mlp(11, 0, 3), X),
    "one layer": (lambda: nn.Linear(11, 2), X),
    "frozen": (lambda: mlp(11, 20, 3).requires_grad_(False), X),
    "strided": (lambda: mlp(11, 20, 3), X[::-3]),
    "misaligned": (lambda: mlp(11, 20, 3), np.frombuffer(b"." + X.tobytes(), np.float32, X.size, 1)
                   .reshape(X.shape)),
    "columns first": (lambda: mlp(11, 20, 3), np.asfortranarray(X)),
    "batch norm": (lambda: nn.Sequential(nn.Linear(11, 6), nn.BatchNorm1d(6), nn.ReLU(),
                                         nn.Dropout(), nn.Linear(6, 3)), X),
}  # fmt: skip


@pytest.mark.parametrize("key", ODD_MODELS)
def test_odd_models_and_rows(key: str) -> None:
    make, rows = ODD_MODELS[key]
    check(make(), rows)


class Own(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.scale = nn.Linear(11, 3), {"by": 1.0}

    def forward(self, x: Any) -> Any:
        return self.layer(x) * self.scale["by"]


def patched() -> nn.Module:
    model, scale = nn.Sequential(nn.Linear(11, 3), nn.ReLU()), Own().scale
    model[1].forward = lambda x: nn.functional.relu(x) if scale["by"] else x
    return model


LEFT_TO_FORWARD: dict[str, tuple[Callable[[], nn.Module], np.ndarray]] = {
    "a forward of one's own": (Own, X),
    "one within": (lambda: nn.Sequential(Own(), nn.ReLU()), X),
    "one put on a layer": (patched, X),
    "no outputs": (lambda: mlp(11, 4, 0), X),
    "rows of another type": (lambda: mlp(11, 3), X.astype(np.float64)),
    "whole numbers": (lambda: mlp(11, 3), np.arange(22).reshape(2, 11)),
    "big-endian rows": (lambda: mlp(11, 3), X.astype(">f4")),
    "no parameters": (lambda: nn.Sequential(nn.Linear(11, 3), nn.ReLU())[1], X),
}


@pytest.mark.parametrize("key", LEFT_TO_FORWARD)
def test_what_is_left_to_forward(key: str) -> None:
    make, rows = LEFT_TO_FORWARD[key]
    model = make()
    predictor = Predictor(model)
    assert predictor(rows) is None
    if list(model.parameters()):
        check(model, rows, compiled=False)


def _train(model: nn.Sequential) -> None:
    trainer_of(model).fit((X, RNG.integers(0, 3, len(X))), epochs=1, verbose=0)


def _write(model: nn.Sequential) -> None:
    model[0].weight.detach().numpy()[0] = 7.0


def _parameter(model: nn.Sequential) -> None:
    model[0].bias = nn.Parameter(np.ones(20, np.float32))


def _slope(model: nn.Sequential) -> None:
    model[1].negative_slope = 0.9


def _forward(model: nn.Sequential) -> None:
    model[1].forward = lambda x: x * 0.0


CHANGES: dict[str, Callable[[nn.Sequential], Any]] = {
    "training": _train,
    "a value": _write,
    "a state": lambda m: m.load_state_dict({k: v * 2 for k, v in m.state_dict().items()}),
    "another parameter": _parameter,
    "another block of memory": lambda m: setattr(m[0].weight, "data", m[0].weight.data + 1),
    "an option": _slope,
    "a layer replaced": lambda m: m.__setitem__(1, nn.Tanh()),
    "a layer more": lambda m: m.append(nn.Sigmoid()),
    "a layer less": lambda m: m.__delitem__(1),
    "statistics": lambda m: m[2].running_mean.numpy().fill(3.0),
    "other statistics": lambda m: setattr(m[2], "running_mean", fastnn.ones(20)),
    "a forward of its own": _forward,
}


@pytest.mark.parametrize("key", CHANGES)
@pytest.mark.parametrize("mode", [True, False], ids=["train", "eval"])
def test_a_model_that_changes(key: str, mode: bool) -> None:
    model = nn.Sequential(nn.Linear(11, 20), nn.LeakyReLU(), nn.BatchNorm1d(20), nn.Linear(20, 3))
    trainer = trainer_of(model.train(mode))
    before = trainer.predict(X)
    assert model.training is mode
    CHANGES[key](model)
    after = trainer.predict(X)
    assert bits(after) == bits(trainer_of(model, compile=False).predict(X))
    assert bits(after) != bits(before)
    assert bits(trainer.predict(X[:5])) == bits(after[:5])


def test_few_rows_are_not_of_the_weights_that_many_were_of() -> None:
    model = mlp(11, 20, 10)
    trainer = trainer_of(model)
    before = trainer.predict(X)
    _write(model)
    after = trainer.predict(X[:5])
    assert bits(after) != bits(before[:5])
    assert bits(after) == bits(trainer_of(model, compile=False).predict(X[:5]))


def test_a_mode_is_no_change() -> None:
    model = nn.Sequential(nn.Linear(11, 20), nn.Dropout(), nn.Linear(20, 3))
    predictor = Predictor(model)
    before, made = predictor(X), predictor._made
    model.eval()
    assert bits(predictor(X)) == bits(before)
    assert predictor._made is made


def test_other_rows_after_wrong_ones() -> None:
    model = mlp(11, 3)
    predictor = Predictor(model)
    assert predictor(X[:, :5]) is None
    assert predictor(X) is not None
    with pytest.raises(ValueError, match=r"expected input of shape \(N, 11\), got \(1024, 5\)"):
        trainer_of(model).predict(X[:, :5])


@pytest.mark.parametrize("made", [lambda model: trainer_of(model).predict, fastnn.freeze],
                         ids=["trainer", "frozen"])  # fmt: skip
def test_many_threads_on_one_model(made: Callable[[nn.Module], Any]) -> None:
    model = mlp(11, 40, 33, 10)
    predict = made(model)
    sizes = [1, 2, 100, 257, 1500]
    expected = [bits(trainer_of(model, compile=False).predict(X[:n])) for n in sizes]
    wrong: list[int] = []

    def work() -> None:
        for i in range(50):
            n = i % len(sizes)
            if bits(predict(X[: sizes[n]])) != expected[n]:
                wrong.append(i)

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_predictor_is_copied_without_its_programs() -> None:
    model = mlp(11, 3)
    predictor = Predictor(model)
    expected = predictor(X)
    copied = pickle.loads(pickle.dumps(predictor))
    assert copied._made is None
    assert bits(copied(X)) == bits(expected)
