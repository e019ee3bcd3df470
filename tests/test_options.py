"""Options: what counts as a number, what the errors say, and that all who take options agree."""

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fastnn
from fastnn import data, nn, optim, options
from fastnn.nn import functional as F
from fastnn.nn import utils
from fastnn.vision import transforms

Check = Callable[[Any], Any]
CHECKS: dict[str, Check] = {
    "number": lambda value: options.number("Who", "x", value),
    "at_least_zero": lambda value: options.at_least_zero("Who", "x", value),
    "magnitude": lambda value: options.at_least_zero("Who", "x", value, infinite=True),
    "above_zero": lambda value: options.above_zero("Who", "x", value),
    "bound": lambda value: options.above_zero("Who", "x", value, infinite=True),
    "fraction": lambda value: options.fraction("Who", "x", value),
    "share": lambda value: options.share("Who", "x", value),
    "share above zero": lambda value: options.share("Who", "x", value, zero=False),
    "integer": lambda value: options.integer("Who", "x", value),
    "whole": lambda value: options.whole("Who", "x", value, 1),
    "seed": lambda value: options.seed("Who", value),
    "flag": lambda value: options.flag("Who", "x", value),
    "one_of": lambda value: options.one_of("Who", "x", value, "sum", "mean", "none"),
}  # fmt: skip
REAL = [name for name in CHECKS if name not in ("integer", "whole", "seed", "flag", "one_of")]
SMALL, BELOW = 5e-324, math.nextafter(1, 0)


@pytest.mark.parametrize(("name", "good", "bad", "expected"), [
    ("number", (-math.inf, -1, 0, math.inf), (math.nan,), "x to be a number"),
    ("at_least_zero", (0, -0.0, SMALL, 1e308), (-SMALL, math.inf, math.nan), "a finite x >= 0"),
    ("magnitude", (0, math.inf), (-SMALL, -math.inf, math.nan), "x >= 0"),
    ("above_zero", (SMALL, 1e308), (0, -1, math.inf, math.nan), "a finite x > 0"),
    ("bound", (SMALL, math.inf), (0, -1, -math.inf, math.nan), "x > 0"),
    ("fraction", (0, BELOW), (-SMALL, 1, math.inf, math.nan), "0 <= x < 1"),
    ("share", (0, 1), (-SMALL, 1 + 1e-15, math.nan), "0 <= x <= 1"),
    ("share above zero", (SMALL, 1), (0, -0.0, 1.5, math.nan), "0 < x <= 1"),
    ("whole", (1, 2**70), (0, -1), "x >= 1"),
    ("seed", (0, 2**64 - 1), (-1, 2**64), "a seed from 0 to 2**64 - 1"),
    ("one_of", ("sum", "none"), ("", "Sum", None, 1, ["sum"]), "x 'sum', 'mean' or 'none'"),
])  # fmt: skip
def test_bounds(name: str, good: tuple[Any, ...], bad: tuple[Any, ...], expected: str) -> None:
    for value in good:
        assert CHECKS[name](value) == value
    for value in bad:
        with pytest.raises(
            ValueError, match=re.escape(f"Who: expected {expected}, got {value!r}") + "$"
        ):
            CHECKS[name](value)


@pytest.mark.parametrize("value", [True, False, np.True_, None, "1", [1], 1j, np.complex64(1)])
@pytest.mark.parametrize("name", [*REAL, "integer", "whole", "seed"])
def test_what_is_no_number(name: str, value: Any) -> None:
    with pytest.raises(TypeError, match=r"^Who: expected .*(a number|an integer (x|seed)), got "):
        CHECKS[name](value)


@pytest.mark.parametrize("value", [0.5, 1.0, np.float32(1), np.ones(2, int), fastnn.tensor(1.0)])
def test_what_is_no_integer(value: Any) -> None:
    with pytest.raises(TypeError, match=r"^Who: expected an integer x, got "):
        options.integer("Who", "x", value)


@pytest.mark.parametrize("value", [0, 1, 1.0, "True", None, np.array(True)])
def test_what_is_no_flag(value: Any) -> None:
    with pytest.raises(TypeError, match=r"^Who: expected x to be True or False, got "):
        options.flag("Who", "x", value)


@pytest.mark.parametrize("kind", [
    int, float, np.float16, np.float32, np.float64, np.longdouble, np.int8, np.uint8, np.int64,
    np.uint64,
])  # fmt: skip
def test_numbers_of_numpy_become_those_of_python(kind: type) -> None:
    for name in REAL:
        if name != "fraction":
            got = CHECKS[name](kind(1))
            assert (type(got), got) == (float, 1.0)
    if isinstance(kind(1), int | np.integer):
        for name in ("integer", "whole", "seed"):
            got = CHECKS[name](kind(1))
            assert (type(got), got) == (int, 1)
    assert options.flag("Who", "x", np.False_) is False


@pytest.mark.parametrize("value", [fastnn.tensor(0.5), np.array(0.5)])
def test_an_array_of_one_number_is_told_how_to_become_one(value: Any) -> None:
    with pytest.raises(TypeError, match=r"expected lr to be a number, got .*; pass lr\.item\(\)$"):
        options.at_least_zero("SGD", "lr", value)


# --- all who take options ---

W = fastnn.ones(2, 2, requires_grad=True)
DISAGREED: list[tuple[Callable[[], Any], str]] = [
    (lambda: fastnn.manual_seed(True), "manual_seed: expected an integer seed, got True"),
    (lambda: fastnn.set_num_threads(True), "set_num_threads: expected an integer n, got True"),
    (lambda: nn.Linear(True, 2), "Linear: expected an integer in_features, got True"),
    (lambda: nn.LayerNorm((2, True)), "or a sequence of integers, got (2, True)"),
    (lambda: nn.NLLLoss(ignore_index=True), "NLLLoss: expected an integer ignore_index, got True"),
    (lambda: F.softmax(W, dim=True), "softmax: expected an integer dim, got True"),
    (lambda: optim.SGD([W], lr=np.complex64(1)), "SGD: expected lr to be a number, got np.comp"),
    (lambda: utils.clip_grad_norm_(W, "2"), "clip_grad_norm_: expected max_norm to be a number"),
    (lambda: utils.clip_grad_value_(W, True), "clip_grad_value_: expected clip_value to be a num"),
    (lambda: nn.init.normal_(fastnn.zeros(1), std="1"), "normal_: expected std to be a number"),
    (lambda: nn.init.sparse_(W, None), "sparse_: expected sparsity to be a number, got None"),
    (lambda: fastnn.callbacks.EarlyStopping(min_delta="1"), "EarlyStopping: expected min_delta to"),
    (lambda: data.class_weights([0, 1], 2.5), "class_weights: expected an integer num_classes"),
    (lambda: data.random_split([1, 2], [1, 1j]), "random_split: expected numbers as lengths"),
    (lambda: transforms.RandomInvert("1"), "RandomInvert: expected p to be a number, got '1'"),
    (lambda: fastnn.numerical_gradient(np.sum, np.ones(1), "1"), "expected step h to be a number"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), DISAGREED)
def test_nobody_takes_what_is_no_number(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(TypeError, match=re.escape(message)):
        call()


def test_schedules_keep_numbers_of_python() -> None:
    """A rate times np.float32 would lose digits, and a state is saved as Python's numbers."""
    optimizer = optim.SGD([W], lr=0.1)
    schedule = optim.lr_scheduler.StepLR(optimizer, np.int64(1), gamma=np.float32(0.3))
    optimizer.step()
    schedule.step()
    assert schedule.get_last_lr() == [0.1 * float(np.float32(0.3))]
    assert {type(schedule.step_size), type(schedule.gamma)} == {int, float}


def test_gain_of_numpy_slopes() -> None:
    assert nn.init.calculate_gain("leaky_relu", np.float32(1)) == 1.0
    assert nn.init.calculate_gain("leaky_relu", np.int64(0)) == math.sqrt(2)


def test_norms_take_what_they_take_in_pytorch() -> None:
    grads = [fastnn.tensor([3.0, -4.0])]
    assert utils.get_total_norm(grads, "inf").item() == 4.0  # type: ignore[arg-type]
    w = fastnn.zeros(2, requires_grad=True)
    (w * grads[0]).sum().backward()
    utils.clip_grad_norm_(w, fastnn.tensor(2.5))  # type: ignore[arg-type]
    np.testing.assert_allclose(w.grad.numpy(), [1.5, -2.0], rtol=1e-6)
