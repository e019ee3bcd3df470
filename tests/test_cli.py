"""The command line, mostly as a process of its own."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import run_python

import fastnn
from fastnn.cli import main, mnist
from fastnn.vision.datasets import MNIST

COMMAND = ("mnist", "--epochs", "1", "--hidden", "32")


def run(*arguments: str, **env: str) -> Any:
    return run_python("-m fastnn", *arguments, **env)


@pytest.fixture
def few_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the first 500 images, where the whole data set would only take longer."""
    from fastnn.vision import datasets

    class Few(datasets.MNIST):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.data, self.targets = self.data[:500], self.targets[:500]

    monkeypatch.setattr(datasets, "MNIST", Few)


def test_mnist(tmp_path: Path) -> None:
    """The command of the README: it learns, says so last, and writes what it was asked to."""
    weights, results = tmp_path / "weights.safetensors", tmp_path / "results.json"
    done = run(*COMMAND, "--json", str(results), "--out", str(weights))
    assert (done.returncode, done.stderr) == (0, "")  # no bar where there is no terminal
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("epoch 1/1: loss ")
    written = json.loads(results.read_text())
    assert lines[1] == f"test accuracy: {100 * written['accuracy']:.2f} %"
    assert written["accuracy"] > 0.9
    assert written["isa"] in fastnn.available_isas()
    assert written["threads"] >= 1
    assert written["samples_per_second"] == pytest.approx(60_000 / written["seconds_per_epoch"])
    assert sorted(path.name for path in tmp_path.iterdir()) == [results.name, weights.name]

    model = mnist.mlp([784, 32, 10])
    model.load_state_dict(fastnn.load(weights))
    test = MNIST(train=False)
    optimizer = fastnn.optim.SGD(model.parameters())
    trainer = fastnn.Trainer(model, fastnn.nn.CrossEntropyLoss(), optimizer)
    assert trainer.evaluate(test)["accuracy"] == written["accuracy"]


@pytest.mark.usefixtures("few_digits")
def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    contents = []
    for seed in ("1", "1", "2"):
        path = tmp_path / "weights"
        assert main([*COMMAND, "--seed", seed, "--out", str(path)]) == 0
        contents.append(path.read_bytes())
    assert contents[0] == contents[1] != contents[2]


@pytest.mark.usefixtures("few_digits")
def test_options(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    options = ["--hidden", "7,5", "--lr", "0.01", "--batch-size", "50", "--threads", "1"]
    assert main(["mnist", "--epochs", "2", *options, "--out", str(path)]) == 0
    shapes = {name: t.shape for name, t in fastnn.load(path).items()}
    assert shapes == {"1.weight": (7, 784), "1.bias": (7,), "3.weight": (5, 7), "3.bias": (5,),
                      "5.weight": (10, 5), "5.bias": (10,)}  # fmt: skip
    assert fastnn.get_num_threads() == 1
    assert main(["mnist", "--epochs", "1", "--hidden", "", "--out", str(path)]) == 0
    assert sorted(fastnn.load(path)) == ["1.bias", "1.weight"]


@pytest.mark.usefixtures("few_digits")
def test_checkpoints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights, folder = [tmp_path / "whole", tmp_path / "resumed"], str(tmp_path / "checkpoints")
    training = ["mnist", "--hidden", "32", "--seed", "3"]
    assert main([*training, "--epochs", "3", "--out", str(weights[0])]) == 0
    assert main([*training, "--epochs", "2", "--checkpoint", folder, "--resume"]) == 0
    assert main([*training, "--epochs", "3", "--checkpoint", folder]) == 2
    assert "there are checkpoints of an earlier training" in capsys.readouterr().err
    go_on = ["--epochs", "3", "--checkpoint", folder, "--resume", "--out", str(weights[1])]
    assert main([*training, *go_on]) == 0
    assert capsys.readouterr().out.startswith("epoch 3/3")
    assert weights[0].read_bytes() == weights[1].read_bytes()


@pytest.mark.usefixtures("few_digits")
def test_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A page of the test images' answers, beside its pictures; training is as it was without."""
    weights = [tmp_path / "plain", tmp_path / "reported"]
    assert main([*COMMAND, "--out", str(weights[0])]) == 0
    capsys.readouterr()
    folder = tmp_path / "a" / "report"
    assert main([*COMMAND, "--out", str(weights[1]), "--report", str(folder)]) == 0
    assert weights[0].read_bytes() == weights[1].read_bytes()
    lines = capsys.readouterr().out.splitlines()
    assert "val_accuracy" in lines[0]
    assert lines[1] == f"report: {folder / 'report.html'}"
    accuracy = lines[2].removeprefix("test accuracy: ")
    text = (folder / "report.html").read_text(encoding="utf-8")
    for expected in (accuracy, "MNIST digits", "Worst mistakes", "Linear", "lr: 0.001",
                     "batch size", fastnn.isa()):  # fmt: skip
        assert expected in text, expected
    assert sorted(path.stem for path in folder.glob("*.png")) == [
        "confusion", "curves", "learning_rate", "mistakes",
    ]  # fmt: skip


@pytest.mark.usefixtures("few_digits")
def test_a_report_that_cannot_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told before the training."""
    (tmp_path / "file").write_text("")
    assert main([*COMMAND, "--report", str(tmp_path / "file")]) == 2
    monkeypatch.setitem(sys.modules, "fastnn.plot.picture", None)
    assert main([*COMMAND, "--report", str(tmp_path / "new")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert str(tmp_path / "file") in err.splitlines()[0]
    assert "pip install 'fastnn[plot]'" in err.splitlines()[1]
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("arguments", [["--help"], ["mnist", "--help"]])
def test_help(arguments: list[str]) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: fastnn")
    if "mnist" in arguments:
        for option in ("--epochs", "--batch-size", "--hidden", "--lr", "--seed", "--threads",
                       "--out", "--json", "--report", "--checkpoint", "--resume"):  # fmt: skip
            assert option in done.stdout
    else:
        assert "train a network on the bundled MNIST digits" in done.stdout


def test_version() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"fastnn {fastnn.__version__}\n")


USAGE_ERRORS = [
    ([], "the following arguments are required: COMMAND"),
    (["nonsense"], "invalid choice: 'nonsense'"),
    (["mnist", "--epochs", "0"], "--epochs: expected a whole number of at least 1, got 0"),
    (["mnist", "--epochs", "1.5"], "--epochs: expected a whole number of at least 1, got 1.5"),
    (
        ["mnist", "--batch-size", "-3"],
        "--batch-size: expected a whole number of at least 1, got -3",
    ),
    (["mnist", "--threads", "all"], "--threads: expected a whole number of at least 1, got all"),
    (["mnist", "--hidden", "3,x"], "--hidden: expected a whole number of at least 1, got x"),
    (["mnist", "--hidden", "0"], "--hidden: expected a whole number of at least 1, got 0"),
    (["mnist", "--lr", "nan"], "--lr: expected a finite number above 0, got nan"),
    (["mnist", "--lr", "-1"], "--lr: expected a finite number above 0, got -1"),
    (["mnist", "--lr", "fast"], "--lr: expected a finite number above 0, got fast"),
    (["mnist", "--unknown"], "unrecognized arguments: --unknown"),
]


@pytest.mark.parametrize(("arguments", "message"), USAGE_ERRORS)
def test_usage_errors(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err.splitlines()[-1]


RUN_ERRORS = [
    (["--out", "{folder}/missing/w"], "no folder to write"),
    (["--json", "{folder}/missing/r"], "no folder to write"),
    (["--seed", "-1"], "expected a seed from 0 to 2**64 - 1, got -1"),
    (["--out", "{folder}"], "{folder}"),
    (["--lr", "1e30"], "epoch 1, batch"),
    (["--resume"], "--resume needs --checkpoint DIR"),
    (["--checkpoint", "/proc/nothing"], "/proc/nothing"),
]


@pytest.mark.usefixtures("few_digits")
@pytest.mark.parametrize(("arguments", "message"), RUN_ERRORS)
def test_errors_are_one_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [argument.format(folder=tmp_path) for argument in arguments]
    assert main([*COMMAND, *given]) == 2
    _, err = capsys.readouterr()
    assert err.startswith("fastnn: ")
    assert err.count("\n") == 1
    assert message.format(folder=tmp_path) in err
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_process() -> None:
    done = run("mnist", "--out", "/no/such/folder/file")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("fastnn: no folder to write")
    assert "Traceback" not in done.stderr


def test_interrupt(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(mnist, "run", interrupt)
    assert main(["mnist"]) == 130
    assert capsys.readouterr().err == "fastnn: interrupted\n"


def test_mlp() -> None:
    model = mnist.mlp([4, 3, 2])
    assert [type(m).__name__ for m in model] == ["Flatten", "Linear", "ReLU", "Linear"]
    assert model(np.zeros((5, 2, 2), np.float32)).shape == (5, 2)
