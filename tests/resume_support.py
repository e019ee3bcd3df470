"""Trainings to be interrupted, and what must be the same when they are resumed."""

import json
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import numpy as np
from support import bits

import fastnn
from fastnn import Trainer, nn, optim
from fastnn.callbacks import Callback, EarlyStopping, LearningRateLogger
from fastnn.data import DataLoader, Dataset, IterableDataset, RandomSampler, TensorDataset
from fastnn.optim import lr_scheduler as lr
from fastnn.tensor import as_array

_rng = np.random.default_rng(0)
X = _rng.standard_normal((53, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64) + (X[:, 1] > 1)
EPOCHS, BATCH_SIZE = 4, 10
STEPS = EPOCHS * 6

Run = tuple[Trainer, dict[str, Any]]


class Stream(IterableDataset):
    """Rows one by one, each with noise of its own."""

    def __iter__(self) -> Iterator[tuple[np.ndarray, int]]:
        noise = fastnn.random.default_generator
        for x, y in zip(X, Y, strict=True):
            yield x + np.float32(noise.numpy.random()), int(y)


class Noisy(Dataset):
    """Rows with noise that is drawn as they are loaded."""

    def __len__(self) -> int:
        return len(X)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return X[index] + np.float32(fastnn.random.default_generator.numpy.random()), int(Y[index])


class OwnOrder(DataLoader):
    """A loader whose passes are its own."""

    def __iter__(self) -> Iterator[Any]:
        return chain([(X[:3], Y[:3])], super().__iter__())


class Freezing(Callback):
    """Freezes the first layer in epoch 2, notes losses, and moves on random numbers."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def on_epoch_begin(self, epoch: int) -> None:
        fastnn.rand(epoch)
        if epoch == 2:
            self.trainer.model[0].requires_grad_(False)

    def on_batch_end(self, batch: int, loss: float) -> None:
        self.losses.append(loss)

    def state_dict(self) -> dict[str, Any]:
        return {"losses": self.losses}

    def load_state_dict(self, state: Any) -> None:
        self.losses = list(state["losses"])


def _loader(data: Any, **options: Any) -> DataLoader:
    return DataLoader(data, BATCH_SIZE, **options)


ROWS = TensorDataset(X, Y)
OPTIMIZERS: dict[str, Callable[..., Any]] = {
    "sgd": lambda p: optim.SGD(p, lr=0.05),
    "momentum": lambda p: optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "adam": lambda p: optim.Adam(p, lr=0.01, amsgrad=True),
    "adamw": lambda p: optim.AdamW(p, lr=0.01),
    "rmsprop": lambda p: optim.RMSprop(p, lr=0.01, momentum=0.5, centered=True),
    "adagrad": lambda p: optim.Adagrad(p, lr=0.05, lr_decay=0.1),
}
SCHEDULES: dict[str, Callable[[Any], Any]] = {
    "none": lambda o: None,
    "step": lambda o: lr.StepLR(o, 2, 0.5),
    "multi-step": lambda o: lr.MultiStepLR(o, [1, 3]),
    "exponential": lambda o: lr.ExponentialLR(o, 0.8),
    "lambda": lambda o: lr.LambdaLR(o, lambda epoch: 1 / (1 + epoch)),
    "linear": lambda o: lr.LinearLR(o, total_iters=3),
    "cosine": lambda o: lr.CosineAnnealingLR(o, EPOCHS),
    "restarts": lambda o: lr.CosineAnnealingWarmRestarts(o, 2),
    "one-cycle": lambda o: lr.OneCycleLR(
        o, 0.1, total_steps=STEPS, cycle_momentum=not isinstance(o, optim.Adagrad)
    ),
    "plateau": lambda o: lr.ReduceLROnPlateau(o, patience=0, threshold=0.5),
    "sequential": lambda o: lr.SequentialLR(
        o, [lr.ConstantLR(o, 0.5, 2), lr.ExponentialLR(o, 0.5)], [2]
    ),
}
LAYERS: dict[str, Callable[[], list[nn.Module]]] = {
    "plain": lambda: [nn.ReLU()],
    "dropout": lambda: [nn.ReLU(), nn.Dropout(0.3)],
    "batch-norm": lambda: [nn.BatchNorm1d(8), nn.ReLU()],
    "batch-norm-average": lambda: [nn.BatchNorm1d(8, momentum=None), nn.ReLU(), nn.Dropout(0.3)],
    "layer-norm": lambda: [nn.LayerNorm(8), nn.ReLU()],
}
# What a fit is given: the data, its options, and a trainer's.
DATA: dict[str, Callable[[], dict[str, Any]]] = {
    "arrays": lambda: {"train": (X, Y)},
    "drop-last": lambda: {"train": (X, Y), "drop_last": True},
    "in-order": lambda: {"train": (X, Y), "shuffle": False},
    "noisy": lambda: {"train": Noisy()},
    "stream": lambda: {"train": Stream()},
    "loader": lambda: {"train": _loader(ROWS, shuffle=True)},
    "loader-seed": lambda: {"train": _loader(ROWS, shuffle=True, generator=5)},
    "loader-generator": lambda: {
        "train": _loader(ROWS, shuffle=True, generator=fastnn.Generator(6))
    },
    "loader-numpy": lambda: {
        "train": _loader(Noisy(), shuffle=True, generator=np.random.default_rng(7))
    },
    "loader-mt19937": lambda: {
        "train": _loader(ROWS, shuffle=True, generator=np.random.Generator(np.random.MT19937(8)))
    },
    "loader-sampler": lambda: {"train": _loader(ROWS, sampler=RandomSampler(ROWS))},
    "loader-own-order": lambda: {"train": OwnOrder(ROWS, BATCH_SIZE, shuffle=True)},
}
OPTIONS: dict[str, Callable[[], dict[str, Any]]] = {
    "no-options": dict,
    "accumulate": lambda: {"accumulate": 4},
    "clip-l1": lambda: {"clip_grad_norm": 0.1, "l1": 1e-4},
    "l2": lambda: {"l2": 1e-3},
    "metrics": lambda: {"metrics": ["accuracy", "top2"]},
    "early-stopping": lambda: {"callbacks": [EarlyStopping("val_loss", patience=1, min_delta=1)]},
    "callbacks": lambda: {"callbacks": [Freezing(), LearningRateLogger(), EarlyStopping()]},
}


def make_run(
    optimizer: str = "adam",
    schedule: str = "none",
    layers: str = "plain",
    data: str = "arrays",
    options: str = "no-options",
    seed: int = 0,
) -> Run:
    """A trainer and what its `fit` is given; another seed gives other weights and numbers."""
    fastnn.manual_seed(seed)
    model = nn.Sequential(nn.Linear(4, 8), *LAYERS[layers](), nn.Linear(8, 3))
    opt = OPTIMIZERS[optimizer](model.parameters())
    trainer = Trainer(
        model, nn.CrossEntropyLoss(), opt, SCHEDULES[schedule](opt), **OPTIONS[options]()
    )
    given = {"epochs": EPOCHS, "batch_size": BATCH_SIZE, "validation": (X[:20], Y[:20])}
    return trainer, {**given, "verbose": 0, **DATA[data]()}


def outcome(trainer: Trainer) -> dict[str, Any]:
    """All that must be the same: bits of arrays, and everything else as text."""
    history = {k: v for k, v in trainer.history.to_dict().items() if k != "seconds"}
    scheduler = trainer.scheduler and trainer.scheduler.state_dict()
    noted = ("losses", "best", "best_epoch", "stopped_epoch")
    notes = [getattr(c, name) for c in trainer.callbacks for name in noted if hasattr(c, name)]
    return {
        "weights": _plain(trainer.model.state_dict()),
        "optimizer": _plain(trainer.optimizer.state_dict()),
        "scheduler": repr(scheduler),
        "history": json.dumps(history),
        "callbacks": repr(notes),
        "frozen": [p.requires_grad for p in trainer.model.parameters()],
        "random": _plain(fastnn.random.default_generator.get_state()),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, fastnn.Tensor | np.ndarray):
        return f"{as_array(value).dtype} {bits(value).hex()}"
    return repr(value)
