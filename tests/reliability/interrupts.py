"""Ctrl-C ends a training within a moment, with whole weights, and it can go on."""

import math
import random
import signal
import threading
import time

import numpy as np
from support import mlp

from fastnn import Trainer, nn, optim

TIMES, SHORT = 100, 3
_HIDDEN, _ROWS = 256, 20_000


def prove(times: int) -> dict[str, object]:
    """Interrupt so many trainings, each after another while; the milliseconds until they end."""
    chance, waits = random.Random(0), []
    generator = np.random.default_rng(0)
    x = generator.standard_normal((_ROWS, 100)).astype(np.float32)
    y = generator.integers(0, 10, _ROWS)
    model = mlp(100, _HIDDEN, _HIDDEN, 10)
    optimizer = optim.Adam(model.parameters())
    trainer = Trainer(model, nn.CrossEntropyLoss(), optimizer)
    for _ in range(times):
        before = signal.getsignal(signal.SIGINT)
        waits.append(_interrupted(trainer, (x, y), chance.uniform(0.005, 0.3)))
        assert signal.getsignal(signal.SIGINT) is before
        assert math.isfinite(trainer.evaluate((x[:500], y[:500]))["loss"])
    trainer.fit((x, y), epochs=1, verbose=0)
    worst = sorted(waits)[math.ceil(0.99 * len(waits)) - 1]
    assert times < TIMES or worst < 0.1, f"a training went on for {worst} s"
    return {"interrupts": times, "99th percentile, ms": round(1000 * worst, 1)}


def _interrupted(trainer: Trainer, data: object, after: float) -> float:
    """Seconds from the signal to KeyboardInterrupt."""
    sent: list[float] = []
    main = threading.main_thread().ident
    assert main is not None

    def press() -> None:
        time.sleep(after)
        sent.append(time.perf_counter())
        signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    try:
        trainer.fit(data, epochs=10**6, verbose=0)
    except KeyboardInterrupt:
        return time.perf_counter() - sent[0]
    finally:
        thread.join()
    raise AssertionError("a training of a million epochs ended")
