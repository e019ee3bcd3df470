"""B: shapes and sizes."""

from collections.abc import Callable
from typing import Any

import numpy as np
from support import bits, little_memory, mlp, state_bits

import fastnn
from bad_inputs.case import bad, fine
from bad_inputs.world import World, X, Y, f32
from fastnn import nn
from fastnn.data import TensorDataset

MANY = 2**31 + 5
TALL = np.broadcast_to(X[0], (MANY, 4))


def said(call: Callable[[], Any]) -> str:
    """What the error says."""
    try:
        return str(call())
    except ValueError as error:
        return str(error)


def norm(world: World, rows: int, compile: str | bool = "auto") -> bytes:
    """An epoch of a model with batch normalization on so many rows."""
    trainer = world.normed
    trainer.compile = compile
    trainer.fit((X[:rows], Y[:rows]), epochs=1, batch_size=4, shuffle=False, verbose=0)
    return state_bits(trainer.model)


def shared(copies: bool) -> bytes:
    """Gradients of a layer that is used twice: those of two equal ones, added."""
    layers = [mlp(3, 3, seed=1)[0] for _ in range(1 + copies)]
    model = nn.Sequential(layers[0], nn.Tanh(), layers[-1])
    (model(X[:, :3].copy()) ** 2).sum().backward()
    weights = [layer.weight.grad.numpy() for layer in layers]
    return bits(weights[-1] + weights[0] if copies else weights[0])


def itself(world: World) -> None:
    world.model.append(world.model)
    world.model(X)


def too_large(inputs: int, outputs: int) -> None:
    with little_memory(2**26):
        nn.Linear(inputs, outputs)


def deep(layers: int) -> float:
    x = fastnn.ones(2, 3, requires_grad=True)
    nn.Sequential(*[nn.Identity() for _ in range(layers)], nn.ReLU())(x).sum().backward()
    return x.grad.tolist()


def far_row(count: int) -> list[np.ndarray]:
    """Rows whose number, or place in memory, is beyond 32 bits."""
    bytes_ = np.broadcast_to(np.arange(4, dtype=np.uint8), (count, 4))
    labels = np.broadcast_to(np.int64(2), count)
    x, y = TensorDataset(bytes_, labels).fetch(np.array([count - 1, 0]))
    return [np.asarray(x), np.asarray(y)]


def limited(world: World, rows: np.ndarray) -> np.ndarray:
    with little_memory(2**27):
        return world.predict(rows)


def limited_fit(world: World) -> bytes:
    with little_memory(2**27):
        return world.fit(TALL, np.broadcast_to(np.int64(0), MANY), batch_size=MANY)


CASES = [
    bad("B01 predict of a number", lambda w: w.predict(3.5), TypeError, "got float"),
    fine("B02 predict of one row without its dimension", lambda w: w.predict(X[0]),
         lambda w: w.predict(X[:1])[0]),
    bad("B03 three dimensions", lambda w: w.predict(X.reshape(3, 2, 8)), ValueError,
        r"\(N, 4\), got \(3, 2, 8\)"),
    bad("B05 no columns", lambda w: w.predict(f32(3, 0)), ValueError, r"\(N, 4\), got \(3, 0\)"),
    bad("B06 no rows and no columns", lambda w: w.predict(f32(0, 0)), ValueError, "got"),
    bad("B10 a column of labels", lambda w: w.fit(X, Y[:, None]), ValueError,
        r"labels.*\(5, 1\).*reshape"),
    bad("B11 two columns of labels", lambda w: w.fit(X, np.stack([Y, Y], 1)), ValueError,
        r"\(5, 2\)"),
    bad("B12 a number as labels", lambda w: w.fit(X, np.int64(1)), ValueError, r"shapes.*\(\)"),
    fine("B13 one row", lambda w: w.fit(X[:1], Y[:1]), lambda w: w.fit(X[:1], Y[:1],
         batch_size=1)),
    fine("B14 one column", lambda w: nn.Linear(1, 1, bias=False)(f32(3, 1)).detach(),
         lambda w: f32(3, 1)),
    bad("B15 batch normalization of one row", lambda w: norm(w, 1), ValueError,
        "more than 1 value"),
    fine("B16 a last batch of one row for batch normalization",
         lambda w: said(lambda: norm(w, 9)), lambda w: said(lambda: norm(w, 9, compile=False))),
    fine("B17 a batch larger than the data", lambda w: w.fit(batch_size=100),
         lambda w: w.fit(batch_size=12)),
    fine("B22 batches of 10**12 rows", lambda w: w.fit(batch_size=10**12),
         lambda w: w.fit(batch_size=12)),
    fine("B23 2**31 rows", lambda w: far_row(MANY), lambda w: far_row(7)),
    bad("B23 prediction of 2**31 rows", lambda w: limited(w, TALL), MemoryError, ""),
    bad("B24 a batch of 2**33 values", lambda w: limited_fit(w), MemoryError, ""),
    bad("B26 50,000 x 50,000 weights", lambda w: too_large(50_000, 50_000), MemoryError, ""),
    bad("B27 2**31 x 2**31 weights", lambda w: nn.Linear(2**31, 2**31), ValueError,
        r"Linear: .*\(2147483648, 2147483648\)"),
    bad("B29 2**63 inputs", lambda w: nn.Linear(2**63, 1), ValueError,
        r"Linear: .*\(1, 9223372036854775808\)"),
    bad("B32 -1 inputs", lambda w: nn.Linear(-1, 5), ValueError, "in_features >= 0, got -1"),
    bad("B33 2.0 inputs", lambda w: nn.Linear(2.0, 3), TypeError, "integer in_features, got 2.0"),
    bad("B34 '3' inputs", lambda w: nn.Linear("3", 3), TypeError, "integer in_features, got '3'"),
    fine("B35 inputs as np.int64", lambda w: nn.Linear(np.int64(3), 3).weight.shape,
         lambda w: (3, 3)),
    bad("B36 None inputs", lambda w: nn.Linear(None, 3), TypeError, "in_features, got None"),
    fine("B37 no layers", lambda w: nn.Sequential()(X), lambda w: X),
    bad("B38 layers that do not fit", lambda w: nn.Sequential(nn.Linear(4, 5), nn.Linear(6, 3))(X),
        ValueError, r"Linear\(6 -> 3\).*\(N, 6\), got \(12, 5\)"),
    fine("B39 10,000 layers", lambda w: deep(10_000), lambda w: deep(1)),
    fine("B40 a layer twice", lambda w: shared(False), lambda w: shared(True)),
    bad("B41 a layer in itself", itself, ValueError, "itself"),
    fine("B45 10**6 classes", lambda w: w.loss(f32(2, 10**6), np.array([0, 999_999])).item(),
         lambda w: float(np.float32(np.log(10**6)))),
    bad("B01 no dimension", lambda w: w.model(np.float32(1)), ValueError, r"\(N, 4\), got \(\)"),
    bad("B02 logits of one dimension", lambda w: w.loss(f32(3), np.zeros(3, int)), ValueError,
        r"labels of shape \(\).*got shape \(3,\)"),
    bad("B04 evaluate of no rows", lambda w: w.trainer.evaluate((f32(0, 4), np.zeros(0, int))),
        ValueError,
        "at least one row of data, got none"),
    bad("B04 fit of no rows", lambda w: w.trainer.fit((f32(0, 4), np.zeros(0, int))), ValueError,
        "at least one batch of training data"),
    bad("B04 no rows into a loss", lambda w: w.loss_of(np.zeros(0, int), 0), ValueError,
        r"N > 0, got \(0, 3\)"),
    bad("B04 predict of no rows", lambda w: w.trainer.predict(f32(0, 4)), ValueError,
        "predict: expected at least one row, got none"),
    bad("B07 predict of too many columns", lambda w: w.trainer.predict(f32(2, 9)), ValueError,
        r"\(N, 4\), got \(2, 9\)"),
    bad("B07 too many columns", lambda w: w.model(f32(2, 5)), ValueError,
        r"\(N, 4\), got \(2, 5\)"),
    bad("B08 fit of too few columns", lambda w: w.trainer.fit((X[:, :3], Y)), ValueError,
        r"\(N, 4\), got \(12, 3\)"),
    bad("B08 too few columns", lambda w: w.model(f32(2, 3)), ValueError, r"\(N, 4\), got \(2, 3\)"),
    bad("B09 a data set of 12 and 5 rows", lambda w: TensorDataset(X, Y[:5]), ValueError,
        r"same N, got shapes \[\(12, 4\), \(5,\)\]"),
    bad("B09 fit of 12 and 5 rows", lambda w: w.trainer.fit((X, Y[:5])), ValueError,
        r"same N, got shapes"),
    bad("B09 fit of one array", lambda w: w.trainer.fit((X,)), ValueError,
        r"data as \(X, y\), got 1 parts"),
    bad("B09 fit of three arrays", lambda w: w.trainer.fit((X, Y, Y)), ValueError,
        r"data as \(X, y\), got 3 parts"),
    bad("B12 one label without a dimension", lambda w: w.loss_of(np.array(0), 1), ValueError,
        r"1 labels.*got shape \(\)"),
    bad("B17 fit of a batch that is dropped",
        lambda w: w.trainer.fit((X, Y), batch_size=13, drop_last=True), ValueError,
        "at least one batch of training data"),
    bad("B18 batch_size 0", lambda w: w.trainer.fit((X, Y), batch_size=0), ValueError,
        "expected batch_size >= 1, got 0"),
    bad("B19 batch_size -1", lambda w: w.trainer.fit((X, Y), batch_size=-1), ValueError,
        "expected batch_size >= 1, got -1"),
    bad("B20 batch_size 2.5", lambda w: w.trainer.fit((X, Y), batch_size=2.5), TypeError,
        "integer batch_size, got 2.5"),
    bad("B21 batch_size True", lambda w: w.trainer.fit((X, Y), batch_size=True), TypeError,
        "integer batch_size, got True"),
    bad("B28 a layer of 2**80 weights", lambda w: nn.Linear(2**40, 2**40), ValueError,
        r"Linear: .*\(1099511627776, 1099511627776\)"),
    bad("B44 no classes", lambda w: w.loss(f32(3, 0), np.zeros(3, int)), ValueError,
        r"N > 0, got \(3, 0\)"),
]  # fmt: skip
