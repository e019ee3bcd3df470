"""The bits of a result depend neither on where a value lies nor on the number of threads."""

from typing import Any

import numpy as np
from kernel_support import draws, run_cross_entropy
from support import bits, force_threads, place

from fastnn import _core


def test_elements_do_not_depend_on_their_place(isa: str, dtype: Any) -> None:
    """Each kernel on a part of an array gives that part of its result on the whole, bit for bit."""
    n = 83
    x, g, u, v = (draws(n, dtype, seed) for seed in range(4))

    def run(part: slice, offset: int) -> tuple[np.ndarray, ...]:
        w1, w2, m = (place(x[part], offset) for _ in range(3))
        velocity, square, grad = place(u[part], offset), place(v[part] ** 2, offset), place(g[part])
        _core.sgd(w1, velocity, grad, 0.1, 0.9, 0.1, 0.01, False, False)
        _core.adam(w2, m, square, None, grad, 0.1, 0.9, 0.999, 1e-8, 0.01, 0.1, 0.001)
        w3, w4, mean, scaled = (place(x[part], offset) for _ in range(4))
        _core.adagrad(w3, square, grad, 0.1, 1e-8, 0.01)
        _core.rmsprop(w4, square, mean, velocity, grad, 0.1, 0.9, 1e-8, 0.01, 0.9)
        _core.scale_values(scaled, 0.3)
        _core.clip_values(scaled, 0.2)
        _core.l1_gradient(scaled, grad, 0.1)
        y, dx, total = np.empty_like(w1), np.empty_like(w1), np.empty_like(w1)
        _core.relu_forward(y, x[part])
        _core.relu_backward(dx, grad, y)
        _core.column_sum(total, np.stack([x, g, u, v])[:, part])
        return w1, velocity, w2, m, square, w3, w4, mean, scaled, y, dx, total

    whole = run(slice(None), 0)
    for start in range(40):
        for stop in (start + 1, start + 5, n):
            parts = run(slice(start, stop), start % 4)
            assert bits(*parts) == bits(*(a[start:stop] for a in whole)), (start, stop)


def test_bits_do_not_depend_on_threads(isa: str, dtype: Any) -> None:
    results = set()
    logits, t = (draws(40 * 37, dtype, seed).reshape(40, 37) for seed in (0, 1))
    labels, weight = np.arange(40) % 37, abs(draws(37, dtype, 3))
    for team in (1, 2, 3, 5, 7):
        force_threads(team)
        w, u, g = (draws(10007, dtype, seed) for seed in range(3))
        _core.sgd(w, u, g, 0.1, 0.9, 0.1, 0.01, False, False)
        _core.adam(w, u, abs(u), None, g, 0.1, 0.9, 0.999, 1e-8, 0.01, 0.1, 0.001)
        made = [w, u, *run_cross_entropy(logits, labels)]
        for run, target in (("softmax", labels), ("soft", t)):
            loss, p, dz = np.empty((), dtype), np.empty_like(t), np.empty_like(t)
            more = {"weight": weight, "smoothing": 0.1}
            getattr(_core, f"{run}_cross_entropy_forward")(loss, p, logits, target, "mean", **more)
            getattr(_core, f"{run}_cross_entropy_backward")(dz, loss, p, target, **more)
            made += [loss, p, dz]
        results.add(bits(*made))
    assert len(results) == 1
