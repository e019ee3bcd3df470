"""The mistakes that beginners make: each error says what to do about it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fastnn
from fastnn import nn
from fastnn.nn import functional as F

MODEL = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
X = fastnn.ones(2, 4)


class Forgetful(nn.Module):
    """Does not call `super().__init__()`."""

    def __init__(self, part: Any) -> None:
        self.part = part


def twice() -> None:
    loss = (fastnn.ones(2, requires_grad=True) ** 2).sum()
    loss.backward()
    loss.backward()


MISTAKES: list[tuple[str, Callable[[], Any], type[Exception], str]] = [
    (
        "an image into Linear",
        lambda: MODEL(fastnn.ones(5, 1, 2, 2)),
        ValueError,
        r"Linear\(4 -> 8\): expected input of shape \(N, 4\), got \(5, 1, 2, 2\); flatten\(1\)",
    ),
    ("another width into Linear", lambda: MODEL(fastnn.ones(2, 5)), ValueError, r"\(2, 5\)$"),
    ("whole numbers into Linear", lambda: MODEL(X.long()), TypeError, r"convert it with \.float"),
    (
        "float64 into Linear",
        lambda: MODEL(fastnn.from_numpy(np.ones((2, 4)))),
        TypeError,
        r"got float64; convert it with \.float\(\)",
    ),
    (
        "float labels",
        lambda: F.cross_entropy(MODEL(X), fastnn.zeros(2)),
        TypeError,
        r"convert them with \.long\(\)",
    ),
    (
        "a column of labels",
        lambda: F.cross_entropy(MODEL(X), fastnn.zeros(2, 1).long()),
        ValueError,
        r"got shape \(2, 1\); reshape them to \(2,\)",
    ),
    (
        "labels from 1",
        lambda: F.cross_entropy(MODEL(X), fastnn.tensor([1, 3])),
        IndexError,
        r"^CrossEntropyLoss: .* 0 \.\. 2, got 3 in row 1; classes count from 0",
    ),
    (
        "a column against a row",
        lambda: F.mse_loss(fastnn.ones(3, 1), fastnn.ones(3)),
        ValueError,
        r"reshape the target to \(3, 1\)",
    ),
    ("no super", lambda: Forgetful(nn.ReLU()), AttributeError, r"call super\(\)\.__init__\(\)"),
    (
        "no super, seen late",
        lambda: list(Forgetful(3).parameters()),
        AttributeError,
        r"Forgetful: call super\(\)\.__init__\(\)",
    ),
    ("numpy of a gradient", lambda: MODEL(X).numpy(), RuntimeError, r"use detach\(\)\.numpy\(\)"),
    ("backward twice", twice, RuntimeError, r"backward\(retain_graph=True\)"),
    (
        "parameters not called",
        lambda: fastnn.optim.SGD(MODEL.parameters),
        TypeError,
        r"such as model\.parameters\(\), got .*; call it",
    ),
    (
        "layers in a plain list",
        lambda: fastnn.optim.SGD(nn.Module().parameters()),
        ValueError,
        r"got none; .* plain list are not found: nn\.ModuleList",
    ),
    (
        "shapes that do not broadcast",
        lambda: fastnn.ones(2, 3) + fastnn.ones(4),
        ValueError,
        r"\+: expected shapes .* got \(2, 3\) and \(4,\); reshape",
    ),
    (
        "a comparison of them",
        lambda: fastnn.ones(2) == fastnn.ones(3),
        ValueError,
        r"==: expected shapes .* got \(2,\) and \(3,\)",
    ),
    (
        "a view of another size",
        lambda: fastnn.ones(6).view(4, 2),
        ValueError,
        r"sizes for 6 values of shape \(6,\), got \(4, 2\); one may be -1",
    ),
    (
        "cat of other widths",
        lambda: fastnn.cat([fastnn.ones(2, 3), fastnn.ones(2, 4)]),
        ValueError,
        r"cat: .* dimension 0 only, got shapes \(2, 3\), \(2, 4\)",
    ),
]


@pytest.mark.parametrize(("call", "kind", "message"), [row[1:] for row in MISTAKES],
                         ids=[row[0] for row in MISTAKES])  # fmt: skip
def test_the_error_says_what_to_do(
    call: Callable[[], Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=f"(?s){message}"):
        call()


def test_sizes_may_be_set_before_super() -> None:
    class Sized(nn.Module):
        def __init__(self, width: int) -> None:
            self.width = width
            super().__init__()
            self.fc = nn.Linear(width, 1)

    assert Sized(3).width == 3
    assert list(Sized(3).state_dict()) == ["fc.weight", "fc.bias"]
