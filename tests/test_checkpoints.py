"""Checkpoints: a training that is interrupted and resumed ends as one left alone."""

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from resume_support import (
    BATCH_SIZE,
    DATA,
    EPOCHS,
    LAYERS,
    OPTIMIZERS,
    OPTIONS,
    SCHEDULES,
    Run,
    X,
    Y,
    make_run,
    outcome,
)
from support import run_python, state_bits

import fastnn
from fastnn import Trainer
from fastnn.callbacks import Callback, CSVLogger, EarlyStopping, ModelCheckpoint
from fastnn.training.checkpoints import Checkpoints


class Killed(BaseException):
    """What ends a run at a moment of our choice; nobody catches it."""


class Kill(Callback):
    """Ends the run at the `at`-th call of a hook."""

    def __init__(self, hook: str, at: int) -> None:
        self.left = at
        setattr(self, hook, self._count)

    def _count(self, *_: Any) -> None:
        self.left -= 1
        if not self.left:
            raise Killed


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def interrupted(run: Run, folder: Path, *kill: Any, **options: Any) -> None:
    trainer, given = run
    trainer.callbacks = [*trainer.callbacks, Kill(*kill)]
    with pytest.raises(Killed):
        trainer.fit(**given, checkpoint_dir=folder, **options)


def resumed(run: Run, folder: Path, **options: Any) -> dict[str, Any]:
    trainer, given = run
    trainer.fit(**given, checkpoint_dir=folder, resume=True, **options)
    return outcome(trainer)


def whole(run: Run) -> dict[str, Any]:
    trainer, given = run
    trainer.fit(**given)
    return outcome(trainer)


KILLS = [("on_fit_begin", 1), ("on_batch_begin", 1), ("on_batch_end", 3), ("on_epoch_end", 1),
         ("on_epoch_begin", 2), ("on_batch_end", 9), ("on_batch_end", 10),
         ("on_validation_begin", 2), ("on_epoch_end", 3), ("on_batch_end", 19)]  # fmt: skip

CASES = [
    *({"optimizer": name} for name in OPTIMIZERS),
    *({"schedule": name, "optimizer": "momentum"} for name in SCHEDULES),
    *({"layers": name} for name in LAYERS),
    *({"data": name, "layers": "dropout"} for name in DATA),
    *({"options": name, "layers": "dropout"} for name in OPTIONS),
    {"schedule": "one-cycle", "options": "callbacks", "data": "noisy", "layers": "batch-norm"},
    {"schedule": "plateau", "options": "accumulate", "data": "stream", "layers": "dropout"},
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(case.values()))
def test_a_resumed_run_ends_as_one_left_alone(case: dict[str, str], tmp_path: Path) -> None:
    expected = whole(make_run(**case))
    for number, kill in enumerate(KILLS[CASES.index(case) % 2 :: 2]):
        folder = tmp_path / str(number)
        every = (None, 1, 2, 4)[number % 4]
        try:
            interrupted(make_run(**case), folder, *kill, checkpoint_every=every)
        except pytest.fail.Exception:  # it had stopped by itself before
            assert "stopping" in case.get("options", "")
        assert resumed(make_run(**case, seed=int(any(names(folder)))), folder) == expected


def test_each_interruption_may_be_followed_by_another(tmp_path: Path) -> None:
    case = {"layers": "batch-norm-average", "schedule": "one-cycle", "options": "callbacks"}
    expected = whole(make_run(**case))
    interrupted(make_run(**case), tmp_path, "on_batch_end", 5, checkpoint_every=2)
    for hook, at in [("on_batch_end", 1), ("on_batch_end", 5), ("on_epoch_end", 1)]:
        options = {"resume": True, "checkpoint_every": 2}
        interrupted(make_run(**case, seed=3), tmp_path, hook, at, **options)
    assert resumed(make_run(**case, seed=4), tmp_path) == expected


def test_a_killed_process_goes_on(tmp_path: Path) -> None:
    code = """
import os, signal, sys
from resume_support import make_run
from test_checkpoints import Kill
trainer, given = make_run("momentum", "cosine", "dropout")
kill = Kill("on_batch_end", 9)
kill.trainer = kill.on_batch_end = None
def die(number, loss, calls=[]):
    calls.append(number)
    if len(calls) == 9:
        os.kill(os.getpid(), signal.SIGKILL)
kill.on_batch_end = die
trainer.callbacks = [kill]
trainer.fit(**given, checkpoint_dir=sys.argv[1], checkpoint_every=2)
"""
    assert run_python(code, str(tmp_path)).returncode == -signal.SIGKILL
    assert names(tmp_path)[-1] == "checkpoint-000001-000000002.safetensors"
    case = ("momentum", "cosine", "dropout")
    assert resumed(make_run(*case, seed=1), tmp_path) == whole(make_run(*case))


# --- the folder ---


def at(epoch: int, batch: int = 0) -> str:
    return f"checkpoint-{epoch:06d}-{batch:09d}.safetensors"


@pytest.mark.parametrize(("options", "left"), [
    ({}, [at(2), at(3), at(4)]),
    ({"keep_checkpoints": 1}, [at(4)]),
    ({"keep_checkpoints": 99}, [at(0), at(1), at(2), at(3), at(4)]),
    ({"checkpoint_every": 4}, [at(3), at(3, 4), at(4)]),
    ({"checkpoint_every": 3, "keep_checkpoints": 4}, [at(3), at(3, 3), at(3, 6), at(4)]),
    ({"checkpoint_every": 1000}, [at(2), at(3), at(4)]),
])  # fmt: skip
def test_the_newest_are_kept(options: dict[str, Any], left: list[str], tmp_path: Path) -> None:
    trainer, given = make_run()
    trainer.fit(**given, checkpoint_dir=tmp_path / "a" / "b", **options)
    assert names(tmp_path / "a" / "b") == left


def test_every_counts_optimizer_steps(tmp_path: Path) -> None:
    trainer, given = make_run(options="accumulate")  # 6 batches are steps of 4 and 2
    trainer.fit(**{**given, "epochs": 1}, checkpoint_dir=tmp_path, checkpoint_every=1,
                keep_checkpoints=9)  # fmt: skip
    assert names(tmp_path) == [at(0), at(0, 4), at(1)]


def test_steps_until_the_next() -> None:
    trainer, _ = make_run(options="accumulate")

    def steps(every: int | None, batch: int) -> int | None:
        folder = None if every is None else "unused"
        loader = trainer._loader((X, Y), BATCH_SIZE)
        return Checkpoints(trainer, loader, folder, every, 1).steps_to_next(batch)

    assert [steps(3, 4 * done) for done in range(7)] == [3, 2, 1, 3, 2, 1, 3]
    assert steps(None, 4) is None


def test_a_file_is_a_dict_for_load(tmp_path: Path) -> None:
    trainer, given = make_run()
    trainer.fit(**given, checkpoint_dir=tmp_path)
    saved = fastnn.load(tmp_path / at(EPOCHS))
    other, _ = make_run(seed=1)
    other.model.load_state_dict(saved["model_state_dict"])
    other.optimizer.load_state_dict(saved["optimizer_state_dict"])
    assert state_bits(other.model) == state_bits(trainer.model)
    assert (saved["epoch"], saved["batch"]) == (EPOCHS, 0)
    assert saved["history"]["loss"] == trainer.history.loss


def test_resume_starts_where_there_is_none(tmp_path: Path) -> None:
    assert resumed(make_run(), tmp_path / "new") == whole(make_run())


def test_a_new_training_takes_no_folder_of_another(tmp_path: Path) -> None:
    trainer, given = make_run()
    trainer.fit(**given, checkpoint_dir=tmp_path)
    before = state_bits(trainer.model)
    with pytest.raises(FileExistsError, match=f"resume it, or give another folder: '{tmp_path}'$"):
        trainer.fit(**given, checkpoint_dir=tmp_path)
    assert state_bits(trainer.model) == before
    assert names(tmp_path) == [at(2), at(3), at(4)]


def test_a_finished_training_can_be_given_more_epochs(tmp_path: Path) -> None:
    trainer, given = make_run()
    given["epochs"] = 2
    trainer.fit(**given, checkpoint_dir=tmp_path)
    assert resumed((trainer, given), tmp_path) == outcome(trainer)  # nothing left to do
    assert resumed(make_run(seed=1), tmp_path) == whole(make_run())


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    others = ["checkpoint-1-2.txt", "checkpoint-a-b.safetensors", "model.safetensors", "x.tmp"]
    for name in others:
        (tmp_path / name).write_text("mine")
    (tmp_path / f".{at(3)}.abc.tmp").write_text("of a killed save")
    trainer, given = make_run()
    trainer.fit(**given, checkpoint_dir=tmp_path, keep_checkpoints=1)
    assert names(tmp_path) == sorted([*others, at(EPOCHS)])


def test_it_goes_on_in_the_same_trainer(tmp_path: Path) -> None:
    run = make_run(layers="dropout")
    interrupted(run, tmp_path, "on_batch_end", 9, checkpoint_every=2)
    run[0].callbacks = []
    assert resumed(run, tmp_path) == whole(make_run(layers="dropout"))


def test_a_stop_in_the_middle_of_an_epoch_goes_on_there(tmp_path: Path) -> None:
    class Stop(Callback):
        def on_batch_end(self, batch: int, loss: float) -> None:
            self.trainer.should_stop |= (len(self.trainer.history), batch) == (1, 3)

    trainer, given = make_run(layers="dropout")
    trainer.callbacks = [Stop()]
    assert len(trainer.fit(**given, checkpoint_dir=tmp_path)) == 2
    assert names(tmp_path) == [at(0), at(1), at(1, 3)]
    case = {"layers": "dropout"}
    assert resumed(make_run(**case, seed=1), tmp_path) == whole(make_run(**case))


def test_early_stopping_stays_stopped(tmp_path: Path) -> None:
    def run() -> tuple[Run, EarlyStopping]:
        stopping = EarlyStopping("val_loss", patience=1, min_delta=9)
        trainer, given = make_run()
        trainer.callbacks = [stopping]
        return (trainer, given), stopping

    expected = whole(run()[0])
    (trainer, given), _ = run()
    trainer.fit(**given, checkpoint_dir=tmp_path)
    again, stopping = run()
    assert resumed(again, tmp_path) == expected
    assert (stopping.best_epoch, stopping.stopped_epoch) == (1, 2)


# --- damage ---


def damaged(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


DAMAGE = {
    "bit": damaged,
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "empty": lambda path: path.write_bytes(b""),
    "other": lambda path: fastnn.save({"w": np.ones(3)}, path),
    "list": lambda path: fastnn.save([1], path),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_checkpoint_is_told_and_left_out(how: str, tmp_path: Path) -> None:
    interrupted(make_run(), tmp_path, "on_batch_end", 15)
    DAMAGE[how](tmp_path / at(2))
    with pytest.warns(UserWarning, match=f"a checkpoint is left out: .*{at(2)}"):
        assert resumed(make_run(seed=1), tmp_path, keep_checkpoints=2) == whole(make_run())


def test_with_all_damaged_it_starts_anew(tmp_path: Path) -> None:
    interrupted(make_run(), tmp_path, "on_batch_end", 15)
    for name in names(tmp_path):
        damaged(tmp_path / name)
    with pytest.warns(UserWarning, match="a checkpoint is left out") as told:
        assert resumed(make_run(), tmp_path, keep_checkpoints=1) == whole(make_run())
    assert len(told) == 3
    assert at(EPOCHS) in names(tmp_path)


def test_newer_damaged_files_push_no_good_ones_out(tmp_path: Path) -> None:
    trainer, given = make_run()
    trainer.fit(**given, checkpoint_dir=tmp_path)
    for name in names(tmp_path):
        damaged(tmp_path / name)
    with pytest.warns(UserWarning, match="left out"):
        interrupted(make_run(), tmp_path, "on_batch_end", 8, resume=True)
    with pytest.warns(UserWarning, match="left out") as told:
        assert resumed(make_run(seed=1), tmp_path) == whole(make_run())
    assert len(told) == 3


def test_what_cannot_be_read_is_no_new_start(tmp_path: Path) -> None:
    (tmp_path / at(1)).mkdir()
    trainer, given = make_run()
    with (
        pytest.warns(UserWarning, match="left out"),
        pytest.raises(IsADirectoryError, match=at(1)),
    ):
        trainer.fit(**given, checkpoint_dir=tmp_path, resume=True)


# --- what does not fit ---


REFUSALS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "optimizer": ({"optimizer": "sgd"}, {}, r"optimizer 'Adam', now 'SGD'"),
    "schedule": ({"schedule": "step"}, {}, r"scheduler 'NoneType', now 'StepLR'"),
    "model": ({"layers": "layer-norm"}, {}, r"missing: 1\.weight"),
    "accumulate": ({"options": "accumulate"}, {}, r"accumulate 1, now 4"),
    "batch-size": ({}, {"batch_size": 20}, r"batches 6, now 3; batch_size 10, now 20"),
    "order": ({}, {"shuffle": False}, r"shuffle True, now False"),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_a_checkpoint_of_another_training(what: str, tmp_path: Path) -> None:
    interrupted(make_run(), tmp_path, "on_batch_end", 9, checkpoint_every=1)
    case, options, message = REFUSALS[what]
    trainer, given = make_run(**case, seed=1)
    before = outcome(trainer)
    expected = rf"fit: cannot resume from .*{at(1, 2)}: .*(\n.*)?{message}"
    with pytest.raises(ValueError, match=expected):
        trainer.fit(**{**given, **options}, checkpoint_dir=tmp_path, resume=True)
    assert outcome(trainer) == before


def test_between_epochs_the_batches_may_change(tmp_path: Path) -> None:
    interrupted(make_run(), tmp_path, "on_epoch_begin", 3)
    trainer, given = make_run(seed=1)
    history = trainer.fit(**{**given, "batch_size": 30}, checkpoint_dir=tmp_path, resume=True)
    assert len(history) == EPOCHS


@pytest.mark.parametrize(("options", "error", "message"), [
    ({"resume": True}, ValueError, "expected checkpoint_dir with resume=True, got None"),
    ({"checkpoint_every": 3}, ValueError, "expected checkpoint_dir with checkpoint_every=3"),
    ({"checkpoint_dir": "x", "checkpoint_every": 0}, ValueError, "checkpoint_every .* 1.* got 0"),
    ({"checkpoint_dir": "x", "checkpoint_every": 1.5}, TypeError, "checkpoint_every"),
    ({"checkpoint_dir": "x", "keep_checkpoints": 0}, ValueError, "keep_checkpoints .* 1.* got 0"),
    ({"checkpoint_dir": 3}, TypeError, "int"),
])  # fmt: skip
def test_options_out_of_range(
    options: dict[str, Any], error: type[Exception], message: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    trainer, given = make_run()
    with pytest.raises(error, match=message):
        trainer.fit(**given, **options)
    assert names(tmp_path) == []


# --- callbacks ---


def test_csv_rows_of_epochs_trained_twice_are_taken_back(tmp_path: Path) -> None:
    def run(folder: Path, *more: Callback) -> tuple[Trainer, dict[str, Any]]:
        trainer, given = make_run()
        trainer.callbacks = [CSVLogger(folder / "log.csv"), *more]
        return trainer, given

    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    whole(run(tmp_path / "whole"))
    interrupted(run(tmp_path / "parts"), tmp_path / "c", "on_epoch_end", 1)  # its row is written
    for _ in range(2):
        again = run(tmp_path / "parts")
        interrupted(again, tmp_path / "c", "on_epoch_end", 1, resume=True)
    resumed(run(tmp_path / "parts"), tmp_path / "c")
    rows = [(tmp_path / name / "log.csv").read_text() for name in ("whole", "parts")]
    assert rows[0] == rows[1]


def test_the_best_so_far_is_known_to_model_checkpoints(tmp_path: Path) -> None:
    def callback() -> ModelCheckpoint:
        return ModelCheckpoint(tmp_path / "{epoch}", "val_loss", "max", save_best_only=True)

    for first, second in ((make_run(), make_run(seed=1)),):
        first[0].callbacks = [callback()]
        interrupted(first, tmp_path / "c", "on_epoch_end", 2)
        second[0].callbacks = [again := callback()]
        resumed(second, tmp_path / "c")
    assert again.best == max(second[0].history.val_loss)
    assert again.last_path is not None
    assert again.last_path.exists()


def test_callbacks_are_told_apart_by_class_and_place(tmp_path: Path) -> None:
    class Count(Callback):
        def __init__(self) -> None:
            self.count = 0

        def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
            self.count += 1

        def state_dict(self) -> dict[str, Any]:
            return {"count": self.count}

        def load_state_dict(self, state: Any) -> None:
            self.count = state["count"]

    first, (second, given) = make_run(), make_run(seed=1)
    first[0].callbacks = [a := Count(), Count()]
    a.count = 100
    interrupted(first, tmp_path, "on_epoch_begin", 3)
    second.callbacks = [EarlyStopping(patience=9), b := Count(), c := Count(), d := Count()]
    second.fit(**given, checkpoint_dir=tmp_path, resume=True)
    assert [x.count for x in (b, c, d)] == [104, 4, 2]
