"""Weights and rows too small for normal numbers cost no more time than others."""

import time

import numpy as np
from support import mlp

import fastnn
from fastnn import Trainer, nn, optim

TIMES, SHORT = 200, 2
_ROWS = 512
_MOST = 1.2


def prove(times: int) -> dict[str, object]:
    """The quickest of so many predictions and epochs, with denormal numbers and with usual ones."""
    usual, tiny = _work(1.0), _work(1e-40)
    ratios = {}
    for what in ("predict", "fit"):
        best = [np.inf, np.inf]
        for _ in range(times):  # in turns, so that both meet the same machine
            for i, trainer in enumerate((usual, tiny)):
                best[i] = min(best[i], _seconds(trainer, what))
        ratios[what] = round(best[1] / best[0], 2)
        assert times < TIMES or ratios[what] <= _MOST, f"{what}: {ratios[what]} times as long"
    return {f"{what}, time by usual": ratio for what, ratio in ratios.items()}


def _work(scale: float) -> Trainer:
    model = mlp(256, 256, 256, 10)
    with fastnn.no_grad():
        for parameter in model.parameters():
            parameter *= scale
    array = model[0].weight.detach().numpy()
    assert ((np.abs(array) < np.finfo(np.float32).tiny) == (scale < 1)).mean() > 0.99
    return Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.0))


def _seconds(trainer: Trainer, what: str) -> float:
    scale = float(np.abs(trainer.model[0].weight.detach().numpy()).max())
    random = np.random.default_rng(0)
    x = (random.standard_normal((_ROWS, 256)) * min(1.0, scale)).astype(np.float32)
    y = random.integers(0, 10, _ROWS)
    start = time.perf_counter()
    if what == "predict":
        trainer.predict(x)
    else:
        trainer.fit((x, y), epochs=1, batch_size=64, verbose=0)
    return time.perf_counter() - start
