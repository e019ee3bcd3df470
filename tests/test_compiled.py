"""The compiled step against the eager one, bit for bit: whatever `nn` and `optim` have."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from cases import OPTIMIZERS, RuleCase
from support import force_threads
from test_gradients import CLASSES, FEATURES, LAYERS, LOSSES, Layer, Loss, draw_target, name

import fastnn
from fastnn import NotLowerable, Trainer, TrainingWarning, nn, optim
from fastnn.data import DataLoader, Dataset, MinMaxScale, Standardize, Subset, TensorDataset
from fastnn.optim import lr_scheduler
from fastnn.random import default_generator
from fastnn.vision.datasets import MNIST
from fastnn.vision.transforms import Compose, Normalize, ToTensor

ROWS = 150  # more rows a batch than layers have outputs, but for the last batch
RNG = np.random.default_rng(5)
X = RNG.standard_normal((ROWS, 11)).astype(np.float32)
Y = RNG.integers(0, CLASSES, ROWS)
WEIGHTS = RNG.uniform(0.1, 2, ROWS).astype(np.float32)
IN_RANGE = {"any": nn.Identity, "probabilities": nn.Sigmoid,
            "log-probabilities": lambda: nn.LogSoftmax(1)}  # fmt: skip


@dataclass
class Training:
    """A training that both forms do: what it is made of, and what it is given."""

    model: Callable[[], nn.Module] = lambda: mlp(11, 20, 33, CLASSES)
    loss: Callable[[], Any] = nn.CrossEntropyLoss
    optimizer: Callable[[Any], optim.Optimizer] = lambda p: optim.Adam(p, lr=0.01)
    data: Any = (X, Y)
    schedule: Callable[[Any], Any] = lambda optimizer: None
    fit: dict[str, Any] = field(default_factory=dict)
    trainer: dict[str, Any] = field(default_factory=dict)

    def run(self, compile: bool | str, threads: int = 2) -> Any:
        """All that is left behind, to the last bit."""
        force_threads(threads)
        fastnn.manual_seed(3)
        model = self.model()
        optimizer = self.optimizer(model.parameters())
        trainer = Trainer(model, self.loss(), optimizer, self.schedule(optimizer),
                          compile=compile, **self.trainer)  # fmt: skip
        data = self.data() if callable(self.data) else self.data
        history = trainer.fit(data, **{"epochs": 2, "batch_size": 45, "verbose": 0, **self.fit})
        measured = {k: v for k, v in history.to_dict().items() if k != "seconds"}
        return {
            "weights": {k: bits(v) for k, v in model.state_dict().items()},
            "state": {
                (i, k): bits(v)
                for i, entry in optimizer.state_dict()["state"].items()
                for k, v in entry.items()
            },
            "options": repr(optimizer.state_dict()["param_groups"]),
            "measured": measured,
            "random": repr(default_generator.get_state()),
        }

    def check(self, threads: tuple[int, ...] = (1, 3)) -> None:
        eager = self.run(compile=False)
        for n in threads:
            assert self.run(compile=True, threads=n) == eager, f"{n} threads"


def bits(tensor: Any) -> bytes:
    return bytes(np.asarray(tensor.detach().numpy()).tobytes())


def mlp(*sizes: int, activation: Callable[[], nn.Module] = nn.ReLU) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(sizes):
        layers += [nn.Linear(before, after), activation()]
    return nn.Sequential(*layers[:-1])


def zeros(*sizes: int) -> nn.Sequential:
    """All outputs are the same, and stay so at a rate of 0."""
    made = mlp(*sizes)
    for parameter in made.parameters():
        nn.init.zeros_(parameter)
    return made


@pytest.mark.parametrize("layer", LAYERS, ids=name)
def test_layers(layer: Layer) -> None:
    Training(lambda: nn.Sequential(nn.Linear(11, FEATURES), layer.make(), nn.Linear(FEATURES, 17),
                                   nn.ReLU(), nn.Linear(17, CLASSES))).check()  # fmt: skip


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("loss", LOSSES, ids=name)
def test_losses(loss: Loss, reduction: str) -> None:
    target = draw_target(loss.target, ROWS, np.random.default_rng(1))
    if target.dtype == np.float64:
        target = target.astype(np.float32)
    options = {k: v.astype(np.float32) if isinstance(v, np.ndarray) else v
               for k, v in loss.options.items()}  # fmt: skip
    Training(
        lambda: nn.Sequential(*mlp(11, 12, CLASSES), IN_RANGE[loss.inputs]()),
        lambda: getattr(nn, loss.name)(reduction=reduction, **options),
        data=(X, target),
    ).check()


@pytest.mark.parametrize("case", OPTIMIZERS, ids=lambda case: case.id)
def test_optimizers(case: RuleCase) -> None:
    Training(optimizer=case.make, fit={"epochs": 3}).check()


@pytest.mark.parametrize(
    "training",
    {
        "float64": Training(lambda: mlp(11, 20, 3).double(), data=(X.astype(np.float64), Y)),
        "clipping": Training(trainer={"clip_grad_norm": 0.1, "clip_grad_value": 0.02}),
        "infinite clip": Training(trainer={"clip_grad_norm": 1e30}),
        "l1": Training(trainer={"l1": 1e-3}),
        "l2": Training(trainer={"l2": 1e-2}),
        "l2 of wide and narrow": Training(
            lambda: mlp(11, 64, 9, 8, 40, CLASSES).double(), data=(X.astype(np.float64), Y),
            trainer={"l2": 1e-2}),
        "l2 beside a decay, uphill": Training(
            optimizer=lambda p: optim.Adam(p, weight_decay=0.1, maximize=True),
            trainer={"l2": 1e-2}),
        "accumulation": Training(trainer={"accumulate": 3, "l2": 0.1, "clip_grad_norm": 1.0}),
        "accumulation alone": Training(trainer={"accumulate": 4}),
        "one row a batch": Training(fit={"batch_size": 1}),
        "one batch": Training(fit={"batch_size": 1000, "epochs": 5}),
        "many rows": Training(data=(np.tile(X, (9, 1)), np.tile(Y, 9)),
                              fit={"batch_size": 300}),
        "no shuffle, no last batch": Training(fit={"shuffle": False, "drop_last": True}),
        "rows with weights": Training(
            loss=lambda: nn.WeightedLoss(nn.CrossEntropyLoss(reduction="none")),
            data=(X, Y, WEIGHTS), trainer={"accumulate": 2, "l2": 0.1}),
        "a limit of losses": Training(
            loss=lambda: nn.WeightedLoss(nn.CrossEntropyLoss(reduction="none"), limit=1.25),
            data=(X, Y, WEIGHTS)),
        "weights of none": Training(
            lambda: mlp(11, 13, 2),
            lambda: nn.WeightedLoss(nn.MSELoss(reduction="none"), 0.5), data=(X, X[:, :2])),
        "metrics": Training(lambda: mlp(11, 20, 2), nn.MSELoss, data=(X, X[:, :2]),
                            trainer={"metrics": ["mae", "r2"]}),
        "accuracy of bits": Training(lambda: mlp(11, 20, 1), nn.BCEWithLogitsLoss,
                                     data=(X, (X[:, :1] > 0).astype(np.float32))),
        "ties of classes": Training(lambda: zeros(11, CLASSES),
                                    optimizer=lambda p: optim.SGD(p, lr=0.0)),
        "bits at the threshold": Training(
            lambda: zeros(11, 1), nn.BCEWithLogitsLoss, lambda p: optim.SGD(p, lr=0.0),
            (X, (X[:, :1] > 0).astype(np.float32))),
        "ignored labels": Training(loss=lambda: nn.CrossEntropyLoss(ignore_index=2),
                                   fit={"batch_size": 18}),
        "top2": Training(trainer={"metrics": ["accuracy", "top2"]}),
        "per-step schedule": Training(
            schedule=lambda o: lr_scheduler.OneCycleLR(o, 0.01, total_steps=30)),
        "momentum's schedule": Training(
            optimizer=lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
            schedule=lambda o: lr_scheduler.OneCycleLR(o, 0.1, total_steps=30)),
        "schedule by epochs": Training(schedule=lambda o: lr_scheduler.StepLR(o, 1)),
        "groups": Training(optimizer=lambda p: optim.SGD(
            [{"params": list(p)[:3]}, {"params": [], "lr": 1.0}], lr=0.1, momentum=0.9)),
        "standardize": Training(lambda: nn.Sequential(Standardize().fit(X), *mlp(11, 20, 3)),
                                data=(X.astype(np.float64), Y)),
        "scaled whole numbers": Training(
            lambda: nn.Sequential(nn.Flatten(), MinMaxScale().fit(X), *mlp(11, 20, 3)),
            data=((X * 10).astype(np.int16), Y)),
        "wide and narrow": Training(lambda: mlp(11, 64, 9, 8, 40, CLASSES)),
        "a subset": Training(data=lambda: Subset(TensorDataset(X, Y), range(40, 0, -1))),
        "a loader": Training(data=lambda: DataLoader(TensorDataset(X, Y), 7, True, generator=4)),
        "a data set of one's own": Training(data=lambda: Rows()),
        "images": Training(lambda: nn.Sequential(nn.Flatten(), *mlp(784, 30, 10)),
                           data=lambda: Subset(MNIST(train=False), range(90))),
        "normalized images": Training(
            lambda: nn.Sequential(nn.Flatten(), *mlp(784, 30, 10)),
            data=lambda: Subset(MNIST(train=False, transform=Compose(
                [ToTensor(), Normalize((0.13,), (0.31,))])), range(90))),
    }.items(),
    ids=lambda item: item[0],
)  # fmt: skip
def test_options(training: tuple[str, Training]) -> None:
    training[1].check()


class Rows(Dataset[Any]):
    """Samples made in Python."""

    def __len__(self) -> int:
        return 30

    def __getitem__(self, index: int, /) -> Any:
        return X[index] * 2, int(Y[index])


class Twice(nn.Module):
    """One layer and one ReLU used twice, a skip, a gate and a view."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.outer, self.relu = nn.Linear(11, 11), nn.Linear(11, CLASSES), nn.ReLU()

    def forward(self, x: Any) -> Any:
        h = self.relu(self.inner(x))
        h = self.relu(self.inner(h)) + x
        h = h * self.inner(h) - x
        return self.outer(h.reshape(len(x), 11))


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_models_of_ones_own(threads: int) -> None:
    Training(Twice).check((threads,))


def test_frozen_layers() -> None:
    def model() -> nn.Module:
        made = mlp(11, 20, 20, CLASSES)
        made[0].weight.requires_grad_(False)
        made[2].requires_grad_(False)
        return made

    Training(model, optimizer=lambda p: optim.Adam([q for q in p if q.requires_grad])).check()


def test_large_layers() -> None:
    """Several panels, blocks of k, and tails of each."""
    rng = np.random.default_rng(0)
    wide = rng.standard_normal((70, 1100)).astype(np.float32)
    Training(lambda: mlp(1100, 75, 130, CLASSES), data=(wide, rng.integers(0, CLASSES, 70)),
             fit={"batch_size": 16}).check((1, 2, 3, 5))  # fmt: skip


def test_large_batches() -> None:
    """More rows, for each of two threads too, than are multiplied at once."""
    rng = np.random.default_rng(0)
    many = rng.standard_normal((1700, 700)).astype(np.float32)
    Training(lambda: mlp(700, 40, CLASSES), data=(many, rng.integers(0, CLASSES, 1700)),
             fit={"batch_size": 410}).check((1, 2, 3))  # fmt: skip


@pytest.mark.parametrize("isa", fastnn.available_isas())
def test_each_isa(isa: str) -> None:
    before = fastnn.isa()
    try:
        fastnn.set_isa(isa)
        Training(lambda: mlp(11, 70, 33, CLASSES)).check((1, 2))
    finally:
        fastnn.set_isa(before)


# --- what has no compiled form ---


class Branches(nn.Linear):
    def forward(self, x: Any) -> Any:
        return super().forward(x) * (1 if x.sum() > 0 else 2)


class Counts(nn.Linear):
    calls = 0

    def forward(self, x: Any) -> Any:
        self.calls += 1
        return super().forward(x) * (1 if self.calls % 2 else 2)


class Noise(nn.Linear):
    def forward(self, x: Any) -> Any:
        return super().forward(x) + fastnn.randn(CLASSES)


class Sine(nn.Linear):
    def forward(self, x: Any) -> Any:
        return super().forward(x).sin()


class Own(optim.SGD):
    """An optimizer with another step."""

    def update(self, values: Any, grads: Any, state: Any, group: Any, step: int) -> None:
        super().update(values, 2 * grads, state, group, step)


def own_loss(outputs: Any, targets: Any) -> Any:
    return nn.functional.cross_entropy(outputs, targets)


@pytest.mark.parametrize(
    ("training", "says"),
    [
        (Training(lambda: Branches(11, CLASSES)), "reads a value"),
        (Training(lambda: Counts(11, CLASSES)), "changes an attribute"),
        (Training(lambda: Noise(11, CLASSES)), "draws random numbers"),
        (Training(lambda: Sine(11, CLASSES)), "no compiled form of sin"),
        (Training(optimizer=lambda p: Own(p, lr=0.1)), "Own.update has no compiled form"),
        (Training(loss=lambda: own_loss), "the loss is not one of fastnn.nn"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_compiled_runs_eagerly_and_says_so_once(
    training: Training, says: str
) -> None:
    eager = training.run(compile=False)
    with pytest.warns(TrainingWarning, match=says) as seen:
        auto = training.run(compile="auto")
    assert auto == eager
    assert len(seen) == 1
    with pytest.raises(NotLowerable, match=says):
        training.run(compile=True)


def test_callbacks_by_batch_see_the_eager_loop() -> None:
    seen: list[int] = []

    class Watch(fastnn.callbacks.Callback):
        def on_batch_end(self, batch: int, loss: float) -> None:
            seen.append(batch)

    Training(trainer={"callbacks": [Watch()]}).run(compile=True)
    assert seen == [1, 2, 3, 4] * 2


def _give_memory(model: Any, epoch: int) -> None:
    model[0].weight.data = model[0].weight.detach().clone() * epoch


CHANGES: dict[str, Callable[[Any, optim.Optimizer, int], object]] = {
    "the rate": lambda _, optimizer, epoch: optimizer.param_groups[0].update(lr=0.01 * epoch),
    "an option of a module": lambda model, _, epoch: setattr(model[1], "p", 0.1 * epoch),
    "what is trained": lambda model, _, epoch: model[0].requires_grad_(epoch != 2),
    "the memory of a weight": lambda model, _, epoch: _give_memory(model, epoch),
    "a layer": lambda model, _, epoch: model.__setitem__(1, [nn.Tanh(), nn.ReLU()][epoch % 2]),
}


@pytest.mark.parametrize("change", CHANGES)  # one at a time: a new program is new in all
def test_what_changes_between_epochs_is_seen(change: str) -> None:
    class Change(fastnn.callbacks.Callback):
        def on_epoch_begin(self, epoch: int) -> None:
            CHANGES[change](self.trainer.model, self.trainer.optimizer, epoch)

    model = lambda: nn.Sequential(nn.Linear(11, 20), nn.Dropout(0.5), nn.Linear(20, CLASSES))  # noqa: E731
    Training(model, fit={"epochs": 4}, trainer={"callbacks": [Change()]}).check()


def test_divergence_keeps_the_weights_of_the_last_step() -> None:
    bad = X.copy()
    bad[37] = np.nan
    messages, states = [], []
    for compile in (True, False):
        fastnn.manual_seed(0)
        model = mlp(11, 20, CLASSES)
        trainer = Trainer(model, nn.CrossEntropyLoss(), optim.Adam(model.parameters()),
                          compile=compile)  # fmt: skip
        with pytest.raises(fastnn.NonFiniteError) as error:
            trainer.fit((bad, Y), epochs=2, batch_size=10, verbose=0)
        messages.append(str(error.value))
        states.append([bits(p) for p in model.parameters()])
    assert messages[0] == messages[1]
    assert states[0] == states[1]


@pytest.mark.parametrize("output", [-0.5, 1.5])
def test_what_is_no_probability_is_refused_by_both(output: float) -> None:
    shares = np.full((ROWS, 1), 0.5, np.float32)
    shares[40] = output
    left = []
    for compile in (True, False):
        fastnn.manual_seed(0)
        model = nn.Sequential(*zeros(1, 1), nn.Dropout(0.1))
        nn.init.ones_(model[0].weight)
        trainer = Trainer(model, nn.BCELoss(), optim.SGD(model.parameters(), lr=0.0),
                          compile=compile)  # fmt: skip
        with pytest.raises(ValueError, match=r"expected probabilities in 0 \.\. 1, got") as error:
            trainer.fit((shares, abs(shares) // 1), batch_size=10, shuffle=False, verbose=0)
        left.append((str(error.value), repr(default_generator.get_state())))
    assert left[0] == left[1]
