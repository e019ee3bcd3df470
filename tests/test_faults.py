"""Faults of a training: what it says, what it leaves, and that it can go on."""

import math
import os
import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from resume_support import EPOCHS, X, Y, make_run, outcome
from support import bits, little_memory, state_bits

import fastnn
from fastnn import NonFiniteError, Trainer, nn, optim
from fastnn.callbacks import Callback

# --- NaN and infinity ---


class Log(nn.Module):
    """A layer that leaves the numbers for inputs below zero."""

    def forward(self, x: Any) -> Any:
        return x.log()


class LogInside(nn.Module):
    """A model with a step of its own between layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 8), nn.Linear(8, 3)

    def forward(self, x: Any) -> Any:
        return self.second(self.first(x).log())


def layers(*middle: nn.Module) -> nn.Sequential:
    fastnn.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), *middle, nn.Linear(8, 3))


def spoilt(model: nn.Sequential, index: int, value: float) -> nn.Sequential:
    model[index].weight.data[1, 2] = value
    return model


def with_nan(x: np.ndarray, *place: int) -> np.ndarray:
    x = x.copy()
    x[place] = np.nan
    return x


DIVERGED: dict[str, tuple[Callable[[], nn.Module], Any, str]] = {
    "input": (layers, with_nan(with_nan(X, 13, 2), 17, 0),
              r"batch 2; the input of its row 3 is nan; try"),
    "parameter": (lambda: spoilt(layers(nn.ReLU()), 2, -np.inf), X,
                  r"batch 1; parameter 2\.weight is -inf; try"),
    "layer": (lambda: layers(nn.Tanh(), nn.Sequential(Log(), nn.ReLU())), X,
              r"batch 1; the first that is nan is the output of layer 2\.0 \(Log\); try"),
    "own-forward": (LogInside, X,
                    r"batch 1; the first that is nan is the input of layer second \(Linear\); try"),
    "whole-model": (Log, X[:, :3], r"batch 1; the first that is nan is the output of model; try"),
    "overflow": (lambda: spoilt(layers(nn.ReLU()), 0, 1e38), np.full_like(X, 10),
                 r"batch 1; the first that is inf is the output of layer 0 \(Linear\); try"),
}  # fmt: skip


def trainer_of(model: nn.Module, lr: float = 0.1, **options: Any) -> Trainer:
    parameters = [*model.parameters()] or [fastnn.ones(1)]
    return Trainer(model, nn.CrossEntropyLoss(), optim.SGD(parameters, lr=lr), **options)


@pytest.mark.parametrize("what", DIVERGED)
def test_divergence_names_where_it_began(what: str) -> None:
    make, data, message = DIVERGED[what]
    trainer = trainer_of(make())
    with pytest.raises(NonFiniteError, match=f"the loss is .* in epoch 1, {message}"):
        trainer.fit((data, Y), shuffle=False, batch_size=10, verbose=0)


@pytest.mark.parametrize(("targets", "loss", "message"), [
    (with_nan(X[:, :3], 4, 0), nn.MSELoss(), "the target of its row 4 is nan"),
    (Y, lambda outputs, y: nn.CrossEntropyLoss()(outputs, y) * np.nan,
     "the loss makes it of finite outputs"),
])  # fmt: skip
def test_divergence_behind_the_model(targets: Any, loss: Any, message: str) -> None:
    trainer = trainer_of(layers())
    trainer.loss = loss
    with pytest.raises(NonFiniteError, match=f"epoch 1, batch 1; {message}; try"):
        trainer.fit((X, targets), shuffle=False, batch_size=10, verbose=0)


def test_a_forward_that_cannot_be_run_twice() -> None:
    class Once(nn.Linear):
        calls = 0

        def forward(self, input: Any) -> Any:
            self.calls += 1
            assert self.calls == 1
            return super().forward(input) * np.inf

    trainer = trainer_of(nn.Sequential(Once(4, 3)))
    with pytest.raises(NonFiniteError, match="batch 1"):
        trainer.fit((X, Y), batch_size=10, verbose=0)


def test_looking_for_the_place_changes_nothing() -> None:
    """The mask of a dropout before it, running statistics, modes."""

    class Spy(nn.Module):
        def forward(self, x: Any) -> Any:
            seen.append(bits(x))
            return x * (np.nan if self.training else 1)

    seen: list[bytes] = []
    model = layers(nn.Dropout(0.5), nn.BatchNorm1d(8), Spy())
    trainer = trainer_of(model)
    calls = []

    def loss(outputs: Any, targets: Any) -> Any:
        calls.append((state_bits(model), repr(fastnn.random.default_generator.get_state())))
        return nn.CrossEntropyLoss()(outputs, targets)

    trainer.loss = loss
    with pytest.raises(NonFiniteError, match=r"is the output of layer 3 \(Spy\)"):
        trainer.fit((X, Y), verbose=0)
    after = state_bits(model), repr(fastnn.random.default_generator.get_state())
    assert calls == [after]
    assert len(seen) == 2
    assert seen[0] == seen[1]
    assert model.training
    assert "forward" not in vars(model[3])


@pytest.mark.parametrize("options", [{}, {"checkpoint_every": 1}])
def test_weights_that_an_epoch_ends_with(options: dict[str, Any], tmp_path: Path) -> None:
    """They are not evaluated, and no checkpoint has them."""
    trainer = trainer_of(layers(), lr=1e38)
    with pytest.raises(NonFiniteError, match=r"parameter 0\.weight is .* after epoch 1, batch 1;"):
        trainer.fit((50 * X, Y), batch_size=53, verbose=0, checkpoint_dir=tmp_path, **options)
    assert len(trainer.history) == 0
    assert os.listdir(tmp_path) == ["checkpoint-000000-000000000.safetensors"]


@pytest.mark.parametrize("compile", [False, True])
@pytest.mark.parametrize("used", [False, True])
def test_weights_that_are_not_trained(used: bool, compile: bool) -> None:
    """One that is frozen, or in no layer, is looked at like the others."""
    model = layers()
    spare = nn.Parameter(np.full(3, np.inf, np.float32), requires_grad=False)
    model.register_parameter("spare", spare)
    if used:  # an infinite bias of a class that no row has leaves the loss finite
        spare[:2] = 0
        spare[2] = -np.inf
        model[1].bias = spare
    trainer = Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model[0].parameters(), lr=0.1),
                      compile=compile)  # fmt: skip
    with pytest.raises(NonFiniteError, match=r"parameter \S+ is -?inf after epoch 1, batch 6;"):
        trainer.fit((X, Y % 2), batch_size=10, verbose=0)


# --- memory ---


@pytest.mark.parametrize(("sizes", "rows"), [((64, 64, 3), 2**21), ((4, 2**16, 3), 2**14)])
def test_memory_that_is_not_there(sizes: tuple[int, ...], rows: int) -> None:
    """A batch, or a layer's output, that is larger than what is left."""
    model = nn.Sequential(nn.Linear(*sizes[:2]), nn.ReLU(), nn.Linear(*sizes[1:]))
    trainer = trainer_of(model)
    data = np.broadcast_to(np.ones((1, sizes[0]), np.float32), (rows, sizes[0]))
    labels = np.zeros(rows, np.int64)
    before = state_bits(model)
    with little_memory(2**28), pytest.raises(MemoryError):
        trainer.fit((data, labels), epochs=1, batch_size=rows, verbose=0)
    assert state_bits(model) == before
    trainer.fit((data[:20], labels[:20]), epochs=1, batch_size=10, verbose=0)
    assert math.isfinite(trainer.evaluate((data[:20], labels[:20]))["loss"])


# --- Ctrl-C ---


def press(*_: Any) -> None:
    signal.raise_signal(signal.SIGINT)


class At(Callback):
    """Does something at the `number`-th call of a hook."""

    def __init__(self, hook: str, number: int, do: Callable[[Trainer], Any]) -> None:
        self.left, self.do = number, do
        setattr(self, hook, self._count)

    def _count(self, *_: Any) -> None:
        self.left -= 1
        if not self.left:
            self.do(self.trainer)


@pytest.mark.parametrize(("hook", "number"), [
    ("on_fit_begin", 1), ("on_epoch_begin", 2), ("on_batch_begin", 8), ("on_batch_end", 8),
    ("on_validation_begin", 2), ("on_validation_end", 2), ("on_epoch_end", 2), ("on_fit_end", 1),
])  # fmt: skip
def test_training_goes_on_after_an_interrupt(hook: str, number: int, tmp_path: Path) -> None:
    case = {"layers": "batch-norm", "optimizer": "momentum"}
    trainer, given = make_run(**case)
    trainer.callbacks = [At(hook, number, press)]
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(**given, checkpoint_dir=tmp_path, checkpoint_every=2)
    trainer.callbacks = []
    expected = make_run(**case)
    expected[0].fit(**expected[1])
    if not any(tmp_path.iterdir()):  # nothing was trained yet
        trainer, given = make_run(**case)
    trainer.fit(**given, checkpoint_dir=tmp_path, resume=True)
    assert outcome(trainer) == outcome(expected[0])
    assert len(trainer.fit(**given)) == EPOCHS  # and without a checkpoint


def test_an_interrupt_while_a_checkpoint_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = os.fsync, []

    def fsync(handle: int) -> None:
        calls.append(handle)
        if len(calls) == 5:  # of the third file's content
            press()
        real(handle)

    trainer, given = make_run(layers="dropout")
    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(**given, checkpoint_dir=tmp_path, checkpoint_every=1)
    assert len(os.listdir(tmp_path)) == 2
    trainer.fit(**given, checkpoint_dir=tmp_path, resume=True)
    expected = make_run(layers="dropout")
    expected[0].fit(**expected[1])
    assert outcome(trainer) == outcome(expected[0])


# --- files ---


@contextmanager
def small_files(size: int) -> Iterator[None]:
    """A limit for the size of files stands in for a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def as_nobody(folder: Path) -> Iterator[None]:
    """Without the right to write there; permissions do not bind root."""
    root = os.geteuid() == 0
    folder.chmod(0o555)
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o755)


FAULTS: dict[str, tuple[Callable[[Path], Any], type[OSError]]] = {
    "full": (lambda folder: small_files(100), OSError),
    "read-only": (as_nobody, PermissionError),
}


@pytest.mark.parametrize("what", FAULTS)
def test_a_checkpoint_that_cannot_be_written(what: str, tmp_path: Path) -> None:
    """The run is what it was at that moment, and goes on when the fault is gone."""
    fault, error = FAULTS[what]
    trainer, given = make_run(layers="dropout")
    seen = []
    with ExitStack() as faulty:

        def break_it(_: Trainer) -> None:
            faulty.enter_context(fault(tmp_path))
            seen.append(state_bits(trainer.model))

        trainer.callbacks = [At("on_epoch_end", 2, break_it)]
        with pytest.raises(error, match=f"'{tmp_path}/checkpoint-000002-0"):
            trainer.fit(**given, checkpoint_dir=tmp_path)
    assert state_bits(trainer.model) == seen[0]
    assert len(trainer.history) == 2
    assert sorted(os.listdir(tmp_path)) == [f"checkpoint-00000{i}-000000000.safetensors"
                                            for i in (0, 1)]  # fmt: skip
    trainer.callbacks = []
    trainer.fit(**given, checkpoint_dir=tmp_path, resume=True)
    expected = make_run(layers="dropout")
    expected[0].fit(**expected[1])
    assert outcome(trainer) == outcome(expected[0])


def test_a_folder_that_vanishes(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    trainer, given = make_run()
    trainer.callbacks = [At("on_epoch_end", 2, lambda _: shutil.rmtree(folder))]
    with pytest.raises(FileNotFoundError, match=f"'{folder}/checkpoint-000002-0"):
        trainer.fit(**given, checkpoint_dir=folder)
    assert len(trainer.history) == 2
    other, options = make_run()
    other.fit(**{**options, "epochs": 2})
    assert state_bits(trainer.model) == state_bits(other.model)
    trainer.callbacks = []
    assert len(trainer.fit(**given, checkpoint_dir=folder)) == EPOCHS


@pytest.mark.parametrize("where", ["file", "file/below", "link", "x" * 300, "a\0b"])
def test_places_that_are_no_folder(where: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "link")
    trainer, given = make_run()
    before = state_bits(trainer.model)
    with pytest.raises(ValueError if "\0" in where else OSError, match=r"null|/file|/link|/xxx"):
        trainer.fit(**given, checkpoint_dir=tmp_path / where)
    assert state_bits(trainer.model) == before
    assert (tmp_path / "file").read_text() == "mine"
