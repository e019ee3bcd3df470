"""Warnings of the usual mistakes: each where it belongs, none where it does not, no trace left."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from support import mlp, state_bits

import fastnn
import fastnn.nn.functional as F
from fastnn import Trainer, TrainingWarning, nn, optim
from fastnn.data import DataLoader, Dataset, IterableDataset, MinMaxScale, Standardize, Subset
from fastnn.data import TensorDataset as Rows
from fastnn.training.sample import sample
from fastnn.vision import datasets, transforms

_rng = np.random.default_rng(0)
X = _rng.standard_normal((300, 6)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64) + (X[:, 1] > 0)
PRICES = X[:, :1] * 3 + 1
UNEVEN = X * np.float32([1, 1, 1, 1000, 1, 1])
WIDE = X * np.float32([1e-3, 1, 1, 1, 1, 10])
BITS = (Y[:, None] > 0).astype(np.float32)
PIXELS = _rng.integers(0, 256, (300, 6)).astype(np.uint8)


def told(model: nn.Module, data: Any, loss: Any = None, lr: float = 0.01, epochs: int = 4,
         **options: Any) -> list[str]:  # fmt: skip
    """What a training warns of."""
    optimizer = optim.SGD(model.parameters(), lr=lr)
    trainer = Trainer(model, loss or nn.CrossEntropyLoss(), optimizer, compile=False, **options)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer.fit(data, epochs=epochs, batch_size=20, verbose=0)
    assert {warning.category for warning in caught} <= {TrainingWarning}
    assert {warning.filename for warning in caught} <= {__file__}  # where fit was called
    return [str(warning.message) for warning in caught]


def at_once(*args: Any, **options: Any) -> list[str]:
    """The same, of one short epoch whose steps are too small to diverge."""
    return told(*args, lr=1e-7, epochs=1, **options)


class Net(nn.Module):
    """A model with a `forward` of its own: what is before its layers, and what between."""

    def __init__(self, before: Callable[[Any], Any], between: Callable[[Any], Any]) -> None:
        super().__init__()
        self.before, self.between = before, between
        self.one, self.two = nn.Linear(6, 32), nn.Linear(32, 3)

    def forward(self, x: Any) -> Any:
        return self.two(self.between(self.one(self.before(x))))


def silenced(model: nn.Module, units: int) -> nn.Module:
    """The first layer's first units give 0 for whatever comes."""
    layer = next(m for m in model.modules() if isinstance(m, nn.Linear))
    with fastnn.no_grad():
        layer.bias[:units] = -100.0
    return model


# --- what is told ---

SCALED = "fit: the inputs are not scaled: column 3 has values of about"
MISTAKES: dict[str, tuple[Callable[[], list[str]], list[str]]] = {
    "a column of thousands": (lambda: at_once(mlp(6, 8, 3), (UNEVEN, Y)), [SCALED]),
    "in float64": (lambda: at_once(mlp(6, 8, 3), (UNEVEN.astype(float), Y)), [SCALED]),
    "far from zero": (lambda: at_once(mlp(6, 8, 3), (X + np.float32([0, 0, 0, 900, 0, 0]), Y)),
                      [SCALED + r" 90\d|" + SCALED + " 899"]),
    "behind a flatten": (lambda: at_once(nn.Sequential(nn.Flatten(), mlp(6, 8, 3)),
                                         (UNEVEN.reshape(300, 2, 3), Y)), [SCALED]),
    "in a part of a data set": (lambda: at_once(mlp(6, 8, 3), Subset(Rows(UNEVEN, Y), range(200))),
                                [SCALED]),
    "in a loader": (lambda: at_once(mlp(6, 8, 3), DataLoader(Rows(UNEVEN, Y), 30)), [SCALED]),
    "in its own forward": (lambda: at_once(Net(lambda x: x + x, F.relu), (UNEVEN, Y)), [SCALED]),
    "very different scales": (
        lambda: told(mlp(6, 8, 3), (WIDE, Y)),
        [r"very different scales: column 5 spreads over 1\d\.\d+, column 0 over 0\.001"]),
    "bytes": (lambda: at_once(mlp(6, 8, 3), (PIXELS, Y)), ["look like bytes, .* pixels by 255"]),
    "prices as classes": (
        lambda: at_once(mlp(6, 400), (X, np.arange(300))),
        ["labels look like numbers, not like classes: 300 different ones in 300 rows; .*MSELoss"]),
    "prices as shares": (lambda: at_once(mlp(6, 6), (X, X), F.cross_entropy),
                         ["soft labels should be at least 0 and add up to 1, but .* nn.MSELoss"]),
    "a rate that does nothing": (
        lambda: told(mlp(6, 8, 3), (X, Y), lr=1e-9),
        [r"fit: the loss did not fall: 1\.\d+ in epoch 1, 1\.\d+ in epoch 4, and always giving the "
         r"same answer has 1\.\d+; try another learning rate than 1e-09, and make sure"]),
    "numbers that stay": (lambda: told(mlp(6, 8, 1), (X, PRICES), nn.MSELoss(), lr=1e-9),
                          ["the loss did not fall"]),
    "bits that stay": (lambda: told(mlp(6, 8, 1), (X, BITS), nn.BCEWithLogitsLoss(), lr=1e-9),
                       ["the loss did not fall"]),
    "shares that stay": (lambda: told(nn.Sequential(mlp(6, 8, 1), nn.Sigmoid()), (X, BITS),
                                      F.binary_cross_entropy, lr=1e-9), ["the loss did not fall"]),
    "soft labels that stay": (lambda: told(mlp(6, 8, 3), (X, np.eye(3, dtype="f")[Y]), lr=1e-9),
                              ["the loss did not fall"]),
    "most ReLUs": (lambda: told(silenced(mlp(6, 32, 3), 25), (X, Y)),
                   ["^fit: 25 of 32 ReLUs in '1' are dead: they give 0 for each of 300 rows"]),
    "every ReLU": (lambda: told(silenced(mlp(6, 2, 3), 2), (X, Y)),
                   ["2 of 2 ReLUs in '1' are dead: .*smaller learning rate"]),
    "ReLUs in between": (lambda: told(silenced(Net(lambda x: x, F.relu), 32), (X, Y)),
                         ["32 of 32 ReLUs before 'two' are dead"]),
    "a ReLU at the end": (
        lambda: told(silenced(nn.Sequential(nn.Linear(6, 1), nn.ReLU()), 1), (X, abs(PRICES)),
                     nn.MSELoss()),
        ["fit: the loss did not fall: .*;\nand 1 of 1 ReLUs in '1' are dead"]),
    "before and after": (lambda: told(silenced(mlp(6, 32, 3), 32), (WIDE, Y)),
                         ["different scales", "32 of 32 ReLUs"]),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told(name: str) -> None:
    run, patterns = MISTAKES[name]
    messages = run()
    assert len(messages) == len(patterns), messages
    for message, pattern in zip(messages, patterns, strict=True):
        with pytest.raises(TrainingWarning, match=pattern):
            raise TrainingWarning(message)


def test_two_mistakes_are_one_warning() -> None:
    [message] = at_once(mlp(6, 400), (UNEVEN, np.arange(300)))
    assert "not scaled" in message
    assert ";\nand the labels look like numbers" in message


def test_it_is_easy_to_turn_off() -> None:
    model = mlp(6, 8, 3)
    trainer = Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=1e-7))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)
        trainer.fit((UNEVEN, Y), epochs=1, verbose=0)
    with pytest.warns(TrainingWarning):
        trainer.fit((UNEVEN, Y), epochs=1, verbose=0)


# --- what is not ---


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        return iter([(UNEVEN[:50], Y[:50])])


class Own(Dataset[Any]):
    """A data set that counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __len__(self) -> int:
        return 60

    def __getitem__(self, i: int) -> Any:
        self.asked += 1
        return UNEVEN[i], Y[i]


class Picky(nn.Linear):
    def forward(self, input: Any) -> Any:
        if len(input) != 20:
            raise ValueError("batches of 20 only")
        return super().forward(input)


class Loss(nn.CrossEntropyLoss):
    """Some loss of one's own, of which nothing is known."""


SPARSE = (_rng.random((300, 200)) < 0.02).astype(np.float32) * np.float32(50)
# A pixel that a quarter of the digits touch: its quartile lies between no grey and the faintest.
EDGE = _rng.integers(0, 2, (128, 6)).astype(np.float32)
EDGE[:, 0] = np.repeat([0, 1 / 255], [96, 32])
FINE: dict[str, Callable[[], list[str]]] = {
    "scaled inputs": lambda: told(mlp(6, 8, 3), (X, Y)),
    "a scaler first": lambda: told(nn.Sequential(Standardize().fit(UNEVEN), mlp(6, 8, 3)),
                                   (UNEVEN, Y)),
    "a range first": lambda: told(nn.Sequential(MinMaxScale().fit(WIDE), mlp(6, 8, 3)), (WIDE, Y)),
    "batch norm first": lambda: told(nn.Sequential(nn.BatchNorm1d(6), mlp(6, 8, 3)), (UNEVEN, Y)),
    "layer norm first": lambda: told(nn.Sequential(nn.LayerNorm(6), mlp(6, 8, 3)), (PIXELS, Y)),
    "scaled in forward": lambda: told(Net(lambda x: x / 255, F.relu), (PIXELS, Y)),
    "sparse columns": lambda: told(mlp(200, 8, 3), (SPARSE, Y)),
    "the edge of digits": lambda: told(mlp(6, 8, 3), (EDGE, Y[:128])),
    "a constant column": lambda: told(mlp(6, 8, 3), (X * np.float32([1, 1, 1, 0, 1, 1]), Y)),
    "few rows": lambda: told(mlp(6, 8, 3), (UNEVEN[:40], Y[:40]), lr=1e-9),
    "no epoch": lambda: told(mlp(6, 8, 3), (UNEVEN, Y), epochs=0),
    "a stream": lambda: told(mlp(6, 8, 3), DataLoader(Stream(), None)),
    "a data set of one's own": lambda: told(mlp(6, 8, 3), Own()),
    "a collate function": lambda: told(mlp(6, 8, 3), DataLoader(
        Rows(UNEVEN, Y), 20, collate_fn=lambda rows: (X[: len(rows)], Y[: len(rows)]))),
    "batches of one size": lambda: told(Picky(6, 3), (UNEVEN, Y)),
    "many classes": lambda: told(mlp(6, 100), (X, np.arange(300) % 100)),
    "classes of few rows": lambda: told(mlp(6, 40), (X[:40], np.arange(40))),
    "soft bits": lambda: told(mlp(6, 6), (X, 1 / (1 + np.exp(-X))), nn.BCEWithLogitsLoss()),
    "soft labels": lambda: told(mlp(6, 6), (X, np.exp(X) / np.exp(X).sum(1, keepdims=True))),
    "numbers far from zero": lambda: told(mlp(6, 8, 1), (X, PRICES * 1e4), nn.MSELoss(), lr=1e-9,
                                          epochs=2),
    "a good start": lambda: told(trained(), (X, Y), lr=1e-4),
    "a loss of its own": lambda: told(mlp(6, 8, 3), (X, Y), lambda z, y: (z * z).mean(), lr=1e-9,
                                      metrics=[]),
    "ignored labels": lambda: told(mlp(6, 8, 3), (X, np.where(Y > 0, Y, -100))),
    "half of the ReLUs": lambda: told(silenced(mlp(6, 32, 3), 16), (X, Y)),
    "some of few ReLUs": lambda: told(silenced(mlp(6, 8, 3), 7), (X, Y)),
    "L1": lambda: told(silenced(mlp(6, 32, 3), 30), (X, Y), l1=1e-3),
    "leaky ReLUs": lambda: told(silenced(Net(lambda x: x, F.leaky_relu), 32), (X, Y)),
    "inputs that are zero": lambda: told(Net(lambda x: x * 0, F.relu), (X, Y)),
    "two short epochs": lambda: told(silenced(mlp(6, 32, 3), 30), (X[:60], Y[:60]), epochs=2),
}  # fmt: skip


def trained() -> nn.Module:
    model = mlp(6, 32, 3)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    Trainer(model, nn.CrossEntropyLoss(), optimizer).fit((X, Y), epochs=30, verbose=0)
    return model


@pytest.mark.parametrize("name", FINE)
def test_no_false_alarm(name: str) -> None:
    assert FINE[name]() == []


def test_digits_give_no_alarm() -> None:
    digits = datasets.MNIST(train=False)
    model = nn.Sequential(nn.Flatten(), *mlp(784, 32, 10))
    assert told(model, Subset(digits, range(1000)), epochs=1) == []


# --- no trace ---


def test_the_training_is_as_it_would_be_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even of a model that draws numbers and counts in `forward`, to the bit."""

    class Noisy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("calls", fastnn.zeros(1))

        def forward(self, x: Any) -> Any:
            if self.training:
                self.calls += 1
            return x * (1 + 0.1 * fastnn.rand(1))

    states = []
    for looked in (True, False):
        if not looked:
            monkeypatch.setattr("fastnn.training.diagnosis.sample", lambda *_: None)
        fastnn.manual_seed(1)
        model = nn.Sequential(nn.BatchNorm1d(6), Noisy(), nn.Linear(6, 8), nn.ReLU(),
                              nn.Dropout(0.5), nn.Linear(8, 3))  # fmt: skip
        told(model, (UNEVEN, Y))
        told(model, (X, Y))
        states.append((state_bits(model), fastnn.rand(2).tolist()))
    assert states[0] == states[1]


def test_a_data_set_of_ones_own_is_asked_by_the_training_alone() -> None:
    data = Own()
    told(mlp(6, 8, 3), data, epochs=3)
    assert data.asked == 3 * 60


def test_nothing_is_looked_at_without_need(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scaled inputs are not run through the model before it is trained, and short runs never."""

    def never(*_: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr("fastnn.training.diagnosis.record", never)
    assert told(mlp(6, 8, 3), (X, Y), epochs=1) == []


# --- the sample ---


def test_a_sample_is_spread_and_small() -> None:
    rows = Rows(np.arange(1000.0), np.arange(1000))
    found = sample(DataLoader(rows, 10, shuffle=True), 5)
    assert found is not None
    assert found[1].tolist() == [0, 249, 499, 749, 999]
    part = sample(DataLoader(Subset(rows, [5, 3, 1]), 10), 5)
    assert part is not None
    assert part[1].tolist() == [5, 3, 1]


@pytest.mark.parametrize(("transform", "is_steady"), [
    (None, True), (transforms.ToTensor(), True), (transforms.Lambda(lambda image: image), False),
    (transforms.Compose([transforms.ToTensor(), transforms.Normalize(0.1, 0.3)]), True),
    (transforms.Compose([transforms.ToTensor(), transforms.RandomInvert()]), False),
    (lambda image: image, False),
])  # fmt: skip
def test_images_are_sampled_if_nothing_is_drawn_for_them(transform: Any, is_steady: bool) -> None:
    digits = datasets.MNIST(train=False, transform=transform)
    assert (sample(DataLoader(digits, 10), 5) is not None) == is_steady
    changed = datasets.MNIST(train=False, target_transform=lambda label: label)
    assert sample(DataLoader(changed, 10), 5) is None
