"""`fastnn train`, `predict`, `evaluate`, `info`: what they print, write, and refuse.

Commands run in this process; what only a process of its own shows is at the end.
"""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn import metrics
from support import run_python
from tables.files import ACCEPTED, REFUSED, SHORT, TRAIN
from tabular_support import flowers, prices, write_csv

import fastnn
from fastnn import nn
from fastnn.cli import main
from fastnn.serialization import save_model
from fastnn.tabular import TableModel
from fastnn.training.checkpoints import Checkpoints


class Desk:
    """A folder with two tables and a model of each, and commands run in it."""

    def __init__(self, folder: Path, capture: Callable[[], Any]) -> None:
        self.folder, self.capture = folder, capture

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, standard output and standard error of a command."""
        code = main(arguments)
        out, err = self.capture()
        return code, out, err


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables and their models, made once."""
    folder = tmp_path_factory.mktemp("models")
    write_csv(folder / "flowers.csv", flowers(80))
    write_csv(folder / "prices.csv", prices(80))
    for name, target in (("flowers", "kind"), ("prices", "price")):
        assert main(["train", str(folder / f"{name}.csv"), "--target", target, *SHORT,
                     "--out", str(folder / f"{name}.model")]) == 0  # fmt: skip
    return folder


@pytest.fixture
def desk(models: Path, tmp_path: Path, monkeypatch: Any, capsys: Any) -> Desk:
    for path in models.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    return Desk(tmp_path, capsys.readouterr)


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


# --- train ---


def test_train_says_what_it_does(desk: Desk) -> None:
    code, out, err = desk("train", "flowers.csv", "--target", "kind", *SHORT, "--json", "r.json",
                          "--out", "m")  # fmt: skip
    assert (code, err) == (0, "")
    assert "kind: classification with 2 classes (big, small); 3 columns to learn from" in out
    assert out.splitlines()[-1] == "model written to m"
    results = json.loads(Path("r.json").read_text())
    assert (results["rows"], results["validation_rows"]) == (64, 16)
    table = {line.split()[0]: line.split()[1:] for line in out.splitlines() if " %" in line}
    assert set(table) == set(results["scores"]) == {"network", "linear", "trivial"}
    for who, scores in results["scores"].items():
        assert table[who] == [f"{100 * scores['accuracy']:.2f}", "%", f"{scores['loss']:.4f}"]
    assert results["recipe"]["hidden"] == [4]
    assert TableModel.load("m").training == {k: v for k, v in results.items() if k != "seconds"}


def test_train_for_a_quantity(desk: Desk) -> None:
    code, out, _ = desk("train", "prices.csv", "--target", "price", *SHORT)
    assert code == 0
    assert "price: regression (mean " in out
    assert "RMSE" in out
    assert Path("model.safetensors").exists()  # where --out says nothing


def test_train_shows_every_network_once(desk: Desk) -> None:
    _, out, _ = desk("train", "flowers.csv", "--target", "kind", "--epochs", "2")
    shown = [line.partition(":")[0] for line in out.splitlines() if "validation loss" in line]
    assert shown[0] == "linear model"
    assert shown[1:] == [f"network {i}/{len(shown) - 1}" for i in range(1, len(shown))]


@pytest.mark.parametrize(("name", "target"), [("flowers", "kind"), ("prices", "price")])
def test_train_reports(name: str, target: str, desk: Desk) -> None:
    """The page has the scores that are printed, and the rows held out by their numbers."""
    code, out, err = desk("train", f"{name}.csv", "--target", target, *SHORT, "--report", "a/b")
    assert (code, err) == (0, "")
    page = desk.folder / "a" / "b" / "report.html"
    assert out.splitlines()[-1] == f"report written to {page.relative_to(desk.folder)}"
    text = page.read_text(encoding="utf-8")
    [scores] = [line.split("  ") for line in out.splitlines() if line.startswith("network  ")]
    for cell in [f"{target} of {name}.csv", *filter(None, map(str.strip, scores)), "trivial",
                 "weight decay", "weights of epoch", "64 to learn from, 16 held out", "Linear",
                 fastnn.isa()]:  # fmt: skip
        assert cell in text, cell
    pictures = {path.stem for path in page.parent.glob("*.png")}
    shown = "confusion" if name == "flowers" else "predictions"
    assert pictures == {"curves", "learning_rate", shown}
    (desk.folder / "file").write_text("")
    code, out, err = desk("train", f"{name}.csv", "--target", target, "--report", "file")
    assert (code, out, err.count("\n")) == (2, "", 1)  # before it trains


def test_train_goes_on_from_checkpoints(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupt in the second network; the same command then ends as one left alone."""
    command = ["train", "flowers.csv", "--target", "kind", "--epochs", "6", "--json", "r", "--out"]
    _, whole, _ = desk(*command, "whole.model")
    real, saves = Checkpoints.save, []

    def save(self: Checkpoints, epoch: int, batch: int) -> None:
        real(self, epoch, batch)
        saves.append(epoch)
        if len(saves) == 11:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoints, "save", save)
    kept = ["--checkpoint", "kept", "--resume"]
    assert desk(*command, "resumed.model", *kept)[0] == 130
    assert desk(*command, "resumed.model", *kept)[:2] == (
        0, whole.replace("whole.model", "resumed.model"),
    )  # fmt: skip
    assert saves[11] == saves[10] + 1  # and began at none of the epochs before
    assert Path("whole.model").read_bytes() == Path("resumed.model").read_bytes()
    for changed, message in ((["--resume", "--seed", "1"], "of another table, or of other options"),
                             ([], "there are checkpoints of an earlier training")):  # fmt: skip
        code, _, err = desk(*command, "other.model", "--checkpoint", "kept", *changed)
        assert (code, err.count("\n")) == (2, 1)
        assert message in err


def test_options_of_the_recipe(desk: Desk) -> None:
    options = ["--hidden", "5,3", "--activation", "tanh", "--dropout", "0.5", "--batch-norm",
               "--lr", "0.01", "--weight-decay", "0", "--epochs", "1", "--batch-size", "9",
               "--seed", "3", "--threads", "1", "--validation", "0.5", "--task", "classification",
               "--json", "r"]  # fmt: skip
    assert desk("train", "flowers.csv", "--target", "kind", *options)[0] == 0
    results = json.loads(Path("r").read_text())
    assert results["rows"] == 40
    given = {"hidden": [5, 3], "activation": "tanh", "dropout": 0.5, "batch_norm": True, "lr": 0.01,
             "weight_decay": 0.0, "epochs": 1, "batch_size": 9}  # fmt: skip
    assert results["recipe"].items() >= given.items()
    assert desk("train", "flowers.csv", "--target", "kind", *options, "--hidden", "")[0] == 0
    assert json.loads(Path("r").read_text())["recipe"]["hidden"] == []


def test_the_seed_decides(desk: Desk) -> None:
    contents = []
    for seed in ("1", "1", "2"):
        desk("train", "flowers.csv", "--target", "kind", *SHORT, "--seed", seed, "--out", "m")
        contents.append(Path("m").read_bytes())
    assert contents[0] == contents[1] != contents[2]


# --- predict, evaluate, info ---


def test_predict_classes(desk: Desk) -> None:
    code, out, err = desk("predict", "flowers.model", "flowers.csv", "--proba")
    assert (code, err) == (0, "")
    assert out.startswith("prediction,probability_big,probability_small\n")
    rows = rows_of(out)
    assert len(rows) == 80
    for row in rows:
        shares = {name[12:]: float(p) for name, p in row.items() if name != "prediction"}
        assert sum(shares.values()) == pytest.approx(1, abs=1e-12)
        assert row["prediction"] == max(shares, key=lambda name: shares[name])
    _, plain, _ = desk("predict", "flowers.model", "flowers.csv")
    assert plain == "".join(f"{label}\n" for label in
                            ["prediction", *(row["prediction"] for row in rows)])  # fmt: skip
    desk("predict", "flowers.model", "flowers.csv", "--proba", "--out", "p.csv")
    assert Path("p.csv").read_text() == out
    network = fastnn.load_model("flowers.model")
    assert isinstance(network, nn.Sequential)


def test_predict_quantities(desk: Desk) -> None:
    _, out, _ = desk("predict", "prices.model", "prices.csv")
    model = TableModel.load("prices.model")
    from fastnn.tabular import read_table

    values = [float(row["prediction"]) for row in rows_of(out)]
    assert values == model.outputs(read_table("prices.csv")).tolist()


def test_evaluate_agrees_with_the_predictions(desk: Desk) -> None:
    code, out, _ = desk("evaluate", "flowers.model", "flowers.csv", "--json", "r.json")
    assert code == 0
    _, predicted, _ = desk("predict", "flowers.model", "flowers.csv", "--proba")
    rows, truth = rows_of(predicted), flowers(80)["kind"]
    accuracy = metrics.accuracy_score(truth, [row["prediction"] for row in rows])
    shares = [[float(row["probability_big"]), float(row["probability_small"])] for row in rows]
    results = json.loads(Path("r.json").read_text())
    assert results == {"accuracy": pytest.approx(accuracy), "rows": 80,
                       "loss": pytest.approx(metrics.log_loss(truth, shares))}  # fmt: skip
    assert f"{100 * accuracy:.2f} %" in out

    _, out, _ = desk("evaluate", "prices.model", "prices.csv", "--json", "r.json")
    _, predicted, _ = desk("predict", "prices.model", "prices.csv")
    values = [float(row["prediction"]) for row in rows_of(predicted)]
    error = metrics.root_mean_squared_error(prices(80)["price"], values)
    assert json.loads(Path("r.json").read_text())["rmse"] == pytest.approx(error)
    assert f"{error:.5g}" in out


def test_parquet_is_the_same_as_csv(desk: Desk) -> None:
    pl.read_csv("flowers.csv").write_parquet("flowers.parquet")
    expected = desk("predict", "flowers.model", "flowers.csv", "--proba")
    assert desk("predict", "flowers.model", "flowers.parquet", "--proba") == expected
    for name in ("csv", "parquet"):
        desk("train", f"flowers.{name}", "--target", "kind", *SHORT, "--out", f"{name}.model")
    assert desk("predict", "csv.model", "flowers.csv") == desk("predict", "parquet.model",
                                                               "flowers.csv")  # fmt: skip


def test_info_of_the_installation(desk: Desk) -> None:
    code, out, _ = desk("info", "--json", "r.json")
    assert code == 0
    facts = json.loads(Path("r.json").read_text())
    assert facts["fastnn"] == fastnn.__version__
    assert facts["isa"] in facts["available_isas"]
    assert facts["threads"] == fastnn.get_num_threads()
    assert [line.partition(":")[0] for line in out.splitlines()] == list(facts)


def test_info_of_a_model(desk: Desk) -> None:
    code, out, _ = desk("info", "flowers.model", "--json", "r.json")
    assert code == 0
    facts = json.loads(Path("r.json").read_text())
    assert facts["columns"] == {"length": "numeric", "width": "numeric", "colour": "categorical"}
    assert (facts["target"], facts["task"]) == ("kind", "classification")
    assert facts["parameters"] == 3 * 4 + 4 + 4 * 2 + 2
    for text in ("kind: classification with 2 classes (big, small), from 3 columns:",
                 "  colour: 2 categories (", "Linear(in_features=3, out_features=4",
                 "26 parameters", "trained on 64 rows"):  # fmt: skip
        assert text in out


def test_info_of_other_files(desk: Desk) -> None:
    save_model(nn.Sequential(nn.Linear(3, 2), nn.Dropout()), "net", {"classes": ["a", "b"]})
    code, out, _ = desk("info", "net", "--json", "r.json")
    assert (code, out.splitlines()[-1]) == (0, "8 parameters")
    facts = json.loads(Path("r.json").read_text())
    assert facts["metadata"] == {"classes": ["a", "b"]}
    assert facts["layers"] == list(map(repr, nn.Sequential(nn.Linear(3, 2), nn.Dropout())))
    fastnn.save({"epoch": 3, "state": {"w": np.zeros((2, 3), np.float32)}, "l": [np.ones(1)]}, "c")
    assert desk("info", "c")[1].splitlines() == ["state.w: float32 (2, 3)", "l.0: float64 (1,)"]
    fastnn.save({}, "e")
    assert desk("info", "e")[1] == "no tensors\n"


# --- bad files, wrong options ---


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str, desk: Desk) -> None:
    content, command, message = REFUSED[name]
    Path("t.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    before = {path.name for path in desk.folder.iterdir()}
    code, out, err = desk(*command)
    assert code == 2
    assert err.startswith("fastnn: ")
    assert message in err
    assert err.count("\n") == 1, err
    assert "prediction" not in out
    assert {path.name for path in desk.folder.iterdir()} == before


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_is_taken(name: str, desk: Desk) -> None:
    content, command, note = ACCEPTED[name]
    Path("t.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    code, out, err = desk(*command)
    assert code == 0, err
    assert note in err
    assert err.count("\n") == bool(note), err
    assert out


def test_how_a_file_is_written_changes_nothing(desk: Desk) -> None:
    """The rows with `name` of the table above that say the same, give the same model."""
    contents = []
    for name in ("plain", "UTF-16", "CRLF", "blank lines", "semicolons", "blanks, as asked",
                 "quoted header", "names of the rows"):  # fmt: skip
        content, command, _ = ACCEPTED[name]
        Path("t.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
        assert desk(*command, "--out", "m")[0] == 0
        contents.append({k: t.numpy().tobytes() for k, t in fastnn.load("m").items()})
    assert all(content == contents[0] for content in contents)


def test_predictions_do_not_depend_on_what_is_not_looked_at(desk: Desk) -> None:
    predicted = [desk("predict", "flowers.model", "flowers.csv", "--proba")]
    whole = pl.read_csv("flowers.csv")
    whole.select(reversed(whole.columns)).write_csv("t.csv")
    predicted.append(desk("predict", "flowers.model", "t.csv", "--proba"))
    whole.drop("kind").with_columns(new=pl.lit("x,\n")).write_csv("t.csv")
    predicted.append(desk("predict", "flowers.model", "t.csv", "--proba"))
    assert predicted[0] == predicted[1] == predicted[2]


def test_names_that_need_quotes_are_written_so_that_they_are_read(desk: Desk) -> None:
    kinds = ['a,"b"', "c\nd", "é"]
    with open("t.csv", "w", newline="") as file:
        csv.writer(file).writerows([["x", "y"], *([i, kinds[i % 3]] for i in range(60))])
    assert desk("train", "t.csv", "--target", "y", *SHORT, "--out", "m")[0] == 0
    _, out, _ = desk("predict", "m", "t.csv", "--proba")
    rows = rows_of(out)
    assert {row["prediction"] for row in rows} <= set(kinds)
    assert list(rows[0]) == ["prediction", *(f"probability_{kind}" for kind in sorted(kinds))]


USAGE = [
    (["train", "t.csv"], "the following arguments are required: --target"),
    (["train"], "the following arguments are required: DATA, --target"),
    ([*TRAIN, "--dropout", "1"], "--dropout: expected a number from 0 to less than 1, got 1"),
    ([*TRAIN, "--validation", "0"], "--validation: expected a number between 0 and 1, got 0"),
    ([*TRAIN, "--validation", "1"], "--validation: expected a number between 0 and 1, got 1"),
    ([*TRAIN, "--weight-decay", "-1"], "expected a finite number of at least 0, got -1"),
    ([*TRAIN, "--weight-decay", "inf"], "expected a finite number of at least 0, got inf"),
    ([*TRAIN, "--separator", "ab"], "--separator: expected one character or 'tab', got 'ab'"),
    ([*TRAIN, "--separator", '"'], "--separator: expected one character or 'tab'"),
    ([*TRAIN, "--separator", ""], "--separator: expected one character or 'tab'"),
    ([*TRAIN, "--activation", "step"], "invalid choice: 'step'"),
    ([*TRAIN, "--task", "clustering"], "invalid choice: 'clustering'"),
    (["predict", "m"], "the following arguments are required: DATA"),
    (["evaluate"], "the following arguments are required: MODEL, DATA"),
]


@pytest.mark.parametrize(("arguments", "message"), USAGE)
def test_usage(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


# --- as a process ---


def test_a_reader_that_has_seen_enough(desk: Desk) -> None:
    write_csv(Path("t.csv"), flowers(20_000))
    code = (
        "import subprocess, sys\n"
        "command = [sys.executable, '-m', 'fastnn', 'predict', *sys.argv[1:]]\n"
        "pipe = subprocess.PIPE\n"
        "made = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)\n"
        "print(made.stdout.readline(), end='')\n"
        "made.stdout.close()\n"
        "print(made.wait(), repr(made.stderr.read()))\n"
    )
    files = [str(desk.folder / name) for name in ("flowers.model", "t.csv")]
    done = run_python(code, *files, PYTHONUNBUFFERED="")  # else Python forgets what is left over
    assert (done.stdout, done.stderr) == ("prediction\n1 ''\n", "")


@pytest.mark.parametrize("command", ["train", "predict", "evaluate", "info", "mnist"])
def test_help_imports_nothing_heavy(command: str) -> None:
    code = (
        "import sys\nfrom fastnn.cli import main\n"
        "try: main([sys.argv[1], '--help'])\n"
        "except SystemExit as done: print('exit', done.code)\n"
        "heavy = {'pandas', 'polars', 'tqdm', 'matplotlib', 'sklearn', 'PIL', 'fastnn.tabular'}\n"
        "print('heavy', sorted(heavy & set(sys.modules)))\n"
    )
    done = run_python(code, command)
    assert done.stdout.startswith(f"usage: fastnn {command}")
    assert done.stdout.endswith("exit 0\nheavy []\n"), done.stdout[-200:]


def test_without_polars_and_pandas_a_csv_is_enough(desk: Desk) -> None:
    code = (
        "import sys\nsys.modules.update(polars=None, pandas=None)\n"
        "from fastnn.cli import main\nsys.exit(main(sys.argv[1:]))\n"
    )
    files = [str(desk.folder / name) for name in ("flowers.model", "flowers.csv")]
    done = run_python(code, "predict", *files)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == desk("predict", "flowers.model", "flowers.csv")[1]
