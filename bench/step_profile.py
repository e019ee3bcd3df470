"""Where the time of a compiled training step goes: 784-512-512-10, batch 100, on MNIST.

python bench/step_profile.py [--threads N] [--optimizer adam|sgd] [--write]
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machine

import fastnn
from fastnn import Trainer, _core, nn, optim
from fastnn.training import compiled
from fastnn.vision.datasets import MNIST

EPOCHS, BATCHES = 3, 600
GFLOP = 192.6  # of an epoch: the products alone
PAGE = Path(__file__).parent / "README.md"
MARKS = "<!-- profile table: start -->\n", "<!-- profile table: end -->\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--threads", type=int, default=machine.available_cores())
    parser.add_argument("--optimizer", choices=["adam", "sgd"], default="adam")
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    args = parser.parse_args()
    fastnn.set_num_threads(args.threads)
    text = table(args.optimizer, args.threads)
    print(text)
    if args.write:
        before, after = map(re.escape, MARKS)
        page = PAGE.read_text(encoding="utf-8")
        pattern = f"({before}).*?({after})"
        PAGE.write_text(re.sub(pattern, lambda m: f"{m[1]}{text}{m[2]}", page, flags=re.DOTALL),
                        encoding="utf-8")  # fmt: skip


def table(name: str, threads: int) -> str:
    """Markdown: microseconds and shares of a step, and what it reaches of the peak."""
    before = _core.fma_peak(threads, 0.3)
    seconds, epoch = measure(name)
    peak = (before + _core.fma_peak(threads, 0.3)) / 2
    facts = machine.describe(threads)
    total = sum(seconds.values())
    rows = [f"| {part} | {1e6 * s / EPOCHS / BATCHES:.0f} | {100 * s / total:.1f} % |"
            for part, s in sorted(seconds.items(), key=lambda item: -item[1])]  # fmt: skip
    share = 100 * GFLOP / epoch / peak
    return "\n".join(
        [
            f"{name}, {threads} threads, {fastnn.isa()}; {', '.join(map(str, facts.values()))}: "
            f"an epoch takes {epoch:.2f} s, {GFLOP / epoch:.0f} GFLOP/s, {share:.0f} % of the FMA "
            f"peak of {peak:.0f} measured before and after.",
            "",
            "| part of a step | us | share |",
            "|---|--:|--:|",
            *rows,
            "",
        ]
    )


def measure(name: str) -> tuple[dict[str, float], float]:
    """Seconds by part, of all epochs, and those of the median epoch."""
    programs: list[Any] = []
    lower: Callable[..., Any] = compiled.lower

    def profiled(*args: Any) -> Any:
        lowered = lower(*args)
        lowered.program.profile(True)
        programs.append(lowered.program)
        return lowered

    compiled.lower = profiled
    fastnn.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512),
                          nn.ReLU(), nn.Linear(512, 10))  # fmt: skip
    parameters = model.parameters()
    optimizer = optim.Adam(parameters) if name == "adam" else optim.SGD(parameters, lr=0.1)
    trainer = Trainer(model, nn.CrossEntropyLoss(), optimizer, compile=True)
    history = trainer.fit(MNIST(train=True), epochs=EPOCHS, verbose=0)
    return programs[0].seconds, sorted(history.seconds)[EPOCHS // 2]


if __name__ == "__main__":
    main()
