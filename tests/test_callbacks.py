"""Callbacks: when they are called, what they leave behind, whatever ends a run."""

import csv
import io
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tqdm.auto
from support import environment, mlp, state_bits

import fastnn
from fastnn import NonFiniteError, Trainer, nn, optim
from fastnn.callbacks import (
    Callback,
    CSVLogger,
    EarlyStopping,
    Hooks,
    LearningRateLogger,
    ModelCheckpoint,
    ProgressBar,
)
from fastnn.progress import Progress

_rng = np.random.default_rng(0)
X = _rng.standard_normal((53, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64)
DATA = (X, Y)
HOOKS = [name for name in vars(Callback) if name.startswith("on_")]


def trainer_of(*callbacks: Callback, lr: float = 0.05, **options: Any) -> Trainer:
    model = mlp(4, 8, 2)
    optimizer = optim.Adam(model.parameters(), lr=lr)
    return Trainer(model, nn.CrossEntropyLoss(), optimizer, callbacks=callbacks, **options)


def run(trainer: Trainer, epochs: int = 3, **options: Any) -> Any:
    given = {"batch_size": 20, "validation": DATA, "verbose": 0, **options}
    return trainer.fit(DATA, epochs=epochs, **given)


class Spy(Callback):
    """Notes every hook in a shared list, and does at one of them what it is told to."""

    def __init__(self, log: list[str], name: str = "", at: str = "", do: Any = None) -> None:
        self.log, self.name, self.at, self.do = log, name, at, do


def _spied(hook: str) -> Callable[..., None]:
    def method(self: Spy, *args: Any) -> None:
        numbers = [str(a) for a in args if isinstance(a, int)]
        event = " ".join([hook.removeprefix("on_"), *numbers])
        self.log.append(f"{self.name}{event}")
        if event == self.at:
            self.do(self)

    return method


for _hook in HOOKS:
    setattr(Spy, _hook, _spied(_hook))


def raises(error: BaseException) -> Callable[[Any], None]:
    def do(_: Any) -> None:
        raise error

    return do


def stop(callback: Callback) -> None:
    callback.trainer.should_stop = True


def scores(*values: float) -> Callback:
    """A callback that adds a made-up score to each epoch."""

    class Scores(Callback):
        def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
            logs["score"] = values[epoch - 1]

    return Scores()


class States(Callback):
    """Keeps the weights after every epoch."""

    def __init__(self) -> None:
        self.bits: list[bytes] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        self.bits.append(state_bits(self.trainer.model))


# --- when ---


def test_order_of_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastnn.training.pulse.INTERVAL", 1e9)  # however slow the machine is
    log: list[str] = []
    trainer = trainer_of(Spy(log, "a:"), Spy(log, "b:"))
    run(trainer, epochs=2, batch_size=30)
    each = [f"{hook} {epoch}" if epoch else hook for epoch, hook in [(0, "fit_begin")]]
    for epoch in (1, 2):
        each += [f"epoch_begin {epoch}", "batch_begin 1", "batch_end 1", "batch_begin 2",
                 "batch_end 2", "progress 2", f"validation_begin {epoch}",
                 f"validation_end {epoch}", f"epoch_end {epoch}"]  # fmt: skip
    each += ["fit_end"]
    assert log == [f"{name}:{event}" for event in each for name in "ab"]


@pytest.mark.parametrize(("interval", "stopped_at", "told"), [
    (0.0, "", [1, 2, 3, 3] * 2), (1e9, "", [3, 3]), (1e9, "batch_end 2", [2]),
])  # fmt: skip
def test_progress_is_told_by_time_and_at_the_end(
    interval: float, stopped_at: str, told: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastnn.training.pulse.INTERVAL", interval)
    log: list[str] = []
    seen = []

    class Look(Callback):
        def on_progress(self, batch: int) -> None:
            seen.append((batch, self.trainer.running()["loss"] > 0))

    run(trainer_of(Look(), Spy(log, at=stopped_at, do=stop)), epochs=2)
    assert seen == [(batch, True) for batch in told]
    assert [int(event.split()[1]) for event in log if event.startswith("progress")] == told


def test_a_bar_needs_no_call_a_batch() -> None:
    hooks = Hooks(trainer_of(), [ProgressBar()])
    assert not hooks.of("on_batch_begin")
    assert not hooks.of("on_batch_end")
    assert len(hooks.of("on_progress")) == 1


def test_no_validation_no_validation_hooks() -> None:
    log: list[str] = []
    run(trainer_of(Spy(log)), validation=None)
    assert not any("validation" in event for event in log)


def test_callbacks_change_nothing() -> None:
    log: list[str] = []
    states = []
    for callbacks in ((), (Spy(log), ProgressBar(), LearningRateLogger())):
        trainer = trainer_of(*callbacks)
        run(trainer)
        states.append(state_bits(trainer.model))
    assert states[0] == states[1]


def test_what_a_callback_sees() -> None:
    seen = []

    class Look(Callback):
        def on_batch_end(self, batch: int, loss: float) -> None:
            seen.append((batch, loss, self.trainer.running(), self.trainer.batches))

        def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
            assert logs["loss"] == self.trainer.running()["loss"]
            assert logs["val_loss"] == self.trainer.evaluate(DATA)["loss"]
            logs["own"] = 10.0 * epoch

    history = run(trainer_of(Look()), epochs=2)
    assert [batch for batch, *_ in seen] == [1, 2, 3, 1, 2, 3]
    losses = [loss for _, loss, *_ in seen[:3]]
    assert seen[1][2]["loss"] == pytest.approx(np.mean(losses[:2]))
    assert history.loss[0] == pytest.approx(np.average(losses, weights=[20, 20, 13]))
    assert seen[0][3] == 3
    assert history.metrics["own"] == [10.0, 20.0]


@pytest.mark.parametrize(("at", "batches", "epochs"), [
    ("fit_begin", 0, 0), ("epoch_begin 1", 0, 0), ("batch_begin 1", 1, 1), ("batch_end 2", 2, 1),
    ("validation_end 1", 3, 1), ("epoch_end 2", 6, 2),
])  # fmt: skip
def test_should_stop(at: str, batches: int, epochs: int) -> None:
    log: list[str] = []
    history = run(trainer_of(Spy(log, at=at, do=stop)))
    assert len(history) == epochs
    assert sum(event.startswith("batch_end") for event in log) == batches
    assert log[-1] == "fit_end"


@pytest.mark.parametrize("error", [KeyError("x"), KeyboardInterrupt(), NonFiniteError("y")],
                         ids=lambda e: type(e).__name__)  # fmt: skip
@pytest.mark.parametrize("at", ["epoch_begin 2", "batch_begin 2", "batch_end 2", "epoch_end 2",
                                "validation_begin 1", "validation_end 1"])  # fmt: skip
def test_every_callback_ends_whatever_happens(at: str, error: BaseException) -> None:
    log: list[str] = []
    trainer = trainer_of(Spy(log, "a:"), Spy(log, "b:", at, raises(error)), Spy(log, "c:"))
    with pytest.raises(type(error)) as caught:
        run(trainer)
    assert caught.value is error
    assert log[-3:] == ["a:fit_end", "b:fit_end", "c:fit_end"]
    assert len(trainer.history) == (2 if at == "epoch_end 2" else at[-1] == "2" and "ep" in at)


def test_an_end_that_raises_does_not_keep_the_others_from_ending() -> None:
    log: list[str] = []
    spies = [Spy(log, name, "fit_end", raises(KeyError(name))) for name in "ab"]
    with pytest.raises(KeyError, match="b"):
        run(trainer_of(*spies))
    assert log[-2:] == ["afit_end", "bfit_end"]


def test_a_begin_that_raises() -> None:
    log: list[str] = []
    bad = Spy(log, "b:", "fit_begin", raises(KeyError("x")))
    with pytest.raises(KeyError):
        run(trainer_of(Spy(log, "a:"), bad, Spy(log, "c:")))
    assert log == ["a:fit_begin", "b:fit_begin", "a:fit_end"]


# --- Ctrl-C ---


@pytest.fixture
def interrupt_at() -> Any:
    """A trainer whose loss is interrupted in one batch, as by Ctrl-C in the midst of a step."""

    def make(number: int, *callbacks: Callback, times: int = 1) -> Trainer:
        trainer = trainer_of(*callbacks)
        trainer.compile = False
        plain, calls = trainer.loss, 0

        def loss(outputs: Any, targets: Any) -> Any:
            nonlocal calls
            calls += fastnn.is_grad_enabled()  # not while it evaluates
            for _ in range(times * (calls == number)):
                signal.raise_signal(signal.SIGINT)
            return plain(outputs, targets)

        trainer.loss = loss
        return trainer

    return make


def test_an_interrupt_waits_for_the_end_of_the_step(interrupt_at: Any) -> None:
    handler = signal.getsignal(signal.SIGINT)
    trainer, uninterrupted = interrupt_at(5), trainer_of()
    with pytest.raises(KeyboardInterrupt):
        run(trainer)
    assert signal.getsignal(signal.SIGINT) is handler
    states: list[bytes] = []

    class Keep(Callback):
        def on_batch_end(self, batch: int, loss: float) -> None:
            states.append(state_bits(self.trainer.model))

    uninterrupted.callbacks = [Keep()]
    run(uninterrupted)
    assert state_bits(trainer.model) == states[4]
    assert len(trainer.history) == 1


def test_a_second_interrupt_does_not_wait(interrupt_at: Any) -> None:
    trainer = interrupt_at(1, times=2)
    before = state_bits(trainer.model)
    with pytest.raises(KeyboardInterrupt):
        run(trainer)
    assert state_bits(trainer.model) == before


def test_callbacks_finish_in_spite_of_an_interrupt() -> None:
    log: list[str] = []

    def press(_: Callback) -> None:
        signal.raise_signal(signal.SIGINT)
        log.append("still there")  # so weights on their way back arrive whole

    with pytest.raises(KeyboardInterrupt):
        run(trainer_of(Spy(log, "a:", "fit_end", press), Spy(log, "b:")))
    assert log[-3:] == ["a:fit_end", "still there", "b:fit_end"]


def test_training_in_another_thread() -> None:
    trainer, other = trainer_of(), trainer_of()
    thread = threading.Thread(target=run, args=(trainer,))
    thread.start()
    thread.join()
    run(other)
    assert state_bits(trainer.model) == state_bits(other.model)


# --- EarlyStopping ---


@pytest.mark.parametrize(("values", "options", "best", "stopped"), [
    ([1, 2, 3, 4], {"patience": 1}, 1, 2),
    ([1, 2, 3, 4], {"patience": 0}, 1, 2),
    ([3, 2, 2, 1, 1, 1, 0], {"patience": 2}, 4, 6),
    ([3, 2, 2, 1, 1, 1, 0], {"patience": 3}, 7, None),
    ([3, 2.5, 2.2, 1.9], {"patience": 3, "min_delta": 1}, 4, None),
    ([3, 2.5, 2.2, 2.0], {"patience": 3, "min_delta": 1}, 1, 4),
    ([1, 2, 3, 2, 2], {"patience": 2, "mode": "max"}, 3, 5),
    ([np.nan, np.nan, 1, np.nan], {"patience": 5}, 3, None),
    ([np.nan, np.nan, 1], {"patience": 2}, 0, 2),
])  # fmt: skip
def test_early_stopping(values: list[float], options: dict[str, Any], best: int,
                        stopped: int | None) -> None:  # fmt: skip
    states = States()
    stopping = EarlyStopping("score", **{"mode": "min", **options})
    trainer = trainer_of(states, scores(*values), stopping)
    history = run(trainer, epochs=len(values))
    assert len(history) == (stopped or len(values))
    assert stopping.best_epoch == best
    assert stopping.stopped_epoch == stopped
    assert state_bits(trainer.model) == states.bits[best - 1 if best else -1]
    if best:
        assert stopping.best == values[best - 1]


def test_early_stopping_can_leave_the_weights() -> None:
    states = States()
    stopping = EarlyStopping("score", "min", patience=2, restore_best_weights=False)
    trainer = trainer_of(states, scores(1, 2, 3), stopping)
    run(trainer)
    assert state_bits(trainer.model) == states.bits[2] != states.bits[0]


class _Counting(nn.Module):
    """A layer with a buffer that training changes, as batch norm has."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", fastnn.zeros(1))

    def forward(self, x: Any) -> Any:
        if self.training:
            self.count += 1
        return x


@pytest.mark.parametrize("end", ["stop", "last epoch", "interrupt", "diverged", "callback before",
                                 "callback behind"])  # fmt: skip
def test_the_best_weights_come_back_whatever_ends_the_run(end: str) -> None:
    """And the buffers, such as running statistics, with them."""
    bad = Spy([], at="epoch_end 3", do=raises(KeyError("x")))
    states = States()
    stopping = EarlyStopping("score", "max", patience=2 if end == "stop" else 9)
    callbacks = [states, scores(1, 2, 1, 1), stopping]
    callbacks = {"callback before": [bad, *callbacks], "callback behind": [*callbacks, bad]}.get(
        end, callbacks
    )
    trainer = trainer_of(*callbacks)
    trainer.model.append(_Counting())
    trainer.compile = False
    plain, calls = trainer.loss, 0

    def loss(outputs: Any, targets: Any) -> Any:
        nonlocal calls
        calls += fastnn.is_grad_enabled()
        if calls == 8 and end == "interrupt":
            signal.raise_signal(signal.SIGINT)
        return plain(outputs, targets) * (np.nan if calls == 8 and end == "diverged" else 1)

    trainer.loss = loss
    errors = {"interrupt": KeyboardInterrupt, "diverged": NonFiniteError}
    error = errors.get(end, KeyError if end.startswith("callback") else None)
    if error is None:
        assert len(run(trainer, epochs=4)) == 4
    else:
        with pytest.raises(error):
            run(trainer, epochs=4)
    assert state_bits(trainer.model) == states.bits[1]
    assert trainer.model[-1].count.item() == 6
    assert stopping.best_epoch == 2


def test_a_second_fit_starts_anew() -> None:
    stopping = EarlyStopping("score", "min", patience=1)
    trainer = trainer_of(scores(1, 2, 0), stopping)
    assert len(run(trainer)) == 2
    assert len(run(trainer)) == 2
    assert stopping.best == 1


# --- ModelCheckpoint ---


def test_checkpoints_of_every_epoch(tmp_path: Path) -> None:
    states = States()
    checkpoint = ModelCheckpoint(tmp_path / "new" / "m-{epoch:02d}-{val_loss:.4f}.safetensors")
    trainer = trainer_of(states, checkpoint)
    history = run(trainer)
    names = [f"m-{i + 1:02d}-{v:.4f}.safetensors" for i, v in enumerate(history.val_loss)]
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == names
    model = mlp(4, 8, 2, seed=1)
    for name, state in zip(names, states.bits, strict=True):
        model.load_state_dict(fastnn.load(tmp_path / "new" / name))
        assert state_bits(model) == state
    assert checkpoint.last_path == tmp_path / "new" / names[-1]


def test_checkpoint_of_the_best(tmp_path: Path) -> None:
    states = States()
    path = tmp_path / "best.safetensors"
    checkpoint = ModelCheckpoint(path, "score", "max", save_best_only=True)
    trainer = trainer_of(states, scores(1, 3, 2), checkpoint)
    run(trainer)
    model = mlp(4, 8, 2, seed=1)
    model.load_state_dict(fastnn.load(path))
    assert state_bits(model) == states.bits[1]
    assert (checkpoint.best, checkpoint.last_path) == (3, path)
    first = path.read_bytes()
    run(trainer)  # no better than before: the file stays
    assert path.read_bytes() == first
    assert [p.name for p in tmp_path.iterdir()] == ["best.safetensors"]


def test_checkpoint_now_and_then(tmp_path: Path) -> None:
    run(trainer_of(ModelCheckpoint(tmp_path / "{epoch}", every=2)), epochs=5)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["2", "4"]


# --- CSVLogger, LearningRateLogger, ProgressBar ---


def test_csv(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    flushed = []

    class Reader(Callback):
        def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
            flushed.append(len(path.read_text().splitlines()))

    trainer = trainer_of(LearningRateLogger(), CSVLogger(path), Reader())
    histories = [run(trainer, epochs=2), run(trainer, epochs=1)]
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    assert list(rows[0]) == ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "lr"]
    assert [row["epoch"] for row in rows] == ["1", "2", "1"]
    assert [float(row["loss"]) for row in rows] == [v for h in histories for v in h.loss]
    assert {row["lr"] for row in rows} == {"0.05"}
    assert flushed == [2, 3, 4]  # with the one header
    assert b"\r\n" in path.read_bytes()  # as RFC 4180 and the csv module have it

    with pytest.raises(ValueError, match=r"expected the columns .* write to another file"):
        run(trainer_of(CSVLogger(path)), validation=None)
    with pytest.raises(FileNotFoundError):
        run(trainer_of(CSVLogger(tmp_path / "none" / "log.csv")))


def test_learning_rates() -> None:
    model = mlp(4, 8, 2)
    groups = [{"params": model[0].parameters(), "lr": 0.5}, {"params": model[2].parameters()}]
    optimizer = optim.SGD(groups, lr=0.25)
    trainer = Trainer(model, nn.CrossEntropyLoss(), optimizer, callbacks=[LearningRateLogger()])
    history = run(trainer, epochs=2)
    assert (history.metrics["lr_0"], history.metrics["lr_1"]) == ([0.5, 0.5], [0.25, 0.25])
    assert history.lr == [0.5, 0.5]
    history = run(trainer_of(LearningRateLogger()), epochs=2)
    assert history.lr == [0.05, 0.05]
    assert "lr" not in history.metrics


def test_one_progress_bar_is_enough(capsys: pytest.CaptureFixture[str]) -> None:
    run(trainer_of(ProgressBar(), LearningRateLogger()), epochs=1, verbose=1)
    assert len(capsys.readouterr().out.splitlines()) == 1
    run(trainer_of(LearningRateLogger(), lr=1e-5), epochs=1, verbose=1)
    assert capsys.readouterr().out.endswith(", lr 1.000e-05\n")


def notebook(name: str) -> Any:
    """What `sys.modules` has for IPython where a shell of this kind runs the code."""
    return SimpleNamespace(get_ipython=lambda: SimpleNamespace(config={name: {}}))


@pytest.mark.parametrize("where", ["terminal", "notebook"])
def test_a_bar_an_epoch(where: str, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    if where == "terminal":
        monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    else:
        monkeypatch.setitem(sys.modules, "IPython", notebook("IPKernelApp"))
    bad = Spy([], at="batch_end 2", do=raises(KeyError("x")))
    history = run(trainer_of(), epochs=2, verbose=1)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 2
    assert "epoch 2/2: 100%" in err
    assert "| 3/3 [" in err
    for i, (line, loss) in enumerate(zip(err.split("\n")[:2], history.loss, strict=True)):
        stays = line.split("\r")[-1].rstrip()
        assert stays.startswith(f"epoch {i + 1}/2: loss {loss:.4f}, accuracy ")
        assert stays.endswith(f"val_accuracy {history.metrics['val_accuracy'][i]:.4f}")
    with pytest.raises(KeyError):
        run(trainer_of(bad), verbose=1)
    assert capsys.readouterr().err.endswith("\n")  # a bar left half way is closed


@pytest.mark.parametrize("where", ["a file", "ipython", "no console"])
def test_a_line_an_epoch(where: str, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    if where == "ipython":
        monkeypatch.setitem(sys.modules, "IPython", notebook("TerminalIPythonApp"))
    elif where == "no console":
        monkeypatch.setattr("sys.stderr", None)
    history = run(trainer_of(), epochs=2, verbose=1)
    out, err = capsys.readouterr()
    assert err == ""
    assert [line.partition(",")[0] for line in out.splitlines()] == [
        f"epoch {i + 1}/2: loss {loss:.4f}" for i, loss in enumerate(history.loss)
    ]
    run(trainer_of(), verbose=0)
    assert capsys.readouterr() == ("", "")


def test_what_a_bar_shows_half_way(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    progress = Progress(2, 5, 8)
    assert isinstance(progress.bar, tqdm.auto.tqdm)  # a widget in a notebook that has them
    progress.show(2, {"loss": 0.5})
    progress.show(3, {"loss": 0.25})
    drawn = capsys.readouterr().err.split("\r")
    assert drawn[-1].startswith("epoch 2/5:  38%|")
    assert "| 3/8 [" in drawn[-1]
    assert drawn[-1].rstrip().endswith("loss 0.2500]")
    assert "loss 0.5000]" in drawn[-2]
    progress.close()


@pytest.mark.parametrize(("columns", "width"), [(0, 100), (50, 50), (200, 200)])
def test_a_terminal_of_any_width(columns: int, width: int) -> None:
    """Within a container a terminal may say that it has no column at all."""
    code = ("import fcntl, struct, termios\n"
            f"size = struct.pack('HHHH', {columns // 2}, {columns}, 0, 0)\n"
            "fcntl.ioctl(2, termios.TIOCSWINSZ, size)\n"
            "from fastnn.progress import Progress\n"
            "p = Progress(1, 1, 2); p.show(1, {'loss': 0.5}); p.close()")  # fmt: skip
    master, terminal = os.openpty()
    done = subprocess.run([sys.executable, "-c", code], stderr=terminal, check=False,
                          env=environment(), cwd=Path(__file__).parent)  # fmt: skip
    os.close(terminal)
    shown = os.read(master, 100_000).decode()
    os.close(master)
    assert done.returncode == 0, shown
    lines = [line for line in re.split(r"[\r\n]+", shown) if line.strip()]
    assert lines[-1].startswith("epoch 1/1:  50%|")
    assert width - 2 <= len(lines[-1].rstrip()) <= width


# --- bad input ---

BAD: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: EarlyStopping(mode="up"), ValueError, "expected mode 'auto', 'min' or 'max', got"),
    (lambda: EarlyStopping("score"), ValueError, "cannot tell whether more score is better"),
    (lambda: EarlyStopping(patience=-1), ValueError, "expected patience >= 0, got -1"),
    (lambda: EarlyStopping(patience=1.5), TypeError, "expected an integer patience, got 1.5"),  # type: ignore[arg-type]
    (lambda: EarlyStopping(min_delta=-1), ValueError, "expected a finite min_delta >= 0, got -1"),
    (lambda: ModelCheckpoint("x", every=0), ValueError, "expected every >= 1, got 0"),
    (lambda: ModelCheckpoint("x", mode="up", save_best_only=True), ValueError, "expected mode"),
    (lambda: run(trainer_of(EarlyStopping("vall_loss", "min"))), ValueError,
     r"one of \['loss', 'accuracy', 'val_loss', 'val_accuracy'\], got 'vall_loss'$"),
    (lambda: run(trainer_of(EarlyStopping()), validation=None), ValueError,
     r"one of \['loss', 'accuracy'\], got 'val_loss'; pass fit\(validation=...\)"),
    (lambda: run(trainer_of(ModelCheckpoint("m-{f1:.2f}"))), ValueError,
     r"fields of \['epoch', 'loss', .*\] in 'm-\{f1:.2f\}': 'f1'"),
    (lambda: run(trainer_of(ModelCheckpoint("m-{}"))), ValueError, "expected fields of"),
    (lambda: run(trainer_of(ModelCheckpoint("m-{epoch:.2q}"))), ValueError, "expected fields of"),
    (lambda: trainer_of(EarlyStopping), TypeError, "EarlyStopping'>; call it"),  # type: ignore[arg-type]
    (lambda: trainer_of(print), TypeError, "expected fastnn.callbacks.Callback objects"),  # type: ignore[arg-type]
    (lambda: Trainer(m := mlp(4, 2), nn.CrossEntropyLoss(), optim.SGD(m.parameters()),
                     callbacks=ProgressBar()), TypeError, "expected a list of callbacks"),  # type: ignore[arg-type]
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "pattern"), BAD)
def test_bad_input(call: Callable[[], Any], error: type[Exception], pattern: str) -> None:
    with pytest.raises(error, match=pattern):
        call()
