"""Pictures: what is drawn, by matplotlib's own account of it."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support import run_python

from fastnn import History, plot


def history(epochs: int = 3, validation: bool = True) -> History:
    made = History()
    for epoch in range(1, epochs + 1):
        logs = {"loss": 1 / epoch, "accuracy": 1 - 0.5 / epoch}
        if validation:
            logs |= {"val_loss": 2 / epoch, "val_accuracy": 1 - 0.6 / epoch}
        made.add(logs, lr=0.1, seconds=1.0)
    return made


@pytest.mark.parametrize("epochs", [1, 3, 100])
def test_history(epochs: int, tmp_path: Path) -> None:
    made = history(epochs)
    path = tmp_path / "history.png"
    figure = made.plot(path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "accuracy"]
    assert {axes.get_xlabel() for axes in figure.axes} == {"epoch"}
    assert [axes.get_legend() is None for axes in figure.axes] == [False, True]  # it is the same
    loss = figure.axes[0].lines
    assert [line.get_label() for line in loss] == ["training", "validation"]
    assert np.array_equal(loss[0].get_xdata(), np.arange(1, epochs + 1))
    assert np.array_equal(loss[1].get_ydata(), made.val_loss)
    for lines in (axes.lines for axes in figure.axes):  # told apart without colours
        assert len({line.get_linestyle() for line in lines}) == len(lines)
        assert len({line.get_marker() for line in lines}) == len(lines)


def test_history_without_validation() -> None:
    figure = history(validation=False).plot()
    assert [len(axes.lines) for axes in figure.axes] == [1, 1]
    assert all(axes.get_legend() is None for axes in figure.axes)


def test_panels(tmp_path: Path) -> None:
    panels = {"one": {"a": ([0, 10], [5.0, 1.0])}, "two": {"a": [5, 3], "b": np.array([4.0, 2.0])}}
    path = tmp_path / "x.svg"
    figure = plot.curves(panels, path, xlabel="step", ylabel="MSE", title="Both", log="y",
                         share=True)  # fmt: skip
    assert [axes.get_title() for axes in figure.axes] == ["one", "two"]
    assert [axes.get_ylabel() for axes in figure.axes] == ["MSE", ""]
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()
    assert [figure.axes[0].get_xscale(), figure.axes[0].get_yscale()] == ["linear", "log"]
    assert figure.axes[0].lines[0].get_xdata().tolist() == [0, 10]
    assert "<svg" in path.read_text()
    assert [axes.get_legend() is None for axes in figure.axes] == [True, False]
    panels["one"]["b"] = panels["one"]["a"]
    panels["three"] = {"b": [1, 2], "c": [2, 1]}
    figure = plot.curves(panels)
    assert [axes.get_legend() is None for axes in figure.axes] == [False, True, False]


def test_labels_are_shown_as_they_are() -> None:
    """Neither a `_` in front, which hides a line from matplotlib, nor a formula means anything."""
    names = ["_hidden", r"$\frac{$"]
    figure = plot.curves({"$_{": {name: [1, 2] for name in names}}, title="$^{")
    [axes] = figure.axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == names
    figure.savefig(io.BytesIO())


def test_markers_tell_lines_apart_or_show_points() -> None:
    panels = {"few": {"a": range(12)}, "many": {"a": range(13)},
              "two": {"a": range(13), "b": range(13)}}  # fmt: skip
    axes = plot.curves(panels).axes
    markers = [[line.get_marker() for line in each.lines] for each in axes]
    assert markers == [["o"], [""], ["o", "s"]]


def test_epochs_are_counted_in_tens() -> None:
    figure = plot.curves({"loss": {"training": range(50)}})
    assert figure.axes[0].get_xticks().tolist() == [-10, 0, 10, 20, 30, 40, 50, 60]


def test_nothing_to_draw() -> None:
    with pytest.raises(ValueError, match="history of at least one epoch, got none"):
        History().plot()
    for panels in ({}, {"loss": {}}):
        with pytest.raises(ValueError, match="at least one curve in every panel, got none"):
            plot.curves(panels)
    with pytest.raises(ValueError, match="expected log '', 'x', 'y' or 'xy', got 'z'"):
        plot.curves({"loss": {"training": [1.0]}}, log="z")


def test_gaps_do_not_hurt(tmp_path: Path) -> None:
    values = np.where(np.arange(50) % 7, np.linspace(1, 2, 50), np.nan)
    plot.curves({"loss": {"a": values, "b": np.full(50, np.nan)}}, tmp_path / "x.png", log="xy")


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.delitem(sys.modules, "fastnn.plot.picture", raising=False)
    with pytest.raises(ImportError, match=r"pip install 'fastnn\[plot\]'"):
        history().plot()


def test_matplotlib_is_loaded_only_to_draw_and_pyplot_never() -> None:
    done: subprocess.CompletedProcess[str] = run_python(
        "import fastnn, sys; h = fastnn.History(); h.add({'loss': 1.0}, 0.1, 1.0)\n"
        "assert 'matplotlib' not in sys.modules; h.plot(); assert 'matplotlib' in sys.modules\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    assert (done.returncode, done.stderr) == (0, "")
