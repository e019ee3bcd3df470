"""What `Trainer` does to gradients before a step: L1, then clipping by norm, then by value."""

from typing import Any

import numpy as np
import pytest
from support import mlp, state_bits

from fastnn import Trainer, nn, optim
from fastnn.nn import functional as F
from fastnn.nn.utils import clip_grad_norm_, clip_grad_value_

_rng = np.random.default_rng(0)
X = _rng.standard_normal((40, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64)


def trained(**options: Any) -> nn.Module:
    model = mlp(4, 8, 2)
    optimizer = optim.SGD(model.parameters(), lr=0.5)
    trainer = Trainer(model, nn.CrossEntropyLoss(), optimizer, **options)
    trainer.fit((X, Y), epochs=3, batch_size=20, shuffle=False, verbose=0)
    return model


def by_hand(l1: float = 0.0, norm: float = 0.0, value: float = 0.0) -> nn.Module:
    """The loop a person would write."""
    model = mlp(4, 8, 2)
    optimizer = optim.SGD(model.parameters(), lr=0.5)
    for _ in range(3):
        for rows in (slice(0, 20), slice(20, 40)):
            optimizer.zero_grad()
            F.cross_entropy(model(X[rows]), Y[rows]).backward()
            for p in model.parameters():
                if l1:
                    p.grad = p.grad + np.float32(l1) * np.sign(p.detach().numpy())
            if norm:
                clip_grad_norm_(model.parameters(), norm)
            if value:
                clip_grad_value_(model.parameters(), value)
            optimizer.step()
    return model


@pytest.mark.parametrize(("options", "expected"), [
    ({"clip_grad_norm": 0.1}, {"norm": 0.1}),
    ({"clip_grad_value": 0.01}, {"value": 0.01}),
    ({"clip_grad_norm": 0.1, "clip_grad_value": 0.01}, {"norm": 0.1, "value": 0.01}),
    ({"clip_grad_norm": 1e9}, {}),
])  # fmt: skip
def test_clipping(options: dict[str, float], expected: dict[str, float]) -> None:
    assert state_bits(trained(**options)) == state_bits(by_hand(**expected))
    assert (state_bits(trained(**options)) == state_bits(by_hand())) == (not expected)


def test_l1_comes_before_clipping() -> None:
    for clip in (0.0, 0.1):
        options = {"clip_grad_norm": clip} if clip else {}
        got, expected = trained(l1=0.05, **options), by_hand(l1=0.05, norm=clip)
        for a, b in zip(got.parameters(), expected.parameters(), strict=True):
            assert np.allclose(a.detach().numpy(), b.detach().numpy(), atol=1e-6)


def test_l1_makes_weights_sparse() -> None:
    def small(model: nn.Module) -> float:
        return float(np.mean([np.abs(p.detach().numpy()).mean() for p in model.parameters()]))

    assert small(trained(l1=0.2)) < 0.5 * small(trained())


def test_options_apply_once_a_step_not_once_a_batch() -> None:
    """Clipped before the last batch is in, a group's gradient would be another one."""
    options = {"l1": 0.05, "clip_grad_norm": 0.1}
    models = []
    for size, parts in ((5, 4), (20, 1)):
        model = mlp(4, 8, 2).double()
        optimizer = optim.SGD(model.parameters(), lr=0.5)
        trainer = Trainer(model, nn.CrossEntropyLoss(), optimizer, accumulate=parts, **options)
        trainer.fit((X, Y), epochs=2, batch_size=size, shuffle=False, verbose=0)
        models.append(trainer.predict(X))
    assert np.allclose(*models, rtol=1e-12)
