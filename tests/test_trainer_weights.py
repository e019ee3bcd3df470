"""`Trainer` with rows that count differently, and with the penalty that is divided by the rows."""

from typing import Any

import numpy as np
import pytest
from support import bits, mlp, state_bits

import fastnn
from fastnn import History, Trainer, nn, optim
from fastnn.data import DataLoader, TensorDataset
from fastnn.nn import functional as F

_rng = np.random.default_rng(0)
X = _rng.standard_normal((43, 4))
Y = (X[:, 0] > 0).astype(np.int64)
W = _rng.integers(1, 4, 43).astype(np.float64)
LOSS = nn.WeightedLoss(nn.CrossEntropyLoss(reduction="none"))


def limited(limit: float) -> nn.WeightedLoss:
    return nn.WeightedLoss(nn.CrossEntropyLoss(reduction="none"), limit=limit)


def trained(
    data: Any, batch_size: int = 10, epochs: int = 3, loss: nn.Module = LOSS, **options: Any
) -> tuple[nn.Module, History]:
    model = mlp(4, 8, 2).double()
    trainer = Trainer(model, loss, optim.SGD(model.parameters(), lr=0.5), **options)
    history = trainer.fit(data, epochs=epochs, batch_size=batch_size, shuffle=False, verbose=0)
    return model, history


def by_hand(w: np.ndarray, l2: float = 0.0) -> tuple[nn.Module, list[float], list[float]]:
    """Losses weighted by rows of batches, penalties divided by what a batch weighs."""
    model = mlp(4, 8, 2).double()
    optimizer = optim.SGD(model.parameters(), lr=0.5)
    losses, penalties = [], []
    for _ in range(3):
        total = penalty = 0.0
        for rows in (slice(i, i + 10) for i in range(0, 43, 10)):
            optimizer.zero_grad()
            each = F.cross_entropy(model(X[rows]), Y[rows], reduction="none")
            loss = (each * w[rows]).sum() / w[rows].sum()
            squares = sum((p * p).sum() for p in model.parameters() if p.ndim == 2)
            more = l2 / 2 * squares / w[rows].sum()
            (loss + more).backward()
            optimizer.step()
            total += loss.item() * len(X[rows])
            penalty += more.item() * len(X[rows])
        losses.append(total / 43)
        penalties.append(penalty / 43)
    return model, losses, penalties


def same(a: nn.Module, b: nn.Module, rtol: float = 1e-11) -> bool:
    return all(
        np.allclose(p._array, q._array, rtol, rtol)
        for p, q in zip(a.parameters(), b.parameters(), strict=True)
    )


def test_a_step_is_the_weighted_mean_of_its_rows() -> None:
    model, history = trained((X, Y, W))
    expected, losses, _ = by_hand(W)
    assert same(model, expected)
    assert history.loss == pytest.approx(losses, rel=1e-11)
    assert not same(model, trained((X, Y))[0])


def test_weights_of_one_give_the_same_bits_as_none() -> None:
    for kind in (np.float64, np.float32, np.int64, bool):
        model, history = trained((X, Y, np.ones(43, kind)))
        plain, expected = trained((X, Y))
        assert state_bits(model) == state_bits(plain)
        assert bits(history.loss) == bits(expected.loss)


def test_whole_weights_are_repeated_rows() -> None:
    repeated = np.repeat(np.arange(43), W.astype(int))
    model, history = trained((X, Y, W), 1000, l2=3.0)
    expected, losses = trained((X[repeated], Y[repeated]), 1000, l2=3.0)
    assert same(model, expected)
    assert history.loss == pytest.approx(losses.loss, rel=1e-11)
    assert history.metrics["penalty"] == pytest.approx(losses.metrics["penalty"], rel=1e-11)


def test_a_limit_changes_what_is_shown_alone() -> None:
    """No loss of a row counts for more; gradients, and so the training, are as without it."""
    x = np.array([[1.0, 9.0], [3.0, 0.5], [4.0, 40.0]])
    given, w = (fastnn.Tensor.of(a, requires_grad=True) for a in (x, np.array([2.0, 1.0, 0.5])))
    loss = F.weighted_mean(given, w, 0.5, limit=4.0)
    rows = np.array([5.0, 3.5, 8.0])
    assert loss.item() == pytest.approx(0.5 * (rows @ w._array) / 3.5, rel=1e-15)
    loss.backward()
    free = fastnn.Tensor.of(x, requires_grad=True)
    F.weighted_mean(free, w.detach(), 0.5).backward()
    assert given.grad is not None
    assert bits(given.grad) == bits(free.grad)
    assert w.grad is not None
    np.testing.assert_allclose(w.grad._array, (0.5 * rows - loss.item()) / 3.5, rtol=1e-14)

    model, history = trained((1000 * X, Y, W), loss=limited(2.0))
    expected, losses = trained((1000 * X, Y, W))
    assert state_bits(model) == state_bits(expected)
    assert all(a < b / 10 for a, b in zip(history.loss, losses.loss, strict=True))


def test_a_limit_hides_no_divergence() -> None:
    for value in (np.inf, np.nan):
        assert bits(F.weighted_mean(np.array([1.0, value]), limit=2.0)) == bits(np.float64(value))
    with pytest.raises(fastnn.NonFiniteError):
        trained((1e300 * X, Y), loss=limited(2.0))


def test_weights_in_data_sets_and_loaders() -> None:
    expected = state_bits(trained((X, Y, W))[0])
    rows = TensorDataset(X, Y, W)
    assert state_bits(trained(rows)[0]) == expected
    assert state_bits(trained(DataLoader(rows, batch_size=10))[0]) == expected


def test_accumulated_batches_weigh_what_their_rows_do() -> None:
    model, _ = trained((X[:40], Y[:40], W[:40]), 5, accumulate=4, l2=2.0)
    assert same(model, trained((X[:40], Y[:40], W[:40]), 20, l2=2.0)[0])


def test_evaluation_does_not_depend_on_the_batches() -> None:
    model, _ = trained((X, Y, W))
    trainer = Trainer(model, LOSS, optim.SGD(model.parameters(), lr=0.5))
    values = [trainer.evaluate((X, Y, W), batch_size=n)["loss"] for n in (1, 7, 100)]
    each = F.cross_entropy(model(X), Y, reduction="none").detach().numpy()
    assert values == pytest.approx([np.average(each, weights=W)] * 3, rel=1e-12)


@pytest.mark.parametrize("weights", [np.ones(43), W], ids=["ones", "weights"])
def test_l2_is_divided_by_what_a_batch_weighs(weights: np.ndarray) -> None:
    model, history = trained((X, Y, weights), l2=3.0)
    expected, losses, penalties = by_hand(weights, l2=3.0)
    assert same(model, expected)
    assert history.loss == pytest.approx(losses, rel=1e-11)
    assert history.metrics["penalty"] == pytest.approx(penalties, rel=1e-11)
    assert not same(model, by_hand(weights)[0])


def test_l2_leaves_biases_and_norms_alone() -> None:
    model = nn.Sequential(nn.Linear(4, 2), nn.BatchNorm1d(2)).double()
    before = [p._array.copy() for p in model.parameters()]
    trainer = Trainer(model, lambda out, _: 0 * out.sum(), optim.SGD(model.parameters(), lr=1.0),
                      metrics=(), l2=43.0, compile=False)  # fmt: skip
    trainer.fit((X, Y), epochs=1, batch_size=43, verbose=0)
    after = [p._array for p in model.parameters()]
    assert np.abs(after[0]).max() < 1e-12  # w -= 1 * 43 / 43 * w
    assert bits(*before[1:]) == bits(*after[1:])


def test_weighted_losses_know_what_outputs_mean() -> None:
    model = mlp(4, 8, 1).double()
    loss = nn.WeightedLoss(nn.BCEWithLogitsLoss(reduction="none"))
    trainer = Trainer(model, loss, optim.SGD(model.parameters(), lr=0.5))
    target = Y[:, None].astype(np.float64)
    accuracy = trainer.evaluate((X, target, W))["accuracy"]
    assert accuracy == np.mean((model(X)._array > 0) == target)
    squared = nn.WeightedLoss(nn.MSELoss(reduction="none"))
    trainer = Trainer(model, squared, optim.SGD(model.parameters(), lr=0.5))
    assert list(trainer.evaluate((X, Y[:, None], W))) == ["loss"]  # no accuracy of real numbers


@pytest.mark.parametrize(("data", "pattern"), [
    ((X, Y, -W), r"finite weights >= 0, got -\d\.0 in row 0"),
    ((X, Y, W, W), r"expected data as \(X, y\), got 4 parts"),
    (TensorDataset(X, Y, W, W), r"expected batches of \(inputs, targets\), got 4 parts"),
    ((X, Y, W[:5]), r"all of shape \(N, \.\.\.\)"),
])  # fmt: skip
def test_bad_weights(data: Any, pattern: str) -> None:
    with pytest.raises(ValueError, match=pattern):
        trained(data)


def test_weights_without_a_loss_for_them() -> None:
    model = mlp(4, 8, 2).double()
    trainer = Trainer(model, F.cross_entropy, optim.SGD(model.parameters(), lr=0.5))
    for data in ((X, Y, W), TensorDataset(X, Y, W)):
        with pytest.raises(ValueError, match="weights of rows, as a third part"):
            trainer.fit(data, verbose=0)
