"""One epoch of MNIST: 784-512-512-10, ReLU, cross-entropy, Adam, batches of 100.

Every contestant starts from the same float32 rows in memory, the same initial weights and the
same order of rows, and gathers its batches itself. Each turn begins from the initial weights
again, so that all turns do the same work.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from harness import Case, Entry, Group, UnavailableError, WrongAnswerError, contestant
from numpy_reference import MNIST_SIZES, Floats, Labels, NumpyMLP, initial_weights, load_mnist

BATCH = 100
LEARNING_RATE = 1e-3
CHECKED_STEPS = 20
LOSS_RTOL = 1e-3  # float32 against float64 after 20 updates; in practice they agree to 1e-5
LEAST_ACCURACY = 0.8  # guessing gives 0.1; for what cannot start from the common weights


def groups(quick: bool) -> list[Group]:
    steps = 60 if quick else 600
    title = f"MNIST 784-512-512-10, Adam, batch {BATCH}: {steps} steps"
    case = Case(f"{steps} steps", flops_per_row() * BATCH * steps, {"steps": steps})
    return [Group(title, [case], view="contestants", rounds=2 if quick else 7)]


def check(_case: Case, answer: dict[str, Any]) -> None:
    """Compare the first losses with the float64 reference, or see that something was learnt."""
    reference = reference_losses()
    if "losses" in answer:
        _require_close(answer["losses"], reference)
    if "mean_loss" in answer:
        _require_close([answer["mean_loss"]], [float(np.mean(reference))])
    if "accuracy" in answer and not answer["accuracy"] >= LEAST_ACCURACY:
        raise WrongAnswerError(f"accuracy {answer['accuracy']:.2%} after one epoch")


def _require_close(losses: Sequence[float], reference: Sequence[float]) -> None:
    if not np.allclose(losses, reference, rtol=LOSS_RTOL, atol=0):
        raise WrongAnswerError(f"losses {list(losses)}, expected {list(reference)}")


def flops_per_row() -> int:
    """Count forward and dW of every layer, dX of all but the first; a multiply-add is two."""
    products = [n_in * n_out for n_in, n_out in pairwise(MNIST_SIZES)]
    return 2 * (3 * sum(products) - products[0])


@dataclass(frozen=True)
class Task:
    """The data and the initial weights, equal for all."""

    x: Floats
    y: Labels
    order: Labels  # (steps, BATCH) row numbers
    weights: list[Floats]  # W0 (out, in), b0, W1, b1, ...

    def batches(self, steps: int) -> Labels:
        return self.order[:steps]


@cache
def task() -> Task:
    x, y = load_mnist(train=True)
    order = np.random.default_rng(0).permutation(len(x)).reshape(-1, BATCH)
    return Task(x, y, order, initial_weights(MNIST_SIZES))


@cache
def reference_losses() -> list[float]:
    data = task()
    model = NumpyMLP(MNIST_SIZES, np.float64, max_batch=BATCH, lr=LEARNING_RATE)
    model.load(data.weights)
    return [
        model.step(data.x[rows].astype(np.float64), data.y[rows])
        for rows in data.batches(CHECKED_STEPS)
    ]


def _state_dict(convert: Callable[[Floats], Any]) -> dict[str, Any]:
    """Put the initial weights under the names of a Sequential of Linear, ReLU, Linear, ..."""
    names = [f"{2 * i}.{kind}" for i in range(len(MNIST_SIZES) - 1) for kind in ("weight", "bias")]
    return {name: convert(w) for name, w in zip(names, task().weights, strict=True)}


def _torch_like_model(nn: Any, convert: Callable[[Floats], Any]) -> Any:
    n0, n1, n2, n3 = MNIST_SIZES
    model = nn.Sequential(
        nn.Linear(n0, n1), nn.ReLU(), nn.Linear(n1, n2), nn.ReLU(), nn.Linear(n2, n3)
    )
    model.load_state_dict(_state_dict(convert))
    return model


@contestant("fastnn loop", needs=("fastnn",), ours=True)
def fastnn_loop(case: Case) -> Entry:
    """Run the loop of the tutorials."""
    import fastnn
    from fastnn import nn, optim

    data = task()
    criterion = nn.CrossEntropyLoss()
    model: Any = None
    optimizer: Any = None

    def prepare() -> None:
        nonlocal model, optimizer
        model = _torch_like_model(nn, fastnn.from_numpy)
        optimizer = optim.Adam(model.parameters(), lr=LEARNING_RATE)

    def step(rows: Labels) -> Any:
        x = fastnn.from_numpy(data.x[rows])
        y = fastnn.from_numpy(data.y[rows])
        outputs = model(x)
        loss = criterion(outputs, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return _stepwise(prepare, step, data.order, case)


@contestant("fastnn Trainer.fit", needs=("fastnn",), ours=True)
def fastnn_trainer(case: Case) -> Entry:
    """Let `fit` shuffle and compile by itself; both are part of the turn."""
    import fastnn

    if not hasattr(fastnn, "Trainer"):
        raise UnavailableError("this fastnn has no Trainer")
    data = task()
    trainer: Any = None

    def prepare() -> None:
        nonlocal trainer
        model = _torch_like_model(fastnn.nn, fastnn.from_numpy)
        optimizer = fastnn.optim.Adam(model.parameters(), lr=LEARNING_RATE)
        trainer = fastnn.Trainer(model, fastnn.nn.CrossEntropyLoss(), optimizer, metrics=())

    def fit(rows: Labels, shuffle: bool) -> Any:
        train = (data.x[rows], data.y[rows]) if rows.size < len(data.x) else (data.x, data.y)
        return trainer.fit(train, epochs=1, batch_size=BATCH, shuffle=shuffle, verbose=0)

    def answer() -> dict[str, Any]:
        prepare()
        history = fit(data.batches(CHECKED_STEPS).ravel(), shuffle=False)
        return {"mean_loss": float(history.loss[0])}

    rows = data.batches(case.params["steps"]).ravel()
    return Entry(lambda: fit(rows, shuffle=True), answer, prepare)


@contestant("numpy reference", needs=("numpy",))
def numpy_reference(case: Case) -> Entry:
    data = task()
    model: Any = None

    def prepare() -> None:
        nonlocal model
        model = NumpyMLP(MNIST_SIZES, np.float32, max_batch=BATCH, lr=LEARNING_RATE)
        model.load(data.weights)

    def answer() -> dict[str, Any]:
        prepare()
        losses = [model.step(data.x[r], data.y[r]) for r in data.batches(CHECKED_STEPS)]
        return {"losses": losses}

    rows = data.batches(case.params["steps"]).ravel()
    return Entry(lambda: model.epoch(data.x, data.y, BATCH, rows), answer, prepare)


@contestant("torch eager", needs=("torch",))
def torch_eager(case: Case) -> Entry:
    return _torch(case)


@contestant("torch eager, fused Adam", needs=("torch",))
def torch_fused(case: Case) -> Entry:
    return _torch(case, fused=True)


@contestant("torch.compile, fused Adam", needs=("torch",), slow=True)
def torch_compiled(case: Case) -> Entry:
    return _torch(case, fused=True, compiled=True)


def _torch(case: Case, *, fused: bool = False, compiled: bool = False) -> Entry:
    import torch

    data = task()
    x, y = torch.from_numpy(data.x), torch.from_numpy(data.y)
    model = _torch_like_model(torch.nn, torch.from_numpy)
    criterion = torch.nn.CrossEntropyLoss()
    weights = _state_dict(torch.from_numpy)
    optimizer: Any = None

    def forward_loss(x: Any, y: Any) -> Any:
        return criterion(model(x), y)

    loss_of = torch.compile(forward_loss) if compiled else forward_loss

    def prepare() -> None:
        nonlocal optimizer
        model.load_state_dict(weights)
        optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=fused)

    def step(rows: Any) -> Any:
        loss = loss_of(x[rows], y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return _stepwise(prepare, step, torch.from_numpy(data.order), case)


def _stepwise(
    prepare: Callable[[], None], step: Callable[[Any], Any], order: Any, case: Case
) -> Entry:
    """Make an entry of a loop over batches of row numbers; its step returns the loss."""

    def run() -> None:
        for rows in order[: case.params["steps"]]:
            step(rows)

    def answer() -> dict[str, Any]:
        prepare()
        return {"losses": [step(rows).item() for rows in order[:CHECKED_STEPS]]}

    return Entry(run, answer, prepare)


@contestant("jax, jitted step", needs=("jax",))
def jax_step(case: Case) -> Entry:
    import jax

    def epoch_of(update: Callable[..., Any]) -> Callable[..., Any]:
        step = jax.jit(update, donate_argnums=0)

        def epoch(state: Any, x: Any, y: Any, order: Any) -> Any:
            losses = []
            for rows in order:
                state, loss = step(state, x, y, rows)
                losses.append(loss)
            return state, losses

        return epoch

    return _jax(case, epoch_of)


@contestant("jax, epoch in lax.scan", needs=("jax",))
def jax_scan(case: Case) -> Entry:
    import jax

    def epoch_of(update: Callable[..., Any]) -> Callable[..., Any]:
        def epoch(state: Any, x: Any, y: Any, order: Any) -> Any:
            return jax.lax.scan(lambda carry, rows: update(carry, x, y, rows), state, order)

        return jax.jit(epoch, donate_argnums=0)

    return _jax(case, epoch_of)


def _jax(case: Case, epoch_of: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Entry:
    """Make an entry; `epoch_of` turns one update into (state, x, y, order) -> state, losses."""
    import jax

    wait: Any = jax.block_until_ready
    data = task()
    x, y = jax.device_put(data.x), jax.device_put(data.y)
    epoch = epoch_of(_jax_update)
    state: Any = None

    def prepare() -> None:
        nonlocal state
        params = [jax.numpy.array(w) for w in data.weights]
        ms, vs = ([jax.numpy.zeros_like(p) for p in params] for _ in range(2))
        state = wait((params, ms, vs, jax.numpy.float32(0)))

    def train(steps: int) -> Any:
        nonlocal state
        state, losses = wait(epoch(state, x, y, data.batches(steps)))
        return losses

    def answer() -> dict[str, Any]:
        prepare()
        return {"losses": [float(loss) for loss in train(CHECKED_STEPS)]}

    return Entry(lambda: train(case.params["steps"]), answer, prepare)


def _jax_update(state: Any, x: Any, y: Any, rows: Any) -> Any:
    """Take one step as a pure function: gather, gradient, Adam; returns new state and loss."""
    import jax
    import jax.numpy as jnp

    def loss_of(params: Any, x: Any, y: Any) -> Any:
        *hidden, (w, b) = zip(params[0::2], params[1::2], strict=True)
        for w_hidden, b_hidden in hidden:
            x = jax.nn.relu(x @ w_hidden.T + b_hidden)
        log_probs = jax.nn.log_softmax(x @ w.T + b)
        return -jnp.take_along_axis(log_probs, y[:, None], axis=1).mean()

    beta1, beta2, eps = 0.9, 0.999, 1e-8
    params, ms, vs, t = state
    loss, grads = jax.value_and_grad(loss_of)(params, x[rows], y[rows])
    t = t + 1
    ms = [beta1 * m + (1 - beta1) * g for m, g in zip(ms, grads, strict=True)]
    vs = [beta2 * v + (1 - beta2) * g * g for v, g in zip(vs, grads, strict=True)]
    step_size, v_scale = LEARNING_RATE / (1 - beta1**t), (1 - beta2**t) ** -0.5
    params = [
        p - step_size * m / (jnp.sqrt(v) * v_scale + eps)
        for p, m, v in zip(params, ms, vs, strict=True)
    ]
    return (params, ms, vs, t), loss


@contestant("scikit-learn MLPClassifier", needs=("sklearn",))
def sklearn_fit(case: Case) -> Entry:
    """Check the accuracy only: its public interface takes neither weights nor order."""
    from sklearn.neural_network import MLPClassifier

    warnings.filterwarnings("ignore", message="Stochastic Optimizer: Maximum iterations")
    data = task()
    rows = BATCH * case.params["steps"]
    x, y = data.x[:rows], data.y[:rows]

    def fit() -> Any:
        model = MLPClassifier(
            hidden_layer_sizes=MNIST_SIZES[1:-1],
            alpha=0.0,
            batch_size=BATCH,
            learning_rate_init=LEARNING_RATE,
            max_iter=1,
            random_state=0,
        )
        return model.fit(x, y)

    return Entry(fit, lambda: {"accuracy": fit().score(x, y)})
