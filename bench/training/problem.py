"""Training a ReLU network: the problem, its data, and what the answer must be.

Every contestant starts from the same float32 rows in memory, the same initial weights and the
same order of rows, and gathers its batches itself. Each turn begins from the initial weights
again, so that all turns do the same work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from harness import Case, Entry, WrongAnswerError
from numpy_reference import SGD, Adam, Floats, Labels, NumpyMLP, initial_weights, load_mnist

__all__ = ["Data", "Problem", "check", "data_of", "numpy_model", "state_dict", "stepwise"]

CHECKED_STEPS = 20
CHECKED_FLOPS = 30e9  # as many as NumPy in float64 does in a second: large nets take fewer steps
LOSS_RTOL = 1e-3  # float32 against float64 after 20 updates; in practice they agree to 1e-5


@dataclass(frozen=True)
class Problem:
    """Linear-ReLU-...-Linear with mean softmax cross-entropy.

    Args:
        sizes: Width of the input, of each hidden layer and of the output.
        batch: Rows a step.
        steps: Of a run, over as many different rows.
        optimizer: "adam", or "sgd" without momentum.
        lr: Learning rate.
        source: "mnist", or "made": normal inputs with classes that a linear teacher gives them.
        least_accuracy: For contestants that cannot start from the common weights: what they must
            reach on the training rows after one run.
    """

    sizes: tuple[int, ...]
    batch: int
    steps: int
    optimizer: Literal["adam", "sgd"] = "adam"
    lr: float = 1e-3
    source: Literal["mnist", "made"] = "made"
    least_accuracy: float = 0.5

    @property
    def rows(self) -> int:
        return self.batch * self.steps

    @property
    def step_flops(self) -> float:
        """Count forward and dW of every layer, dX of all but the first; a multiply-add is two."""
        products = [n_in * n_out for n_in, n_out in pairwise(self.sizes)]
        return 2.0 * (3 * sum(products) - products[0]) * self.batch

    @property
    def checked_steps(self) -> int:
        affordable = int(CHECKED_FLOPS / self.step_flops)
        return max(1, min(CHECKED_STEPS, affordable, self.steps - 1))

    def case(self, name: str, size: float = 0.0, *, rows: bool = False) -> Case:
        """Make a case, whose parts are steps, or rows."""
        count = self.rows if rows else self.steps
        return Case(name, self.step_flops * self.steps, {"problem": self}, count, size)

    def __str__(self) -> str:
        return "-".join(map(str, self.sizes))


@dataclass(frozen=True)
class Data:
    """The data and the initial weights, equal for all."""

    x: Floats
    y: Labels
    order: Labels  # (steps, batch) row numbers
    weights: list[Floats]  # W0 (out, in), b0, W1, b1, ...

    def checked(self, problem: Problem) -> Labels:
        """Return the order of the steps whose losses are checked, and of the one after them."""
        return self.order[: problem.checked_steps + 1]


@lru_cache(maxsize=1)  # the largest is 2 GB
def data_of(problem: Problem) -> Data:
    """Make or load the data, and shuffle."""
    x, y = load_mnist(train=True) if problem.source == "mnist" else _made(problem)
    order = np.random.default_rng(0).permutation(problem.rows).reshape(-1, problem.batch)
    return Data(x, y, order, initial_weights(problem.sizes))


def _made(problem: Problem) -> tuple[Floats, Labels]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((problem.rows, problem.sizes[0]), np.float32)
    teacher = rng.standard_normal((problem.sizes[0], problem.sizes[-1]), np.float32)
    return x, (x @ teacher).argmax(1)


def numpy_model(problem: Problem, dtype: Any) -> NumpyMLP:
    """Make the NumPy network in this type, with the common weights."""
    optimizer = {"adam": Adam, "sgd": SGD}[problem.optimizer]
    model = NumpyMLP(
        problem.sizes, dtype, max_batch=problem.batch, lr=problem.lr, optimizer=optimizer
    )
    model.load(data_of(problem).weights)
    return model


@lru_cache(maxsize=8)
def _reference_losses(problem: Problem) -> list[float]:
    data = data_of(problem)
    model = numpy_model(problem, np.float64)
    return [
        model.step(data.x[rows].astype(np.float64), data.y[rows]) for rows in data.checked(problem)
    ]


def check(case: Case, answer: dict[str, Any]) -> None:
    """Compare the first losses with those in float64, or see that something was learnt.

    An answer holds the `losses` of the checked steps, or their `mean_loss` with that of the step
    after them (`next_loss`), or the `accuracy` after a whole run.
    """
    problem: Problem = case.params["problem"]
    reference = _reference_losses(problem)
    if "losses" in answer:
        _require_close(answer["losses"], reference)
    elif "mean_loss" in answer:
        expected = [float(np.mean(reference[:-1])), reference[-1]]
        _require_close([answer["mean_loss"], answer["next_loss"]], expected)
    elif not answer["accuracy"] >= problem.least_accuracy:
        raise WrongAnswerError(f"accuracy {answer['accuracy']:.2%} after {problem.steps} steps")


def _require_close(losses: Sequence[float], reference: Sequence[float]) -> None:
    close = len(losses) == len(reference) and np.allclose(losses, reference, rtol=LOSS_RTOL, atol=0)
    if not close:
        raise WrongAnswerError(f"losses {list(losses)}, expected {list(reference)}")


def state_dict(problem: Problem, convert: Callable[[Floats], Any]) -> dict[str, Any]:
    """Put the initial weights under the names of a Sequential of Linear, ReLU, Linear, ..."""
    layers = range(len(problem.sizes) - 1)
    names = [f"{2 * layer}.{kind}" for layer in layers for kind in ("weight", "bias")]
    return {name: convert(w) for name, w in zip(names, data_of(problem).weights, strict=True)}


def sequential(problem: Problem, nn: Any, convert: Callable[[Floats], Any]) -> Any:
    """Build the network of PyTorch's `nn`, or of one like it, with the common weights."""
    layers: list[Any] = []
    for n_in, n_out in pairwise(problem.sizes):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    model.load_state_dict(state_dict(problem, convert))
    return model


def stepwise(
    problem: Problem, prepare: Callable[[], None], step: Callable[[Any], Any], order: Any
) -> Entry:
    """Make an entry of a loop over batches of row numbers; its step returns the loss."""

    def run() -> None:
        for rows in order:
            step(rows)

    def answer() -> dict[str, Any]:
        prepare()
        return {"losses": [step(rows).item() for rows in order[: problem.checked_steps + 1]]}

    return Entry(run, answer, prepare)
