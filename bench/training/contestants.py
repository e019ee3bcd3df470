"""Those who train networks, each in its best honest form: one function a contestant."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from harness import Case, Entry, contestant
from numpy_reference import Labels
from training.problem import Problem, data_of, numpy_model, sequential, state_dict, stepwise

__all__ = [
    "fastnn_compiled",
    "fastnn_eager",
    "jax_scan",
    "jax_step",
    "numpy_loop",
    "sklearn_fit",
    "torch_compiled",
    "torch_eager",
    "torch_fused",
]


@contestant("fastnn compiled", needs=("fastnn",), ours=True)
def fastnn_compiled(case: Case) -> Entry:
    """Let `fit` shuffle and compile by itself; both are part of the turn."""
    import fastnn

    problem: Problem = case.params["problem"]
    data = data_of(problem)
    trainer: Any = None

    def prepare() -> None:
        nonlocal trainer
        model = sequential(problem, fastnn.nn, fastnn.from_numpy)
        optimizer = _optimizer(problem, fastnn.optim, model)
        loss = fastnn.nn.CrossEntropyLoss()
        trainer = fastnn.Trainer(model, loss, optimizer, metrics=(), compile=True)

    def fit(x: Any, y: Any, shuffle: bool) -> Any:
        return trainer.fit((x, y), epochs=1, batch_size=problem.batch, shuffle=shuffle, verbose=0)

    def loss_of(rows: Labels) -> float:
        return float(fit(data.x[rows.ravel()], data.y[rows.ravel()], shuffle=False).loss[0])

    def answer() -> dict[str, Any]:
        prepare()
        *checked, last = data.checked(problem)
        return {"mean_loss": loss_of(np.array(checked)), "next_loss": loss_of(last)}

    x, y = data.x[: problem.rows], data.y[: problem.rows]
    return Entry(lambda: fit(x, y, shuffle=True), answer, prepare)


@contestant("fastnn eager", needs=("fastnn",), ours=True)
def fastnn_eager(case: Case) -> Entry:
    """Run the loop of the tutorials."""
    import fastnn
    from fastnn import nn

    problem: Problem = case.params["problem"]
    data = data_of(problem)
    criterion = nn.CrossEntropyLoss()
    model: Any = None
    optimizer: Any = None

    def prepare() -> None:
        nonlocal model, optimizer
        model = sequential(problem, nn, fastnn.from_numpy)
        optimizer = _optimizer(problem, fastnn.optim, model)

    def step(rows: Labels) -> Any:
        x = fastnn.from_numpy(data.x[rows])
        y = fastnn.from_numpy(data.y[rows])
        loss = criterion(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return stepwise(problem, prepare, step, data.order)


@contestant("torch eager", needs=("torch",))
def torch_eager(case: Case) -> Entry:
    return _torch(case)


@contestant("torch fused", needs=("torch",))
def torch_fused(case: Case) -> Entry:
    """Run the loop with the optimizer that updates all parameters in one call."""
    return _torch(case, fused=True)


@contestant("torch.compile, fused", needs=("torch",), slow=True)
def torch_compiled(case: Case) -> Entry:
    return _torch(case, fused=True, compiled=True)


def _torch(case: Case, *, fused: bool = False, compiled: bool = False) -> Entry:
    import torch

    problem: Problem = case.params["problem"]
    data = data_of(problem)
    x, y = torch.from_numpy(data.x), torch.from_numpy(data.y)
    model = sequential(problem, torch.nn, torch.from_numpy)
    criterion = torch.nn.CrossEntropyLoss()
    weights = state_dict(problem, torch.from_numpy)
    optimizer: Any = None

    def forward_loss(x: Any, y: Any) -> Any:
        return criterion(model(x), y)

    loss_of: Callable[..., Any] = torch.compile(forward_loss) if compiled else forward_loss

    def prepare() -> None:
        nonlocal optimizer
        model.load_state_dict(weights)
        optimizer = _optimizer(problem, torch.optim, model, fused=fused)

    def step(rows: Any) -> Any:
        loss = loss_of(x.index_select(0, rows), y.index_select(0, rows))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return stepwise(problem, prepare, step, torch.from_numpy(data.order))


def _optimizer(problem: Problem, optim: Any, model: Any, **options: Any) -> Any:
    """Make an optimizer of PyTorch's `optim`, or of one like it."""
    kind = {"adam": optim.Adam, "sgd": optim.SGD}[problem.optimizer]
    return kind(model.parameters(), lr=problem.lr, **options)


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
    problem: Problem = case.params["problem"]
    data = data_of(problem)
    x, y = jax.device_put(data.x), jax.device_put(data.y)
    epoch = epoch_of(_jax_update(problem))
    state: Any = None

    def prepare() -> None:
        nonlocal state
        params = [jax.numpy.array(w) for w in data.weights]
        moments = params if problem.optimizer == "adam" else []
        ms, vs = ([jax.numpy.zeros_like(p) for p in moments] for _ in range(2))
        state = wait((params, ms, vs, jax.numpy.float32(0)))

    def train(order: Labels) -> Any:
        nonlocal state
        state, losses = wait(epoch(state, x, y, order))
        return losses

    def answer() -> dict[str, Any]:
        prepare()
        return {"losses": [float(loss) for loss in train(data.checked(problem))]}

    return Entry(lambda: train(data.order), answer, prepare)


def _jax_update(problem: Problem) -> Callable[..., Any]:
    """Make one step a pure function: gather, gradient, update; returns new state and loss."""
    import jax
    import jax.numpy as jnp

    def loss_of(params: Any, x: Any, y: Any) -> Any:
        *hidden, (w, b) = zip(params[0::2], params[1::2], strict=True)
        for w_hidden, b_hidden in hidden:
            x = jax.nn.relu(x @ w_hidden.T + b_hidden)
        log_probs = jax.nn.log_softmax(x @ w.T + b)
        return -jnp.take_along_axis(log_probs, y[:, None], axis=1).mean()

    def sgd(state: Any, grads: Any) -> Any:
        params, ms, vs, t = state
        return [p - problem.lr * g for p, g in zip(params, grads, strict=True)], ms, vs, t

    update = sgd if problem.optimizer == "sgd" else _jax_adam(problem.lr)

    def step(state: Any, x: Any, y: Any, rows: Any) -> Any:
        loss, grads = jax.value_and_grad(loss_of)(state[0], x[rows], y[rows])
        return update(state, grads), loss

    return step


def _jax_adam(lr: float) -> Callable[[Any, Any], Any]:
    import jax.numpy as jnp

    beta1, beta2, eps = 0.9, 0.999, 1e-8

    def update(state: Any, grads: Any) -> Any:
        params, ms, vs, t = state
        t = t + 1
        ms = [beta1 * m + (1 - beta1) * g for m, g in zip(ms, grads, strict=True)]
        vs = [beta2 * v + (1 - beta2) * g * g for v, g in zip(vs, grads, strict=True)]
        step_size, v_scale = lr / (1 - beta1**t), (1 - beta2**t) ** -0.5
        params = [
            p - step_size * m / (jnp.sqrt(v) * v_scale + eps)
            for p, m, v in zip(params, ms, vs, strict=True)
        ]
        return params, ms, vs, t

    return update


@contestant("numpy reference", needs=("numpy",))
def numpy_loop(case: Case) -> Entry:
    problem: Problem = case.params["problem"]
    data = data_of(problem)
    model: Any = None

    def prepare() -> None:
        nonlocal model
        model = numpy_model(problem, np.float32)

    def answer() -> dict[str, Any]:
        prepare()
        return {"losses": [model.step(data.x[r], data.y[r]) for r in data.checked(problem)]}

    order = data.order.ravel()
    return Entry(lambda: model.epoch(data.x, data.y, problem.batch, order), answer, prepare)


@contestant("scikit-learn MLPClassifier", needs=("sklearn",))
def sklearn_fit(case: Case) -> Entry:
    """Check the accuracy only: its public interface takes neither weights nor order."""
    from sklearn.neural_network import MLPClassifier

    warnings.filterwarnings("ignore", message="Stochastic Optimizer: Maximum iterations")
    problem: Problem = case.params["problem"]
    data = data_of(problem)
    x, y = data.x[: problem.rows], data.y[: problem.rows]

    def fit() -> Any:
        model = MLPClassifier(
            hidden_layer_sizes=problem.sizes[1:-1],
            solver=problem.optimizer,
            alpha=0.0,
            batch_size=problem.batch,
            learning_rate_init=problem.lr,
            momentum=0.0,
            nesterovs_momentum=False,
            max_iter=1,
            random_state=0,
        )
        return model.fit(x, y)

    return Entry(fit, lambda: {"accuracy": fit().score(x, y)})
