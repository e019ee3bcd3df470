"""Tensors look on screen as PyTorch's do."""

from typing import Any

import numpy as np
import pytest
import torch

import fastnn

SHOWN: list[tuple[str, Any]] = [
    ("0d", 0.1),
    ("whole", [1.0, -2.0, 100.0]),
    ("halves", [0.5, 1, 2]),
    ("all zero", [0.0, 0.0]),
    ("empty", []),
    ("small", [1e-5, 0.5]),
    ("tiny", 1e-9),
    ("far apart", [1e-3, 2.5]),
    ("not so far apart", [1e-2, 5.5]),
    ("small and alike", [5e-5, 6.5e-5]),
    ("large and alike", [5e8, 6.25e8]),
    ("whole and far apart", [1.0, 2.0, 5000.0]),
    ("huge", [2e8, 3e8]),
    ("signs", [[0.752, -0.25], [10.5, 3.0]]),
    ("not finite", [1.5, float("nan"), float("inf"), -float("inf")]),
    ("whole and not finite", [1.0, float("nan"), -3.0]),
    ("one that is not finite", [1.0, float("nan")]),
    ("none finite", [float("nan"), float("inf")]),
    ("negative zero", [-0.0, 1.0]),
    ("truths", [True, True]),
    ("truth and falsehood", [[True, False], [False, True]]),
    ("no truth", [False]),
    ("whole numbers", [[1, -20], [300, 4]]),
    ("more than fit a line", (np.arange(50) / 8).tolist()),
    ("more whole numbers than are printed", list(range(2000))),
    ("more than are printed", (np.arange(2000) / 8).tolist()),
    ("a table of more than are printed", (np.arange(2000.0).reshape(40, 50) / 7).tolist()),
]


@pytest.mark.parametrize("values", [v for _, v in SHOWN], ids=[name for name, _ in SHOWN])
def test_printed_values(values: Any) -> None:
    assert repr(fastnn.tensor(values)) == repr(torch.tensor(values))


@pytest.mark.parametrize("options", [
    {"precision": 2}, {"sci_mode": True}, {"sci_mode": False, "precision": 6}, {"linewidth": 40},
    {"threshold": 5, "edgeitems": 1},
], ids=str)  # fmt: skip
def test_print_options(options: dict[str, Any]) -> None:
    values = [[0.5, 1.25, 2000.125], [1, 3, 0.001]]
    try:
        for library in (fastnn, torch):
            library.set_printoptions(**options)
        assert repr(fastnn.tensor(values)) == repr(torch.tensor(values))
    finally:
        for library in (fastnn, torch):
            library.set_printoptions(profile="default")


def test_formatted_values() -> None:
    """A single value formats as its number, with and without a format."""
    for library in (fastnn, torch):
        one, loss = library.tensor([0.5]), library.tensor(0.5, requires_grad=True) * 3
        assert f"{loss} {loss:.3f} {loss.detach():8.2f} {library.tensor(3)} {one}" == (
            "1.5 1.500     1.50 3 tensor([0.5000])"
        )
