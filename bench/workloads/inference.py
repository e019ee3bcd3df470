"""Outputs of 784-512-512-10 for 1, 100 and 10000 rows, from a NumPy array to a NumPy array.

Everyone holds the same float32 weights and is called once for all rows. scikit-learn has no call
for the outputs before the softmax, so it computes that as well.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import Any

import machine
import numpy as np
from harness import Case, Entry, Group, WrongAnswerError, contestant
from numpy_reference import MNIST_SIZES, Floats, NumpyMLP
from training.problem import Problem, data_of, sequential

BATCHES = (1, 100, 10000)
ATOL = 1e-5  # float32 against float64, of outputs below 1; in practice they agree to 1e-6


def groups(quick: bool) -> list[Group]:
    products = sum(n_in * n_out for n_in, n_out in pairwise(MNIST_SIZES))
    cases = [
        Case(f"batch {rows}", 2.0 * products * rows, {"rows": rows})
        for rows in (BATCHES[:2] if quick else BATCHES)
    ]
    title = f"Inference of {'-'.join(map(str, MNIST_SIZES))}"
    return [Group(title, cases, view="matrix", each="call", rounds=1 if quick else 9)]


def check(case: Case, answer: dict[str, Floats]) -> None:
    """Compare `outputs`, or `probabilities`, with those in float64."""
    expected = _reference(case.params["rows"])
    if "probabilities" in answer:
        expected = np.exp(expected) / np.exp(expected).sum(1, keepdims=True)
    (got,) = answer.values()
    if got.shape != expected.shape or not np.allclose(got, expected, rtol=0, atol=ATOL):
        raise WrongAnswerError(f"expected {expected[0]}, got {got[0]}, or other rows differ")


PROBLEM = Problem(MNIST_SIZES, 1, 1)  # for the common weights; its data are not used


@lru_cache
def _inputs(rows: int) -> Floats:
    return np.random.default_rng(1).random((rows, MNIST_SIZES[0]), np.float32)


@lru_cache
def _reference(rows: int) -> Floats:
    model = NumpyMLP(MNIST_SIZES, np.float64, max_batch=1000)
    model.load(data_of(PROBLEM).weights)
    return model.predict(_inputs(rows).astype(np.float64))


def _entry(case: Case, call: Callable[[Floats], Any]) -> Entry:
    """Make an entry of a function from rows to outputs."""
    x = _inputs(case.params["rows"])
    return Entry(lambda: call(x), lambda: {"outputs": call(x)})


@contestant("fastnn Trainer.predict", needs=("fastnn",), ours=True)
def fastnn_predict(case: Case) -> Entry:
    import fastnn

    model = sequential(PROBLEM, fastnn.nn, fastnn.from_numpy)
    optimizer = fastnn.optim.SGD(model.parameters(), lr=0.1)
    trainer = fastnn.Trainer(model, fastnn.nn.CrossEntropyLoss(), optimizer)
    return _entry(case, trainer.predict)


@contestant("fastnn.freeze(model)", needs=("fastnn",), ours=True)
def fastnn_frozen(case: Case) -> Entry:
    import fastnn

    return _entry(case, fastnn.freeze(sequential(PROBLEM, fastnn.nn, fastnn.from_numpy)))


@contestant("fastnn model(x)", needs=("fastnn",), ours=True)
def fastnn_call(case: Case) -> Entry:
    """Call the model as PyTorch's are called: in eval mode, without gradients."""
    import fastnn

    model = sequential(PROBLEM, fastnn.nn, fastnn.from_numpy).eval()

    def call(x: Floats) -> Any:
        with fastnn.no_grad():
            return model(fastnn.from_numpy(x)).numpy()

    return _entry(case, call)


@contestant("onnxruntime", needs=("onnxruntime", "onnx"))
def onnxruntime_run(case: Case) -> Entry:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = machine.allowed_threads()
    session = onnxruntime.InferenceSession(
        _onnx_model(), options, providers=["CPUExecutionProvider"]
    )
    return _entry(case, lambda x: session.run(None, {"x": x})[0])


def _onnx_model() -> bytes:
    """Write Gemm, Relu, Gemm, ... with the common weights, as an exporter would."""
    import onnx
    from onnx import helper, numpy_helper

    weights = data_of(PROBLEM).weights
    nodes, tensors, value = [], [], "x"
    for layer, (w, b) in enumerate(zip(weights[0::2], weights[1::2], strict=True)):
        names = [f"w{layer}", f"b{layer}"]
        tensors += [numpy_helper.from_array(a, n) for a, n in zip((w, b), names, strict=True)]
        nodes.append(helper.make_node("Gemm", [value, *names], [f"z{layer}"], transB=1))
        nodes.append(helper.make_node("Relu", [f"z{layer}"], [f"a{layer}"]))
        value = f"a{layer}"
    nodes.pop()  # no Relu after the last layer
    ends = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["rows", width])
        for name, width in (("x", MNIST_SIZES[0]), (nodes[-1].output[0], MNIST_SIZES[-1]))
    ]
    graph = helper.make_graph(nodes, "mlp", ends[:1], ends[1:], tensors)
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)  # which older runtimes read
    serialized: bytes = model.SerializeToString()
    return serialized


@contestant("torch", needs=("torch",))
def torch_call(case: Case) -> Entry:
    return _torch(case, lambda torch, model: model)


@contestant("torch.jit.freeze", needs=("torch",))
def torch_frozen(case: Case) -> Entry:
    return _torch(case, lambda torch, model: torch.jit.freeze(torch.jit.script(model)))


@contestant("torch.compile", needs=("torch",), slow=True)
def torch_compiled(case: Case) -> Entry:
    return _torch(case, lambda torch, model: torch.compile(model))


def _torch(case: Case, prepare: Callable[[Any, Any], Callable[..., Any]]) -> Entry:
    import torch

    forward = prepare(torch, sequential(PROBLEM, torch.nn, torch.from_numpy).eval())

    def call(x: Floats) -> Any:
        with torch.inference_mode():
            return forward(torch.from_numpy(x)).numpy()

    return _entry(case, call)


@contestant("jax", needs=("jax",))
def jax_call(case: Case) -> Entry:
    import jax

    weights = [jax.numpy.array(w) for w in data_of(PROBLEM).weights]

    @jax.jit
    def forward(weights: Any, x: Any) -> Any:
        *hidden, (w, b) = zip(weights[0::2], weights[1::2], strict=True)
        for w_hidden, b_hidden in hidden:
            x = jax.nn.relu(x @ w_hidden.T + b_hidden)
        return x @ w.T + b

    return _entry(case, lambda x: np.asarray(forward(weights, x)))


@contestant("numpy reference", needs=("numpy",))
def numpy_predict(case: Case) -> Entry:
    model = NumpyMLP(MNIST_SIZES, np.float32, max_batch=1000)
    model.load(data_of(PROBLEM).weights)
    return _entry(case, model.predict)


@contestant("scikit-learn predict_proba", needs=("sklearn",))
def sklearn_predict(case: Case) -> Entry:
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(hidden_layer_sizes=MNIST_SIZES[1:-1], batch_size=1)
    classes = np.arange(MNIST_SIZES[-1])
    model.partial_fit(_inputs(1), classes[:1], classes=classes)  # makes the layers
    weights = data_of(PROBLEM).weights
    model.coefs_ = [w.T for w in weights[0::2]]
    model.intercepts_ = weights[1::2]
    x = _inputs(case.params["rows"])
    return Entry(lambda: model.predict_proba(x), lambda: {"probabilities": model.predict_proba(x)})


CONTESTANTS = [
    fastnn_frozen,
    fastnn_predict,
    fastnn_call,
    onnxruntime_run,
    torch_call,
    torch_frozen,
    torch_compiled,
    jax_call,
    numpy_predict,
    sklearn_predict,
]
