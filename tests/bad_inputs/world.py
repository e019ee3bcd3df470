"""What the calls act on: a model, what trains it, data, and a folder for files."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from support import bits, mlp, state_bits

from fastnn import Trainer, nn, optim

X = np.random.default_rng(0).standard_normal((12, 4)).astype(np.float32)
Y = np.arange(12) % 3
ROW = X[:1]


def f32(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


def with_value(array: np.ndarray, index: Any, value: Any) -> np.ndarray:
    changed = array.copy()
    changed[index] = value
    return changed


NAN_ROW = with_value(X, (7, 3), np.nan)  # the last lane of a row


def _trainer(model: nn.Module, loss: nn.Module) -> Trainer:
    return Trainer(model, loss, optim.SGD(model.parameters(), lr=0.1))


class World:
    """A classifier of four columns into three classes, all new, and an empty folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model = mlp(4, 5, 3)
        self.optimizer = optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        self.loss = nn.CrossEntropyLoss()
        self.trainer = Trainer(self.model, self.loss, self.optimizer)
        self.regression = _trainer(mlp(4, 5, 1), nn.MSELoss())
        layers = nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Linear(5, 3)
        self.normed = _trainer(nn.Sequential(*layers), self.loss)

    def predict(self, x: Any) -> np.ndarray:
        return self.trainer.predict(x)

    def fit(self, x: Any = X, y: Any = Y, **options: Any) -> bytes:
        """One epoch in the order of the rows; all bits of the weights afterwards."""
        given = {"epochs": 1, "batch_size": 5, "shuffle": False, "verbose": 0, **options}
        self.trainer.fit((x, y), **given)
        return state_bits(self.model)

    def loss_of(self, labels: Any, rows: int = 3, **options: Any) -> float:
        """The loss of `rows` rows of three logits."""
        logits = np.random.default_rng(1).standard_normal((rows, 3)).astype(np.float32)
        return nn.CrossEntropyLoss(**options)(logits, labels).item()

    def write(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    @contextmanager
    def inside(self) -> Iterator[None]:
        """With the folder as the working directory."""
        before = os.getcwd()
        os.chdir(self.folder)
        try:
            yield
        finally:
            os.chdir(before)

    def state(self) -> bytes:
        """All bits that a refused call must leave alone: weights, averages, the caller's data."""
        averages = [
            value
            for entry in self.optimizer.state.values()
            for value in entry.values()
            if isinstance(value, np.ndarray)
        ]
        groups = repr([{k: v for k, v in g.items() if k != "params"}
                       for g in self.optimizer.param_groups])  # fmt: skip
        models = self.model, self.regression.model, self.normed.model
        return state_bits(*models) + bits(X, Y, NAN_ROW, *averages) + groups.encode()
