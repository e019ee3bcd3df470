"""Rows are predicted with the same bits in whatever pieces they come."""

import numpy as np
from support import bits, force_threads, mlp

import fastnn
from fastnn import Trainer, nn, optim

TIMES, SHORT = 1000, 10


def prove(times: int) -> dict[str, object]:
    """Cut 700 rows at so many random places, for each ISA and both forms of the model."""
    random, before = np.random.default_rng(0), fastnn.isa()
    x = random.standard_normal((700, 23)).astype(np.float32)
    for isa in fastnn.available_isas():
        fastnn.set_isa(isa)
        force_threads(2)
        model = mlp(23, 70, 33, 5)
        for compile in (True, False):
            trainer = Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1),
                              compile=compile)  # fmt: skip
            whole = bits(trainer.predict(x))
            for _ in range(times):
                places = np.sort(random.integers(1, len(x), random.integers(1, 30)))
                parts = [trainer.predict(p) for p in np.split(x, places) if len(p)]
                assert bits(np.concatenate(parts)) == whole, f"{isa}: cut at {places}"
    fastnn.set_isa(before)
    return {"isas": fastnn.available_isas(), "splits": times * 2 * len(fastnn.available_isas())}
