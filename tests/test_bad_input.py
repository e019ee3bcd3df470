"""Bad input: each ends in the documented exception or in exactly the right result.

A row of `BAD` is a call that must fail, with the exception and what its message says; a row of
`ODD` is an unusual array that must be treated as the plain array of its values.
"""

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support import bits, mlp, state_bits

import fastnn
from fastnn import NonFiniteError, Trainer, _core, nn, optim
from fastnn.data import DataLoader, TensorDataset
from fastnn.nn import functional as F

X = np.random.default_rng(0).standard_normal((12, 4)).astype(np.float32)
Y = np.arange(12) % 3
SECONDS = 1.0  # far more than a check needs


def _setup() -> SimpleNamespace:
    """A model (4 -> 3), what trains it, and its optimizer, all new."""
    model = mlp(4, 5, 3)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    loss = nn.CrossEntropyLoss()
    return SimpleNamespace(
        model=model, optimizer=optimizer, loss=loss, trainer=Trainer(model, loss, optimizer)
    )


def f32(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


def read_only(*shape: int) -> np.ndarray:
    array = f32(*shape)
    array.flags.writeable = False
    return array


def misaligned(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    count = int(np.prod(shape)) * np.dtype(dtype).itemsize
    array = np.zeros(count + 1, np.uint8)[1:].view(dtype).reshape(shape)
    assert not array.flags.aligned
    return array


def with_value(array: np.ndarray, index: Any, value: Any) -> np.ndarray:
    changed = array.copy()
    changed[index] = value
    return changed


def overlap(call: Callable[[np.ndarray, np.ndarray], Any], shift: int = 1) -> Any:
    """Call with two 2 x 2 arrays in one memory, the second `shift` elements after the first."""
    memory = f32(4 + shift)
    return call(memory[:4].reshape(2, 2), memory[shift:].reshape(2, 2))


def loss_of(labels: Any, rows: int = 3) -> Any:
    """The loss of `rows` rows of three logits."""
    return nn.CrossEntropyLoss()(f32(rows, 3), labels)


def softmax_backward(dlogits: Any, dlosses: Any, labels: Any) -> None:
    _core.softmax_cross_entropy_backward(dlogits, dlosses, f32(3, 3), labels)


def run_program(**changes: Any) -> Any:
    """Run a compiled product (4 -> 3) over three rows, two a batch at most."""
    program = _core.Program32(2)
    y = program.linear(program.input(4), 3, f32(3, 4), None, None, None, False)
    program.class_loss("cross_entropy", y, 3, True, None, -100, 0.0)
    given = {
        "inputs": (X[:3], None), "labels": ALL_ROWS, "classes": 3, "ignored": -100,
        "targets": None, "weights": None, "order": ALL_ROWS, "sizes": np.array([2, 1]),
        "masses": None, "accumulate": 1, "rates": None, "seed": 0, "draw": 0, "loss": 0.0,
        "rows": 0.0, "penalty": 0.0, "right": 0.0, "counted": 0.0, "tick": lambda *_: False,
    }  # fmt: skip
    return program.run(**given | changes)


Call = Callable[[SimpleNamespace], Any]
BYTES = np.zeros((3, 3), np.uint8)
ALL_ROWS = np.arange(3)
NAN_ROW = with_value(X, (7, 3), np.nan)  # the last lane of a row

BAD: list[tuple[str, Call, type[Exception], str]] = [
    # the input of a model
    ("too-many-features", lambda s: s.model(f32(2, 5)), ValueError, r"\(N, 4\), got \(2, 5\)"),
    ("too-few-features", lambda s: s.model(f32(2, 3)), ValueError, r"\(N, 4\), got \(2, 3\)"),
    ("0-d", lambda s: s.model(np.float32(1)), ValueError, r"\(N, 4\), got \(\)"),
    ("float64-input", lambda s: s.model(X.astype(float)), TypeError,
     r"float32.*got float64.*float\(\)"),
    ("integer-input", lambda s: s.model(np.ones((2, 4), int)), TypeError, r"float32.*got int64"),
    ("complex", lambda s: s.model(np.ones((2, 4), complex)), TypeError, "an array of complex128"),
    ("object", lambda s: s.model(np.ones((2, 4), object)), TypeError, "an array of object"),
    ("strings", lambda s: s.model(np.full((2, 4), "1.0")), TypeError, "an array of <U3"),
    ("bytes", lambda s: s.model(np.full((2, 4), b"1")), TypeError, r"an array of \|S1"),
    ("datetime", lambda s: s.model(np.zeros((2, 4), "M8[s]")), TypeError, "an array of datetime64"),
    ("timedelta", lambda s: s.model(np.zeros((2, 4), "m8[s]")), TypeError,
     "an array of timedelta64"),
    ("structured", lambda s: s.model(np.zeros((2, 4), "f4,f4")), TypeError, "an array of .*'f0'"),
    ("void", lambda s: s.model(np.zeros((2, 4), "V4")), TypeError, r"an array of \|V4"),
    ("ragged", lambda s: s.model([[1, 2, 3, 4], [1]]), ValueError, "got a ragged list"),
    ("none", lambda s: s.model(None), TypeError, "got NoneType None"),
    ("text", lambda s: s.model("digits.csv"), TypeError, "got str 'digits.csv'"),
    ("dict", lambda s: s.model({"x": 1}), TypeError, "got dict"),
    ("generator", lambda s: s.model(i for i in range(4)), TypeError, "got generator"),
    ("huge-layer", lambda s: nn.Linear(2**40, 2**40), (ValueError, MemoryError),
     "."),  # type: ignore[list-item]
    # labels
    ("label-too-large", lambda s: loss_of(np.array([0, 1, 3])), IndexError,
     r"0 \.\. 2, got 3 in row 2"),
    ("label-negative", lambda s: loss_of(np.array([0, -1, 1])), IndexError, r"got -1 in row 1"),
    ("label-2**32+1", lambda s: loss_of(np.array([2**32 + 1, 0, 0])), IndexError,
     "got 4294967297 in row 0"),
    ("label-2**31", lambda s: loss_of(np.array([2**31, 0, 0])), IndexError,
     "got 2147483648 in row 0"),
    ("label-int64-min", lambda s: loss_of(np.array([0, 0, -(2**63)])), IndexError,
     "got -9223372036854775808 in row 2"),
    ("label-int64-max", lambda s: loss_of(np.array([0, 0, 2**63 - 1])), IndexError,
     "got 9223372036854775807 in row 2"),
    ("label-uint64-max", lambda s: loss_of(np.array([0, 2**64 - 1, 0], np.uint64)), IndexError,
     "in row 1"),
    ("label-uint8-255", lambda s: loss_of(np.array([0, 255, 0], np.uint8)), IndexError,
     "got 255 in row 1"),
    ("label-int8-negative", lambda s: loss_of(np.array([0, -3, 0], np.int8)), IndexError,
     "got -3 in row 1"),
    ("label-nan", lambda s: loss_of(np.array([0, np.nan, 1])), TypeError,
     r"integer class labels, got float64.*long\(\)"),
    ("label-1.5", lambda s: loss_of([0, 1.5, 1]), TypeError, "integer class labels, got float64"),
    ("label-strings", lambda s: loss_of(["a", "b"], 2), TypeError, "real numbers, got list"),
    ("label-none", lambda s: loss_of([0, None], 2), TypeError, "real numbers, got list"),
    ("label-dates", lambda s: loss_of(np.zeros(2, "M8[D]"), 2), TypeError, "datetime64"),
    ("labels-too-few", lambda s: loss_of(np.array([0, 1])), ValueError,
     r"3 labels of shape \(3,\).*got shape \(2,\)"),
    ("labels-2-d", lambda s: loss_of(np.zeros((3, 1), int)), ValueError,
     r"3 labels.*got shape \(3, 1\)"),
    ("labels-0-d", lambda s: loss_of(np.array(0), 1), ValueError, r"1 labels.*got shape \(\)"),
    ("label-bad-in-the-last-of-many",
     lambda s: loss_of(with_value(np.zeros(10**5, int), -1, 3), 10**5),
     IndexError, "got 3 in row 99999"),
    ("empty-batch", lambda s: loss_of(np.zeros(0, int), 0), ValueError, r"N > 0, got \(0, 3\)"),
    ("no-classes", lambda s: s.loss(f32(3, 0), np.zeros(3, int)), ValueError,
     r"N > 0, got \(3, 0\)"),
    ("logits-1-d", lambda s: s.loss(f32(3), np.zeros(3, int)), ValueError,
     r"labels of shape \(\).*got shape \(3,\)"),
    ("logits-integers", lambda s: s.loss(np.zeros((2, 3), int), np.zeros(2, int)), TypeError,
     "float32 or float64"),
    ("label-uint64-that-wraps-to-ignore-index",
     lambda s: loss_of(np.array([0, 2**64 - 100, 0], np.uint64)), IndexError, "in row 1"),
    ("label-ignored-with-another-index",
     lambda s: nn.CrossEntropyLoss(ignore_index=-1)(f32(1, 3), np.array([-100])), IndexError,
     "got -100 in row 0"),
    ("unknown-reduction", lambda s: nn.CrossEntropyLoss(reduction="avg"), ValueError,
     "'mean', 'sum' or 'none', got 'avg'"),
    # data sets and training
    ("lengths-differ", lambda s: TensorDataset(X, Y[:5]), ValueError,
     r"same N, got shapes \[\(12, 4\), \(5,\)\]"),
    ("fit-lengths-differ", lambda s: s.trainer.fit((X, Y[:5])), ValueError, r"same N, got shapes"),
    ("fit-one-array", lambda s: s.trainer.fit((X,)), ValueError, r"data as \(X, y\), got 1 parts"),
    ("fit-three-arrays", lambda s: s.trainer.fit((X, Y, Y)), ValueError,
     r"data as \(X, y\), got 3 parts"),
    ("fit-empty", lambda s: s.trainer.fit((f32(0, 4), np.zeros(0, int))), ValueError,
     "at least one batch of training data"),
    ("fit-all-dropped", lambda s: s.trainer.fit((X, Y), batch_size=13, drop_last=True), ValueError,
     "at least one batch of training data"),
    ("fit-none", lambda s: s.trainer.fit(None), TypeError,
     "DataLoader: expected a data set .* got NoneType"),
    ("fit-object-array", lambda s: s.trainer.fit((X.astype(object), Y)), TypeError,
     "an array of object"),
    ("fit-text-labels", lambda s: s.trainer.fit((X, np.full(12, "a"))), TypeError,
     "an array of <U1"),
    ("fit-float-labels", lambda s: s.trainer.fit((X, Y + 0.5)), TypeError,
     "integer class labels, got float"),
    ("fit-label-too-large", lambda s: s.trainer.fit((X, Y + 1), shuffle=False), IndexError,
     r"0 \.\. 2, got 3 in row 2"),
    ("fit-label-negative", lambda s: s.trainer.fit((X, Y - 1), shuffle=False), IndexError,
     "got -1 in row 0"),
    ("fit-features", lambda s: s.trainer.fit((X[:, :3], Y)), ValueError,
     r"\(N, 4\), got \(12, 3\)"),
    ("fit-epochs--1", lambda s: s.trainer.fit((X, Y), epochs=-1), ValueError,
     "fit: expected epochs >= 0, got -1"),
    ("fit-epochs-1.5", lambda s: s.trainer.fit((X, Y), epochs=1.5), TypeError,
     "fit: expected an integer epochs, got 1.5"),
    ("fit-epochs-text", lambda s: s.trainer.fit((X, Y), epochs="3"), TypeError,
     "fit: expected an integer epochs, got '3'"),
    ("fit-epochs-none", lambda s: s.trainer.fit((X, Y), epochs=None), TypeError,
     "fit: expected an integer epochs, got None"),
    ("fit-batch-size-0", lambda s: s.trainer.fit((X, Y), batch_size=0), ValueError,
     "expected batch_size >= 1, got 0"),
    ("fit-batch-size--1", lambda s: s.trainer.fit((X, Y), batch_size=-1), ValueError,
     "expected batch_size >= 1, got -1"),
    ("fit-batch-size-2.5", lambda s: s.trainer.fit((X, Y), batch_size=2.5), TypeError,
     "integer batch_size, got 2.5"),
    ("fit-batch-size-true", lambda s: s.trainer.fit((X, Y), batch_size=True), TypeError,
     "integer batch_size, got True"),
    ("fit-shuffle-yes", lambda s: s.trainer.fit((X, Y), shuffle="yes"), TypeError,
     "expected shuffle to be True or False, got 'yes'"),
    ("fit-unknown-option", lambda s: s.trainer.fit((X, Y), epoch=3), TypeError, "epoch"),
    ("fit-nan", lambda s: s.trainer.fit((NAN_ROW, Y), batch_size=12), NonFiniteError,
     "loss is nan in epoch 1, batch 1;"),
    ("fit-inf", lambda s: s.trainer.fit((with_value(X, (0, 0), np.inf), Y), batch_size=12),
     NonFiniteError, "epoch 1, batch 1;"),
    ("fit-minus-inf", lambda s: s.trainer.fit((with_value(X, (11, 3), -np.inf), Y), batch_size=12),
     NonFiniteError, "epoch 1, batch 1;"),
    ("fit-beyond-float32", lambda s: s.trainer.fit((np.full((12, 4), 1e300), Y), batch_size=12),
     NonFiniteError, "epoch 1, batch 1;"),
    ("fit-largest-float32",
     lambda s: s.trainer.fit((np.full((12, 4), 3.4e38, np.float32), Y), batch_size=12),
     NonFiniteError, "epoch 1, batch 1;"),
    ("evaluate-empty", lambda s: s.trainer.evaluate((f32(0, 4), np.zeros(0, int))), ValueError,
     "at least one row of data, got none"),
    ("predict-empty", lambda s: s.trainer.predict(f32(0, 4)), ValueError,
     "predict: expected at least one row, got none"),
    ("predict-features", lambda s: s.trainer.predict(f32(2, 9)), ValueError,
     r"\(N, 4\), got \(2, 9\)"),
    ("predict-text", lambda s: s.trainer.predict([["a"] * 4]), TypeError, "real numbers, got list"),
    ("predict-complex", lambda s: s.trainer.predict(X + 1j), TypeError, "an array of complex"),
    ("trainer-model", lambda s: Trainer(len, s.loss, s.optimizer), TypeError,
     "Trainer: expected a Module as model, got builtin"),
    ("trainer-class", lambda s: Trainer(nn.ReLU, s.loss, s.optimizer), TypeError,
     "Trainer: expected a Module as model, got type"),
    ("trainer-optimizer", lambda s: Trainer(s.model, s.loss, "adam"), TypeError,
     "Trainer: expected an Optimizer, got str"),
    ("trainer-metric", lambda s: Trainer(s.model, s.loss, s.optimizer, metrics=["acuracy"]),
     ValueError, r"metrics among \['accuracy', 'mae', .*got \['acuracy'\]"),
    ("trainer-seed", lambda s: Trainer(s.model, s.loss, s.optimizer, seed=-1).fit((X, Y)),
     ValueError, "from 0 to 2..64 - 1, got -1"),
    ("trainer-seed-text", lambda s: Trainer(s.model, s.loss, s.optimizer, seed="a").fit((X, Y)),
     TypeError, "got 'a'"),
    ("loader-list", lambda s: DataLoader(5), TypeError, "DataLoader: expected a data set"),
    # hyper-parameters (cases.py has more)
    ("lr-nan", lambda s: optim.SGD(s.model.parameters(), lr=float("nan")), ValueError,
     "SGD: expected a finite lr >= 0, got nan"),
    ("lr--1", lambda s: optim.Adam(s.model.parameters(), lr=-1), ValueError,
     "Adam: expected a finite lr >= 0, got -1"),
    ("lr-text", lambda s: optim.SGD(s.model.parameters(), lr="x"), TypeError,
     "SGD: expected lr to be a number, got 'x'"),
    ("betas-1", lambda s: optim.Adam(s.model.parameters(), betas=(0.9, 1.0)), ValueError,
     "Adam: expected 0 <= beta2 < 1, got 1.0"),
    ("betas-number", lambda s: optim.Adam(s.model.parameters(), betas=0.9), ValueError,
     "Adam: expected two betas, got 0.9"),
    ("momentum--1", lambda s: optim.SGD(s.model.parameters(), momentum=-1), ValueError,
     "finite momentum >= 0, got -1"),
    ("nesterov-alone", lambda s: optim.SGD(s.model.parameters(), nesterov=True), ValueError,
     "nesterov needs momentum > 0"),
    ("unknown-option", lambda s: optim.SGD(s.model.parameters(), rate=1), TypeError, "rate"),
    ("no-parameters", lambda s: optim.SGD(nn.ReLU().parameters()), ValueError,
     "expected parameters to optimize, got none"),
    ("group-without-params", lambda s: optim.SGD([{"lr": 1}]), ValueError,
     "SGD: expected a group with 'params', got .*'lr'"),
    ("seed--1", lambda s: fastnn.manual_seed(-1), ValueError, "from 0 to 2..64 - 1, got -1"),
    ("seed-2**64", lambda s: fastnn.manual_seed(2**64), ValueError, "got 18446744073709551616"),
    ("seed-1.5", lambda s: fastnn.manual_seed(1.5), TypeError, "integer seed, got 1.5"),
    # the core's outputs: the wall
    ("out-dtype", lambda s: _core.linear_forward(np.zeros((2, 3)), f32(2, 4), f32(3, 4), None),
     TypeError, "linear_forward: w: expected float64, got an array of float32"),
    ("out-int", lambda s: _core.gemm(np.zeros((2, 3), int), f32(2, 4), f32(4, 3)), TypeError,
     "gemm: out: expected float32 or float64, got an array of int64"),
    ("out-float16", lambda s: _core.relu_forward(np.zeros(3, np.float16), f32(3)), TypeError,
     "relu_forward: y: expected float32 or float64"),
    ("out-shape", lambda s: _core.gemm(f32(3, 2), f32(2, 4), f32(4, 3)), ValueError,
     r"gemm: out: expected shape \(2, 3\), got \(3, 2\)"),
    ("out-too-small", lambda s: _core.relu_forward(f32(2), f32(3)), ValueError,
     r"relu_forward: y: expected shape \(3,\), got \(2,\)"),
    ("out-read-only", lambda s: _core.relu_forward(read_only(3), f32(3)), ValueError,
     "relu_forward: y: expected a writeable"),
    ("out-strided", lambda s: _core.relu_forward(f32(6)[::2], f32(3)), ValueError,
     "relu_forward: y: expected a writeable, aligned, C-cont"),
    ("out-fortran", lambda s: _core.gemm(f32(3, 2).T, f32(2, 4), f32(4, 3)), ValueError,
     "gemm: out: expected a writeable"),
    ("out-misaligned", lambda s: _core.relu_forward(misaligned(3), f32(3)), ValueError,
     "relu_forward: y: expected a writeable"),
    ("out-byte-swapped", lambda s: _core.relu_forward(np.zeros(3, ">f4"), f32(3)), TypeError,
     "relu_forward: y: expected float32"),
    ("out-list", lambda s: _core.relu_forward([0.0], f32(1)), TypeError,
     "relu_forward: y: expected a NumPy array, got list"),
    ("out-none", lambda s: _core.relu_forward(None, f32(1)), TypeError,
     "relu_forward: y: expected a NumPy array, got NoneType"),
    ("in-list", lambda s: _core.relu_forward(f32(1), [0.0]), TypeError,
     "relu_forward: x: expected a NumPy array, got list"),
    ("in-other-dtype", lambda s: _core.relu_forward(f32(1), np.zeros(1)), TypeError,
     "relu_forward: x: expected float32, got an array of float64"),
    ("gemm-inner-sizes", lambda s: _core.gemm(f32(2, 3), f32(2, 4), f32(5, 3)), ValueError,
     r"gemm: b: expected shape \(4, n\), got \(5, 3\)"),
    ("gemm-1-d", lambda s: _core.gemm(f32(2, 3), f32(2), f32(5, 3)), ValueError,
     r"gemm: a: expected shape \(rows, columns\), got \(2,\)"),
    ("forward-features", lambda s: _core.linear_forward(f32(2, 3), f32(2, 5), f32(3, 4), None),
     ValueError, r"x: expected shape \(n, 4\), got \(2, 5\)"),
    ("forward-bias", lambda s: _core.linear_forward(f32(2, 3), f32(2, 4), f32(3, 4), f32(4)),
     ValueError, r"b: expected shape \(3,\), got \(4,\)"),
    ("backward-input-features",
     lambda s: _core.linear_backward_input(f32(2, 4), f32(2, 5), f32(3, 4)),
     ValueError, r"dy: expected shape \(n, 3\), got \(2, 5\)"),
    ("backward-input-mask",
     lambda s: _core.linear_backward_input(f32(2, 4), f32(2, 3), f32(3, 4), f32(2, 3)),
     ValueError, r"mask: expected shape \(2, 4\), got \(2, 3\)"),
    ("backward-weight-rows",
     lambda s: _core.linear_backward_weight(f32(3, 4), f32(5, 3), f32(2, 4)),
     ValueError, r"dy: expected shape \(2, out\), got \(5, 3\)"),
    ("column-sum-1-d", lambda s: _core.column_sum(f32(3), f32(3)), ValueError,
     r"x: expected shape \(rows, columns\), got \(3,\)"),
    ("column-sum-3-d", lambda s: _core.column_sum(f32(3), f32(2, 3, 3)), ValueError,
     r"x: expected shape \(rows, columns\), got \(2, 3, 3\)"),
    ("relu-backward-sizes", lambda s: _core.relu_backward(f32(3), f32(4), f32(3)), ValueError,
     r"dy: expected shape \(3,\), got \(4,\)"),
    ("sgd-sizes", lambda s: _core.sgd(f32(3), None, f32(4), 0.1, 0, 0, 0, False, True), ValueError,
     r"w: expected shape \(4,\), got \(3,\)"),
    ("sgd-velocity-size", lambda s: _core.sgd(f32(3), f32(2), f32(3), 0.1, 0, 0, 0, False, True),
     ValueError, r"velocity: expected shape \(3,\), got \(2,\)"),
    ("adam-sizes", lambda s: _core.adam(f32(3), f32(3), f32(2), None, f32(3), 1, 0, 0, 0, 0, 1, 1),
     ValueError, r"v: expected shape \(3,\), got \(2,\)"),
    ("adam-largest-size",
     lambda s: _core.adam(f32(3), f32(3), f32(3), f32(2), f32(3), 1, 0, 0, 0, 0, 1, 1),
     ValueError, r"v_max: expected shape \(3,\), got \(2,\)"),
    ("adagrad-sizes", lambda s: _core.adagrad(f32(3), f32(2), f32(3), 1, 0, 0),
     ValueError, r"sum: expected shape \(3,\), got \(2,\)"),
    ("rmsprop-sizes",
     lambda s: _core.rmsprop(f32(3), f32(3), f32(2), None, f32(3), 1, 0, 0, 0, 0),
     ValueError, r"mean: expected shape \(3,\), got \(2,\)"),
    ("l1-sizes", lambda s: _core.l1_gradient(f32(3), f32(2), 1), ValueError,
     r"grad: expected shape \(2,\), got \(3,\)"),
    ("l2-sizes", lambda s: _core.l2_gradient(f32(3), f32(2), 1), ValueError,
     r"grad: expected shape \(2,\), got \(3,\)"),
    ("weighted-mean-weights", lambda s: _core.weighted_mean_forward(f32(), f32(3, 2), f32(2)),
     ValueError, r"weight: expected shape \(3,\), got \(2,\)"),
    ("weighted-mean-of-one", lambda s: _core.weighted_mean_forward(f32(), f32()),
     ValueError, r"x: expected shape \(n, \.\.\.\), got \(\)"),
    ("weighted-mean-dmean", lambda s: _core.weighted_mean_backward(f32(3), f32(3)),
     ValueError, r"dmean: expected shape \(\), got \(3,\)"),
    ("squared-norm-type", lambda s: _core.squared_norm(ALL_ROWS), TypeError,
     "squared_norm: x: expected float32 or float64"),
    ("scale-read-only", lambda s: _core.scale_values(read_only(3), 1), ValueError,
     "scale_values: x: expected a writeable"),
    ("clip-strided", lambda s: _core.clip_values(f32(6)[::2], 1), ValueError,
     "clip_values: x: expected a writeable, aligned, C-contiguous"),
    ("ce-probabilities",
     lambda s: _core.softmax_cross_entropy_forward(f32(3), f32(3, 2), f32(3, 3), ALL_ROWS),
     ValueError, r"probabilities: expected shape \(3, 3\), got \(3, 2\)"),
    ("ce-losses",
     lambda s: _core.softmax_cross_entropy_forward(f32(2), f32(3, 3), f32(3, 3), ALL_ROWS),
     ValueError, r"loss: expected shape \(3,\), got \(2,\)"),
    ("ce-dlosses", lambda s: softmax_backward(f32(3, 3), f32(2), ALL_ROWS), ValueError,
     r"dloss: expected shape \(3,\) or \(\), got \(2,\)"),
    ("ce-label", lambda s: softmax_backward(f32(3, 3), f32(3), ALL_ROWS + 1), IndexError,
     "got 3 in row 2"),
    ("gather-source", lambda s: _core.gather_rows(f32(3, 3), ALL_ROWS, 1.0), TypeError,
     "source: expected uint8, got an array of float32"),
    ("gather-row", lambda s: _core.gather_rows(BYTES, ALL_ROWS + 1, 1.0), IndexError,
     r"each row in 0 \.\. 2, got 3 in row 2"),
    ("gather-negative", lambda s: _core.gather_rows(BYTES, ALL_ROWS - 1, 1.0), IndexError,
     "got -1 in row 0"),
    ("gather-floats", lambda s: _core.gather_rows(BYTES, f32(2), 1.0), TypeError,
     "index: expected an integer row"),
    ("gather-2-d", lambda s: _core.gather_rows(BYTES, np.zeros((2, 2), int), 1.0), ValueError,
     r"index: expected shape \(2,\), got \(2, 2\)"),
    ("run-features", lambda s: run_program(inputs=(f32(3, 5), None)), ValueError,
     r"Program: rows: expected shape \(n, 4\), got \(3, 5\)"),
    ("run-strided", lambda s: run_program(inputs=(f32(3, 8)[:, ::2], None)), ValueError,
     "Program: rows: expected native, aligned, C-contiguous"),
    ("run-label", lambda s: run_program(labels=ALL_ROWS + 1), IndexError, "got 3 in row 2"),
    ("run-row", lambda s: run_program(order=ALL_ROWS + 1), IndexError,
     r"Program: order: expected each row in 0 \.\. 2, got 3 in row 2"),
    ("run-empty-batch", lambda s: run_program(sizes=np.array([2, 0, 1])), ValueError,
     "Program: sizes: an empty batch"),
    ("run-no-batch", lambda s: run_program(sizes=ALL_ROWS[:0]), ValueError,
     "Program: sizes: expected batches of all rows"),
    ("run-batch-of-more-rows", lambda s: run_program(sizes=np.array([3])), IndexError,
     r"Program: sizes: expected each batch size in 0 \.\. 2, got 3"),
    ("run-rows-left", lambda s: run_program(sizes=np.array([2])), ValueError,
     "Program: sizes: expected batches of all rows"),
    ("run-masses", lambda s: run_program(masses=np.ones(3)), ValueError,
     r"Program: masses: expected shape \(2,\), got \(3,\)"),
    ("overlap-gemm-a", lambda s: overlap(lambda out, a: _core.gemm(out, a, f32(2, 2))), ValueError,
     "gemm: out: .*apart from the inputs"),
    ("overlap-gemm-b", lambda s: overlap(lambda out, b: _core.gemm(out, f32(2, 2), b)), ValueError,
     "gemm: out: .*apart from the inputs"),
    ("overlap-gemm-same", lambda s: overlap(lambda out, a: _core.gemm(out, a, f32(2, 2)), 0),
     ValueError, "gemm: out: .*apart from the inputs"),
    ("overlap-gemm-backwards",
     lambda s: overlap(lambda out, a: _core.gemm(out, a[::-1], f32(2, 2)), 2), ValueError,
     "gemm: out: .*apart from the inputs"),
    ("overlap-forward-x",
     lambda s: overlap(lambda y, x: _core.linear_forward(y, x, f32(2, 2), None)),
     ValueError, "linear_forward: y: .*apart"),
    ("overlap-forward-w",
     lambda s: overlap(lambda y, w: _core.linear_forward(y, f32(2, 2), w, None)),
     ValueError, "linear_forward: y: .*apart"),
    ("overlap-backward-input",
     lambda s: overlap(lambda dx, dy: _core.linear_backward_input(dx, dy, f32(2, 2))),
     ValueError, "linear_backward_input: dx: .*apart"),
    ("overlap-backward-weight",
     lambda s: overlap(lambda dw, x: _core.linear_backward_weight(dw, f32(2, 2), x)),
     ValueError, "linear_backward_weight: dw: .*apart"),
    ("overlap-cross-entropy",
     lambda s: overlap(
         lambda p, z: _core.softmax_cross_entropy_forward(f32(2), p, z, np.zeros(2, int))),
     ValueError, "probabilities: .*apart"),
    ("overlap-forward-b",
     lambda s: overlap(lambda y, b: _core.linear_forward(y, f32(2, 2), f32(2, 2), b[0])),
     ValueError, "linear_forward: y: .*apart"),
    ("overlap-backward-mask",
     lambda s: overlap(
         lambda dx, m: _core.linear_backward_input(dx, f32(2, 2), f32(2, 2), m), 0),
     ValueError, "linear_backward_input: dx: .*apart"),
    ("overlap-column-sum", lambda s: overlap(lambda x, sums: _core.column_sum(sums[0], x)),
     ValueError, "column_sum: sum: .*apart"),
    ("overlap-relu", lambda s: overlap(_core.relu_forward),
     ValueError, "relu_forward: y: .*the same as an input or apart"),
    ("overlap-relu-backward",
     lambda s: overlap(lambda dx, y: _core.relu_backward(dx, f32(2, 2), y)),
     ValueError, "relu_backward: dx: .*the same as an input or apart"),
    ("overlap-cross-entropy-backward",
     lambda s: overlap(
         lambda dz, p: _core.softmax_cross_entropy_backward(dz, f32(2), p, np.zeros(2, int))),
     ValueError, "dlogits: .*the same as an input or apart"),
    ("overlap-sgd",
     lambda s: overlap(lambda w, v: _core.sgd(w, v, f32(2, 2), 1, 1, 0, 0, False, False), 0),
     ValueError, "sgd: w: .*apart"),
    ("overlap-adam",
     lambda s: overlap(
         lambda m, v: _core.adam(f32(2, 2), m, v, None, f32(2, 2), 1, 0.9, 0.9, 1, 0, 1, 1)),
     ValueError, "adam: m: .*apart"),
    ("overlap-adam-largest",
     lambda s: overlap(lambda v, u: _core.adam(
         f32(2, 2), f32(2, 2), v, u, f32(2, 2), 1, 0.9, 0.9, 1, 0, 1, 1)),
     ValueError, "adam: v: .*apart"),
    ("overlap-adagrad", lambda s: overlap(lambda w, g: _core.adagrad(w, f32(2, 2), g, 1, 1, 0), 0),
     ValueError, "adagrad: w: .*apart"),
    ("overlap-rmsprop",
     lambda s: overlap(lambda m, u: _core.rmsprop(
         f32(2, 2), f32(2, 2), m, u, f32(2, 2), 1, 1, 1, 0, 0)),
     ValueError, "rmsprop: mean: .*apart"),
    ("overlap-l1", lambda s: overlap(lambda g, w: _core.l1_gradient(g, w, 1), 0),
     ValueError, "l1_gradient: grad: .*apart"),
    ("overlap-l2", lambda s: overlap(lambda g, w: _core.l2_gradient(g, w, 1), 0),
     ValueError, "l2_gradient: grad: .*apart"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "pattern"), [row[1:] for row in BAD],
                         ids=[row[0] for row in BAD])  # fmt: skip
def test_bad_input(call: Call, error: type[Exception], pattern: str) -> None:
    """The right exception, soon, saying what is wrong; and nothing has changed."""
    setup = _setup()
    before, data = state_bits(setup.model), bits(X, Y, NAN_ROW)
    start = time.perf_counter()
    with pytest.raises(error, match=pattern):
        call(setup)
    assert time.perf_counter() - start < SECONDS
    assert state_bits(setup.model) == before
    assert bits(X, Y, NAN_ROW) == data
    assert fastnn.is_grad_enabled()
    # and all of it still works
    setup.trainer.fit((X, Y), epochs=1, batch_size=5, verbose=0)
    assert state_bits(setup.model) != before


def test_a_program_runs_where_nothing_is_wrong() -> None:
    assert run_program()[0] == "done"


def test_every_row_has_a_name_of_its_own() -> None:
    assert len({row[0] for row in BAD}) == len(BAD)
    assert len({row[0] for row in ODD}) == len(ODD)


# --- unusual arrays that are the plain array of their values ---


class ArrayOnly:
    """Something that is no array but converts to one."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.array, dtype=dtype)


class Subclass(np.ndarray):
    """An array class that is careless about how its parts are made."""

    def __array_finalize__(self, obj: Any) -> None:
        self.extra = getattr(obj, "missing", None)


def _copied_to(target: np.ndarray, values: np.ndarray) -> np.ndarray:
    target[...] = values
    return target


def _frozen(a: np.ndarray) -> np.ndarray:
    a = a.copy()
    a.flags.writeable = False
    return a


ODD: list[tuple[str, Callable[[np.ndarray], Any]]] = [
    ("big-endian", lambda a: a.astype(a.dtype.newbyteorder(">"))),
    ("misaligned", lambda a: _copied_to(misaligned(*a.shape, dtype=a.dtype), a)),
    ("rows-strided", lambda a: np.repeat(a, 3, axis=0)[::3]),
    ("columns-strided", lambda a: np.repeat(a, 2, axis=-1)[..., ::2]),
    ("rows-backwards", lambda a: np.ascontiguousarray(a[::-1])[::-1]),
    ("all-backwards", lambda a: np.flip(np.ascontiguousarray(np.flip(a)))),
    ("fortran", np.asfortranarray),
    ("transposed", lambda a: np.ascontiguousarray(a.T).T),
    ("read-only", _frozen),
    ("inside-another", lambda a: np.pad(a, 2)[tuple(slice(2, -2) for _ in a.shape)]),
    ("subclass", lambda a: a.view(Subclass)),
    ("array-only", ArrayOnly),
    ("tensor", lambda a: fastnn.Tensor.of(a.copy())),
    ("memory-view", memoryview),
    ("byte-shifted-stride", lambda a: np.rec.fromarrays([a, a.astype(np.int8)])["f0"]),
]


@pytest.mark.parametrize("odd", [row[1] for row in ODD], ids=[row[0] for row in ODD])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_odd_arrays_give_the_bits_of_plain_ones(odd: Callable[..., Any], dtype: Any) -> None:
    x = X.astype(dtype)

    def run(x: Any, labels: Any) -> bytes:
        model = mlp(4, 5, 3).to(dtype)
        loss = F.cross_entropy(model(x), labels)
        loss.backward()
        return bits(loss, *(p.grad for p in model.parameters()))

    assert run(odd(x), Y) == run(x, Y)
    assert run(x, odd(Y)) == run(x, Y)


@pytest.mark.parametrize(("name", "odd"), ODD)
def test_odd_arrays_pass_the_core_or_are_refused(name: str, odd: Callable[..., Any]) -> None:
    given, out, product = odd(X), np.empty_like(X), f32(12, 12)
    if not isinstance(given, np.ndarray):
        with pytest.raises(TypeError, match="x: expected a NumPy array, got"):
            _core.relu_forward(out, given)
        return
    _core.relu_forward(out, given)
    assert bits(out) == bits(np.maximum(X, 0))
    _core.gemm(product, given, given.T)
    expected = f32(12, 12)
    _core.gemm(expected, X, X.T)
    assert bits(product) == bits(expected)


@pytest.mark.parametrize("first", [0, 4])
def test_arrays_side_by_side_share_nothing(first: int) -> None:
    memory = np.ones(8, np.float32)
    parts = [memory[i : i + 4].reshape(2, 2) for i in (first, 4 - first)]
    _core.gemm(parts[0], parts[1], parts[1])
    assert parts[0].tolist() == [[2, 2], [2, 2]]


@pytest.mark.parametrize("odd", [row[1] for row in ODD], ids=[row[0] for row in ODD])
def test_odd_arrays_are_predicted_as_plain_ones(odd: Callable[..., Any]) -> None:
    trainer = _setup().trainer
    given = odd(X)
    if isinstance(given, memoryview):
        given = np.asarray(given)
    assert bits(trainer.predict(given)) == bits(trainer.predict(X))


def test_broadcast_rows_give_the_bits_of_plain_ones() -> None:
    model = mlp(4, 5, 3)
    for view in (np.broadcast_to(X[0], (9, 4)), np.broadcast_to(X[:9, :1], (9, 4)),
                 np.broadcast_to(np.float32(2), (9, 4)),
                 np.lib.stride_tricks.sliding_window_view(X.ravel(), 4)[:9]):  # fmt: skip
        assert bits(model(view)) == bits(model(np.ascontiguousarray(view)))


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", ">i4", ">u8"])
def test_labels_of_any_width(dtype: str) -> None:
    z = X[:, :3].copy()
    assert bits(F.cross_entropy(z, Y.astype(dtype))) == bits(F.cross_entropy(z, Y))


def test_bool_labels() -> None:
    z = X[:, :2].copy()
    assert bits(F.cross_entropy(z, Y == 1)) == bits(F.cross_entropy(z, (Y == 1).astype(int)))


@pytest.mark.parametrize("dtype", ["f2", "f8", "g", "i1", "i8", "u8", "?", ">f8"])
def test_trainer_converts_any_number_type(dtype: str) -> None:
    trainer = _setup().trainer
    whole = np.round(X * 2).astype(dtype)
    assert bits(trainer.predict(whole)) == bits(trainer.predict(whole.astype(np.float32)))


def test_denormals_and_negative_zero_are_zero() -> None:
    model = mlp(4, 5, 3)
    for zeros in (-f32(3, 4), np.full((3, 4), 1e-42, np.float32)):
        assert bits(model(zeros)) == bits(model(f32(3, 4)))


def test_nan_in_any_place_is_found() -> None:
    for index in np.ndindex(X.shape):
        trainer = _setup().trainer
        before = state_bits(trainer.model)
        with pytest.raises(NonFiniteError, match=r"nan in epoch 1, batch 1;"):
            trainer.fit((with_value(X, index, np.nan), Y), batch_size=12, verbose=0)
        assert state_bits(trainer.model) == before
