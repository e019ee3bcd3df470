"""The benchmarks: every workload's check accepts right answers and no wrong one; tables, pictures.

Nothing is timed here. Of the contestants ours and NumPy's take part.
"""

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import ROOT

import fastnn

BENCH = ROOT / "bench"
WORKLOADS = sorted(path.stem for path in (BENCH / "workloads").glob("*.py"))
CASES, LARGEST = 6, 2e10  # of a group; operations of a run
PRESENT = {("fastnn",), ("numpy",)}


@pytest.fixture(autouse=True)
def bench(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process and those it starts find the benchmarks' modules, and fastnn."""
    monkeypatch.setattr(sys, "path", [str(BENCH), *sys.path])
    monkeypatch.setenv("PYTHONPATH", str(Path(fastnn.__file__).parent.parent))
    fastnn.set_num_threads(1)


def tried(name: str) -> Iterator[tuple[Any, Any]]:
    """Yield each contestant of a workload with the smaller cases of its quick groups."""
    workload = importlib.import_module(f"workloads.{name}")
    for group in workload.groups(quick=True):
        cases = sorted((c for c in group.cases if c.flops <= LARGEST), key=lambda c: c.flops)
        for contestant in workload.CONTESTANTS:
            if contestant.needs in PRESENT and (not group.only or contestant.name in group.only):
                yield contestant, cases[:CASES]


def spoiled(answer: Any) -> Iterator[Any]:
    """Yield the answer with one thing wrong in it."""
    if isinstance(answer, dict):
        for key, value in answer.items():
            yield from ({**answer, key: wrong} for wrong in spoiled(value))
    elif isinstance(answer, np.ndarray):
        wrong = answer.copy()
        wrong.flat[-1] += 1
        yield wrong
        yield np.full_like(answer, np.nan)
    elif isinstance(answer, list) and isinstance(answer[0], float):
        yield from ([*answer[:-1], wrong] for wrong in spoiled(answer[-1]))
        yield answer[:-1]
    elif isinstance(answer, list):
        yield [name for name in answer if not name.endswith((".so", ".pyd", ".dylib"))]
    elif isinstance(answer, str):
        yield re.sub(r"\d+\.\d+ %", "9.80 %", answer)  # as good as guessing
        yield ""
    else:
        yield from (answer * 1.01, float("nan"))


@pytest.mark.parametrize("name", WORKLOADS)
def test_right_answers_pass_and_wrong_ones_do_not(name: str) -> None:
    harness = importlib.import_module("harness")
    workload = importlib.import_module(f"workloads.{name}")
    checked = 0
    for contestant, cases in tried(name):
        for case in cases:
            answer = contestant.build(case).answer()
            workload.check(case, answer)
            for wrong in spoiled(answer):
                with pytest.raises(harness.WrongAnswerError):
                    workload.check(case, wrong)
                checked += 1
    assert checked


def test_programs_of_rivals_run() -> None:
    memory = importlib.import_module("workloads.memory")
    case = memory.groups(quick=True)[0].cases[0]
    memory.check(case, memory.sklearn.build(case).answer())


def a_report(**facts: str) -> Any:
    """Return a run of every workload, with made-up values: contestant n needs n times as much."""
    results = importlib.import_module("results")
    workloads = []
    for name in WORKLOADS:
        workload = importlib.import_module(f"workloads.{name}")
        groups = [
            results.GroupResult(
                group.title,
                group.view,
                group.quantity,
                group.each,
                group.axis,
                [
                    results.CaseResult(
                        case.name,
                        case.flops,
                        [
                            results.Measured(each.name, each.ours, [number, 1.5 * number])
                            for number, each in enumerate(workload.CONTESTANTS, start=1)
                        ],
                        case.count,
                        case.size,
                    )
                    for case in group.cases
                ],
            )
            for group in workload.groups(quick=False)
        ]
        workloads.append(results.WorkloadResult(name, groups))
    machine = {"cpu": "a CPU", "cores": "2 cores", "threads": "2 threads", "os": "Linux"}
    return results.Report("2026-01-02", machine | facts, [100.0, 300.0], workloads, ["left out: x"])


def test_a_report_survives_json(tmp_path: Path) -> None:
    made = a_report(isa="avx2")
    made.save(tmp_path / "run.json")
    assert type(made).load(tmp_path / "run.json") == made


def test_tables_say_what_was_measured() -> None:
    report, results = importlib.import_module("report"), importlib.import_module("results")
    group = results.GroupResult(
        "A net", "matrix", "seconds", "step", "",
        [results.CaseResult("batch 8", 1e9, [
            results.Measured("ours", True, [0.010, 0.012, 0.020]),
            results.Measured("theirs", False, [0.060]),
        ], count=1000)],
    )  # fmt: skip
    made = results.Report("2026-01-02", a_report().machine, [2.0], [
        results.WorkloadResult("tabular_step", [group]), results.WorkloadResult("gemm", [group]),
    ], [])  # fmt: skip
    table = (
        "**A net, one step (in brackets: times ours)**\n\n"
        "| contestant | batch 8 |\n| :--- | ---: |\n"
        "| ours | 12 µs |\n| theirs | 60 µs (5.00) |"
    )
    assert report.headlines(made).startswith(table + "\n\nMeasured on 2026-01-02: a CPU, ")
    assert report.results(made, {}).count(table) == 2
    rates = importlib.import_module("views").rates_table(group, 1000.0).rows
    assert rates == [["batch 8", "83.3", "8%", "16.7", "5.00"]]


@pytest.mark.parametrize("view", ["contestants", "matrix", "transposed", "rates", "sizes"])
def test_every_view_takes_absent_contestants_and_no_peak(view: str) -> None:
    """Whoever cannot run a case is absent from it only."""
    results, views = importlib.import_module("results"), importlib.import_module("views")
    ours = results.Measured("ours", True, [1.0])
    cases = [results.CaseResult("a", 1e9, [ours, results.Measured("theirs", False, [2.0])])]
    cases += [] if view == "contestants" else [results.CaseResult("b", 1e9, [ours])]
    table = views.group_table(results.GroupResult("T", view, "seconds", "", "", cases), None)
    assert {len(row) for row in table.rows} == {len(table.header)}
    assert "nan" not in table.text() + table.markdown()


def test_pictures_have_labels_with_units() -> None:
    charts, made = importlib.import_module("charts"), a_report()
    some = [each for each in made.workloads if each.name in ("gemm", "scale", "tabular_step")]
    for workload in some:
        figure = charts.figure_of(workload, made)
        labels = [axes.get_xlabel() for axes in figure.axes]
        assert all(labels), workload.name
        first = figure.axes[0]
        assert first.get_ylabel() or any(tick.get_text() for tick in first.get_yticklabels())
    assert {axes.get_xlabel() for axes in figure.axes[:3]} == {"time of a step (ms)"}


def test_pages_are_written_between_their_markers(tmp_path: Path, monkeypatch: Any) -> None:
    report = importlib.import_module("report")
    for name in ("README", "RESULTS"):
        path = tmp_path / f"{name}.md"
        path.write_text(f"before\n{report.START}\nold\n{report.END}\nafter\n", "utf-8")
        monkeypatch.setattr(report, name, path)
    monkeypatch.setattr(report, "PLOTS", tmp_path / "plots")
    a_report(isa="avx512").save(tmp_path / "run.json")
    monkeypatch.setattr(sys, "argv", ["report.py", str(tmp_path / "run.json"), "--write"])
    report.main()
    for name in ("README", "RESULTS"):
        text = (tmp_path / f"{name}.md").read_text("utf-8")
        assert text.startswith("before\n")
        assert text.endswith("after\n")
        assert "old" not in text
        assert "| fastnn compiled |" in text
    pictures = {path.stem: path.read_bytes() for path in (tmp_path / "plots").iterdir()}
    assert sorted(pictures) == WORKLOADS
    assert all(picture.startswith(b"\x89PNG") for picture in pictures.values())
    a_report(mode="a quick run").save(tmp_path / "run.json")
    with pytest.raises(SystemExit, match="quick"):
        report.main()
