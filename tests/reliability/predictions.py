"""Many threads predict on one model at once, each with the outputs of one thread alone."""

import threading

import numpy as np
from support import bits, mlp

from fastnn import Trainer, nn, optim

TIMES, SHORT = 500, 10
_THREADS = 64


def prove(times: int) -> dict[str, object]:
    """64 threads predict so many times each, on 1 to 257 rows."""
    model = mlp(30, 64, 48, 10)
    trainer = Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1))
    x = np.random.default_rng(0).standard_normal((257, 30)).astype(np.float32)
    expected = {n: bits(trainer.predict(x[:n])) for n in (1, 2, 31, 100, 257)}
    differences: list[int] = []

    def work(number: int) -> None:
        for i in range(times):
            n = list(expected)[(number + i) % len(expected)]
            if bits(trainer.predict(x[:n])) != expected[n]:
                differences.append(n)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not differences
    return {"threads": _THREADS, "predictions": _THREADS * times, "differences": len(differences)}
