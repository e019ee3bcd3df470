"""Where the time of a compiled training step goes: of the reference net and of two others.

    python bench/step_profile.py [--threads N] [--optimizer adam|sgd] [--write]
    python bench/step_profile.py --sizes 20-128-256-4 --batch 32 --dtype float64

Nets of MNIST's inputs and classes learn from its bytes in float32; all else is normal numbers.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from datetime import date
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import machine
import numpy as np
from numpy_reference import MNIST_SIZES
from results import Report
from training.problem import Problem

import fastnn
from fastnn import Trainer, nn, optim
from fastnn.callbacks import Callback, Logs
from fastnn.training import compiled
from fastnn.vision.datasets import MNIST

PEAKS = 3  # before and after
EPOCHS, ROWS = 9, 60000  # of which the quickest counts: neighbours take their time
# The reference; what scikit-learn's defaults make of MNIST and of its digits: sizes, batch, type.
NETS = [(MNIST_SIZES, 100, "float32"), ((784, 100, 10), 200, "float32"),
        ((64, 100, 10), 200, "float64")]  # fmt: skip
PAGE = Path(__file__).parent / "README.md"
MARKS = "<!-- profile table: start -->\n", "<!-- profile table: end -->\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--threads", type=int, default=machine.available_cores())
    parser.add_argument("--optimizer", choices=["adam", "sgd"], default="adam")
    parser.add_argument("--sizes", type=_sizes, metavar="N-N-...", help="instead of those three")
    parser.add_argument("--batch", type=int, default=100, help="with --sizes")
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32",
                        help="with --sizes")  # fmt: skip
    parser.add_argument("--write", action="store_true", help="put the tables into README.md")
    args = parser.parse_args()
    if args.write and args.sizes:
        parser.error("--write puts the three tables into README.md: leave --sizes out")
    fastnn.set_num_threads(args.threads)
    meter, peaks, tables = machine.PeakMeter(args.threads), list[float](), list[str]()
    for sizes, batch, dtype in [(args.sizes, args.batch, args.dtype)] if args.sizes else NETS:
        problem = Problem(sizes, batch, ROWS // batch, args.optimizer)
        around = [meter.measure() for _ in range(PEAKS)]
        seconds, epoch = measure(problem, dtype)
        around += [meter.measure() for _ in range(PEAKS)]
        tables.append(table(problem, dtype, seconds, epoch, max(around)))
        peaks += around
    facts = machine.describe(args.threads) | meter.facts()
    line = Report("", facts, peaks, [], []).machine_line
    text = f"Measured on {date.today().isoformat()}: {line}.\n\n" + "\n".join(tables)
    print(text)
    if args.write:
        before, after = map(re.escape, MARKS)
        page = PAGE.read_text(encoding="utf-8")
        pattern = f"({before}).*?({after})"
        PAGE.write_text(re.sub(pattern, lambda m: f"{m[1]}{text}{m[2]}", page, flags=re.DOTALL),
                        encoding="utf-8")  # fmt: skip


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split("-")))


def table(
    problem: Problem, dtype: str, seconds: dict[str, float], epoch: float, peak: float
) -> str:
    """Markdown: microseconds and shares of a step, and what it reaches of the peak in float32."""
    total, gflop = sum(seconds.values()), problem.step_flops * problem.steps / 1e9
    share = gflop / epoch / peak * np.dtype(dtype).itemsize / 4
    rows = [f"| {part} | {1e6 * s / problem.steps:.1f} | {100 * s / total:.1f} % |"
            for part, s in sorted(seconds.items(), key=lambda item: -item[1])]  # fmt: skip
    return "\n".join(
        [
            f"**{problem}, batch {problem.batch}, {dtype}, {problem.optimizer}**: the quickest of "
            f"{EPOCHS} epochs of {problem.steps} steps takes {epoch:.2f} s, "
            f"{gflop / epoch:.0f} GFLOP/s, "
            f"{100 * share:.0f} % of the best FMA peak measured before and after.",
            "",
            "| part of a step | us | share |",
            "|---|--:|--:|",
            *rows,
            "",
        ]
    )


def measure(problem: Problem, dtype: str) -> tuple[dict[str, float], float]:
    """Seconds of the quickest epoch, by part and all in all."""
    programs: list[Any] = []
    after = [dict[str, float]()]  # the parts' seconds so far, at the end of each epoch

    class Parts(Callback):
        def on_epoch_end(self, epoch: int, logs: Logs) -> None:
            after.append(programs[0].seconds)

    lower: Callable[..., Any] = compiled.lower

    def profiled(*args: Any) -> Any:
        lowered = lower(*args)
        lowered.program.profile(True)
        programs.append(lowered.program)
        return lowered

    fastnn.manual_seed(0)
    layers = [nn.Linear(*pair, dtype=dtype) for pair in pairwise(problem.sizes)]
    hidden = [part for layer in layers[:-1] for part in (layer, nn.ReLU())]
    model = nn.Sequential(nn.Flatten(), *hidden, layers[-1])
    parameters = model.parameters()
    optimizer = optim.Adam if problem.optimizer == "adam" else partial(optim.SGD, lr=0.1)
    trainer = Trainer(model, nn.CrossEntropyLoss(), optimizer(parameters), compile=True,
                      callbacks=[Parts()])  # fmt: skip
    compiled.lower = profiled
    try:
        history = trainer.fit(_data(problem, dtype), EPOCHS, problem.batch, verbose=0)
    finally:
        compiled.lower = lower
    quickest = min(range(EPOCHS), key=history.seconds.__getitem__)
    before, upto = after[quickest : quickest + 2]
    parts = {part: seconds - before.get(part, 0.0) for part, seconds in upto.items()}
    return parts, history.seconds[quickest]


def _data(problem: Problem, dtype: str) -> Any:
    ends = problem.sizes[0], problem.sizes[-1]
    if ends == (MNIST_SIZES[0], MNIST_SIZES[-1]) and dtype == "float32":
        return MNIST(train=True)
    x = np.random.default_rng(0).standard_normal((problem.rows, problem.sizes[0]))
    return x.astype(dtype), np.arange(problem.rows) % problem.sizes[-1]


if __name__ == "__main__":
    main()
