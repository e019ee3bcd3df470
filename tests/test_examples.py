"""The examples: short, self-explaining, and run by one command, here in a tiny configuration."""

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support import ROOT

EXAMPLES = {
    "mnist_mlp": ["--epochs", "1", "--limit", "500"],
    "from_scratch": ["--steps", "3"],
    "house_prices": ["--epochs", "20", "--limit", "60"],
    "digits_folder": ["--epochs", "1", "--train", "200", "--test", "200"],
    "mobile_price": ["--epochs", "1", "--limit", "60", "--seeds", "2"],
}
Run = Callable[..., str]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run an example as its command does, in this process: its imports are paid for once."""

    def call(name: str, *arguments: str) -> str:
        path = ROOT / "examples" / f"{name}.py"
        monkeypatch.setattr(sys, "argv", [str(path), *arguments])
        monkeypatch.setenv("COLUMNS", "200")  # --help wraps no line
        runpy.run_path(str(path), run_name="__main__")
        return capsys.readouterr().out

    return call


@pytest.mark.parametrize("name", EXAMPLES)
def test_it_is_short_and_explains_itself(
    name: str, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "examples" / f"{name}.py").read_text()
    assert len(text.splitlines()) < 100
    assert "/work" not in text
    with pytest.raises(SystemExit) as done:
        run(name, "--help")
    assert done.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith("usage: ")
    assert text[3:].partition("\n")[0] in shown
    assert "--out" in shown


@pytest.mark.parametrize("name", EXAMPLES)
def test_it_runs(name: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    out = run(name, *EXAMPLES[name])
    assert f"curves in {name}.png" in out
    assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    (tmp_path / "folder").mkdir()
    run(name, *EXAMPLES[name], "--out", "folder")
    assert (tmp_path / "folder" / f"{name}.png").exists()


def test_the_same_seed_gives_the_same_output(run: Run, tmp_path: Path) -> None:
    arguments = [*EXAMPLES["mnist_mlp"], "--out", str(tmp_path), "--seed"]
    outputs = [run("mnist_mlp", *arguments, seed) for seed in ("1", "1", "2")]
    assert outputs[0] == outputs[1] != outputs[2]


def test_from_scratch_compares_three_methods(run: Run, tmp_path: Path) -> None:
    out = run("from_scratch", "--steps", "3", "--out", str(tmp_path))
    assert float(out.partition("differ by at most ")[2].split()[0]) < 1e-6
    lines = out.splitlines()
    results = [line.partition("after")[0].partition(": ")[2] for line in lines if "ms a" in line]
    assert len(results) == 3
    assert results[1] == results[2]  # the numerical gradient and backpropagation


def test_house_prices_reads_a_file_and_comes_close(run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = rng.uniform(0, 10, (400, 13))
    table = np.column_stack([X, X @ rng.normal(size=13) + 5 * rng.normal(size=400) + 20])
    np.savetxt(tmp_path / "housing.data", table, fmt="%8.4f")
    out = run("house_prices", str(tmp_path / "housing.data"), "--out", str(tmp_path))
    excess = [
        float(line.partition("(")[2].split()[0]) for line in out.splitlines() if "RMSE" in line
    ]
    assert len(excess) == 2
    assert -1e-3 < excess[0] < 1
    assert -1e-3 < excess[1] < 5
    assert (tmp_path / "house_prices.safetensors").exists()


def test_mobile_price_reads_a_file(run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 20)), np.arange(40) % 4
    names = [*(f"f{i}" for i in range(20)), "price_range"]
    np.savetxt(tmp_path / "train.csv", np.column_stack([X, y]), "%g", ",", header=",".join(names),
               comments="")  # fmt: skip
    out = run("mobile_price", str(tmp_path / "train.csv"), *EXAMPLES["mobile_price"], "--limit",
              "40", "--out", str(tmp_path))  # fmt: skip
    assert [line.partition(":")[0] for line in out.splitlines()[:2]] == ["untuned", "tuned"]
