"""`Trainer`: every kind of data, the same run for the same seed, what it reports."""

from typing import Any

import numpy as np
import pytest
from support import bits, mlp, state_bits

import fastnn
from fastnn import History, NonFiniteError, Trainer, nn, optim
from fastnn.data import DataLoader, Dataset, TensorDataset
from fastnn.nn import functional as F

_rng = np.random.default_rng(0)
X = _rng.standard_normal((53, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64) + (X[:, 1] > 1)
DATA = (X, Y)


def trainer_of(seed: int = 0, lr: float = 0.01, **options: Any) -> Trainer:
    model = mlp(4, 8, 3, seed=seed)
    return Trainer(model, nn.CrossEntropyLoss(), optim.Adam(model.parameters(), lr=lr), **options)


class Rows(Dataset):
    """A data set of the kind people write."""

    def __len__(self) -> int:
        return len(X)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return X[index], int(Y[index])


DATASETS = {
    "arrays": DATA,
    "list-of-arrays": [X, Y],
    "lists": (X.tolist(), Y.tolist()),
    "float64": (X.astype(np.float64), Y.astype(np.uint8)),
    "tensors": (fastnn.Tensor.of(X), fastnn.Tensor.of(Y)),
    "strided": (np.repeat(X, 2, 0)[::2], np.repeat(Y, 2)[::2]),
    "fortran": (np.asfortranarray(X), Y),
    "dataset": TensorDataset(X, Y),
    "own-dataset": Rows(),
}


@pytest.mark.parametrize("data", DATASETS.values(), ids=DATASETS.keys())
def test_every_kind_of_data_gives_the_same_run(data: Any) -> None:
    runs = []
    for each in (DATA, data):
        trainer = trainer_of()
        history = trainer.fit(each, epochs=2, batch_size=10, verbose=0)
        runs.append((state_bits(trainer.model), history.loss, trainer.evaluate(each)))
    assert runs[0] == runs[1]


def test_a_loader_decides_on_the_batches() -> None:
    one, two = trainer_of(), trainer_of()
    one.fit(DATA, epochs=2, batch_size=10, verbose=0)
    loader = DataLoader(TensorDataset(X, Y), batch_size=10, shuffle=True, generator=0)
    two.fit(loader, epochs=2, batch_size=3, verbose=0)
    assert state_bits(one.model) == state_bits(two.model)


def test_it_is_the_loop_a_person_would_write() -> None:
    trainer = trainer_of()
    history = trainer.fit(DATA, epochs=3, batch_size=10, verbose=0)
    model = mlp(4, 8, 3)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    loader = DataLoader(TensorDataset(X, Y), batch_size=10, shuffle=True, generator=0)
    for epoch in range(3):
        total = correct = 0.0
        for x, y in loader:
            out = model(x)
            loss = F.cross_entropy(out, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(x)
            correct += float((out.argmax(1) == y).sum())
        assert history.loss[epoch] == pytest.approx(total / 53, rel=1e-12)
        assert history.metrics["accuracy"][epoch] == pytest.approx(correct / 53, rel=1e-12)
    assert state_bits(trainer.model) == state_bits(model)


def test_the_same_seed_gives_the_same_run() -> None:
    states = []
    for seed in (1, 1, 2):
        trainer = trainer_of(seed=0)
        trainer.seed = seed
        trainer.fit(DATA, epochs=2, batch_size=10, verbose=0)
        states.append(state_bits(trainer.model))
    assert states[0] == states[1] != states[2]


def test_no_shuffle_and_drop_last() -> None:
    seen: list[Any] = []

    class Spy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 3)

        def forward(self, x: Any) -> Any:
            seen.append(x.numpy().copy())
            return self.layer(x)

    model = Spy()
    trainer = Trainer(
        model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1), compile=False
    )
    trainer.fit(DATA, epochs=1, batch_size=10, shuffle=False, verbose=0)
    assert bits(np.concatenate(seen)) == bits(X)
    assert [len(batch) for batch in seen] == [10, 10, 10, 10, 10, 3]
    seen.clear()
    trainer.fit(DATA, epochs=2, batch_size=10, drop_last=True, verbose=0)
    assert [len(batch) for batch in seen] == [10] * 10
    assert bits(seen[0]) != bits(seen[5])  # each epoch has an order of its own


def test_history() -> None:
    trainer = trainer_of()
    part = (X[:20], Y[:20])
    history = trainer.fit(DATA, epochs=4, batch_size=10, validation=part, verbose=0)
    assert isinstance(history, History)
    assert len(history) == 4
    assert sorted(history.metrics) == ["accuracy", "val_accuracy"]
    for values in (history.loss, history.val_loss, history.seconds, *history.metrics.values()):
        assert len(values) == 4
        assert all(isinstance(v, float) and np.isfinite(v) for v in values)
    assert all(seconds > 0 for seconds in history.seconds)
    assert history.val_loss[-1] == trainer.evaluate(part)["loss"]
    assert history.metrics["val_accuracy"][-1] == trainer.evaluate(part)["accuracy"]
    assert repr(history) == f"History(4 epochs, loss {history.loss[-1]:.4f})"


def test_history_without_validation_and_metrics() -> None:
    trainer = trainer_of(metrics=())
    history = trainer.fit(DATA, epochs=2, verbose=0)
    assert (history.val_loss, history.metrics) == ([], {})
    assert trainer.evaluate(DATA).keys() == {"loss"}


def test_no_epochs_change_nothing() -> None:
    trainer = trainer_of()
    before = state_bits(trainer.model)
    history = trainer.fit(DATA, epochs=0, verbose=0)
    assert len(history) == 0
    assert repr(history) == "History(0 epochs)"
    assert state_bits(trainer.model) == before


def test_it_learns() -> None:
    trainer = trainer_of(lr=0.02)
    before = trainer.evaluate(DATA)
    trainer.fit(DATA, epochs=60, batch_size=10, verbose=0)
    after = trainer.evaluate(DATA)
    assert after["accuracy"] > 0.95 > before["accuracy"]
    assert after["loss"] < 0.3 * before["loss"]


def test_evaluate_is_the_mean_over_rows() -> None:
    trainer = trainer_of()
    out = trainer.model(X).detach().numpy().astype(np.float64)
    losses = np.log(np.exp(out).sum(1)) - out[np.arange(53), Y]
    for batch_size in (1, 7, 53, 1000):
        result = trainer.evaluate(DATA, batch_size=batch_size)
        assert result["loss"] == pytest.approx(losses.mean(), rel=1e-6)
        assert result["accuracy"] == pytest.approx((out.argmax(1) == Y).mean(), rel=1e-12)


def test_predict_does_not_depend_on_the_split() -> None:
    trainer = trainer_of()
    whole = trainer.predict(X)
    assert isinstance(whole, np.ndarray)
    assert bits(whole) == bits(trainer.model(X))
    for batch_size in range(1, 55):
        assert bits(trainer.predict(X, batch_size=batch_size)) == bits(whole)
    for cut in range(1, 53):
        parts = trainer.predict(X[:cut]), trainer.predict(X[cut:])
        assert bits(np.concatenate(parts)) == bits(whole)


@pytest.mark.parametrize("data", [X.tolist(), X.astype(np.float64), fastnn.Tensor.of(X),
                                  TensorDataset(X, Y), Rows()])  # fmt: skip
def test_predict_of_every_kind_of_data(data: Any) -> None:
    trainer = trainer_of()
    assert bits(trainer.predict(data)) == bits(trainer.predict(X))


def test_float64_models() -> None:
    model = mlp(4, 8, 3).double()
    trainer = Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1))
    trainer.fit(DATA, epochs=1, verbose=0)
    assert trainer.predict(X).dtype == np.float64


def test_modes() -> None:
    """Training mode while it trains, eval mode while it measures, afterwards as before."""
    modes: list[bool] = []

    class Spy(nn.Linear):
        def forward(self, x: Any) -> Any:
            modes.append(self.training)
            assert fastnn.is_grad_enabled() == self.training
            return super().forward(x)

    model = nn.Sequential(Spy(4, 3))
    trainer = Trainer(
        model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1), compile=False
    )
    trainer.fit(DATA, epochs=2, batch_size=53, validation=DATA, verbose=0)
    assert modes == [True, False, True, False]
    model.eval()
    trainer.predict(X)
    trainer.evaluate(DATA)
    assert not model.training
    model.train()
    with pytest.raises(ValueError, match="expected input of shape"):
        trainer.predict(X[:, :3])
    assert model[0].training
    assert fastnn.is_grad_enabled()


@pytest.mark.parametrize(("epoch", "batch"), [(1, 1), (1, 3), (2, 2)])
def test_divergence_names_epoch_and_batch(epoch: int, batch: int) -> None:
    """And the step that would have spoilt the weights is not taken."""
    calls = 0
    trainer = trainer_of()
    trainer.compile = False
    plain = nn.CrossEntropyLoss()
    states = []

    def loss(outputs: Any, targets: Any) -> Any:
        nonlocal calls
        calls += 1
        states.append(state_bits(trainer.model))
        return plain(outputs, targets) * (np.nan if calls == (epoch - 1) * 6 + batch else 1)

    trainer.loss = loss
    with pytest.raises(NonFiniteError, match=rf"nan in epoch {epoch}, batch {batch};"):
        trainer.fit(DATA, epochs=3, batch_size=10, verbose=0)
    assert state_bits(trainer.model) == states[-1]


def test_too_large_a_learning_rate_is_reported() -> None:
    trainer = trainer_of(lr=1e30)
    with pytest.raises(NonFiniteError, match="try a smaller learning rate"):
        trainer.fit(DATA, epochs=5, batch_size=10, verbose=0)


def test_a_second_fit_goes_on() -> None:
    trainer = trainer_of()
    first = trainer.fit(DATA, epochs=10, verbose=0)
    second = trainer.fit(DATA, epochs=10, verbose=0)
    assert second.loss[-1] < first.loss[-1] < first.loss[0]


def test_what_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    trainer = trainer_of()
    trainer.fit(DATA, epochs=2, verbose=0)
    assert capfd.readouterr() == ("", "")
    history = trainer.fit(DATA, epochs=2, validation=DATA)
    out, err = capfd.readouterr()
    assert err == ""  # no bar where there is no terminal
    lines = out.splitlines()
    assert len(lines) == 2
    assert lines[1] == (
        f"epoch 2/2: loss {history.loss[1]:.4f}, accuracy {history.metrics['accuracy'][1]:.4f}, "
        f"val_loss {history.val_loss[1]:.4f}, "
        f"val_accuracy {history.metrics['val_accuracy'][1]:.4f}"
    )


def test_training_leaves_numpys_random_state_alone() -> None:
    np.random.seed(0)
    before = np.random.get_state()[1].tobytes()
    trainer_of().fit(DATA, epochs=1, verbose=0)
    assert np.random.get_state()[1].tobytes() == before


# --- schedules ---


class Halve:
    """A schedule as PyTorch's are: an optimizer, `step()`, and on plateaus `step(metrics)`."""

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer
        self.calls: list[Any] = []

    def step(self) -> None:
        self.calls.append(None)
        self.optimizer.param_groups[0]["lr"] /= 2


class HalveEachStep(Halve):
    interval = "step"


class OnPlateau(Halve):
    def step(self, metrics: float, epoch: int | None = None) -> None:  # type: ignore[override]
        self.calls.append(metrics)


def scheduled(schedule: type[Halve], **options: Any) -> tuple[Trainer, Halve]:
    model = mlp(4, 8, 3)
    optimizer = optim.SGD(model.parameters(), lr=1.0)
    made = schedule(optimizer)
    return Trainer(model, nn.CrossEntropyLoss(), optimizer, made, **options), made


@pytest.mark.parametrize(("schedule", "options", "steps", "lr"), [
    (Halve, {}, 3, [1.0, 0.5, 0.25]),
    (HalveEachStep, {}, 9, [2.0**-2, 2.0**-5, 2.0**-8]),
    (HalveEachStep, {"accumulate": 2}, 6, [2.0**-1, 2.0**-3, 2.0**-5]),
    (HalveEachStep, {"scheduler_interval": "epoch"}, 3, [1.0, 0.5, 0.25]),
    (Halve, {"scheduler_interval": "step"}, 9, [2.0**-2, 2.0**-5, 2.0**-8]),
])  # fmt: skip
def test_schedules(schedule: Any, options: Any, steps: int, lr: list[float]) -> None:
    trainer, made = scheduled(schedule, **options)
    trainer.callbacks.append(fastnn.callbacks.LearningRateLogger())
    history = trainer.fit(DATA, epochs=3, batch_size=20, verbose=0)
    assert len(made.calls) == steps
    assert history.lr == lr  # of the last step, not the one to come


def test_a_schedule_on_plateaus_gets_the_loss() -> None:
    trainer, made = scheduled(OnPlateau)
    history = trainer.fit(DATA, epochs=3, validation=DATA, verbose=0)
    assert made.calls == history.val_loss
    trainer, made = scheduled(OnPlateau)
    history = trainer.fit(DATA, epochs=3, verbose=0)
    assert made.calls == history.loss


# --- accumulation ---


@pytest.mark.parametrize(("batch_size", "accumulate"), [(10, 2), (20, 3), (7, 4), (53, 2), (1, 53)])
def test_accumulated_batches_are_one_large_batch(batch_size: int, accumulate: int) -> None:
    """Also where the last batch, or the last group of batches, is short."""
    states = []
    for size, parts in ((batch_size, accumulate), (batch_size * accumulate, 1)):
        model = mlp(4, 8, 3).double()
        optimizer = optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
        trainer = Trainer(model, nn.CrossEntropyLoss(), optimizer, accumulate=parts)
        history = trainer.fit(DATA, epochs=2, batch_size=size, verbose=0)
        states.append([*history.loss, *trainer.predict(X).ravel()])
    assert states[0][1:] == pytest.approx(states[1][1:], rel=1e-12)


def test_a_stop_does_not_apply_half_a_group() -> None:
    class Stop(fastnn.callbacks.Callback):
        def on_batch_end(self, batch: int, loss: float) -> None:
            if batch == 1:
                self.trainer.should_stop = True

    class Count(fastnn.callbacks.Callback):
        done = 0

        def on_batch_end(self, batch: int, loss: float) -> None:
            self.done = batch

    count = Count()
    one, two = trainer_of(accumulate=3, callbacks=[count, Stop()]), trainer_of()
    one.fit(DATA, epochs=9, batch_size=10, shuffle=False, verbose=0)
    two.fit((X[:30], Y[:30]), epochs=1, batch_size=30, shuffle=False, verbose=0)
    assert count.done == 2 + 1
    assert np.allclose(one.predict(X), two.predict(X), atol=1e-6)


# --- data ---


class Unlabelled(Rows):
    def __getitem__(self, index: int) -> np.ndarray:  # type: ignore[override]
        return X[index]


@pytest.mark.parametrize("data", [DATA, Unlabelled(), DataLoader(TensorDataset(X, Y), 7),
                                  DataLoader(Unlabelled(), 7)])  # fmt: skip
def test_predict_looks_at_inputs_only(data: Any) -> None:
    trainer = trainer_of()
    assert bits(trainer.predict(data)) == bits(trainer.predict(X))


def test_real_targets_become_the_models_type() -> None:
    def squared(outputs: Any, targets: Any) -> Any:
        assert outputs.dtype == targets.dtype == np.float32
        return ((outputs - targets) ** 2).mean()

    model = mlp(4, 1)
    trainer = Trainer(model, squared, optim.SGD(model.parameters(), lr=0.01), compile=False)
    trainer.fit((X.tolist(), Y[:, None] / 3), epochs=1, validation=(X, Y[:, None] / 3), verbose=0)


# --- history ---


def test_history_as_a_dictionary() -> None:
    history = trainer_of().fit(DATA, epochs=2, validation=DATA, verbose=0)
    lists = history.to_dict()
    assert list(lists) == ["loss", "val_loss", "accuracy", "val_accuracy", "lr", "seconds"]
    assert lists["lr"] == [0.01, 0.01]
    lists["loss"].clear()
    assert len(history) == 2


OPTIONS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"scheduler": Halve}, TypeError, "expected a learning-rate schedule"),
    ({"scheduler": "step"}, TypeError, "expected a learning-rate schedule, got 'step'"),
    ({"scheduler": Halve(None)}, ValueError, "schedule of the optimizer given here"),
    ({"scheduler_interval": "batch"}, ValueError, "'epoch' or 'step', got 'batch'"),
    ({"clip_grad_norm": 0}, ValueError, "expected a finite clip_grad_norm > 0, got 0"),
    ({"clip_grad_value": "1"}, TypeError, "expected clip_grad_value to be a number, got '1'"),
    ({"l1": -1}, ValueError, "expected a finite l1 >= 0, got -1"),
    ({"l1": float("nan")}, ValueError, "expected a finite l1 >= 0, got nan"),
    ({"l2": -1}, ValueError, "expected a finite l2 >= 0, got -1"),
    ({"accumulate": 0}, ValueError, "expected accumulate >= 1, got 0"),
    ({"accumulate": 2.0}, TypeError, "expected an integer accumulate, got 2.0"),
    ({"metrics": "accuracy"}, TypeError, "expected a list of metrics"),
]


@pytest.mark.parametrize(("options", "error", "pattern"), OPTIONS)
def test_bad_options(options: dict[str, Any], error: type[Exception], pattern: str) -> None:
    with pytest.raises(error, match=pattern):
        trainer_of(**options)


@pytest.mark.parametrize(("data", "pattern"), [
    (TensorDataset(X, Y, Y), r"expected batches of \(inputs, targets\), got 3 parts"),
    (Unlabelled(), r"expected batches of \(inputs, targets\), got Tensor"),
    ((X, Y, Y), r"expected data as \(X, y\), got 3 parts"),
])  # fmt: skip
def test_data_of_another_structure(data: Any, pattern: str) -> None:
    for call in (trainer_of().fit, trainer_of().evaluate):
        with pytest.raises(ValueError, match=pattern):
            call(data)
