"""The core's outputs, the wall between Python and C++: shapes, types, layouts, overlaps."""

from collections.abc import Callable
from typing import Any

import numpy as np

from bad_inputs.case import bad
from bad_inputs.world import X, f32
from fastnn import _core


def read_only(*shape: int) -> np.ndarray:
    array = f32(*shape)
    array.flags.writeable = False
    return array


def misaligned(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    count = int(np.prod(shape)) * np.dtype(dtype).itemsize
    array = np.zeros(count + 1, np.uint8)[1:].view(dtype).reshape(shape)
    assert not array.flags.aligned
    return array


def overlap(call: Callable[[np.ndarray, np.ndarray], Any], shift: int = 1) -> Any:
    """Call with two 2 x 2 arrays in one memory, the second `shift` elements after the first."""
    memory = f32(4 + shift)
    return call(memory[:4].reshape(2, 2), memory[shift:].reshape(2, 2))


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


BYTES = np.zeros((3, 3), np.uint8)
ALL_ROWS = np.arange(3)

CASES = [
    bad("out-dtype", lambda w: _core.linear_forward(np.zeros((2, 3)), f32(2, 4), f32(3, 4), None),
        TypeError, "linear_forward: w: expected float64, got an array of float32"),
    bad("out-int", lambda w: _core.gemm(np.zeros((2, 3), int), f32(2, 4), f32(4, 3)), TypeError,
        "gemm: out: expected float32 or float64, got an array of int64"),
    bad("out-float16", lambda w: _core.relu_forward(np.zeros(3, np.float16), f32(3)), TypeError,
        "relu_forward: y: expected float32 or float64"),
    bad("out-shape", lambda w: _core.gemm(f32(3, 2), f32(2, 4), f32(4, 3)), ValueError,
        r"gemm: out: expected shape \(2, 3\), got \(3, 2\)"),
    bad("out-too-small", lambda w: _core.relu_forward(f32(2), f32(3)), ValueError,
        r"relu_forward: y: expected shape \(3,\), got \(2,\)"),
    bad("out-read-only", lambda w: _core.relu_forward(read_only(3), f32(3)), ValueError,
        "relu_forward: y: expected a writeable"),
    bad("out-strided", lambda w: _core.relu_forward(f32(6)[::2], f32(3)), ValueError,
        "relu_forward: y: expected a writeable, aligned, C-cont"),
    bad("out-fortran", lambda w: _core.gemm(f32(3, 2).T, f32(2, 4), f32(4, 3)), ValueError,
        "gemm: out: expected a writeable"),
    bad("out-misaligned", lambda w: _core.relu_forward(misaligned(3), f32(3)), ValueError,
        "relu_forward: y: expected a writeable"),
    bad("out-byte-swapped", lambda w: _core.relu_forward(np.zeros(3, ">f4"), f32(3)), TypeError,
        "relu_forward: y: expected float32"),
    bad("out-list", lambda w: _core.relu_forward([0.0], f32(1)), TypeError,
        "relu_forward: y: expected a NumPy array, got list"),
    bad("out-none", lambda w: _core.relu_forward(None, f32(1)), TypeError,
        "relu_forward: y: expected a NumPy array, got NoneType"),
    bad("in-list", lambda w: _core.relu_forward(f32(1), [0.0]), TypeError,
        "relu_forward: x: expected a NumPy array, got list"),
    bad("in-other-dtype", lambda w: _core.relu_forward(f32(1), np.zeros(1)), TypeError,
        "relu_forward: x: expected float32, got an array of float64"),
    bad("gemm-inner-sizes", lambda w: _core.gemm(f32(2, 3), f32(2, 4), f32(5, 3)), ValueError,
        r"gemm: b: expected shape \(4, n\), got \(5, 3\)"),
    bad("gemm-1-d", lambda w: _core.gemm(f32(2, 3), f32(2), f32(5, 3)), ValueError,
        r"gemm: a: expected shape \(rows, columns\), got \(2,\)"),
    bad("forward-features", lambda w: _core.linear_forward(f32(2, 3), f32(2, 5), f32(3, 4), None),
        ValueError, r"x: expected shape \(n, 4\), got \(2, 5\)"),
    bad("forward-bias", lambda w: _core.linear_forward(f32(2, 3), f32(2, 4), f32(3, 4), f32(4)),
        ValueError, r"b: expected shape \(3,\), got \(4,\)"),
    bad("backward-input-features",
        lambda w: _core.linear_backward_input(f32(2, 4), f32(2, 5), f32(3, 4)),
        ValueError, r"dy: expected shape \(n, 3\), got \(2, 5\)"),
    bad("backward-input-mask",
        lambda w: _core.linear_backward_input(f32(2, 4), f32(2, 3), f32(3, 4), f32(2, 3)),
        ValueError, r"mask: expected shape \(2, 4\), got \(2, 3\)"),
    bad("backward-weight-rows",
        lambda w: _core.linear_backward_weight(f32(3, 4), f32(5, 3), f32(2, 4)),
        ValueError, r"dy: expected shape \(2, out\), got \(5, 3\)"),
    bad("column-sum-1-d", lambda w: _core.column_sum(f32(3), f32(3)), ValueError,
        r"x: expected shape \(rows, columns\), got \(3,\)"),
    bad("column-sum-3-d", lambda w: _core.column_sum(f32(3), f32(2, 3, 3)), ValueError,
        r"x: expected shape \(rows, columns\), got \(2, 3, 3\)"),
    bad("relu-backward-sizes", lambda w: _core.relu_backward(f32(3), f32(4), f32(3)), ValueError,
        r"dy: expected shape \(3,\), got \(4,\)"),
    bad("sgd-sizes", lambda w: _core.sgd(f32(3), None, f32(4), 0.1, 0, 0, 0, False, True),
        ValueError,
        r"w: expected shape \(4,\), got \(3,\)"),
    bad("sgd-velocity-size", lambda w: _core.sgd(f32(3), f32(2), f32(3), 0.1, 0, 0, 0, False, True),
        ValueError, r"velocity: expected shape \(3,\), got \(2,\)"),
    bad("adam-sizes",
        lambda w: _core.adam(f32(3), f32(3), f32(2), None, f32(3), 1, 0, 0, 0, 0, 1, 1),
        ValueError, r"v: expected shape \(3,\), got \(2,\)"),
    bad("adam-largest-size",
        lambda w: _core.adam(f32(3), f32(3), f32(3), f32(2), f32(3), 1, 0, 0, 0, 0, 1, 1),
        ValueError, r"v_max: expected shape \(3,\), got \(2,\)"),
    bad("adagrad-sizes", lambda w: _core.adagrad(f32(3), f32(2), f32(3), 1, 0, 0),
        ValueError, r"sum: expected shape \(3,\), got \(2,\)"),
    bad("rmsprop-sizes",
        lambda w: _core.rmsprop(f32(3), f32(3), f32(2), None, f32(3), 1, 0, 0, 0, 0),
        ValueError, r"mean: expected shape \(3,\), got \(2,\)"),
    bad("l1-sizes", lambda w: _core.l1_gradient(f32(3), f32(2), 1), ValueError,
        r"grad: expected shape \(2,\), got \(3,\)"),
    bad("l2-sizes", lambda w: _core.l2_gradient(f32(3), f32(2), 1), ValueError,
        r"grad: expected shape \(2,\), got \(3,\)"),
    bad("weighted-mean-weights", lambda w: _core.weighted_mean_forward(f32(), f32(3, 2), f32(2)),
        ValueError, r"weight: expected shape \(3,\), got \(2,\)"),
    bad("weighted-mean-of-one", lambda w: _core.weighted_mean_forward(f32(), f32()),
        ValueError, r"x: expected shape \(n, \.\.\.\), got \(\)"),
    bad("weighted-mean-dmean", lambda w: _core.weighted_mean_backward(f32(3), f32(3)),
        ValueError, r"dmean: expected shape \(\), got \(3,\)"),
    bad("squared-norm-type", lambda w: _core.squared_norm(ALL_ROWS), TypeError,
        "squared_norm: x: expected float32 or float64"),
    bad("scale-read-only", lambda w: _core.scale_values(read_only(3), 1), ValueError,
        "scale_values: x: expected a writeable"),
    bad("clip-strided", lambda w: _core.clip_values(f32(6)[::2], 1), ValueError,
        "clip_values: x: expected a writeable, aligned, C-contiguous"),
    bad("ce-probabilities",
        lambda w: _core.softmax_cross_entropy_forward(f32(3), f32(3, 2), f32(3, 3), ALL_ROWS),
        ValueError, r"probabilities: expected shape \(3, 3\), got \(3, 2\)"),
    bad("ce-losses",
        lambda w: _core.softmax_cross_entropy_forward(f32(2), f32(3, 3), f32(3, 3), ALL_ROWS),
        ValueError, r"loss: expected shape \(3,\), got \(2,\)"),
    bad("ce-dlosses", lambda w: softmax_backward(f32(3, 3), f32(2), ALL_ROWS), ValueError,
        r"dloss: expected shape \(3,\) or \(\), got \(2,\)"),
    bad("ce-label", lambda w: softmax_backward(f32(3, 3), f32(3), ALL_ROWS + 1), IndexError,
        "got 3 in row 2"),
    bad("gather-source", lambda w: _core.gather_rows(f32(3, 3), ALL_ROWS, 1.0), TypeError,
        "source: expected uint8, got an array of float32"),
    bad("gather-row", lambda w: _core.gather_rows(BYTES, ALL_ROWS + 1, 1.0), IndexError,
        r"each row in 0 \.\. 2, got 3 in row 2"),
    bad("gather-negative", lambda w: _core.gather_rows(BYTES, ALL_ROWS - 1, 1.0), IndexError,
        "got -1 in row 0"),
    bad("gather-floats", lambda w: _core.gather_rows(BYTES, f32(2), 1.0), TypeError,
        "index: expected an integer row"),
    bad("gather-2-d", lambda w: _core.gather_rows(BYTES, np.zeros((2, 2), int), 1.0), ValueError,
        r"index: expected shape \(2,\), got \(2, 2\)"),
    bad("run-features", lambda w: run_program(inputs=(f32(3, 5), None)), ValueError,
        r"Program: rows: expected shape \(n, 4\), got \(3, 5\)"),
    bad("run-strided", lambda w: run_program(inputs=(f32(3, 8)[:, ::2], None)), ValueError,
        "Program: rows: expected native, aligned, C-contiguous"),
    bad("run-label", lambda w: run_program(labels=ALL_ROWS + 1), IndexError, "got 3 in row 2"),
    bad("run-row", lambda w: run_program(order=ALL_ROWS + 1), IndexError,
        r"Program: order: expected each row in 0 \.\. 2, got 3 in row 2"),
    bad("run-empty-batch", lambda w: run_program(sizes=np.array([2, 0, 1])), ValueError,
        "Program: sizes: an empty batch"),
    bad("run-no-batch", lambda w: run_program(sizes=ALL_ROWS[:0]), ValueError,
        "Program: sizes: expected batches of all rows"),
    bad("run-batch-of-more-rows", lambda w: run_program(sizes=np.array([3])), IndexError,
        r"Program: sizes: expected each batch size in 0 \.\. 2, got 3"),
    bad("run-rows-left", lambda w: run_program(sizes=np.array([2])), ValueError,
        "Program: sizes: expected batches of all rows"),
    bad("run-masses", lambda w: run_program(masses=np.ones(3)), ValueError,
        r"Program: masses: expected shape \(2,\), got \(3,\)"),
    bad("overlap-gemm-a", lambda w: overlap(lambda out, a: _core.gemm(out, a, f32(2, 2))),
        ValueError,
        "gemm: out: .*apart from the inputs"),
    bad("overlap-gemm-b", lambda w: overlap(lambda out, b: _core.gemm(out, f32(2, 2), b)),
        ValueError,
        "gemm: out: .*apart from the inputs"),
    bad("overlap-gemm-same", lambda w: overlap(lambda out, a: _core.gemm(out, a, f32(2, 2)), 0),
        ValueError, "gemm: out: .*apart from the inputs"),
    bad("overlap-gemm-backwards",
        lambda w: overlap(lambda out, a: _core.gemm(out, a[::-1], f32(2, 2)), 2), ValueError,
        "gemm: out: .*apart from the inputs"),
    bad("overlap-forward-x",
        lambda w: overlap(lambda y, x: _core.linear_forward(y, x, f32(2, 2), None)),
        ValueError, "linear_forward: y: .*apart"),
    bad("overlap-forward-w",
        lambda w: overlap(lambda y, w: _core.linear_forward(y, f32(2, 2), w, None)),
        ValueError, "linear_forward: y: .*apart"),
    bad("overlap-backward-input",
        lambda w: overlap(lambda dx, dy: _core.linear_backward_input(dx, dy, f32(2, 2))),
        ValueError, "linear_backward_input: dx: .*apart"),
    bad("overlap-backward-weight",
        lambda w: overlap(lambda dw, x: _core.linear_backward_weight(dw, f32(2, 2), x)),
        ValueError, "linear_backward_weight: dw: .*apart"),
    bad("overlap-cross-entropy",
        lambda w: overlap(
         lambda p, z: _core.softmax_cross_entropy_forward(f32(2), p, z, np.zeros(2, int))),
        ValueError, "probabilities: .*apart"),
    bad("overlap-forward-b",
        lambda w: overlap(lambda y, b: _core.linear_forward(y, f32(2, 2), f32(2, 2), b[0])),
        ValueError, "linear_forward: y: .*apart"),
    bad("overlap-backward-mask",
        lambda w: overlap(
         lambda dx, m: _core.linear_backward_input(dx, f32(2, 2), f32(2, 2), m), 0),
        ValueError, "linear_backward_input: dx: .*apart"),
    bad("overlap-column-sum", lambda w: overlap(lambda x, sums: _core.column_sum(sums[0], x)),
        ValueError, "column_sum: sum: .*apart"),
    bad("overlap-relu", lambda w: overlap(_core.relu_forward),
        ValueError, "relu_forward: y: .*the same as an input or apart"),
    bad("overlap-relu-backward",
        lambda w: overlap(lambda dx, y: _core.relu_backward(dx, f32(2, 2), y)),
        ValueError, "relu_backward: dx: .*the same as an input or apart"),
    bad("overlap-cross-entropy-backward",
        lambda w: overlap(
         lambda dz, p: _core.softmax_cross_entropy_backward(dz, f32(2), p, np.zeros(2, int))),
        ValueError, "dlogits: .*the same as an input or apart"),
    bad("overlap-sgd",
        lambda w: overlap(lambda w, v: _core.sgd(w, v, f32(2, 2), 1, 1, 0, 0, False, False), 0),
        ValueError, "sgd: w: .*apart"),
    bad("overlap-adam",
        lambda w: overlap(
         lambda m, v: _core.adam(f32(2, 2), m, v, None, f32(2, 2), 1, 0.9, 0.9, 1, 0, 1, 1)),
        ValueError, "adam: m: .*apart"),
    bad("overlap-adam-largest",
        lambda w: overlap(lambda v, u: _core.adam(
         f32(2, 2), f32(2, 2), v, u, f32(2, 2), 1, 0.9, 0.9, 1, 0, 1, 1)),
        ValueError, "adam: v: .*apart"),
    bad("overlap-adagrad",
        lambda w: overlap(lambda w, g: _core.adagrad(w, f32(2, 2), g, 1, 1, 0), 0),
        ValueError, "adagrad: w: .*apart"),
    bad("overlap-rmsprop",
        lambda w: overlap(lambda m, u: _core.rmsprop(
         f32(2, 2), f32(2, 2), m, u, f32(2, 2), 1, 1, 1, 0, 0)),
        ValueError, "rmsprop: mean: .*apart"),
    bad("overlap-l1", lambda w: overlap(lambda g, w: _core.l1_gradient(g, w, 1), 0),
        ValueError, "l1_gradient: grad: .*apart"),
    bad("overlap-l2", lambda w: overlap(lambda g, w: _core.l2_gradient(g, w, 1), 0),
        ValueError, "l2_gradient: grad: .*apart"),
]  # fmt: skip
